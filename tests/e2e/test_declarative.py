"""Plan, apply, prune, roll back: what people see of it, with a real pmond."""

from __future__ import annotations

import json
import os
import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.support.pmond import Pmond, alive
from tests.support.programs import NICER
from tests.support.waiting import until

pytestmark = pytest.mark.slow

FAILING = ["-c", "exit 3"]


def sleeper(name: str, seconds: int = 1000, **fields: Any) -> dict[str, Any]:
    return {"file": "/bin/sleep", "name": name, "args": [str(seconds)], **fields}


def failing(name: str, **fields: Any) -> dict[str, Any]:
    return {"file": "/bin/sh", "name": name, "args": FAILING, "restart": {"policy": "never"}, **fields}


def manifest(pmond: Pmond, *processes: dict[str, Any], name: str = "app.json") -> str:
    path = pmond.folder / name
    path.write_text(json.dumps({"processes": list(processes)}, indent=1))
    return str(path)


def pids(pmond: Pmond) -> dict[str, int]:
    return {name: row["pid"] for name, row in pmond.rows().items()}


def the_set(pmond: Pmond, name: str) -> dict[str, Any]:
    found = [one for one in pmond.ask("GET", "/v1/sets").body if one["name"] == name]
    return dict(found[0]) if found else {}


def test_p05_a_name_has_one_owner(pmond: Pmond) -> None:
    first = manifest(pmond, sleeper("web"))
    pmond.ok("apply", "-f", first)
    other = manifest(pmond, sleeper("web", 1), name="other.json")
    before = pids(pmond)
    refused = pmond.run("apply", "-f", other)
    assert refused.returncode == 5
    assert f"belongs to file:{first} ({first}:3)" in refused.stderr
    assert pids(pmond) == before
    assert pmond.run("exec", "/bin/sleep", "--name", "web", "--", "1").returncode == 5
    pmond.ok("apply", "-f", other, "--take-ownership", "--no-wait")
    assert pmond.row("web")["owner"] == f"file:{other}"
    assert "web released" in pmond.ok("release", "web")
    assert pmond.row("web")["owner"] == "cli"


def test_prune_is_by_inventory_and_protection_outlives_the_entry(pmond: Pmond) -> None:
    pmond.ok("exec", "/bin/sleep", "--name", "mine", "--", "1000")
    file = manifest(
        pmond, sleeper("a"), sleeper("b", prune=False), sleeper("c", prune="confirm"), sleeper("d")
    )
    pmond.ok("apply", "-f", file)
    manifest(pmond, sleeper("a"))
    said = pmond.ok("apply", "-f", file)
    assert "d is no longer declared; --prune deletes it" in said
    pmond.ok("apply", "-f", file, "--prune")
    until(lambda: "d" not in pmond.rows(), "d to be pruned")
    assert set(pmond.rows()) == {"mine", "a", "b", "c"}
    assert pmond.run("approve", "b").returncode == 6
    pmond.ok("approve", "c")
    assert set(pmond.rows()) == {"mine", "a", "b"}


def test_guards_refuse_what_looks_like_a_mistake(pmond: Pmond) -> None:
    file = manifest(pmond, *(sleeper(f"p{n}") for n in range(8)))
    pmond.ok("apply", "-f", file)
    before = pids(pmond)
    manifest(pmond)
    empty = pmond.run("apply", "-f", file, "--prune")
    assert (empty.returncode, "--allow-empty" in empty.stderr) == (6, True)
    manifest(pmond, sleeper("p0"))
    many = pmond.run("apply", "-f", file, "--prune")
    assert (many.returncode, "7 of its 8 processes" in many.stderr) == (6, True)
    assert pids(pmond) == before
    pmond.ok("apply", "-f", file, "--prune", "--prune-limit", "90%")
    until(lambda: set(pmond.rows()) == {"p0"}, "all but one to be pruned")
    manifest(pmond)
    pmond.ok("apply", "-f", file, "--prune", "--allow-empty")
    until(lambda: not pmond.rows(), "all to be pruned")


