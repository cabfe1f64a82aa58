"""What says the same as what is there changes nothing; what is put off is named until it has happened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.test_declarative import manifest, pids, sleeper, the_set
from tests.support.pmond import Pmond
from tests.support.programs import NICER
from tests.support.waiting import until

from pmon3_schema.formats.export import FORMATS
from pmon3_schema.process import ProcessSpec

pytestmark = pytest.mark.slow

FULL: dict[str, Any] = {
    "file": "/bin/sleep",
    "name": "full",
    "args": "1000",
    "env_vars": {"A": "1 2", "B": "é"},
    "log_dir": "full-logs",
    "groups": ["z", "b", "a"],
    "cwd": ".",
    "env_file": "full.env",
    "env_inherit": False,
    "argv0": "a program",
    "umask": "0027",
    "priority": NICER,
    "limits": {"nofile": 64, "core": "0"},
    "resources": {"memory_max": "1GiB", "cpu": 1.5, "tasks_max": 50},
    "sandbox": {"no_new_privileges": True, "read_only": ["/usr", "/srv"], "hidden": "/boot"},
    "log_rotate": {"size": "1MiB", "keep": 3, "total": "8MiB"},
    "stderr_log": "full.err",
    "ready": {"delay": "300ms"},
    "live": {"exec": ["/bin/true"], "interval": "30s"},
    "hooks": {"pre_start": [["/bin/true"]], "post_stop": ["/bin/true"], "timeout": "5s"},
    "max_runtime": "1h",
    "rollout": {"on_failure": "continue"},
    "container": {"image": "shop/web:1", "ports": [8080], "pull_policy": "always"},
    "autostart": True,
    "restart": {"policy": "on-failure", "delay": "250ms", "max_failures": 3, "success_exit_codes": [0, 3]},
    "stop": {"signal": "INT", "timeout": "2s"},
    "watch": {"paths": ["full.conf"], "debounce": "1s"},
    "reload": {"command": ["/bin/kill", "-HUP", "1"]},
    "on_change": "none",
    "description": "all that can be said",
    "labels": {"tier": "front"},
    "prune": "confirm",
    "renamed_from": "once",
    "dependencies": ["web"],
}
"""Every field but those below, each with a value of its own."""
ALONE = {"user", "log", "no_auto_restart", "exit_on_end", "profiles", "type", "schedule", "replicas"}
"""Fields that another one here excludes, or whose value is the host's."""


def declared(pmond: Pmond) -> str:
    """A manifest in many ways of writing, applied and running."""
    (pmond.folder / "full.env").write_text("C=3\n")
    (pmond.folder / "full.conf").write_text("x\n")
    sleep = {"file": "/bin/sleep", "args": "1000"}
    web = {**sleep, "name": "web", "env_vars": "A=1 B='2 3'", "groups": ["z", "b"]}
    file = manifest(pmond, web, FULL, {**sleep, "no_auto_restart": True})
    pmond.ok("apply", "-f", file)
    return file


def test_every_field_is_said_here() -> None:
    assert FULL.keys() | ALONE == ProcessSpec.declared.keys(), "a new field belongs into FULL"


def test_p03_applying_what_export_printed_changes_nothing(pmond: Pmond) -> None:
    file = declared(pmond)
    before, history = pids(pmond), pmond.ok("history", "--set", file, "-o", "name")
    for form in FORMATS:
        text = pmond.ok("export", form)
        copy = pmond.folder / f"copy.{form}"
        copy.write_text(text)
        said = pmond.run("diff", "-f", str(copy), "--set", f"file:{file}")
        assert said.returncode == 0, said.stdout
        pmond.ok("apply", "-f", str(copy), "--set", f"file:{file}", "--prune")
        assert pmond.ok("export", form) == text
    assert pids(pmond) == before
    assert pmond.ok("history", "--set", file, "-o", "name") == history


def test_what_was_submitted_is_taken_over_from_its_export_as_it_runs(pmond: Pmond) -> None:
    """The way of the README: exec, then export into the process config file."""
    pmond.ok("exec", "/bin/sleep", "--name", "web", "-e", "A=1", "--", "1000")
    pmond.ok("group", "create", "z")
    pmond.ok("group", "create", "a")
    pmond.ok("group", "assign", "a,z", "web")
    before = pids(pmond)
    pmond.write(pmond.ok("export", "yaml"))
    until(lambda: pmond.row("web")["owner"] == f"file:{pmond.manifest_file}", "it to be taken over")
    assert pids(pmond) == before
    assert the_set(pmond, f"file:{pmond.manifest_file}")["sync"] == "Synced"
    assert pmond.run("diff").returncode == 0


def test_groups_of_commands_are_a_difference_like_any_other(pmond: Pmond) -> None:
    """An empty plan means that nothing changes, groups included."""
    file = manifest(pmond, sleeper("web", groups=["b", "a"]))
    pmond.ok("apply", "-f", file)
    pmond.ok("group", "create", "more")
    pmond.ok("group", "assign", "more", "web")
    said = pmond.run("diff", "-f", file, "-o", "json")
    assert said.returncode == 1
    (action,) = json.loads(said.stdout)["actions"]
    assert (action["action"], action["effect"]) == ("update", "none")
    assert ("more", None) in [(change["before"], change["after"]) for change in action["changes"]]
    pid = pmond.row("web")["pid"]
    pmond.ok("apply", "-f", file)
    assert (pmond.row("web")["groups"], pmond.row("web")["pid"]) == (["b", "a"], pid)
    assert pmond.run("diff", "-f", file).returncode == 0


