"""`up` and `down`: one step to a running pmond, one step to nothing left."""

from __future__ import annotations

import pytest
from tests.support.pmond import Pmond, alive
from tests.support.programs import sleeper
from tests.support.waiting import until

pytestmark = pytest.mark.slow


def test_up_twice_and_down_twice(stopped_pmond: Pmond) -> None:
    pmond = stopped_pmond
    pmond.configure("disable_reloads: true\n")
    pmond.declare(sleeper("db"), sleeper("web", dependencies=["db"]))
    first = pmond.run("up", "-f", "manifest.yaml")
    assert first.returncode == 0, first.stderr
    assert "started pmond" in first.stderr
    # It is the process config file: pmond has applied it before it could be asked to, and that is said.
    assert "manifest.yaml: 2 create\n" in first.stderr
    before = {name: row["pid"] for name, row in pmond.rows().items()}
    assert set(before) == {"db", "web"} and all(before.values())
    second = pmond.run("up", "-f", "manifest.yaml")
    assert (second.returncode, "started pmond" in second.stderr) == (0, False)
    assert "manifest.yaml: no changes; 2 unchanged\n" in second.stderr
    assert {name: row["pid"] for name, row in pmond.rows().items()} == before
    assert pmond.run("down").returncode == 0
    assert pmond.survivors() == []
    assert not pmond.socket.exists()
    again = pmond.run("down")
    assert (again.returncode, "nothing to do" in again.stderr) == (0, True)
    assert "no changes; 2 unchanged\n" in pmond.run("up", "-f", "manifest.yaml").stderr


def test_down_keep_leaves_processes_for_the_next(pmond: Pmond) -> None:
    pmond.ok("exec", "/bin/sleep", "--name", "a", "--", "1000")
    pid = pmond.row("a")["pid"]
    pmond.ok("down", "--keep")
    pmond.ended()
    assert alive(pid)
    assert "started pmond" in pmond.run("up").stderr
    assert pmond.until("a", "running")["pid"] == pid
    pmond.ok("down")
    assert pmond.survivors() == []


def test_up_tells_who_stays_stopped(pmond: Pmond) -> None:
    pmond.declare(sleeper("a"))
    pmond.until("a", "running")
    pmond.ok("stop", "a")
    done = pmond.run("up", "-f", "manifest.yaml")
    assert done.returncode == 0
    assert "a is held: stopped by a person" in done.stderr
    assert pmond.row("a")["status"] == "stopped"


def test_up_when_pmond_cannot_start(stopped_pmond: Pmond) -> None:
    place = stopped_pmond.config_file.read_text()
    stopped_pmond.config_file.write_text(f"{place}process_monitor_interval: often\n")
    done = stopped_pmond.run("up")
    assert done.returncode == 3
    assert "cannot start pmond" in done.stderr
    until(lambda: not stopped_pmond.survivors(), "nothing to be left")


def test_up_while_another_starts(stopped_pmond: Pmond) -> None:
    """Several at once end with one pmond and no error."""
    stopped_pmond.declare(sleeper("a"))
    starting = [stopped_pmond.begin("up", "-o", "name") for _ in range(3)]
    ends = [one.communicate(timeout=60) for one in starting]
    assert [one.returncode for one in starting] == [0, 0, 0], ends
    stopped_pmond.until("a", "running")
    until(lambda: len(stopped_pmond.survivors()) == 2, "one pmond to be left, and a")


def test_nothing_reachable(stopped_pmond: Pmond) -> None:
    for verb in (["ls"], ["stop", "x"], ["exec", "/bin/true"], ["init"]):
        done = stopped_pmond.run(*verb)
        assert done.returncode == 3, (verb, done)
        assert "cannot reach pmond" in done.stderr and "pmon3 up" in done.stderr


def test_down_waits_for_processes_that_take_their_time(pmond: Pmond) -> None:
    pmond.ok(
        "exec", "/bin/sh", "--name", "slow", "--", "-c", "trap 'sleep 0.3; exit 0' TERM; sleep 1000 & wait"
    )
    pmond.ok("down")
    assert pmond.ended() == 0
    assert pmond.survivors() == []


def test_down_delete_leaves_nothing_to_come_back(stopped_pmond: Pmond) -> None:
    pmond = stopped_pmond.start()
    (pmond.folder / "app.yaml").write_text("processes: [{name: a, file: /bin/sleep, args: '1000'}]\n")
    pmond.ok("up", "-f", "app.yaml")
    pmond.ok("exec", "/bin/sleep", "--name", "b", "--", "1000")
    done = pmond.run("down", "--delete")
    assert done.returncode == 0 and "all that it knew is forgotten" in done.stderr
    pmond.ended()
    assert pmond.survivors() == []
    assert not (pmond.folder / "data" / "data.db").exists()
    assert (pmond.folder / "logs" / "a.log").exists()
    pmond.start()
    assert pmond.rows() == {}
    assert pmond.ok("status", "-o", "name").split() == [f"file:{pmond.manifest_file}"]
    assert pmond.events() == []


def test_down_delete_is_refused_where_it_could_not_be_done(stopped_pmond: Pmond) -> None:
    done = stopped_pmond.run("down", "--delete")
    assert done.returncode == 3 and "it does not run" in done.stderr
    assert stopped_pmond.run("down", "--delete", "--keep").returncode == 2


def test_down_delete_keeps_all_when_a_process_does_not_end(pmond: Pmond) -> None:
    slow = ("-c", "trap : TERM; while :; do sleep 0.1; done")
    pmond.ok("exec", "/bin/sh", "--name", "slow", "--stop-timeout", "20s", "--", *slow)
    done = pmond.run("down", "--delete", "--timeout", "0.3s")
    assert done.returncode == 4
    assert (pmond.folder / "data" / "data.db").exists() and pmond.ask("GET", "/v1/version").status == 200
