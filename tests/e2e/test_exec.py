"""`exec`: one program, now."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.pmond import Pmond
from tests.support.programs import script

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["./none"], "none does not exist"),
        (["/no/such/program"], "/no/such/program does not exist"),
        (["no-such-program"], "no such program on PATH"),
        (["/bin/sleep", "--name", "a/b"], "is not a name"),
        (["/bin/sleep", "--user", "nosuchuser", "--", "9"], "nosuchuser"),
        (["/bin/sleep", "-d", "nobody-here", "--", "9"], "nobody-here"),
        (["/bin/sleep", "--stop-signal", "SIGNOPE"], "SIGNOPE"),
        (["/bin/sleep", "-e", "NOTAPAIR"], "NAME=value"),
    ],
)
def test_what_cannot_be_started_changes_nothing(pmond: Pmond, words: list[str], said: str) -> None:
    done = pmond.run("exec", *words)
    assert (done.returncode, said in done.stderr) == (1, True), done
    assert done.stderr.startswith("pmon3: cannot ")
    assert pmond.rows() == {}


def test_not_executable_is_told_and_tried_again(pmond: Pmond) -> None:
    program = script(pmond.folder / "app", "#!/bin/sh\nexec sleep 1000\n", 0o644)
    done = pmond.run("exec", "./app")
    assert (done.returncode, "chmod +x" in done.stderr) == (7, True), done
    assert pmond.row("app")["status"] == "backoff"
    Path(program).chmod(0o755)
    pmond.until("app", "running")


def test_a_relative_path_a_bare_name_and_a_folder(pmond: Pmond) -> None:
    script(pmond.folder / "app", "#!/bin/sh\npwd\nexec sleep 1000\n")
    pmond.ok("exec", "./app")
    assert pmond.row("app")["file"] == str(pmond.folder / "app")
    pmond.ok("exec", "sleep", "--name", "bare", "--cwd", ".", "--", "1000")
    assert pmond.row("bare")["file"].endswith("/sleep")
    assert Path(f"/proc/{pmond.row('bare')['pid']}/cwd").readlink() == pmond.folder
    assert pmond.ok("log", "app").strip() == str(pmond.folder)


def test_what_ends_at_once_is_told_with_its_last_words(pmond: Pmond) -> None:
    done = pmond.run("exec", "/bin/sh", "--name", "bad", "--", "-c", "echo last words; exit 3")
    assert done.returncode == 7
    assert "exited with code 3" in done.stderr and "last words" in done.stderr
    once = pmond.run("exec", "/bin/true", "-n")
    assert once.returncode == 0
    assert pmond.row("true")["status"] == "completed"
    failed = pmond.run("exec", "/bin/false", "--no-autorestart")
    assert failed.returncode == 7
    assert pmond.row("false")["status"] == "failed"


def test_flags(pmond: Pmond) -> None:
    log = pmond.folder / "own.log"
    pmond.ok(
        "exec", "/bin/sh", "--name", "f", "-a", "-c 'echo \"$GREETING\"; exec sleep 1000'",
        "-e", "GREETING='good day' OTHER=1", "-l", str(log), "-g", "front,back", "--label", "tier=web",
        "--description", "a test", "--stop-timeout", "2s", "--stop-signal", "INT", "--restart", "on-failure",
    )  # fmt: skip
    found = json.loads(pmond.ok("desc", "f", "-o", "json"))
    assert log.read_text() == "good day\n"
    assert (found["groups"], found["labels"]) == (["front", "back"], {"tier": "web"})
    assert found["env_keys"] == ["GREETING", "OTHER"]
    assert found["spec"]["description"] == "a test"
    assert found["spec"]["restart"] == {"policy": "on-failure"}
    assert found["log"] == str(log)
    pmond.ok("stop", "f")
    assert pmond.row("f")["exit_signal"] in ("SIGINT", None)


def test_a_name_is_taken_once(pmond: Pmond) -> None:
    pmond.ok("exec", "/bin/sleep", "--name", "a", "--", "1000")
    pid = pmond.row("a")["pid"]
    refused = pmond.run("exec", "/bin/sleep", "--name", "a", "--", "1001")
    assert (refused.returncode, "already running" in refused.stderr) == (5, True)
    assert pmond.row("a")["pid"] == pid
    pmond.ok("exec", "/bin/sleep", "--name", "a", "--replace", "--", "1001")
    replaced = pmond.row("a")
    assert replaced["pid"] != pid and replaced["args"] == ["1001"]
    pmond.ok("stop", "a")
    pmond.ok("exec", "/bin/sleep", "--name", "a", "--", "1002")
    assert pmond.row("a")["id"] == replaced["id"]


def test_no_wait(pmond: Pmond) -> None:
    done = pmond.run("exec", "/bin/sleep", "--no-wait", "-o", "json", "--", "1000")
    assert done.returncode == 0
    assert json.loads(done.stdout)[0]["status"] in ("queued", "init", "running")


def test_programs_are_told_of_what_they_have_started_alone(pmond: Pmond) -> None:
    for name in ("a", "b"):
        words = ("exec", "/bin/sleep", "--name", name, "-o", "name", "--", "1000")
        assert pmond.ok(*words) == f"{name}\n"
    assert pmond.ok("restart", "a", "-o", "name") == "a\n"
    table = pmond.ok("restart", "a")
    assert "║a" in table and "║b" in table


def test_errors_as_json(pmond: Pmond) -> None:
    done = pmond.run("exec", "/no/such", "-o", "json")
    assert json.loads(done.stderr)["error"]["code"] == "invalid"
    assert done.stdout == ""


def test_exec_of_a_name_that_does_not_run_runs_it_again(pmond: Pmond) -> None:
    """The same words again mean another run, whatever became of the last one."""
    words = ("exec", "/bin/sh", "--name", "once", "-n", "--", "-c", "echo ran; exit 0")
    pmond.ok(*words)
    pmond.ok(*words)
    assert pmond.ok("log", "once").splitlines() == ["ran", "ran"]
    generation = pmond.row("once")["generation"]
    pmond.ok("exec", "/bin/sleep", "--name", "a", "--", "1000")
    pid = pmond.row("a")["pid"]
    pmond.ok("exec", "/bin/sleep", "--name", "a", "--replace", "--", "1000")
    assert (pmond.row("a")["pid"] != pid, generation) == (True, 2)
