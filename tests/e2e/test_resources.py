"""`resources` under a whole pmond: kept, or said at every place where somebody looks; never silence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.pmond import Pmond
from tests.support.programs import SLEEP
from tests.support.waiting import until

pytestmark = pytest.mark.slow


def bounded(name: str = "web", **resources: Any) -> dict[str, Any]:
    return {**SLEEP, "name": name, "resources": resources}


def controllers(pmond: Pmond) -> dict[str, Any]:
    """What doctor says of them."""
    checks = json.loads(pmond.ok("doctor", "-o", "json"))
    return next(check for check in checks if check["name"] == "resources")


def condition(pmond: Pmond, name: str) -> dict[str, Any] | None:
    found = json.loads(pmond.ok("desc", name, "-o", "json"))["conditions"]
    return next((one for one in found if one["type"] == "ResourcesApplied"), None)


def test_what_is_not_kept_is_said_wherever_somebody_looks(pmond: Pmond) -> None:
    told = controllers(pmond)
    if told["status"] == "ok":
        pytest.skip("this machine has all controllers")
    pmond.declare(bounded(memory_max="64MiB", cpu=0.5), {**SLEEP, "name": "free"})
    plan = json.loads(pmond.run("plan", "-f", str(pmond.manifest_file), "-o", "json").stdout)
    (note,) = [note for note in plan["notes"] if note["code"] == "resources"]
    assert note["name"] == "web" and "this host does not keep memory_max" in note["message"]
    checked = pmond.run("validate", "--host", str(pmond.manifest_file))
    assert "PM034" in checked.stdout and "0 errors, 2 warnings" in checked.stderr
    pmond.ok("init")
    pmond.until("web", "running")
    found = condition(pmond, "web")
    assert found is not None and (found["status"], found["reason"]) == ("False", "NotOnThisHost")
    assert found["message"].startswith("memory_max")
    assert "not ResourcesApplied" in pmond.ok("desc", "web")
    assert condition(pmond, "free") is None
    assert "Limits by `resources` are not kept" in told["message"]


def test_limits_change_in_place(pmond: Pmond) -> None:
    pmond.declare(bounded(tasks_max=50))
    pmond.ok("init")
    pid = pmond.until("web", "running")["pid"]
    after = pmond.folder / "after.json"
    after.write_text(json.dumps({"processes": [bounded(tasks_max=60)]}))
    words = ["-f", str(after), "--set", f"file:{pmond.manifest_file}", "-o", "json"]
    (action,) = json.loads(pmond.run("plan", *words).stdout)["actions"]
    assert (action["action"], action["effect"]) == ("update", "in place")
    pmond.declare(bounded(tasks_max=60))
    pmond.ok("init")
    assert pmond.row("web")["pid"] == pid
    if "pids" in controllers(pmond)["in_use"]:
        group = Path(f"/proc/{pid}/cgroup").read_text().partition("0::")[2].strip()
        until(lambda: "60" in Path(f"/sys/fs/cgroup{group}/pids.max").read_text(), "the new limit")
    else:
        until(lambda: "ResourcesNotApplied" in pmond.reasons("web"), "it to be said")


def test_a_bounded_process_outlives_pmond_with_its_limits(pmond: Pmond) -> None:
    pmond.declare(bounded(tasks_max=50, memory_max="1GiB"))
    pmond.ok("init")
    pid = pmond.until("web", "running")["pid"]
    before = condition(pmond, "web")
    pmond.kill()
    pmond.start()
    assert pmond.until("web", "running")["pid"] == pid
    until(lambda: (found := condition(pmond, "web")) and before and found["status"] == before["status"], "it")