def test_p18_a_rename_keeps_the_process_its_log_and_its_tree(pmond: Pmond) -> None:
    program = {"file": "/bin/sh", "args": ["-c", "echo born; sleep 1000 & exec sleep 1000"]}
    file = manifest(pmond, {**program, "name": "old"})
    pmond.ok("apply", "-f", file)
    pid = pmond.row("old")["pid"]
    until(lambda: "born" in pmond.ok("log", "old"), "its first line")
    manifest(pmond, {**program, "name": "new", "renamed_from": "old"})
    assert "was called old" in pmond.ok("apply", "-f", file)
    assert pids(pmond) == {"new": pid}
    assert "born" in pmond.ok("log", "new")
    assert pmond.run("apply", "-f", file).stdout.endswith("no changes; 1 unchanged.\n")
    pmond.ok("exec", "/bin/true", "--name", "other", "--no-wait")  # its exit makes pmond look for orphans
    pmond.kill()
    pmond.start()
    assert pids(pmond)["new"] == pid and alive(pid)
    left = {p for p in pmond.survivors() if p != pmond.pid}
    pmond.ok("stop", "new")
    assert not [p for p in left if alive(p)], "the whole tree ends with it"


def test_p08_a_saved_plan_runs_exactly_once(pmond: Pmond) -> None:
    file = manifest(pmond, sleeper("web", env_vars={"TOKEN": "hush"}))
    plan = str(pmond.folder / "plan")
    assert pmond.run("plan", "-f", file, "--out", plan).returncode == 1
    assert Path(plan).stat().st_mode & 0o777 == 0o600
    pmond.ok("apply", plan)
    pid = pmond.row("web")["pid"]
    again = pmond.run("apply", plan)
    assert (again.returncode, "already applied" in again.stderr) == (0, True)
    assert pmond.row("web")["pid"] == pid
    manifest(pmond, sleeper("web", 7))
    pmond.ok("apply", "-f", file, "--no-wait")
    before = pmond.row("web")["generation"]
    stale = pmond.run("apply", plan)
    assert (stale.returncode, "+version" in stale.stderr) == (5, True)
    assert pmond.row("web")["generation"] == before
    shown = pmond.run("diff", "-f", file).stdout + json.dumps(pmond.ask("GET", "/v1/sets").body)
    assert "hush" not in shown


def test_p15_a_dry_run_writes_nothing(pmond: Pmond) -> None:
    file = manifest(pmond, sleeper("web"))
    pmond.ok("apply", "-f", file)
    manifest(pmond, sleeper("web", 7), sleeper("new"))
    before = (pmond.rows(), pmond.ask("GET", "/v1/sets").body, pmond.events())
    dry = pmond.ok("apply", "-f", file, "--dry-run", "--prune")
    assert (pmond.rows(), pmond.ask("GET", "/v1/sets").body, pmond.events()) == before
    assert pmond.ok("apply", "-f", file, "--prune") == dry


def test_p21_of_two_appliers_at_one_version_one_succeeds(pmond: Pmond) -> None:
    file = manifest(pmond, sleeper("web"))
    pmond.ok("apply", "-f", file, "--if-version", "0")
    assert pmond.run("apply", "-f", file, "--if-version", "0").returncode == 5
    files = [manifest(pmond, sleeper("web", n), name=f"{n}.json") for n in (1001, 1002)]
    words = ("--set", f"file:{file}", "--if-version", "1", "--no-wait")
    with ThreadPoolExecutor(2) as pool:
        codes = list(pool.map(lambda one: pmond.run("apply", "-f", one, *words).returncode, files))
    assert sorted(codes) == [0, 5]


def test_p24_the_exit_code_says_what_the_plan_does(pmond: Pmond) -> None:
    file = manifest(pmond, sleeper("web"))
    for code in (1, 0):
        ran = pmond.run("diff", "-f", file, "-o", "json")
        assert (ran.returncode, bool(json.loads(ran.stdout)["actions"])) == (code, bool(code))
        pmond.ok("apply", "-f", file)
    assert pmond.run("diff", "-f", file, "-o", "yaml").stdout == ""
    Path(file).write_text('{"processes": [{"fil": 1}]}')
    assert pmond.run("diff", "-f", file).returncode == 2
    assert pmond.run("apply", "-f", file).returncode == 1
    assert pmond.run("plan", "-f", file, "--detailed-exitcode").returncode == 1
    manifest(pmond, sleeper("web", 7))
    assert pmond.run("plan", "-f", file, "--detailed-exitcode").returncode == 2
    unified = pmond.run("diff", "-f", file, "-o", "yaml").stdout
    assert "-args: '1000'" in unified and "+args: '7'" in unified


