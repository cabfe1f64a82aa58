"""One-shots, time limits and hooks: what runs once runs once, with what belongs around it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from tests.support.pmond import Pmond
from tests.support.waiting import until

pytestmark = pytest.mark.slow


def shell(name: str, script: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "file": "/bin/sh", "args": ["-c", script], **fields}


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def test_a_one_shot_that_succeeds_is_completed_and_stays_so(pmond: Pmond, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    needs = shell("web", "exec sleep 1000", dependencies=["migrate"])
    pmond.declare(shell("migrate", f"echo once >> {ran}", type="oneshot"), needs)
    pmond.until("migrate", "completed")
    pmond.until("web", "running")
    pmond.kill()
    pmond.start()
    pmond.until("migrate", "completed")
    assert lines(ran) == ["once"]
    pmond.ok("start", "migrate")
    until(lambda: len(lines(ran)) == 2, "the run that was asked for")
    pmond.until("migrate", "completed")


def test_a_one_shot_that_fails_is_not_run_again_and_says_why(pmond: Pmond, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    needs = shell("web", "exec sleep 1000", dependencies=["migrate"])
    pmond.declare(shell("migrate", f"echo once >> {ran}; exit 3", type="oneshot"), needs)
    row = pmond.until("migrate", "failed")
    assert "exited with code 3" in row["reason"]
    until(lambda: "which failed" in pmond.row("web")["reason"], "the dependant to say so")
    assert lines(ran) == ["once"]


def test_it_is_tried_again_as_often_as_is_said(pmond: Pmond, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    restart = {"max_failures": 3, "delay": "10ms"}
    pmond.declare(shell("migrate", f"echo once >> {ran}; exit 3", type="oneshot", restart=restart))
    pmond.until("migrate", "failed")
    assert len(lines(ran)) == 3


def test_a_one_shot_that_takes_too_long_has_failed(pmond: Pmond) -> None:
    pmond.declare(shell("job", "exec sleep 1000", type="oneshot", max_runtime="300ms"))
    row = pmond.until("job", "failed")
    assert "max_runtime" in row["reason"]
    assert "Overdue" in pmond.reasons("job")


def test_a_service_that_is_as_old_as_it_may_get_is_replaced_and_has_not_failed(pmond: Pmond) -> None:
    pmond.declare(shell("web", "exec sleep 1000", max_runtime="1s"))
    first = pmond.until("web", "running")["pid"]
    until(lambda: pmond.row("web")["pid"] not in (None, 0, first), "another one")
    assert pmond.row("web")["restart_count"] == 0
    assert "Unhealthy" not in pmond.reasons("web")


def test_what_was_running_goes_on_under_the_next_pmond_and_its_end_counts(
    pmond: Pmond, tmp_path: Path
) -> None:
    ran, go = tmp_path / "ran", tmp_path / "go"
    script = f"echo once >> {ran}; until test -e {go}; do sleep 0.02; done; exit 7"
    pmond.declare(shell("job", script, type="oneshot", max_runtime="1h"))
    pid = pmond.until("job", "running")["pid"]
    pmond.kill()
    pmond.start()
    assert pmond.until("job", "running")["pid"] == pid
    go.touch()
    row = pmond.until("job", "failed")
    assert row["exit_code"] == 7
    assert lines(ran) == ["once"]


def test_hooks_run_in_order_around_each_run(pmond: Pmond, tmp_path: Path) -> None:
    told = tmp_path / "told"
    hooks = {
        "pre_start": [
            f"sh -c 'echo pre $GREETING $PMON3_HOOK >> {told}'",
            ["/bin/sh", "-c", f"echo two >> {told}"],
        ],
        "post_stop": [f"sh -c 'echo post code=$EXIT_CODE signal=$EXIT_SIGNAL >> {told}'"],
        "on_failure": [f"sh -c 'echo failure code=$EXIT_CODE >> {told}'"],
    }
    pmond.declare(
        shell("job", f"echo run >> {told}; exit 4", type="oneshot", hooks=hooks, env_vars={"GREETING": "hi"})
    )
    pmond.until("job", "failed")
    assert lines(told) == ["pre hi pre_start", "two", "run", "post code=4 signal=", "failure code=4"]


def test_a_service_that_is_stopped_has_not_failed_and_stop_waits_for_what_follows(
    pmond: Pmond, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    hooks = {
        "post_stop": [["/bin/sh", "-c", f"sleep 0.3; echo post $EXIT_SIGNAL$EXIT_CODE >> {told}"]],
        "on_failure": [["/bin/sh", "-c", f"echo failure >> {told}"]],
    }
    pmond.declare({"name": "web", "file": "/bin/sleep", "args": "1000", "hooks": hooks})
    pmond.until("web", "running")
    pmond.ok("stop", "web")
    assert lines(told) == ["post SIGTERM"]
    assert pmond.row("web")["status"] == "stopped"


def test_a_hook_that_fails_fails_the_start(pmond: Pmond, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    pmond.declare(
        shell(
            "web", f"echo run >> {ran}", type="oneshot", hooks={"pre_start": ["/bin/false", f"touch {ran}"]}
        )
    )
    row = pmond.until("web", "failed")
    assert row["reason"].startswith("its pre_start hook /bin/false exited with code 1")
    assert not ran.exists()


def test_a_hook_that_hangs_is_killed_with_what_it_started(pmond: Pmond, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    hang = [
        "/bin/sh",
        "-c",
        f"sleep 1000 & echo $! >> {pids}; setsid sleep 1000 & echo $! >> {pids}; sleep 1000",
    ]
    pmond.declare(shell("web", "exit 0", type="oneshot", hooks={"pre_start": [hang], "timeout": "400ms"}))
    row = pmond.until("web", "failed")
    assert "took longer than 400ms" in row["reason"]
    assert len(lines(pids)) == 2
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in lines(pids)), "nothing of it to be left")


def test_a_stop_while_a_hook_runs_ends_the_hook_and_nothing_starts(pmond: Pmond, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    pmond.declare(shell("web", f"touch {ran}; sleep 1000", hooks={"pre_start": ["sleep 1000"]}))
    until(lambda: pmond.rows().get("web", {}).get("reason") == "its pre_start hook runs", "the hook")
    assert pmond.row("web")["status"] == "init"
    pmond.ok("stop", "web")
    assert pmond.row("web")["status"] == "stopped"
    assert not ran.exists()


def test_a_hook_goes_on_when_pmond_is_killed_and_is_not_run_twice(pmond: Pmond, tmp_path: Path) -> None:
    told, go = tmp_path / "told", tmp_path / "go"
    hook = [
        "/bin/sh",
        "-c",
        f"echo pre >> {told}; until test -e {go}; do sleep 0.02; done; echo done >> {told}",
    ]
    after = ["/bin/sh", "-c", f"echo post >> {told}"]
    pmond.declare(
        shell("job", f"echo run >> {told}", type="oneshot", hooks={"post_stop": [hook, after]}),
    )
    until(lambda: lines(told) == ["run", "pre"], "the hook")
    pmond.kill()
    pmond.start()
    until(lambda: pmond.rows().get("job", {}).get("reason") == "its post_stop hook runs", "it to be found")
    go.touch()
    pmond.until("job", "completed")
    assert lines(told) == ["run", "pre", "done", "post"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_hooks_run_with_the_rights_of_the_process(pmond: Pmond, tmp_path: Path) -> None:
    told = tmp_path / "told"
    told.touch()
    told.chmod(0o666)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.owner() == "root" and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o111)
    hook = ["/bin/sh", "-c", f"id -un >> {told}"]
    pmond.declare(shell("job", "exit 0", type="oneshot", user="nobody", hooks={"pre_start": [hook]}))
    until(lambda: lines(told) == ["nobody"], "the hook")
