"""What a user of the Go pmon3 has: groups, order, flap detection, export, logs, start-up and shutdown."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.support.pmond import PATIENCE, Pmond, alive
from tests.support.waiting import Answer as Found
from tests.support.waiting import until as until_within

pytestmark = pytest.mark.slow

SLEEPER = {"name": "web", "file": "/bin/sleep", "args": "1000"}
SAMPLES = Path(__file__).parents[1] / "unit/schema/samples"


def until(condition: Callable[[], Found], why: str) -> Found:
    """Wait as long as a busy machine may take."""
    return until_within(condition, why, PATIENCE)


def sleeper(name: str, **more: Any) -> dict[str, Any]:
    return {**SLEEPER, "name": name, **more}


def shell(name: str, script: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "file": "/bin/sh", "args": ["-c", script], **more}


def members(pmond: Pmond, group: str) -> list[str]:
    return sorted(row["name"] for row in pmond.ask("GET", f"/v1/groups/{group}").body["processes"])


def restart_pmond(pmond: Pmond, number: int = signal.SIGTERM) -> None:
    pmond.signal(number)
    pmond.ended()
    pmond.start()


# --- groups --------------------------------------------------------------------------------


def test_groups_can_do_all_that_the_readme_says(pmond: Pmond) -> None:
    pmond.declare(sleeper("a"), sleeper("b"), sleeper("c", groups=["declared"]))
    for name in "abc":
        pmond.until(name, "running")
    pmond.ok("group", "create", "happac")
    pmond.ok("group", "assign", "happac", "1,b")
    assert members(pmond, "happac") == ["a", "b"]
    assert "happac" in pmond.ok("group", "ls")
    assert "a" in pmond.ok("group", "desc", "happac")
    pmond.ok("group", "remove", "happac", "b")
    assert members(pmond, "happac") == ["a"]
    pmond.ok("group", "stop", "happac")
    assert pmond.row("a")["status"] == "stopped"
    pmond.ok("group", "restart", "happac")
    assert pmond.until("a", "running")["restart_count"] == 1
    assert pmond.row("b")["restart_count"] == 0
    pmond.ok("group", "del", "happac")
    assert pmond.row("a")["status"] == "running"


def test_groups_survive_drop_and_pmond(pmond: Pmond) -> None:
    pmond.ok("exec", "/bin/sleep", "--args", "1000", "--name", "web", "-g", "one,two")
    assert members(pmond, "one") == members(pmond, "two") == ["web"]
    pmond.ok("group", "drop", "one")
    assert pmond.rows() == {}
    restart_pmond(pmond)
    assert [group["name"] for group in pmond.ask("GET", "/v1/groups").body] == ["one", "two"]
    pmond.ok("exec", "/bin/sleep", "--args", "1000", "--name", "other")
    assert members(pmond, "one") == []


def test_an_unknown_group_or_process_changes_nothing(pmond: Pmond) -> None:
    pmond.declare(sleeper("a"))
    pmond.until("a", "running")
    pmond.ok("group", "create", "one")
    for words in (("one,none", "a"), ("one", "a,none")):
        done = pmond.run("group", "assign", *words)
        assert (done.returncode, "none" in done.stderr) == (1, True)
    assert members(pmond, "one") == []
    assert pmond.run("group", "create", "one").returncode == 5


def test_a_group_is_called_as_a_process_may_be(pmond: Pmond) -> None:
    for name in ("a/b", "", "-x", "a,b", "n" * 129):
        done = pmond.run("group", "create", "--", name)
        assert (done.returncode, pmond.ask("GET", "/v1/groups").body) == (1, []), done
        assert ("is not a name" in done.stderr) or "at most 128 bytes" in done.stderr
    pmond.ok("group", "create", "old")
    pmond.ok("exec", "/bin/sleep", "--args", "1000", "--name", "web", "-g", "old")
    pmond.kill()
    with closing(sqlite3.connect(pmond.folder / "data" / "data.db")) as file:  # as an earlier one let be
        file.execute("update groups set name = 'a/b'")
        file.commit()
    pmond.start()
    assert members(pmond, "a%2Fb") == ["web"]
    pmond.ok("group", "del", "a/b")
    assert (pmond.ask("GET", "/v1/groups").body, list(pmond.rows())) == ([], ["web"])


def test_init_makes_the_groups_of_the_file_what_it_says(pmond: Pmond) -> None:
    pmond.declare(sleeper("a", groups=["one"]))
    pid = pmond.until("a", "running")["pid"]
    pmond.ok("group", "create", "two")
    pmond.ok("group", "assign", "two", "a")
    pmond.declare(sleeper("a", groups=["one", "three"]))
    pmond.ok("init")
    row = pmond.row("a")
    assert (row["groups"], row["pid"]) == (["one", "three"], pid)


# --- dependencies --------------------------------------------------------------------------


def test_a_dependency_is_given_its_settle_time_and_the_rest_starts_at_once(stopped_pmond: Pmond) -> None:
    pmond = stopped_pmond
    pmond.configure("wait: {dependent_process_enqueued: 1000}\n")
    pmond.declare(
        sleeper("web", dependencies=["db", "cache"]), sleeper("db"), sleeper("cache"), sleeper("alone")
    )
    pmond.start()
    for name in ("web", "db", "cache", "alone"):
        pmond.until(name, "running")
    started = {name: row["started_at"] for name, row in pmond.rows().items()}
    at = {name: time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S") for name, text in started.items()}
    seconds = {name: time.mktime(at[name]) + float("0" + started[name][19:23]) for name in at}
    first = min(seconds.values())
    assert max(seconds[name] for name in ("db", "cache", "alone")) - first < 0.9
    assert seconds["web"] - max(seconds["db"], seconds["cache"]) >= 0.95


@pytest.mark.parametrize("how", ["stop", "kill", "drop", "shutdown"])
def test_what_others_depend_on_ends_last(pmond: Pmond, how: str) -> None:
    out = pmond.folder / "out"
    script = f"trap 'sleep 0.2; echo {{0}} >> {out}; exit' TERM; while :; do sleep 0.05; done"
    needs = {"a": [], "b": ["a"], "c": ["b"]}
    pmond.declare(*(shell(name, script.format(name), dependencies=need) for name, need in needs.items()))
    for name in needs:
        pmond.until(name, "running")
    if how == "shutdown":
        pmond.signal(signal.SIGTERM)
        assert pmond.ended() == 0
    else:
        pmond.ok(how, *(["a", "b", "c"] if how == "stop" else []))
    assert out.read_text().split() == ["c", "b", "a"]


def test_dgraph_prints_the_order_of_the_seed_and_other_forms(pmond: Pmond) -> None:
    pmond.declare(sleeper("web", dependencies=["db"]), sleeper("db"))
    pmond.until("web", "running")
    pmond.ok("exec", "/bin/sleep", "--args", "1000", "--name", "own")
    order = "Queue Order 0: db 1: web 2: own Dependency Graph Order 0: db 1: web"
    assert " ".join(pmond.ok("dgraph").split()) == order
    assert "own" not in pmond.ok("order", "-c")
    once = sleeper("once", restart={"policy": "on-failure"})
    needs = [{"name": "once", "condition": "completed"}, {"name": "db", "required": False, "restart": True}]
    pmond.declare(sleeper("web", dependencies=needs), sleeper("db", ready={"delay": "10ms"}), once)
    until(lambda: "once" in pmond.rows(), "the manifest to be read")
    for words in ("dgraph", "order -c"):
        (needed,) = (line for line in pmond.ok(*words.split()).splitlines() if "web:" in line and "(" in line)
        assert needed.strip() == "web: once (completed), db (ready, not required, restart)"
    pmond.declare(sleeper("web", dependencies=["db"]), sleeper("db"))
    until(lambda: "once" not in pmond.rows(), "the first manifest to be read again")
    assert json.loads(pmond.ok("dgraph", "-o", "json"))["edges"] == [["web", "db"]]
    assert "-->" in pmond.ok("dgraph", "-o", "mermaid")
    assert "digraph" in pmond.ok("dgraph", "-o", "dot")


# --- flap detection ------------------------------------------------------------------------


def test_the_worked_example_of_the_readme_at_a_twentieth_of_its_times(stopped_pmond: Pmond) -> None:
    """Fifth restart, backoff; one restart after 1.5 s; after 3 s restarts as normal."""
    pmond = stopped_pmond
    pmond.configure(
        "process_monitor_interval: 25\nflap_detection: {is_enabled: true}\n"
        "wait: {dependent_process_enqueued: 0}\n"
    )
    restart = {"delay": "10ms", "max_delay": "10ms"}
    pmond.declare(shell("web", f"date +%s.%N >> {pmond.folder}/starts; exit 1", restart=restart))
    pmond.start()

    def starts() -> list[float]:
        path = pmond.folder / "starts"
        return [float(line) for line in path.read_text().split()] if path.exists() else []

    until(lambda: len(starts()) == 6, "the first start and five restarts")
    row = pmond.until("web", "backoff")
    assert "5 of 5 restarts used" in row["reason"]
    assert re.search(r"next restart in [\d.]+", pmond.ok("desc", "web"))
    until(lambda: len(starts()) >= 8, "the restart that was forgiven, and the first after the period")
    fifth, forgiven, after = starts()[5:8]
    assert forgiven - fifth >= 1.4
    assert after - fifth >= 2.9


# --- export --------------------------------------------------------------------------------

SEED_ORDER = [
    "file",
    "user",
    "log",
    "log_dir",
    "args",
    "env_vars",
    "name",
    "dependencies",
    "groups",
    "no_auto_restart",
]
RICH = [
    sleeper("b", env_vars={"K": "a b"}, groups=["g1", "g2"], dependencies=["a"], labels={"tier": "front"}),
    {"name": "a", "file": "/bin/sh", "args": ["-c", "exec sleep 1000", "<&>"], "no_auto_restart": True},
    sleeper("c", log_dir="logs-of-c", stop={"signal": "INT", "timeout": "3s"}, restart={"max_failures": 3}),
]  # fmt: skip


@pytest.mark.parametrize("form", ["json", "yaml", "toml"])
def test_an_export_is_a_manifest_that_means_the_same(pmond: Pmond, form: str) -> None:
    pmond.declare(*RICH)
    for name in "abc":
        pmond.until(name, "running")
    text = pmond.ok("export", form, "-o", "name")
    exported = pmond.folder / f"exported.{form}"
    exported.write_text(text)
    pmond.ok("validate", str(exported))
    pmond.declare()
    pmond.ok("drop")
    pmond.ok("apply", "-f", str(exported))
    for name in "abc":
        pmond.until(name, "running")
    assert pmond.ok("export", form, "-o", "name") == text


def test_an_export_has_the_fields_of_the_seed_in_its_order(pmond: Pmond) -> None:
    pmond.declare(*RICH)
    pmond.until("b", "running")
    first = next(p for p in json.loads(pmond.ok("export"))["processes"] if p["name"] == "b")
    assert [key for key in first if key in SEED_ORDER] == [key for key in SEED_ORDER if key in first]
    assert (first["args"], first["env_vars"], first["groups"]) == ("1000", "'K=a b'", ["g1", "g2"])
    names = [entry["name"] for entry in json.loads(pmond.ok("export", "-o", "name"))["processes"]]
    assert names == ["a", "b", "c"]


@pytest.mark.parametrize("sample", sorted(SAMPLES.iterdir()), ids=lambda path: path.name)
def test_the_samples_of_the_seed_are_valid_but_for_what_this_machine_lacks(
    pmond: Pmond, sample: Path
) -> None:
    done = pmond.run("validate", str(sample))
    assert done.returncode == 0, done


# --- logs ----------------------------------------------------------------------------------


def test_logs_with_what_was_rotated_and_from_a_line_on(pmond: Pmond) -> None:
    pmond.declare(shell("web", "for i in 1 2 3 4 5; do echo line $i; done; exec sleep 1000"))
    pmond.until("web", "running")
    until(lambda: "line 5" in pmond.ok("log", "web"), "its five lines")
    assert pmond.ok("log", "web", "-n", "2") == "line 4\nline 5\n"
    assert pmond.ok("log", "web", "-n", "+4") == "line 4\nline 5\n"
    with gzip.open(pmond.folder / "logs/web.log-20260101.gz", "wt") as old:
        old.write("line 0\n")
    os.utime(pmond.folder / "logs/web.log-20260101.gz", (1, 1))
    assert pmond.ok("log", "-a", "web").split("\n")[:2] == ["line 0", "line 1"]
    assert pmond.run("log", "web", "-n", "ten").returncode == 2


@pytest.mark.parametrize("rotation", ["rename", "copytruncate"])
def test_logf_goes_on_after_rotation(pmond: Pmond, rotation: str) -> None:
    log = pmond.folder / "logs/web.log"
    gate = f"while [ ! -e {pmond.folder}/again ]; do sleep 0.02; done"
    pmond.declare(shell("web", f"{gate}; echo after; exec sleep 1000"))
    pmond.until("web", "running")
    with log.open("a") as file:
        file.write("before\n")
    following = pmond.begin("logf", "web")
    assert following.stdout is not None
    assert following.stdout.readline() == "before\n"
    if rotation == "rename":
        log.rename(log.with_name("web.log.1"))
        log.write_text("new file\n")
        assert following.stdout.readline() == "new file\n"
    else:
        os.truncate(log, 0)
    (pmond.folder / "again").touch()
    assert following.stdout.readline() == "after\n"
    following.send_signal(signal.SIGINT)
    following.communicate(timeout=10)


# --- start-up and shutdown -----------------------------------------------------------------


def test_shutdown_stops_them_and_they_are_closed_until_they_come_back(pmond: Pmond) -> None:
    pmond.declare(sleeper("web"), sleeper("held"))
    pid = pmond.until("web", "running")["pid"]
    pmond.until("held", "running")
    pmond.ok("stop", "held")
    pmond.signal(signal.SIGTERM)
    assert pmond.ended() == 0
    assert not alive(pid)
    pmond.start()
    row = pmond.until("web", "running")
    assert row["restart_count"] == 0
    assert pmond.row("held")["status"] == "stopped"


def test_init_starts_what_is_down_and_leaves_what_runs(pmond: Pmond) -> None:
    pmond.declare(sleeper("runs"), sleeper("held"), shell("failed", "exit 1", no_auto_restart=True))
    pmond.ok("exec", "/bin/sleep", "--args", "1000", "--name", "own")
    pid = pmond.until("runs", "running")["pid"]
    pmond.until("failed", "failed")
    for name in ("held", "own"):
        pmond.until(name, "running")
        pmond.ok("stop", name)
    said = pmond.run("init", "-c").stderr
    assert re.search(r"^pmon3: held: held by \w+ since 2\S+ [\d:+-]+: lifted$", said, re.M), said
    assert ("failed: held" in said, "own" in said) == (False, False)
    pmond.until("held", "running")
    assert pmond.row("own")["status"] == "stopped", "-c: the process config file alone"
    pmond.ok("hold", "own", "--reason", "maintenance")
    assert re.search(r"own: held by \w+ since .*[(]maintenance[)]: lifted", pmond.run("init").stderr)
    pmond.until("own", "running")
    assert "lifted" not in pmond.run("init").stderr
    assert pmond.row("runs")["pid"] == pid


def test_init_marks_what_needs_a_restart_and_does_the_rest(pmond: Pmond) -> None:
    pmond.declare(sleeper("web"))
    pid = pmond.until("web", "running")["pid"]
    pmond.declare(sleeper("web", args="2000", no_auto_restart=True), sleeper("new"))
    pmond.ok("init")
    pmond.until("new", "running")
    described = pmond.ask("GET", "/v1/processes/web").body
    conditions = {condition["type"]: condition["status"] for condition in described["conditions"]}
    assert (described["pid"], conditions["RestartRequired"]) == (pid, "True")
    pmond.ok("restart", "web")
    assert pmond.until("web", "running")["args"] == ["2000"]


@pytest.mark.parametrize("verb", ["start", "restart"])
def test_a_process_that_only_the_file_knows_is_started_by_name(stopped_pmond: Pmond, verb: str) -> None:
    """pmond does not follow the file here, so it has not heard of the process."""
    pmond = stopped_pmond
    pmond.configure("disable_reloads: true\n")
    pmond.start()
    pmond.declare(sleeper("web"), sleeper("other", dependencies=["web"]))
    pmond.ok(verb, "web", "--args", "2000")
    row = pmond.until("web", "running")
    assert (row["args"], list(pmond.rows())) == (["2000"], ["web"])
    done = pmond.run(verb, "none")
    assert (done.returncode, "none" in done.stderr) == (1, True)


def test_flags_change_the_spec_and_stay(pmond: Pmond) -> None:
    pmond.ok("exec", "/bin/sleep", "--args", "1000", "--name", "web")
    pmond.ok("exec", "/bin/sleep", "--args", "1000", "--name", "db")
    log = str(pmond.folder / "other.log")
    pmond.ok(
        "restart", "web", "--args", "2000", "--log", log, "-n", "--env-vars", "A=1", "--groups", "g",
        "--dependencies", "db", "--user", "nobody" if os.geteuid() == 0 else os.environ["USER"],
    )  # fmt: skip
    restart_pmond(pmond)
    row = pmond.until("web", "running")
    assert (row["args"], row["log"], row["env_keys"], row["groups"], row["dependencies"]) == (
        ["2000"], log, ["A"], ["g"], ["db"],
    )  # fmt: skip
    assert json.loads(pmond.ok("export", "-o", "name"))["processes"][1]["no_auto_restart"] is True


def test_start_starts_anew_what_runs_and_does_not_count(pmond: Pmond) -> None:
    pmond.ok("exec", "/bin/sleep", "--args", "1000", "--name", "web")
    pid = pmond.until("web", "running")["pid"]
    pmond.ok("start", "web")
    row = pmond.until("web", "running")
    assert (row["pid"] != pid, row["restart_count"]) == (True, 0)