def test_a_unified_diff_shows_that_a_secret_differs_and_not_how(pmond: Pmond) -> None:
    file = manifest(pmond, sleeper("web", env_vars={"TOKEN": "hunter2", "MODE": "prod"}))
    pmond.ok("apply", "-f", file)
    manifest(pmond, sleeper("web", env_vars={"TOKEN": "hunter3", "MODE": "prod"}))
    unified = pmond.run("diff", "-f", file, "-o", "yaml").stdout
    assert "-  TOKEN: '*** (before)'" in unified and "+  TOKEN: '*** (after)'" in unified
    assert "-  MODE" not in unified and "hunter" not in unified


def test_a_guard_of_the_followed_manifest_says_how_to_insist(pmond: Pmond) -> None:
    pmond.declare(*(sleeper(f"p{n}") for n in range(8)))
    until(lambda: len(pmond.rows()) == 8, "all to be there")
    pmond.declare(sleeper("p0"))
    until(lambda: pmond.run("status").returncode == 1, "the manifest to be refused")
    way = f"apply -f {pmond.manifest_file} --prune --prune-limit 7"
    assert f"7 of its 8 processes would be deleted (pmon3 {way} allows it)" in pmond.run("status").stdout
    pmond.ok(*way.split())
    until(lambda: set(pmond.rows()) == {"p0"}, "the others to be pruned")


def test_a_hold_and_a_suspension_say_until_when(pmond: Pmond) -> None:
    file = manifest(pmond, sleeper("web"))
    pmond.ok("apply", "-f", file)
    pmond.ok("hold", "web", "--reason", "disk", "--for", "1h")
    row = pmond.row("web")
    assert row["reason"].endswith(f": disk, until {row['hold']['until']}")
    assert "disk, until 20" in pmond.ok("desc", "web")
    checked = the_set(pmond, f"file:{file}")["checked_at"]
    pmond.ok("suspend", file, "--for", "1h")
    found = the_set(pmond, f"file:{file}")
    since = {one["type"]: one["last_transition_time"] for one in found["conditions"]}
    assert since["Suspended"] == found["suspended"]["at"] > checked == since["Accepted"]


def test_what_this_host_lacks_is_shown_by_validate_with_host(pmond: Pmond) -> None:
    file = manifest(pmond, sleeper("web", user="no-such-user"))
    assert "pmon3 validate --host shows the places" in pmond.run("apply", "-f", file).stderr


def test_a_rollout_stops_at_the_first_failure(pmond: Pmond) -> None:
    file = manifest(pmond, sleeper("db"), sleeper("web", dependencies=["db"]), sleeper("zoo"))
    pmond.ok("apply", "-f", file)
    before = pids(pmond)
    manifest(pmond, failing("db"), sleeper("web", 7, dependencies=["db"]), sleeper("zoo", 7))
    ran = pmond.run("apply", "-f", file)
    assert ran.returncode == 7
    assert "web: skipped" in ran.stderr
    assert pids(pmond)["web"] == before["web"]
    assert pmond.ask("GET", f"/v1/history?set=file:{file}").body[0]["outcome"] == "failed"
    assert the_set(pmond, f"file:{file}")["sync"] == "OutOfSync"
    manifest(pmond, sleeper("db", 9), sleeper("web", 7, dependencies=["db"]), sleeper("zoo", 7))
    pmond.ok("apply", "-f", file)
    after = pids(pmond)
    assert all(after[name] != before[name] for name in before)
    assert the_set(pmond, f"file:{file}")["sync"] == "Synced"


