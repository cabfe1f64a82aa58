"""Edits of the process config file are followed; bad ones change nothing and say where."""

from __future__ import annotations

import json

import pytest
from tests.support.pmond import Pmond
from tests.support.programs import sleeper
from tests.support.waiting import until

pytestmark = pytest.mark.slow


def rejected(pmond: Pmond) -> list[str]:
    return [event["message"] for event in pmond.events() if event["reason"] == "ManifestRejected"]


def test_add_change_and_remove(pmond: Pmond) -> None:
    pmond.declare(sleeper("a"))
    pid = pmond.until("a", "running")["pid"]
    pmond.declare(sleeper("a", description="in place"), sleeper("b"))
    pmond.until("b", "running")
    assert pmond.row("a")["pid"] == pid
    assert json.loads(pmond.ok("desc", "a", "-o", "json"))["spec"]["description"] == "in place"
    pmond.declare(sleeper("b"))
    until(lambda: "a" not in pmond.rows(), "a to be gone")
    assert pmond.row("b")["status"] == "running"


def test_a_change_that_needs_a_restart_waits_for_one(pmond: Pmond) -> None:
    pmond.declare(sleeper("a"))
    pid = pmond.until("a", "running")["pid"]
    pmond.declare(sleeper("a", args=["2000"]))
    until(lambda: pmond.row("a")["args"] == ["2000"], "the edit to be taken")
    found = json.loads(pmond.ok("desc", "a", "-o", "json"))
    conditions = {condition["type"]: condition["status"] for condition in found["conditions"]}
    assert (found["pid"], conditions["RestartRequired"]) == (pid, "True")
    assert "RestartRequired" in pmond.ok("desc", "a")
    pmond.ok("restart", "a")
    found = json.loads(pmond.ok("desc", "a", "-o", "json"))
    conditions = {condition["type"]: condition["status"] for condition in found["conditions"]}
    assert (found["pid"] != pid, conditions["RestartRequired"]) == (True, "False")
    assert "RestartRequired" not in pmond.ok("desc", "a")


def test_apply_makes_good_what_was_left_to_a_restart(pmond: Pmond) -> None:
    pmond.declare(sleeper("a"))
    pid = pmond.until("a", "running")["pid"]
    pmond.declare(sleeper("a", args=["2000"]))
    until(lambda: pmond.row("a")["args"] == ["2000"], "the edit to be taken")
    assert pmond.run("diff").returncode == 1
    pmond.ok("apply", "-f", "manifest.yaml")
    row = pmond.row("a")
    assert (row["status"], row["pid"] != pid) == ("running", True)
    assert pmond.run("diff").returncode == 0


def test_reload_policy_restart(stopped_pmond: Pmond) -> None:
    pmond = stopped_pmond
    pmond.configure("reload_policy: restart\n")
    pmond.declare(sleeper("a"))
    pid = pmond.start().until("a", "running")["pid"]
    pmond.declare(sleeper("a", args=["2000"]))
    until(lambda: pmond.row("a")["pid"] not in (0, pid), "a to be restarted")
    assert pmond.until("a", "running")["restart_count"] in (0, 1)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("processes:\n- file: /bin/sleep\n  nme: x\n", "manifest.yaml:3:3"),
        ("processes:\n- file: [\n", "manifest.yaml:"),
        ("processes:\n- file: /bin/sleep\n  name: a\n- file: /bin/sleep\n  name: a\n", "manifest.yaml:5:"),
        ("", "manifest.yaml:1:1"),
    ],
)
def test_what_is_not_valid_changes_nothing(pmond: Pmond, text: str, place: str) -> None:
    pmond.declare(sleeper("a"))
    pid = pmond.until("a", "running")["pid"]
    pmond.write(text)
    until(lambda: rejected(pmond), "the edit to be rejected")
    assert place in rejected(pmond)[-1]
    assert any(line["event"] == "manifest.rejected" and place in line["message"] for line in pmond.journal())
    assert place in pmond.ok("events", "-o", "json")
    assert pmond.run("init").returncode == 1
    assert {name: row["pid"] for name, row in pmond.rows().items()} == {"a": pid}
    pmond.declare(sleeper("a"), sleeper("b"))
    pmond.until("b", "running")


