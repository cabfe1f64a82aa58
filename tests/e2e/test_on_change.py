"""`watch` and `on_change`: what a change of a file that a program reads does to it."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path
from typing import Any

import pytest
from tests.support.pmond import Pmond
from tests.support.programs import sleeper
from tests.support.waiting import until

pytestmark = pytest.mark.slow

PROGRAM = """\
trap 'echo read again; cat FILE' HUP
echo started
while :; do sleep 0.05; done
"""


def reader(file: Path, **fields: Any) -> dict[str, Any]:
    """A program that reads its file again on SIGHUP."""
    program = PROGRAM.replace("FILE", str(file))
    return {
        "name": "web", "file": "/bin/sh", "args": ["-c", program], "watch": {"paths": [str(file)]}, **fields,
    }  # fmt: skip


def running(pmond: Pmond, file: Path, **fields: Any) -> int:
    file.write_text("one\n")
    pmond.declare(reader(file, **fields))
    pid = int(pmond.until("web", "running")["pid"])
    until(lambda: "started" in log(pmond), "the program to begin")
    return pid


def log(pmond: Pmond) -> str:
    return (pmond.folder / "logs" / "web.log").read_text()


def required(pmond: Pmond) -> tuple[str, str]:
    found = pmond.ask("GET", "/v1/processes/web").body["conditions"]
    return next((one["reason"], one["message"]) for one in found if one["type"] == "RestartRequired")


def pid_of(pmond: Pmond) -> int:
    return int(pmond.row("web")["pid"])


def test_restart_is_the_default(pmond: Pmond) -> None:
    file = pmond.folder / "app.conf"
    pid = running(pmond, file)
    file.write_text("two\n")
    until(lambda: pid_of(pmond) not in (0, pid), "the process to be restarted")
    assert "FilesChanged" in pmond.reasons("web")
    assert pmond.row("web")["restart_count"] == 0


def test_signal_tells_it_and_a_file_that_says_the_same_tells_nothing(pmond: Pmond) -> None:
    file = pmond.folder / "app.conf"
    pid = running(pmond, file, on_change="signal")
    other = pmond.folder / "app.conf.new"
    other.write_text("one\n")
    other.replace(file)
    file.write_text("two\n")
    until(lambda: "two" in log(pmond), "the program to read its file")
    assert log(pmond).count("read again") == 1
    assert pid_of(pmond) == pid
    until(lambda: "Reloaded" in pmond.reasons("web"), "the event")
    assert required(pmond)[0] == "UpToDate"


def test_reload_runs_a_command_and_says_when_it_fails(pmond: Pmond) -> None:
    file = pmond.folder / "app.conf"
    command = ["/bin/sh", "-c", f"grep -q bad {file} && exit 3; kill -HUP $MAINPID"]
    pid = running(pmond, file, on_change="reload", reload={"command": command})
    file.write_text("bad\n")
    until(lambda: required(pmond)[0] == "ReloadFailed", "the failure to be shown")
    assert "exited with code 3" in required(pmond)[1]
    assert "ReloadFailed" in pmond.reasons("web")
    file.write_text("good\n")
    until(lambda: "good" in log(pmond), "the program to read its file")
    until(lambda: required(pmond)[0] == "UpToDate", "the failure to be over")
    assert pid_of(pmond) == pid


def test_a_reload_command_that_takes_too_long_is_killed(pmond: Pmond) -> None:
    file = pmond.folder / "app.conf"
    slow = {"command": "sleep 1000", "timeout": "200ms"}
    running(pmond, file, on_change="reload", reload=slow)
    file.write_text("two\n")
    until(lambda: "took longer than 200ms" in required(pmond)[1], "the command to be killed")


def test_none_is_shown_and_nothing_is_done_for_files_and_fields(pmond: Pmond) -> None:
    file = pmond.folder / "app.conf"
    pid = running(pmond, file, on_change="none")
    file.write_text("two\n")
    until(lambda: required(pmond)[0] == "FilesChanged", "the change to be shown")
    assert str(file) in required(pmond)[1]
    manifest = str(pmond.manifest_file)
    pmond.declare(reader(file, on_change="none", env_vars={"A": "1"}))
    until(lambda: required(pmond)[0] == "SpecChanged", "the field to be shown")
    assert pmond.run("diff", "-f", manifest).returncode == 0
    other = pmond.folder / "other.json"
    other.write_text(json.dumps({"processes": [reader(file, on_change="none", env_vars={"A": "2"})]}))
    words = ("-f", str(other), "--set", f"file:{manifest}")
    assert "on_change: none" in pmond.run("diff", *words, "-o", "json").stdout
    pmond.ok("apply", *words)
    pmond.ok("apply", "-f", manifest)
    assert pid_of(pmond) == pid
    pmond.ok("restart", "web")
    assert pid_of(pmond) not in (0, pid)
    assert required(pmond)[0] == "UpToDate"


def test_a_folder_counts_with_all_below_it_but_not_what_is_ignored(pmond: Pmond) -> None:
    folder = pmond.folder / "src"
    (folder / "below").mkdir(parents=True)
    (folder / "app.py").write_text("1")
    pmond.declare(sleeper("web", watch={"paths": str(folder), "ignore": ["*.log"], "debounce": "50ms"}))
    pid = int(pmond.until("web", "running")["pid"])
    (folder / "x.log").write_text("noise")
    (folder / ".hidden").write_text("noise")
    (folder / "below" / "new.py").write_text("2")
    until(lambda: pid_of(pmond) not in (0, pid), "the new file to count")
    changed = [event for event in pmond.reasons("web") if event == "FilesChanged"]
    assert len(changed) == 1


def test_what_changed_while_no_pmond_ran_is_found_by_the_next(pmond: Pmond) -> None:
    file = pmond.folder / "app.conf"
    pid = running(pmond, file, on_change="signal")
    file.write_text("two\n")
    until(lambda: "two" in log(pmond), "the program to read its file")
    pmond.kill()
    pmond.start()
    pmond.ok("wait", "web", "--for", "ready")
    assert log(pmond).count("read again") == 1
    pmond.kill()
    file.write_text("three\n")
    pmond.start()
    until(lambda: "three" in log(pmond), "the program to read its file")
    assert log(pmond).count("read again") == 2
    assert pid_of(pmond) == pid


def test_a_path_that_is_watched_from_now_on_changes_nothing_yet(pmond: Pmond) -> None:
    file, second = pmond.folder / "app.conf", pmond.folder / "second"
    pid = running(pmond, file)
    second.write_text("1")
    pmond.declare(reader(file, watch={"paths": [str(file), str(second)]}))
    until(lambda: "second" in pmond.ok("desc", "web", "-o", "json"), "the path to be declared")
    assert pid_of(pmond) == pid
    second.write_text("2")
    until(lambda: pid_of(pmond) not in (0, pid), "the new path to count")


def test_an_environment_file_counts_with_what_is_watched(pmond: Pmond) -> None:
    file, environment, ignored = (pmond.folder / name for name in ("app.conf", "app.env", "other.env"))
    environment.write_text("A=1\n")
    ignored.write_text("B=1\n")
    watch = {"paths": [str(file)], "ignore": ["other.*"]}
    pid = running(pmond, file, env_file=[str(environment), str(ignored)], watch=watch)
    ignored.write_text("B=2\n")
    environment.write_text("A=2\n")
    until(lambda: pid_of(pmond) not in (0, pid), "the process to be restarted")
    (changed,) = (event for event in pmond.events("web") if event["reason"] == "FilesChanged")
    assert (str(environment) in changed["message"], str(ignored) in changed["message"]) == (True, False)
    assert b"A=2\0" in Path(f"/proc/{pid_of(pmond)}/environ").read_bytes()


def test_no_reload_is_told_of_an_environment_file(pmond: Pmond) -> None:
    file, environment = pmond.folder / "app.conf", pmond.folder / "app.env"
    environment.write_text("A=1\n")
    pid = running(pmond, file, env_file=str(environment), on_change="signal", watch={"paths": [str(file)]})
    environment.write_text("A=2\n")
    file.write_text("two\n")
    until(lambda: "two" in log(pmond), "the program to read its file")
    told = [event["message"] for event in pmond.events("web") if event["reason"] == "FilesChanged"]
    assert (len(told), str(environment) in told[0], pid_of(pmond)) == (1, False, pid)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_a_reload_command_runs_as_the_process(pmond: Pmond) -> None:
    file = pmond.folder / "app.conf"
    pmond.folder.chmod(0o711)
    user = pwd.getpwnam("nobody").pw_name
    command = ["/bin/sh", "-c", "id -un; kill -HUP $MAINPID"]
    pid = running(pmond, file, on_change="reload", user=user, reload={"command": command})
    file.write_text("two\n")
    until(lambda: "two" in log(pmond) and user in log(pmond), "the command to run as that user")
    assert pid_of(pmond) == pid


def test_a_reload_without_a_command_is_refused(pmond: Pmond) -> None:
    pmond.declare(sleeper("web", on_change="reload"))
    found = pmond.run("validate", str(pmond.manifest_file), "--format", "concise")
    assert found.returncode == 1
    assert "reload.command" in found.stdout