def test_a_rollout_rolls_back_when_told_to(pmond: Pmond) -> None:
    file = manifest(pmond, sleeper("db"), sleeper("web", dependencies=["db"]))
    pmond.ok("apply", "-f", file)
    pid = pmond.row("web")["pid"]
    manifest(pmond, failing("db"), sleeper("web", 7, dependencies=["db"]))
    failed = pmond.run("apply", "-f", file, "--on-failure", "rollback")
    assert "is in force: rollback of 2, which failed, to 1" in failed.stderr
    assert failed.returncode == 7, failed.stderr
    pmond.until("db", "running")
    assert pmond.row("web")["pid"] == pid
    outcomes = [one["outcome"] for one in pmond.ask("GET", f"/v1/history?set=file:{file}").body]
    assert outcomes[1] == "rolled_back"
    assert pmond.run("apply", "-f", file).returncode == 6  # suspended, until it says something else
    manifest(pmond, sleeper("db", 8), sleeper("web", 8, dependencies=["db"]))
    pmond.ok("apply", "-f", file)


def test_a_rollout_goes_on_with_what_does_not_need_the_failure(pmond: Pmond) -> None:
    declared = (sleeper("db"), sleeper("web", dependencies=["db"]), sleeper("zoo"))
    file = manifest(pmond, *declared)
    pmond.ok("apply", "-f", file)
    before = pids(pmond)
    manifest(pmond, failing("db"), sleeper("web", 7, dependencies=["db"]), sleeper("zoo", 7))
    ran = pmond.run("apply", "-f", file, "--on-failure", "continue")
    assert ran.returncode == 7
    assert "web: skipped" in ran.stderr
    after = pids(pmond)
    assert (after["web"], after["zoo"] != before["zoo"]) == (before["web"], True)


def test_rollback_to_the_last_that_was_rolled_out_whole(pmond: Pmond) -> None:
    file = manifest(pmond, sleeper("web", 1001))
    pmond.ok("apply", "-f", file)
    manifest(pmond, failing("web"))
    assert pmond.run("apply", "-f", file).returncode == 7
    manifest(pmond, failing("web"), failing("more"))
    assert pmond.run("apply", "-f", file).returncode == 7
    pmond.ok("rollback", "--set", f"file:{file}", "--to-stable")
    row = pmond.until("web", "running")
    assert (row["args"], set(pmond.rows())) == (["1001"], {"web"})
    newest = pmond.ask("GET", f"/v1/history?set=file:{file}").body[0]
    assert newest["outcome"] == "done"
    refused = pmond.run("rollback", "--set", f"file:{file}", "--to", "99")
    assert refused.returncode == 1 and "99" in refused.stderr


def test_a_rollout_outlives_pmond(pmond: Pmond) -> None:
    slow = {"file": "/bin/sh", "args": ["-c", "trap '' TERM; sleep 1000"], "stop": {"timeout": "1s"}}
    file = manifest(pmond, *({**slow, "name": f"p{n}"} for n in range(3)))
    pmond.ok("apply", "-f", file)
    before = pids(pmond)
    manifest(pmond, *({**slow, "name": f"p{n}", "argv0": "x"} for n in range(3)))
    pmond.ok("apply", "-f", file, "--no-wait")
    pmond.kill()
    pmond.start()

    def rolled_out() -> bool:
        rows = pmond.rows()
        return all(rows[n]["status"] == "running" and rows[n]["pid"] != before[n] for n in before)

    until(rolled_out, "the next pmond to finish the rollout", 20)


def test_history_and_rollback(pmond: Pmond) -> None:
    pmond.declare(sleeper("web", 1001))
    pmond.until("web", "running")
    first = pmond.ok("export", "yaml")
    pmond.declare(sleeper("web", 1002), sleeper("new"))
    pmond.until("new", "running")
    assert len(json.loads(pmond.ok("history", "-o", "json"))) == 2
    number = json.loads(pmond.ok("history", "-o", "json"))[1]["revision"]
    pmond.ok("rollback", "--to", str(number), "-m", "it was better")
    until(lambda: pmond.ok("export", "yaml") == first, "P14: the export of then")
    newest = json.loads(pmond.ok("history", "-o", "json"))[0]
    assert newest["message"] == "it was better" and newest["by"]
    pmond.signal(1)  # SIGHUP: it reads the file again
    until(lambda: the_set(pmond, f"file:{pmond.manifest_file}")["sync"] == "Suspended", "it to be suspended")
    assert set(pmond.rows()) == {"web"}
    pmond.declare(sleeper("web", 1003))
    until(lambda: pmond.row("web")["args"] == ["1003"], "new content to be taken")


