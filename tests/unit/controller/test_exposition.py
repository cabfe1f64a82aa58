"""Metrics as text: what is written is what the readers of Prometheus read, whatever the values are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

from pmond.runtime.supervise.turn_times import BOUNDS, TurnTimes
from pmond.runtime.views.exposition import END, Form, Kind, Metric, head, histogram, label_text, samples
from pmond.runtime.views.spent_time import SpentTimes

READERS: dict[Form, Any] = {"openmetrics": openmetrics, "prometheus": prometheus}
forms = pytest.mark.parametrize("form", ["openmetrics", "prometheus"])


def read(form: Form, text: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Names of samples, and for each its labels and values."""
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in READERS[form](text + END):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


@forms
@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 2**53))
def test_any_label_and_any_number_is_read_as_it_was(form: Form, name: str, number: int) -> None:
    metric = Metric[int]("seen", Kind.COUNTER, "How often.", lambda value: value)
    labels = label_text({"name": name})
    text = head(metric.name, metric.kind, metric.help, metric.unit, form) + "".join(
        samples(metric, labels, number)
    )
    assert read(form, text) == {"seen_total": [({"name": name}, number)]}


@forms
def test_a_metric_may_have_no_value_or_one_for_each_further_label(form: Form) -> None:
    metric = Metric[Any]("tries", Kind.GAUGE, "How many.", lambda value: value)
    top = head(metric.name, metric.kind, metric.help, metric.unit, form)
    several = "".join(samples(metric, 'name="web"', {'probe="ready"': 1, 'probe="live"': 0.5}))
    assert read(form, top + several) == {
        "tries": [({"name": "web", "probe": "ready"}, 1.0), ({"name": "web", "probe": "live"}, 0.5)]
    }
    assert list(samples(metric, 'name="web"', None)) == []
    assert read(form, top + "".join(samples(metric, "", 7))) == {"tries": [({}, 7.0)]}


@forms
def test_information_is_in_the_labels(form: Form) -> None:
    metric = Metric[str]("process", Kind.INFO, "What it is.", lambda user: {label_text({"user": user}): 1})
    top = head(metric.name, metric.kind, metric.help, metric.unit, form)
    found = read(form, top + "".join(samples(metric, 'name="web"', "ana")))
    assert found == {"process_info": [({"name": "web", "user": "ana"}, 1.0)]}


def test_a_path_that_is_no_text_can_be_a_label() -> None:
    assert label_text({"set": "file:/srv/w\udcffb"}) == 'set="file:/srv/w\\\\xffb"'


@given(st.lists(st.floats(0, 10)))
def test_turns_are_counted_by_how_long_they_took(turns: list[float]) -> None:
    times = TurnTimes()
    for seconds in turns:
        times.note(seconds)
    assert list(times.at_most()) == [(bound, sum(one <= bound for one in turns)) for bound in BOUNDS]
    assert times.count == len(turns) and times.seconds == pytest.approx(sum(turns))
    lines = "".join(histogram("turn_seconds", times.at_most(), times.seconds, times.count))
    top = head("turn_seconds", Kind.HISTOGRAM, "How long.", "seconds", "openmetrics")
    found = read("openmetrics", top + lines)
    assert found["turn_seconds_count"] == [({}, float(len(turns)))]
    assert found["turn_seconds_bucket"][-1] == ({"le": "+Inf"}, float(len(turns)))


@given(st.lists(st.tuples(st.integers(1, 3), st.floats(0, 100))))
def test_processor_time_never_runs_back_within_a_run(seen: list[tuple[int, float]]) -> None:
    spent, before = SpentTimes(), (0, 0.0)
    for number, seconds in sorted(seen, key=lambda one: one[0]):
        counted = spent.note("web", number, seconds)
        assert counted >= seconds
        assert counted == max(seconds, before[1]) if number == before[0] else counted == seconds
        before = number, counted


def test_what_does_not_run_any_more_is_forgotten() -> None:
    spent = SpentTimes()
    spent.note("web", 1, 9.0)
    spent.keep({"other"})
    assert spent.note("web", 1, 2.0) == 2.0