def test_a_file_without_processes_or_none_removes_nothing(pmond: Pmond) -> None:
    pmond.declare(sleeper("a"))
    pid = pmond.until("a", "running")["pid"]
    pmond.write("processes: []\n")
    pmond.run("init", "--no-wait")
    pmond.manifest_file.unlink()
    pmond.run("init", "--no-wait")
    assert {name: row["pid"] for name, row in pmond.rows().items()} == {"a": pid}


def test_a_name_of_the_command_line_goes_to_the_file_and_others_stay(pmond: Pmond) -> None:
    pmond.ok("exec", "/bin/sleep", "--name", "mine", "--", "1000")
    pmond.declare(sleeper("theirs"))
    pmond.until("theirs", "running")
    assert pmond.row("mine")["status"] == "running"
    refused = pmond.run("exec", "/bin/sleep", "--name", "theirs", "--replace", "--", "1")
    assert refused.returncode == 5 and "manifest.yaml" in refused.stderr
    other = pmond.folder / "other.yaml"
    other.write_text(json.dumps({"processes": [sleeper("theirs", args=["1"])]}))
    conflict = pmond.run("apply", "-f", str(other))
    assert conflict.returncode == 5, conflict
    assert pmond.row("theirs")["args"] == ["1000"]


def test_init_starts_what_is_down_and_restarts_nothing(pmond: Pmond) -> None:
    pmond.declare(sleeper("a"), sleeper("b"))
    pid = pmond.until("a", "running")["pid"]
    pmond.until("b", "running")
    pmond.ok("stop", "b")
    pmond.ok("exec", "/bin/sleep", "--name", "c", "--", "1000")
    pmond.ok("stop", "c")
    pmond.ok("init", "-c")
    assert (pmond.row("b")["status"], pmond.row("c")["status"]) == ("running", "stopped")
    pmond.ok("init")
    assert (pmond.row("a")["pid"], pmond.row("c")["status"]) == (pid, "running")


def test_deleted_and_declared_again(pmond: Pmond) -> None:
    pmond.declare(sleeper("a", stop={"timeout": "10s"}))
    pid = pmond.until("a", "running")["pid"]
    pmond.ok("del", "a", "--no-wait")
    pmond.ok("init")
    row = pmond.until("a", "running")
    assert row["pid"] != pid


def test_sighup_reads_everything_again(stopped_pmond: Pmond) -> None:
    pmond = stopped_pmond
    pmond.configure("disable_reloads: true\n")
    pmond.declare(sleeper("a"))
    pmond.start().until("a", "running")
    pmond.declare(sleeper("a"), sleeper("b"))
    pmond.signal(1)
    pmond.until("b", "running")


def test_the_configuration_is_followed_too(pmond: Pmond) -> None:
    pmond.config_file.write_text(pmond.config_file.read_text() + "wait: [\n")
    until(lambda: "ConfigRejected" in pmond.reasons(), "the edit to be rejected")
    message = next(event["message"] for event in pmond.events() if event["reason"] == "ConfigRejected")
    assert f"{pmond.config_file}:" in message
    pmond.configure("log_level: debug\n")
    pmond.declare(sleeper("a"))
    pmond.until("a", "running")


def test_reconcile_looks_at_everything_again(stopped_pmond: Pmond) -> None:
    pmond = stopped_pmond
    pmond.configure("disable_reloads: true\n")
    pmond.declare(sleeper("a"))
    pmond.start()
    pmond.until("a", "running")
    pmond.ok("stop", "a")
    pmond.declare(sleeper("a"), sleeper("b"))
    assert "b" not in pmond.rows()
    pmond.ok("reconcile")
    assert (pmond.row("a")["status"], pmond.row("b")["status"]) == ("stopped", "running")
    pmond.write("processes: [{nmae: b, file: /bin/sleep}]")
    said = pmond.run("reconcile")
    assert said.returncode == 1 and "did you mean `name`?" in said.stdout + said.stderr
    assert pmond.row("b")["status"] == "running"