def test_a_rejected_file_leaves_the_last_good_one_in_force(pmond: Pmond) -> None:
    pmond.declare(sleeper("web"))
    pid = pmond.until("web", "running")["pid"]
    name = f"file:{pmond.manifest_file}"
    for text in ("processes: [{file: 1, nam: x}]", "", "processes: []", "processes: [", "a: ["):
        pmond.write(text)
        until(lambda: the_set(pmond, name).get("accepted") is False, f"{text!r} to be rejected")
        assert pmond.run("status").returncode == 1
        assert pids(pmond) == {"web": pid}
        pmond.declare(sleeper("web"))
        until(lambda: the_set(pmond, name)["accepted"], "it to be accepted again")
    pmond.write("processes:\n  - file: /bin/true\n    nam: x\n")
    until(lambda: the_set(pmond, name)["accepted"] is False, "it to be rejected")
    found = the_set(pmond, name)["diagnostics"][0]
    assert (found["code"], found["range"]["start"]) == ("PM014", {"line": 3, "column": 5})
    pmond.manifest_file.unlink()
    pmond.kill()
    pmond.start()
    assert pids(pmond) == {"web": pid}
    pmond.declare(sleeper("web"))
    until(lambda: pmond.run("status").returncode == 0, "it to be in sync")


def test_holds_and_suspensions_end_by_themselves(pmond: Pmond) -> None:
    pmond.declare(sleeper("web"))
    pmond.until("web", "running")
    pmond.ok("hold", "web", "--reason", "maintenance", "--for", "1s")
    hold = pmond.row("web")["hold"]
    assert (hold["reason"], hold["up"]) == ("maintenance", False)
    pmond.until("web", "running")
    pmond.ok("suspend", str(pmond.manifest_file), "--for", "1s", "--reason", "later")
    pmond.declare(sleeper("web", 7))
    until(lambda: pmond.row("web")["args"] == ["7"], "the suspension to end")


def test_a_folder_is_a_manifest(pmond: Pmond) -> None:
    folder = pmond.folder / "conf.d"
    folder.mkdir()
    (folder / "a.yaml").write_text("processes: [{file: /bin/sleep, name: a, args: '1000'}]")
    (folder / "b.toml").write_text('[[Processes]]\nFile = "/bin/sleep"\nName = "b"\nArgs = "1000"\n')
    pmond.ok("apply", "-f", str(folder))
    assert set(pmond.rows()) == {"a", "b"}
    (folder / "b.toml").unlink()
    pmond.ok("apply", "-f", str(folder), "--prune")
    until(lambda: set(pmond.rows()) == {"a"}, "b to be pruned")


def test_a_git_commit_is_remembered(pmond: Pmond) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    git = pmond.folder / ".git"
    (git / "refs" / "heads").mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git / "refs" / "heads" / "main").write_text(f"{commit}\n")
    pmond.declare(sleeper("web"))
    pmond.until("web", "running")
    newest = json.loads(pmond.ok("history", "-o", "json"))[0]
    assert newest["commit"] == f"{commit}-dirty", "nobody has added the file to it"


def test_p22_wait_says_when_it_cannot_happen(pmond: Pmond) -> None:
    once = {"file": "/bin/sh", "restart": {"policy": "on-failure"}, "args": ["-c", "echo bye"]}
    file = manifest(pmond, {**once, "name": "job"}, failing("bad"), sleeper("web"))
    pmond.run("apply", "-f", file)
    pmond.ok("wait", "job", "--for", "ready", "--for", "completed", "--for", "exited=0")
    pmond.ok("wait", "job", "web", "--for", "ready", "--for", "exited=7", "--any")
    pmond.ok("wait", "bad", "--for", "exited=3")
    pmond.ok("wait", "bad", "--for", "condition=Stalled")
    pmond.ok("wait", "web", "job", "--for", "synced", "--for", "condition=Held=False")
    assert "exited with code 3" in pmond.run("wait", "bad", "--for", "synced").stderr
    impossible = pmond.run("wait", "job", "--for", "exited=1")
    assert (impossible.returncode, "bye" in impossible.stderr) == (1, True)
    assert pmond.run("wait", "bad", "--for", "ready").returncode == 1
    assert pmond.run("wait", "web", "--for", "stopped", "--timeout", "0").returncode == 4
    assert pmond.run("wait", "web", "--for", "deleted", "--timeout", "0").returncode == 4
    assert pmond.run("wait", "web", "--for", "redy").returncode == 2
    waiter = pmond.begin("wait", "web", "--for", "condition=Held")
    pmond.ok("hold", "web")
    assert waiter.wait(20) == 0
    pmond.ok("wait", "--set", file, "--for", "exited", "--for", "stopped", "--any")


