"""After a change: whether it is in force, and what takes it over if not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.support.command_line import Run
from tests.support.fake_daemon import PLAN, CannedAnswer, FakeDaemon


def a_set(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "followed": False, "suspended": None} | more


@pytest.mark.parametrize(
    ("one", "says"),
    [
        (a_set("file:{}", followed=True), "pmond follows it and takes it over"),
        (a_set("file:{}"), "take it over with: pmon3 apply -f {}"),
        (a_set("file:{}", followed=True, suspended={"by": "ana"}), "take it over with: pmon3 apply -f {}"),
        (a_set("file:{folder}"), "take it over with: pmon3 apply -f {folder}"),
        (a_set("file:/elsewhere.yaml", followed=True), "take it over with: pmon3 apply -f {}"),
    ],
)
def test_a_written_file_has_to_be_taken_over(
    daemon: FakeDaemon, run: Run, tmp_path: Path, one: dict[str, Any], says: str
) -> None:
    file = tmp_path / "app.yaml"
    file.write_text("processes:\n  - name: web\n    file: /bin/sleep\n")

    def placed(text: str) -> str:
        return text.replace("{}", str(file)).replace("{folder}", str(tmp_path))

    daemon.answers["GET", "/v1/sets"] = CannedAnswer([one | {"name": placed(one["name"])}])
    ran = run("set", "web", "restart.delay=5s", "-f", str(file), "--write")
    assert (ran.code, ran.err) == (0, f"pmon3: wrote {file}; {placed(says)}\n")


def test_also_where_no_pmond_runs(folders: Path, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "app.yaml"
    file.write_text("processes:\n  - name: web\n    file: /bin/sleep\n")
    ran = run("set", "web", "restart.delay=5s", "-f", str(file), "--write")
    assert ran.code == 0 and "take it over with: pmon3 apply" in ran.err


@pytest.mark.parametrize("dry", [True, False])
def test_a_rollback_says_that_the_set_is_suspended(daemon: FakeDaemon, run: Run, dry: bool) -> None:
    daemon.answers["POST", "/v1/rollback"] = CannedAnswer({"plan": PLAN, "targets": [], "revision": 3})
    daemon.answers["GET", "/v1/sets"] = CannedAnswer([a_set(PLAN["set"], suspended={"by": "ana"})])
    ran = run("rollback", *(["--dry-run"] if dry else []))
    assert ran.code == 0
    assert (f"{PLAN['set']} is suspended" in ran.err and "pmon3 resume" in ran.err) is not dry
