"""What the documentation gives to Prometheus and Grafana fits what pmond tells, and they can read it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.pmond import Pmond

from pmond.runtime.views.exposition import Kind
from pmond.runtime.views.metric_tables import TABLES, TURN_SECONDS

FOLDER = Path(__file__).parents[2] / "docs" / "how-to" / "monitor"
METRICS = [metric for table in TABLES for metric in table]
NAMES = {*(metric.sample_name for metric in METRICS), f"{TURN_SECONDS[0]}_bucket"}
with_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not there (Debian: prometheus)"
)


def promtool(*words: str, text: str | None = None) -> str:
    """What promtool says when it is content."""
    done = subprocess.run(
        ["promtool", *words], input=text, capture_output=True, text=True, timeout=60, cwd=FOLDER
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def expressions() -> Iterator[str]:
    """What the panels of the dashboard ask, with a value in place of each variable."""
    for panel in json.loads((FOLDER / "dashboard.json").read_text())["panels"]:
        for target in panel["targets"]:
            filled = target["expr"].replace("$__rate_interval", "5m")
            yield filled.replace("$instance", ".*").replace("$name", ".*")


def test_rules_and_panels_ask_for_metrics_that_there_are() -> None:
    for text in (
        (FOLDER / "alerts.yml").read_text(),
        (FOLDER / "alerts_test.yml").read_text(),
        *expressions(),
    ):
        asked = set(re.findall(r"\bpmon(?:3|d)_[a-z_]+", text))
        assert asked and asked <= NAMES, asked - NAMES


def test_every_alert_is_tried() -> None:
    alerts = re.findall(r"- alert: (\w+)", (FOLDER / "alerts.yml").read_text())
    tried = re.findall(r"^        alertname: (\w+)", (FOLDER / "alerts_test.yml").read_text(), re.M)
    assert set(alerts) == set(tried) and len(alerts) == 9


@with_promtool
def test_prometheus_takes_the_rules_and_the_configuration() -> None:
    promtool("check", "rules", "alerts.yml")
    promtool("check", "config", "prometheus.yml")
    promtool("test", "rules", "alerts_test.yml")


@with_promtool
def test_prometheus_understands_what_the_panels_ask(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(expressions())]
    file = tmp_path / "panels.yml"
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", str(file))


@pytest.mark.slow
@with_promtool
def test_prometheus_finds_nothing_wrong_with_the_metrics(pmond: Pmond) -> None:
    pmond.declare({"name": "web", "file": "/bin/sleep", "args": ["1000"], "live": {"exec": ["true"]}})
    pmond.until("web", "running")
    promtool("check", "metrics", text=pmond.ok("metrics", "--format", "prometheus"))


def test_names_say_their_units() -> None:
    for metric in METRICS:
        assert not metric.unit or metric.name.endswith(f"_{metric.unit}")
        assert metric.kind is not Kind.HISTOGRAM and metric.help.endswith(".")