def test_nice_and_limits_reach_the_whole_live_tree(pmond: Pmond) -> None:
    tree = {"file": "/bin/sh", "name": "tree", "args": ["-c", "sleep 1000 & echo $!; wait"]}
    file = manifest(pmond, tree)
    pmond.ok("apply", "-f", file)
    until(lambda: pmond.ok("log", "tree").strip(), "the child to be told")
    pid, child = pmond.row("tree")["pid"], int(pmond.ok("log", "tree"))
    manifest(pmond, {**tree, "priority": NICER, "limits": {"nofile": 99}})
    assert "in place" in pmond.ok("apply", "-f", file)
    assert pmond.row("tree")["pid"] == pid
    for one in (pid, child):
        assert os.getpriority(os.PRIO_PROCESS, one) == NICER
        assert resource.prlimit(one, resource.RLIMIT_NOFILE) == (99, 99)
    pmond.kill()
    pmond.start()
    manifest(pmond, tree)
    pmond.ok("apply", "-f", file)
    # Only with rights is a program made less nice again, or a hard limit raised; others are told.
    own = os.getpriority(os.PRIO_PROCESS, pmond.pid)
    lowered = os.getpriority(os.PRIO_PROCESS, child) == own
    raised = resource.prlimit(child, resource.RLIMIT_NOFILE)[0] > 99
    assert (lowered and raised) or "TuningFailed" in pmond.reasons("tree")
    assert lowered or os.geteuid()


def test_what_waits_for_a_restart_is_listed_by_path(pmond: Pmond) -> None:
    pmond.declare(sleeper("web"))
    pid = pmond.until("web", "running")["pid"]
    pmond.declare(sleeper("web", 7, env_vars={"A": "1"}))

    def required() -> str:
        found = pmond.ask("GET", "/v1/processes/web").body["conditions"]
        return next(str(one["message"]) for one in found if one["type"] == "RestartRequired")

    until(lambda: "/args/0, /env_vars/A" in required(), "the paths to be listed")
    assert pmond.row("web")["pid"] == pid
    assert "it runs with an earlier spec" in pmond.ok("apply", "-f", str(pmond.manifest_file), "--no-wait")
    until(lambda: pmond.row("web")["pid"] != pid, "apply to restart it")


def test_a_value_is_changed_in_the_file_that_declares_it(pmond: Pmond) -> None:
    text = "# mine\nprocesses:\n  - file: /bin/sleep   # the program\n    args: '1000'\n    name: web\n"
    pmond.write(text)
    pid = pmond.until("web", "running")["pid"]
    origins = pmond.ask("GET", "/v1/processes/web").body["origins"]
    assert origins["args"] == f"{pmond.manifest_file}:4"
    assert "args 4" in pmond.ok("desc", "web")
    assert "+    args: '1001'" in pmond.ok("set", "web", "args=1001")
    assert pmond.manifest_file.read_text() == text
    pmond.ok("set", "web", "description=front", "restart.delay=2s", "--write")
    pmond.ok("wait", "web", "--for", "synced")
    until(lambda: "front" in pmond.ok("desc", "web"), "the description to be in force")
    assert pmond.row("web")["pid"] == pid
    written = pmond.manifest_file.read_text().splitlines()
    assert [line for line in text.splitlines() if line not in written] == []
    assert pmond.run("set", "web", "restart.delay=soon", "--write").returncode == 1
    alone = pmond.run("set", "web", "name=front", "--write")
    assert alone.returncode == 2 and "renamed_from=web" in alone.stderr
    assert pmond.manifest_file.read_text().splitlines() == written
    pmond.ok("set", "web", "name=front", "renamed_from=web", "--write")
    assert pmond.until("front", "running")["pid"] == pid
