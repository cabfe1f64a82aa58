"""Event handlers of a real pmond: what a script gets, whatever the values, and that nothing waits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.pmond import Pmond
from tests.support.waiting import until

pytestmark = pytest.mark.slow

KEYS = [
    "created_at", "updated_at", "log", "name", "process_file", "args", "env_vars", "username",
    "memory_usage", "cpu_usage", "dependencies", "Groups", "status", "id", "pid", "uid", "gid",
    "auto_restart", "event", "exit_code", "exit_signal", "restart_count", "reason",
]  # fmt: skip
AWKWARD = "a\"b \\ ' $(touch {0}/pwned) `touch {0}/pwned` <&> é"


def handler(pmond: Pmond, name: str) -> Path:
    """A script as the README of the Go pmon3 has it: no first line, appends what it is given."""
    path = pmond.folder / name
    path.write_text(f'PROCESS_JSON="$1"\necho "${{PROCESS_JSON}}" >> {pmond.folder}/{name}.out\n')
    return path


def told(pmond: Pmond, name: str, count: int = 1, timeout: float = 20) -> list[dict[str, Any]]:
    out = pmond.folder / f"{name}.out"

    def enough() -> list[str]:
        found = out.read_text().splitlines() if out.exists() else []
        return found if len(found) >= count else []

    try:
        return [json.loads(line) for line in until(enough, f"{name} to be called {count} times", timeout)]
    except AssertionError as error:
        raise AssertionError(f"{error}\n{pmond.tail()}") from None


def test_a_failure_is_told_with_the_keys_of_the_seed_and_values_of_any_kind(stopped_pmond: Pmond) -> None:
    pmond = stopped_pmond
    pmond.configure(f"event_handling: {{process_failure: {handler(pmond, 'on_failure.bash')}}}\n")
    value = AWKWARD.format(pmond.folder)
    pmond.declare(
        {
            "name": "job's \"best\" $x", "file": "/bin/sh", "args": ["-c", "exit 3", value],
            "env_vars": {"K": value}, "no_auto_restart": True, "groups": ["night"],
        }
    )  # fmt: skip
    pmond.start()
    (found,) = told(pmond, "on_failure.bash")
    assert list(found) == KEYS
    assert found["name"] == 'job\'s "best" $x'
    assert value in found["env_vars"].replace("'\"'\"'", "'")
    assert found["Groups"][0]["name"] == "night"
    assert (found["event"], found["exit_code"], found["exit_signal"]) == ("failure", 3, None)
    assert (found["status"], found["auto_restart"], found["uid"]) == (
        2,
        False,
        0 if found["username"] == "root" else found["uid"],
    )
    assert found["pid"] > 0
    assert not (pmond.folder / "pwned").exists()


def test_flap_detection_and_restarts_are_told_and_hanging_scripts_hold_nothing_up(
    stopped_pmond: Pmond,
) -> None:
    """Every handler but the last hangs for ever: the process goes on as if there were none."""
    pmond = stopped_pmond
    hangs = pmond.folder / "hangs"
    hangs.write_text("#!/bin/sh\nexec sleep 3600\n")
    hangs.chmod(0o755)
    pmond.configure(
        "process_monitor_interval: 10\n"
        "flap_detection: {is_enabled: true, threshold_restarted: 2, threshold_countdown: 6000}\n"
        f"event_handling: {{process_backoff: [{handler(pmond, 'on_backoff')}, {hangs}]}}\n"
    )
    pmond.declare({"name": "web", "file": "/bin/sh", "args": "-c 'exit 1'"})
    pmond.start()
    (found,) = told(pmond, "on_backoff")
    assert (found["event"], found["restart_count"], found["auto_restart"]) == ("backoff", 2, True)
    assert pmond.row("web")["status"] == "backoff"
    assert "2 of 2 restarts used" in pmond.row("web")["reason"]
    pmond.ok("stop", "web")


def test_restarts_are_told_after_the_initialization_period(stopped_pmond: Pmond) -> None:
    pmond = stopped_pmond
    pmond.configure(
        f"initialization_period: 5\nevent_handling: {{process_restart: {handler(pmond, 'on_restart')}}}\n"
    )
    pmond.declare({"name": "web", "file": "/bin/sleep", "args": "1"})
    pmond.start()
    first = told(pmond, "on_restart")[0]
    assert (first["event"], first["exit_code"]) == ("restart", 0)
    assert first["restart_count"] >= 3, "restarts of the first five seconds are not told"
