"""Figures as text that monitoring systems read: OpenMetrics 1.0, and the older form of Prometheus.

Theory of operation: a `Metric` is one family: its name, kind, unit and help, and the function that gives its
value for one subject. Each family is written as a head and lines that follow one another, so a thousand
processes can be written some at a time. The two forms differ in the head alone: the older one knows no
units, no kind `info`, and calls a counter by its whole name. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Generic, Literal, TypeVar

from msgspec import Struct

Subject = TypeVar("Subject")
Form = Literal["openmetrics", "prometheus"]
CONTENT_TYPES: Mapping[Form, str] = {
    "openmetrics": "application/openmetrics-text; version=1.0.0; charset=utf-8",
    "prometheus": "text/plain; version=0.0.4; charset=utf-8",
}
END = "# EOF\n"
"""What closes the text; to the older form it is a comment."""


class Kind(StrEnum):
    """What can be done with the values of a family."""

    INFO = "info"
    """Always 1; what it says is in its labels."""
    GAUGE = "gauge"
    COUNTER = "counter"
    """Only grows, until what it counts begins anew."""
    HISTOGRAM = "histogram"


_SUFFIX = {Kind.INFO: "_info", Kind.GAUGE: "", Kind.COUNTER: "_total"}
Number = int | float
Value = Number | Mapping[str, Number] | None
"""One number, or one for each further label text (``probe="ready"``); None: there is nothing to say."""


class Metric(Struct, Generic[Subject], frozen=True):
    """One family; `name` is without the suffix of its kind."""

    name: str
    kind: Kind
    help: str
    value: Callable[[Subject], Value]
    unit: str = ""

    @property
    def sample_name(self) -> str:
        """What its samples are called."""
        return self.name + _SUFFIX[self.kind]


def head(name: str, kind: Kind, help: str, unit: str, form: Form) -> str:
    """The lines before the samples of a family."""
    if form == "prometheus":
        shown = name + _SUFFIX.get(kind, "")
        kind = Kind.GAUGE if kind is Kind.INFO else kind
        return f"# HELP {shown} {help}\n# TYPE {shown} {kind}\n"
    of_unit = f"# UNIT {name} {unit}\n" if unit else ""
    return f"# TYPE {name} {kind}\n{of_unit}# HELP {name} {help}\n"


def samples(metric: Metric[Subject], labels: str, subject: Subject) -> Iterator[str]:
    """The lines of one subject, whose labels are written already."""
    value = metric.value(subject)
    if isinstance(value, Mapping):
        for more, number in value.items():
            yield sample(metric.sample_name, f"{labels},{more}" if labels else more, number)
    elif value is not None:
        yield sample(metric.sample_name, labels, value)


def sample(name: str, labels: str, value: Number) -> str:
    """One line."""
    where = f"{name}{{{labels}}}" if labels else name
    return f"{where} {value!r}\n"


def label_text(labels: Mapping[str, str]) -> str:
    """Labels as they are written between braces; text that is no valid UTF-8 is written ``\\\\xNN``."""
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


def _escaped(value: str) -> str:
    text = value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def histogram(name: str, counts: Iterable[tuple[float, int]], seconds: float, count: int) -> Iterator[str]:
    """The lines of a histogram: how many were at most so large each, their sum and their number."""
    for bound, below in counts:
        yield f'{name}_bucket{{le="{bound!r}"}} {below}\n'
    yield f'{name}_bucket{{le="+Inf"}} {count}\n'
    yield f"{name}_sum {seconds!r}\n"
    yield f"{name}_count {count}\n"