def test_a_rename_and_a_restart_are_done_by_one_apply(pmond: Pmond) -> None:
    file = manifest(pmond, sleeper("backend", 1001), sleeper("web", dependencies=["backend"]))
    pmond.ok("apply", "-f", file)
    before = pids(pmond)
    manifest(pmond, sleeper("api", 1002, renamed_from="backend"), sleeper("web", dependencies=["api"]))
    plan = json.loads(pmond.run("plan", "-f", file, "-o", "json").stdout)
    steps = [(action["action"], action["name"]) for action in plan["actions"]]
    assert steps[0] == ("move", "api") and ("restart", "api") in steps
    pmond.ok("apply", "-f", file)
    rows = pmond.rows()
    assert rows.keys() == {"api", "web"}
    assert (rows["api"]["args"], rows["api"]["status"]) == (["1002"], "running")
    assert rows["api"]["pid"] != before["backend"] and rows["web"]["pid"] == before["web"]
    assert rows["api"]["generation"] == 2, "one change"
    assert pmond.run("diff", "-f", file).returncode == 0
    assert the_set(pmond, f"file:{file}")["sync"] == "Synced"
    after = pids(pmond)
    pmond.ok("apply", "-f", file)
    assert pids(pmond) == after


def test_a_unified_diff_shows_a_rename_with_a_restart_once(pmond: Pmond) -> None:
    file = manifest(pmond, sleeper("backend", 1001))
    pmond.ok("apply", "-f", file)
    manifest(pmond, sleeper("api", 1002, renamed_from="backend"))
    unified = pmond.run("diff", "-f", file, "-o", "yaml").stdout
    assert unified.count("+++") == 1 and "-args: '1001'" in unified and "+args: '1002'" in unified


def test_a_restart_that_was_put_off_names_its_fields_with_before_and_after(pmond: Pmond) -> None:
    pmond.declare(sleeper("web", 1001, env_vars={"MODE": "a", "KEEP": "1"}))
    pid = pmond.until("web", "running")["pid"]
    pmond.declare(sleeper("web", 1002, env_vars={"MODE": "b", "KEEP": "1"}, description="new"))
    until(lambda: pmond.row("web")["args"] == ["1002"], "the edit to be taken")

    def named() -> None:
        for verb in ("diff", "plan"):
            (action,) = json.loads(pmond.run(verb, "-o", "json").stdout)["actions"]
            changes = {change["path"]: (change["before"], change["after"]) for change in action["changes"]}
            assert changes == {"/args/0": ("1001", "1002"), "/env_vars/MODE": ("*** (before)", "*** (after)")}
            assert (action["action"], action["causes"][-1]) == ("restart", "it runs with an earlier spec")
            said = " ".join(pmond.run(verb).stdout.split())
            assert '/args/0 "1001" -> "1002" restart' in said and '"*** (before)" -> "*** (after)"' in said
        described = json.loads(pmond.ok("desc", "web", "-o", "json"))
        assert [change["path"] for change in described["pending"]] == ["/args/0", "/env_vars/MODE"]
        text = pmond.ok("desc", "web")
        assert '/args/0: "1001" -> "1002"' in text and "RestartRequired: SpecChanged" in text
        assert "/env_vars/MODE" in text and '"a"' not in text and '"b"' not in text

    named()
    pmond.kill()
    pmond.start()
    assert pmond.row("web")["pid"] == pid
    named()
    pmond.ok("apply", "-f", str(pmond.manifest_file))
    assert pmond.row("web")["pid"] != pid
    assert pmond.run("diff").returncode == 0
    assert json.loads(pmond.ok("desc", "web", "-o", "json"))["pending"] == []


def test_what_no_apply_restarts_is_a_note_with_its_fields(pmond: Pmond) -> None:
    file = manifest(pmond, sleeper("web", 1001, on_change="none"))
    pmond.ok("apply", "-f", file)
    manifest(pmond, sleeper("web", 1002, on_change="none"))
    assert "waits for the next start (on_change: none)" in pmond.ok("apply", "-f", file)
    said = pmond.run("diff", "-f", file)
    assert (said.returncode, "note: web waits for a restart: /args/0 (on_change: none)" in said.stdout) == (
        0,
        True,
    )


def test_a_relative_path_is_the_absolute_one_that_it_means(pmond: Pmond) -> None:
    program = pmond.folder / "bin"
    program.mkdir()
    (program / "run").symlink_to("/bin/sleep")
    file = manifest(pmond, {"file": "bin/run", "args": "1000", "log": "./run.log", "cwd": "bin"})
    pmond.ok("apply", "-f", file)
    full = Path(file).parent
    manifest(pmond, {"file": f"{full}/bin/run", "name": "run", "args": ["1000"], "log": f"{full}/run.log"})
    assert pmond.run("diff", "-f", file).returncode == 0, "the folder of the program is where it runs anyway"
