"""The process config file as a set: before it is there, when another one is named, when nothing is left."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support.pmond import Pmond
from tests.support.programs import sleeper
from tests.support.waiting import until

pytestmark = pytest.mark.slow


def status(pmond: Pmond, code: int = 0) -> dict[str, Any]:
    """The sets by the last part of their names; `code` is what `pmon3 status` ends with."""
    done = pmond.run("status", "-o", "json")
    assert done.returncode == code, done
    return {Path(one["name"]).name: one for one in json.loads(done.stdout)}


def follow(pmond: Pmond, file: Path) -> None:
    """Name another process config file in config.yml."""
    before = pmond.config_file.read_text().splitlines()
    pmond.config_file.write_text("\n".join([f"process_config_file: {file}", *before[1:]]) + "\n")


def manifest(file: Path, *processes: dict[str, Any]) -> Path:
    file.write_text(json.dumps({"processes": list(processes)}))
    return file


def condition(one: dict[str, Any], type: str) -> tuple[str, str]:
    return next((c["status"], c["reason"]) for c in one["conditions"] if c["type"] == type)


def test_a_followed_file_that_is_not_there_is_told(pmond: Pmond) -> None:
    one = status(pmond)["manifest.yaml"]
    assert (one["followed"], one["accepted"], one["sync"]) == (True, True, "Unknown")
    assert condition(one, "Accepted") == ("Unknown", "SourceMissing")
    assert f"{pmond.manifest_file} is followed, but it is not there yet" in pmond.ok("status")
    assert [e["path"] for e in pmond.journal() if e["event"] == "manifest.missing"] == [
        str(pmond.manifest_file)
    ]
    for word, code, said in [
        ("init", 0, "is followed, but it is not there yet"),
        ("reconcile", 0, "is followed, but it is not there yet"),
        ("up", 0, f"no process config file ({pmond.manifest_file})"),
        ("diff", 2, f"there is no process config file ({pmond.manifest_file})"),
        ("plan", 2, f"there is no process config file ({pmond.manifest_file})"),
    ]:
        done = pmond.run(word)
        assert (done.returncode, said in done.stdout + done.stderr) == (code, True), done
    pmond.declare(sleeper("web"))
    pmond.until("web", "running")
    one = status(pmond)["manifest.yaml"]
    assert (one["sync"], one["reason"], condition(one, "Accepted")) == ("Synced", "", ("True", "Valid"))
    pmond.manifest_file.unlink()
    until(lambda: pmond.run("status").returncode == 1, "the lost file to be told")
    one = status(pmond, 1)["manifest.yaml"]
    assert (one["sync"], condition(one, "Accepted")) == ("OutOfSync", ("False", "SourceMissing"))
    pmond.ok("del", "web")
    pmond.ok("reconcile")
    assert condition(status(pmond)["manifest.yaml"], "Accepted") == ("Unknown", "SourceMissing")


def test_a_wrong_file_that_goes_leaves_no_verdict(pmond: Pmond) -> None:
    pmond.write("processes: 1\n")
    until(lambda: pmond.run("status").returncode == 1, "the mistake to be told")
    pmond.manifest_file.unlink()
    until(lambda: pmond.run("status").returncode == 0, "the mistake to be gone with the file")


def test_nobody_is_told_of_a_default_that_is_not_there(stopped_pmond: Pmond) -> None:
    pmond = stopped_pmond
    lines = pmond.config_file.read_text().splitlines()
    pmond.config_file.write_text("\n".join(lines[1:]) + "\n")
    pmond.start()
    assert status(pmond) == {}


@pytest.mark.parametrize("live", [True, False])
def test_another_file_takes_over_what_both_declare_and_nothing_else(pmond: Pmond, live: bool) -> None:
    pmond.declare(sleeper("web"), sleeper("gone"))
    pid = pmond.until("web", "running")["pid"]
    left = pmond.until("gone", "running")["pid"]
    other = manifest(pmond.folder / "other.json", sleeper("web"), sleeper("new"))
    if not live:
        pmond.kill()
    follow(pmond, other)
    if not live:
        pmond.start()
    pmond.until("new", "running")
    assert (pmond.row("web")["pid"], pmond.row("web")["owner"]) == (pid, f"file:{other}")
    assert (pmond.row("gone")["pid"], pmond.row("gone")["owner"]) == (left, f"file:{pmond.manifest_file}")
    sets = status(pmond)
    assert [sets[name]["followed"] for name in ("manifest.yaml", "other.json")] == [False, True]
    assert condition(sets["manifest.yaml"], "Followed") == ("False", "NoLongerFollowed")
    assert "its processes go on: gone (pmon3 del NAME" in pmond.ok("status")
    manifest(other, sleeper("web"), sleeper("new"), sleeper("gone"))
    until(lambda: pmond.row("gone")["owner"] == f"file:{other}", "the other file to take it over later")
    assert pmond.row("gone")["pid"] == left
    assert list(status(pmond)) == ["other.json"]
    assert "2 create" in pmond.ok("history", "--set", f"file:{pmond.manifest_file}")


def test_one_that_a_variable_names_and_that_is_not_there_is_told(stopped_pmond: Pmond) -> None:
    lines = stopped_pmond.config_file.read_text().splitlines()
    stopped_pmond.config_file.write_text("\n".join(lines[1:]) + "\n")
    stopped_pmond.environment["PMON3_PROCESS_CONF"] = f"{stopped_pmond.folder}/none.yaml"
    checked = subprocess.run(
        [sys.executable, "-P", "-m", "pmond", "--check"],
        env=stopped_pmond.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 1 and f"{stopped_pmond.folder}/none.yaml: no such file" in checked.stderr
    stopped_pmond.start()
    for word in ("status", "init"):
        done = stopped_pmond.run(word)
        said = done.stdout + done.stderr
        assert f"{stopped_pmond.folder}/none.yaml is followed, but it is not there yet" in said
    named = stopped_pmond.run("apply", "-f", f"{stopped_pmond.folder}/none.yaml")
    assert (named.returncode, "none.yaml: no such file" in named.stderr) == (2, True)


def test_a_file_that_was_moved_is_the_same_to_its_processes(pmond: Pmond) -> None:
    pmond.declare(sleeper("web"))
    pid = pmond.until("web", "running")["pid"]
    pmond.manifest_file.rename(pmond.folder / "moved.yaml")
    until(lambda: pmond.run("status").returncode == 1, "the lost file to be told")
    follow(pmond, pmond.folder / "moved.yaml")
    until(lambda: list(status(pmond)) == ["moved.yaml"], "the new place to count")
    assert pmond.row("web")["pid"] == pid


def test_a_mistyped_path_loses_nothing_and_is_told(pmond: Pmond) -> None:
    pmond.declare(sleeper("web"))
    pid = pmond.until("web", "running")["pid"]
    follow(pmond, pmond.folder / "manifset.yaml")
    until(lambda: "manifset.yaml" in status(pmond), "the wrong path to be told")
    said = pmond.ok("status")
    assert f"{pmond.folder}/manifset.yaml is followed, but it is not there yet" in said
    assert "its processes go on: web (pmon3 del NAME" in said
    follow(pmond, pmond.manifest_file)
    until(lambda: list(status(pmond)) == ["manifest.yaml"], "the right path to count")
    assert (pmond.row("web")["pid"], status(pmond)["manifest.yaml"]["sync"]) == (pid, "Synced")


def test_a_plan_says_what_the_followed_file_takes_over(pmond: Pmond) -> None:
    pmond.declare(sleeper("web"))
    pmond.until("web", "running")
    other = pmond.folder / "other.json"
    good = manifest(pmond.folder / "good.json", sleeper("web"))
    words = ("diff", "-f", str(good), "--set", f"file:{other}", "-o", "json")
    assert pmond.run(*words).returncode == 5, "what is followed gives nothing away"
    follow(pmond, other)
    until(lambda: "other.json" in status(pmond), "the other file to be followed")
    done = pmond.run(*words)
    (step,) = json.loads(done.stdout)["actions"]
    assert (done.returncode, step["action"]) == (1, "adopt")
    pmond.ok("apply", "-f", str(pmond.manifest_file))
    assert pmond.run(*words).returncode == 5, "what a person has applied is theirs again"


def test_a_set_without_processes_goes_from_status_and_keeps_its_history(pmond: Pmond) -> None:
    pmond.declare()
    file = str(manifest(pmond.folder / "app.json", sleeper("web")))
    until(lambda: list(status(pmond)) == ["manifest.yaml"], "the followed file, which says nothing")
    pmond.ok("apply", "-f", file)
    assert list(status(pmond)) == ["app.json", "manifest.yaml"]
    pmond.ok("suspend", file)
    pmond.ok("del", "web")
    assert list(status(pmond)) == ["app.json", "manifest.yaml"], "that it is suspended must be said"
    pmond.ok("resume", file)
    assert list(status(pmond)) == ["manifest.yaml"]
    assert pmond.run("status", file).returncode == 1
    assert "1 create" in pmond.ok("history", "--set", f"file:{file}")
    pmond.ok("wait", "--set", file, "--for", "deleted")
    pmond.ok("apply", "-f", file)
    pmond.ok("release", "web")
    assert list(status(pmond)) == ["manifest.yaml", "cli"]


def test_conditions_of_a_set_can_be_waited_for(pmond: Pmond) -> None:
    words = ("wait", "--set", str(pmond.manifest_file))
    name = f"file:{pmond.manifest_file}"
    waiting = pmond.begin("wait", "--set", name, "--for", "condition=accepted", "-o", "json")
    late = pmond.run("wait", "--set", name, "--for", "condition=Accepted", "--timeout", "0")
    assert (late.returncode, "Accepted is Unknown" in late.stderr) == (4, True), late
    pmond.declare(sleeper("web"))
    said, _ = waiting.communicate(timeout=20)
    assert (waiting.returncode, [one["name"] for one in json.loads(said)]) == (0, [name])
    pmond.ok(*words, "--for", "condition=Accepted", "--for", "condition=Followed", "--for", "ready")
    waiting = pmond.begin(
        *words, "--for", "condition=Accepted=False", "--for", "condition=Suspended", "--any"
    )
    pmond.write("processes: 1\n")
    assert waiting.wait(20) == 0
    for wanted in ("Accepted", "Synced"):
        done = pmond.run(*words, "--for", f"condition={wanted}")
        assert (done.returncode, f"{wanted} is False" in done.stderr) == (1, True), done
    assert f"{pmond.manifest_file}:1:12: " in pmond.run(*words, "--for", "condition=Accepted").stderr
    assert pmond.run(*words, "--for", "condition=Suspended", "--timeout", "0").returncode == 4
    waiting = pmond.begin(*words, "--for", "condition=Suspended")
    pmond.ok("suspend", str(pmond.manifest_file))
    assert waiting.wait(20) == 0
    pmond.ok("resume", str(pmond.manifest_file))
    done = pmond.run("wait", "--set", "nope", "--for", "condition=Accepted")
    assert (done.returncode, "set nope: there is no such set" in done.stderr) == (1, True), done


def test_what_waits_for_a_restart_is_waited_for_no_longer(pmond: Pmond) -> None:
    pmond.declare(sleeper("web"))
    pmond.until("web", "running")
    words = ("wait", "--set", str(pmond.manifest_file), "--for")
    waiting = pmond.begin(*words, "condition=Synced=False")
    pmond.declare(sleeper("web", args=["2000"]), sleeper("new"))
    assert waiting.wait(20) == 0
    done = pmond.run(*words, "condition=Synced")
    assert (done.returncode, "waits for a restart: web" in done.stderr) == (1, True)
    pmond.declare(sleeper("web", args=["2000"]), sleeper("new", args=["2000"]))
    waiting = pmond.begin(*words, "condition=Synced=False", "--for", "condition=Synced=True", "--any")
    assert waiting.wait(20) == 0
    pmond.ok("restart", "web", "new")
    pmond.ok(*words, "condition=Synced", "--for", "condition=Progressing=False")


def test_a_set_that_is_no_longer_followed_is_waited_for(pmond: Pmond) -> None:
    pmond.declare(sleeper("web"))
    pmond.until("web", "running")
    waiting = pmond.begin("wait", "--set", f"file:{pmond.manifest_file}", "--for", "condition=Followed=False")
    follow(pmond, pmond.folder / "other.yaml")
    assert waiting.wait(20) == 0


def test_what_was_deleted_and_is_declared_is_missed_until_it_is_there_again(pmond: Pmond) -> None:
    pmond.declare(sleeper("web"), sleeper("db"))
    pmond.until("web", "running")
    pmond.until("db", "running")
    assert pmond.run("status", "--check").returncode == 0
    done = pmond.run("del", "web")
    assert done.returncode == 0
    assert f"web comes back when {pmond.manifest_file} is read again" in done.stderr
    one = status(pmond)["manifest.yaml"]
    assert (one["sync"], one["health"]) == ("OutOfSync", "Missing")
    assert condition(one, "Synced") == ("False", "Deleted")
    assert pmond.run("status", "--check").returncode == 1
    waited = pmond.run("wait", "--set", str(pmond.manifest_file), "--for", "synced", "--timeout", "30s")
    assert waited.returncode == 1 and "web" in waited.stderr
    pmond.kill()
    pmond.start()  # which reads the file
    pmond.until("web", "running")
    one = status(pmond)["manifest.yaml"]
    assert (one["sync"], one["health"]) == ("Synced", "Healthy")


def test_what_no_file_declares_does_not_come_back_and_nobody_says_so(pmond: Pmond) -> None:
    pmond.declare(sleeper("web"), sleeper("db"))
    pmond.until("web", "running")
    pmond.ok("exec", "/bin/sleep", "--name", "mine", "--", "1000")
    assert "comes back" not in pmond.run("del", "mine").stderr
    pmond.declare(sleeper("db"))
    until(lambda: "web" not in pmond.rows(), "it is gone with its declaration")
    assert status(pmond)["manifest.yaml"]["sync"] == "Synced"


def test_check_fails_for_what_is_not_well_or_waits_for_a_restart(pmond: Pmond) -> None:
    pmond.declare(sleeper("web"), sleeper("bad", file="/bin/false", args=[], restart={"policy": "never"}))
    pmond.until("bad", "failed")
    assert pmond.run("status").returncode == 0
    assert pmond.run("status", "--check").returncode == 1
    pmond.declare(sleeper("web"))
    until(lambda: pmond.run("status", "--check").returncode == 0, "what was not well is gone")
    pmond.declare(sleeper("web", args=["1001"]))
    until(lambda: pmond.run("status", "--check").returncode == 1, "a restart is due")
    assert status(pmond)["manifest.yaml"]["sync"] == "OutOfSync"
    pmond.ok("restart", "web")
    assert pmond.run("status", "--check").returncode == 0
