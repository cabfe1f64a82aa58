"""The law of both ways: what `export --to` writes without a word of loss, `convert` reads as the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import chdir
from math import isclose
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from tests.support.spec_strategies import entries

from pmon3.converting import reading
from pmon3.export_targets import hand_over
from pmon3.export_targets.leaving import Leaving
from pmon3_schema.cron import MACROS
from pmon3_schema.process import ProcessSpec
from pmon3_schema.reading import read_value

FILES: Mapping[str, Callable[[str], bool]] = {
    "systemd": lambda name: name.endswith(".service"),
    "supervisord": lambda name: True,
    "compose": lambda name: True,
}
WITHOUT_EFFECT = {
    "systemd": {
        "autostart",
        "on_change",
        "restart.window",
        "restart.max_failures",
        "live.failures",
        "live.interval",
    },
    "supervisord": {"restart.stable_after", "restart.max_failures"},
    "compose": {"restart.window"},
}
"""Fields that say nothing beside the others, or that the two tools say in another way, each tried below."""


SETS = ("sandbox.capabilities", "restart.success_exit_codes", "restart.no_restart_exit_codes")


def said(spec: ProcessSpec) -> dict[str, Any]:
    """The fields of a process, those that say one thing in two ways in one of them."""
    leaving = Leaving(spec)
    fields = {field: leaving.take(field) for field in leaving.fields}
    log, policy = leaving.log, leaving.policy
    fields |= {"log": log} if log else {}
    for field in ("log_dir", "no_auto_restart", "restart.policy", "schedule.at_start"):
        fields.pop(field, None)
    if "schedule.cron" in fields:
        fields["schedule.cron"] = MACROS.get(fields["schedule.cron"], fields["schedule.cron"])
    if fields.get("replicas") == 1:
        del fields["replicas"]  # other tools do not tell one of one from one
    for field in SETS:
        if field in fields:
            fields[field] = set(fields[field])
    if fields.get("restart.success_exit_codes") == {0}:
        del fields["restart.success_exit_codes"]
    return fields | {"policy": policy}


def is_same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, int | float):
        return isclose(one, other, rel_tol=1e-4, abs_tol=0.01)  # times are written with six digits
    if isinstance(one, dict) and isinstance(other, dict):
        return one.items() <= other.items()  # the PATH of the tool is written out
    return bool(one == other)


def there_and_back(spec: ProcessSpec, target: str, folder: Path) -> tuple[ProcessSpec, set[str]] | None:
    """The process that comes back, and the fields that were told; None where nothing was written."""
    for file in folder.iterdir():
        file.unlink()
    leaving = Leaving(spec)
    files = hand_over([leaving], target).files
    told = {unsaid.field.replace("log_dir", "log") for unsaid in leaving.told}
    for name, text in files.items():
        (folder / name).write_text(text)
    named = [name for name in files if FILES[target](name) and files[name]]
    if not named:
        assert told, "nothing was written, and nothing is told"
        return None
    with chdir(folder):
        found = reading.convert(named, b"", target)
    (entry,) = found.manifest["processes"]
    return read_value(ProcessSpec, entry), told


@pytest.mark.parametrize("target", FILES)
def test_what_is_not_told_comes_back(target: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()

    @settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
    @given(entries())
    def law(entry: dict[str, Any]) -> None:
        spec = read_value(ProcessSpec, entry)
        back = there_and_back(spec, target, folder)
        if back is None:
            return
        again, told = back
        told |= WITHOUT_EFFECT[target]
        wanted, got = said(spec), said(again)
        for field, value in wanted.items():
            above = field.partition(".")[0]
            if field in told or above in told or any(one.startswith(f"{field}.") for one in told):
                continue
            assert is_same(value, got.get(field)), f"{field}: {value!r} came back as {got.get(field)!r}"

    law()
