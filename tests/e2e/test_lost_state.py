"""A state that is lost or damaged costs nothing that runs: it is found out again."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.chaos.hosts import WITHOUT_GROUPS, needs
from tests.support.pmond import PATIENCE, Pmond, alive, temporary_pmond
from tests.support.programs import python, script, sleeper
from tests.support.waiting import until

pytestmark = pytest.mark.slow

Loss = Callable[[Path], None]


def removed(database: Path) -> None:
    for file in database.parent.glob("data.db*"):
        file.unlink()


def removed_alone(database: Path) -> None:
    database.unlink()


def zeros(database: Path) -> None:
    size = database.stat().st_size
    removed(database)
    database.write_bytes(b"\0" * size)


def cut_short(database: Path) -> None:
    start = database.read_bytes()[:50]
    removed(database)
    database.write_bytes(start)


def one_byte(database: Path) -> None:
    removed(database)
    database.write_bytes(b"x")


def emptied(database: Path) -> None:
    removed(database)
    database.touch()


LOSSES = [removed, removed_alone, zeros, cut_short, one_byte, emptied]


@pytest.fixture(params=["groups", "search"])
def pmond(request: pytest.FixtureRequest) -> Iterator[Pmond]:
    """A pmond of this machine, and one on a machine where no control groups are mounted."""
    around = WITHOUT_GROUPS if request.param == "search" else ()
    if around:
        needs(*around)
    with temporary_pmond(around=around) as pmond:
        pmond.declare()
        yield pmond.start()


def lose(pmond: Pmond, loss: Loss = removed) -> None:
    """Kill pmond and take its state away."""
    pmond.kill()
    loss(pmond.folder / "data" / "data.db")


def pids(pmond: Pmond) -> dict[str, int]:
    return {name: row["pid"] for name, row in pmond.rows().items()}


def restart_required(pmond: Pmond, name: str) -> str:
    answer = pmond.ask("GET", f"/v1/processes/{name}")
    return str(next(one["status"] for one in answer.body["conditions"] if one["type"] == "RestartRequired"))


def nobody_was_signalled(pmond: Pmond) -> bool:
    return not [line for line in pmond.journal() if line["event"].startswith("orphan")]


@pytest.mark.parametrize("loss", LOSSES)
def test_what_runs_goes_on(pmond: Pmond, loss: Loss) -> None:
    pmond.declare(sleeper("declared"), sleeper("other"))
    pmond.until("other", "running")
    pmond.ok("exec", "/bin/sleep", "--name", "mine", "--", "1001")
    before = pids(pmond)
    lose(pmond, loss)
    pmond.start()
    assert pids(pmond) == before
    assert {row["status"] for row in pmond.rows().values()} == {"running"}
    assert {restart_required(pmond, name) for name in before} == {"False"}
    assert pmond.row("mine")["owner"] == "cli" and pmond.row("mine")["args"] == ["1001"]
    assert pmond.row("declared")["owner"] == f"file:{pmond.manifest_file}"
    notices = [line["message"] for line in pmond.journal() if line["event"] == "state.notice"]
    assert any("was lost" in notice for notice in notices), notices
    assert "Recovered" in pmond.reasons("mine")
    pmond.kill()  # and what was found out is kept
    pmond.start()
    assert pids(pmond) == before
    assert nobody_was_signalled(pmond)
    pmond.ok("stop", "*")
    assert [pid for pid in before.values() if alive(pid)] == []


def test_it_is_restarted_after_a_crash_and_its_numbers_go_on(pmond: Pmond) -> None:
    pmond.declare(sleeper("declared"))
    before = pmond.until("declared", "running")["pid"]
    lose(pmond)
    pmond.start()
    os.kill(before, 9)
    row = pmond.until("declared", "running", restart_count=1)
    assert row["pid"] != before


def test_what_is_declared_otherwise_by_now_waits_for_its_restart(pmond: Pmond) -> None:
    pmond.declare(sleeper("one"), sleeper("two"))
    before = pmond.until("one", "running")["pid"]
    lose(pmond)
    pmond.declare(sleeper("one", args=["1002"]), sleeper("two"))
    pmond.start()
    assert pmond.row("one")["pid"] == before
    assert (restart_required(pmond, "one"), restart_required(pmond, "two")) == ("True", "False")
    pmond.ok("restart", "one")
    assert restart_required(pmond, "one") == "False"
    assert Path(f"/proc/{pmond.row('one')['pid']}/cmdline").read_bytes().split(b"\0")[1] == b"1002"


def test_what_does_not_say_with_what_it_was_started_waits_for_its_restart(pmond: Pmond) -> None:
    """As one that an older pmond has started, or that has written over its environment."""
    overwrite = (
        "import os, sys\nos.environ.pop('PMON3_REVISION')\nos.execv('/bin/sleep', ['/bin/sleep', '1000'])"
    )
    pmond.declare(python("one", overwrite))
    before = pmond.until("one", "running")["pid"]
    until(lambda: b"sleep" in Path(f"/proc/{before}/cmdline").read_bytes(), "it has become another program")
    lose(pmond)
    pmond.start()
    assert pmond.row("one")["pid"] == before
    assert restart_required(pmond, "one") == "True"


SAYS = """#!{python} -IS
import os, sys, time
print(sys.argv[1:], os.getcwd(), os.environ.get("WHO"), os.environ.get("PATH"), flush=True)
time.sleep(1000)
"""


@pytest.mark.parametrize("kind", ["script", "env", "interpreter"])
def test_what_was_submitted_can_be_started_again_as_it_was(pmond: Pmond, kind: str) -> None:
    line = "/usr/bin/env python3" if kind == "env" else f"{sys.executable} -IS"
    program = script(pmond.folder / "says", SAYS.replace("{python} -IS", line))
    words = [sys.executable, "--name", "says", "--", program] if kind == "interpreter" else [program]
    words += [*(() if "--" in words else ("--name", "says", "--")), "one", "two words", ""]
    work = pmond.folder / "work"
    work.mkdir()
    pmond.ok("exec", "-e", "WHO='me and you'", "--cwd", str(work), "--log", str(work / "its.log"), *words)
    before = pmond.row("says")
    until(
        lambda: (work / "its.log").exists() and "me and you" in (work / "its.log").read_text(), "it says so"
    )
    lose(pmond)
    pmond.start()
    after = pmond.row("says")
    for key in ("pid", "user", "log", "args", "file"):
        assert after[key] == before[key], key
    pmond.ok("restart", "says")
    until(lambda: len((work / "its.log").read_text().splitlines()) == 2, "it says it again")
    first, second = (work / "its.log").read_text().splitlines()
    assert first == second


TITLE = """
import ctypes, sys, time
area = open("/proc/self/stat").read().rpartition(")")[2].split()
start, end = int(area[45]), int(area[46])
ctypes.memset(start, 0, end - start)
ctypes.memmove(start, b"server: main process", 20)
print("title", flush=True)
time.sleep(1000)
"""


def test_what_cannot_be_started_again_as_it_was_is_held_with_the_reason(pmond: Pmond) -> None:
    pmond.ok("exec", sys.executable, "--name", "titled", "--", "-IS", "-c", TITLE)
    until(lambda: "title" in pmond.ok("log", "titled"), "it has written over its arguments")
    before = pmond.row("titled")["pid"]
    lose(pmond)
    pmond.start()
    row = pmond.row("titled")
    assert (row["pid"], row["status"]) == (before, "running")
    assert row["hold"]["up"] and "has written over its arguments" in row["hold"]["reason"]
    os.kill(before, 9)
    pmond.until("titled", "failed")
    assert nobody_was_signalled(pmond)
    pmond.ok("del", "titled")
    assert pmond.rows() == {}


def test_a_manifest_that_is_wrong_just_then_takes_its_processes_back_as_they_run(pmond: Pmond) -> None:
    pmond.declare(sleeper("one"))
    before = pmond.until("one", "running")["pid"]
    lose(pmond)
    text = pmond.manifest_file.read_text()
    pmond.write(text[:-1])
    pmond.start()
    assert (pmond.row("one")["pid"], pmond.row("one")["owner"]) == (before, "cli")
    pmond.write(text)
    until(lambda: pmond.row("one")["owner"].startswith("file:"), "it is the manifest's again", PATIENCE)
    assert pmond.row("one")["pid"] == before


def test_what_has_lost_its_main_program_meanwhile_is_cleared_before_its_next_run(pmond: Pmond) -> None:
    code = (
        "import os, time\nif os.fork() == 0:\n  os.setsid()\n  print('child', os.getpid(), flush=True)\n"
        "time.sleep(1000)"
    )
    pmond.declare(python("one", code))
    main = pmond.until("one", "running")["pid"]
    until(lambda: "child" in pmond.ok("log", "one"), "it has a child")
    child = int(pmond.ok("log", "one").split()[1])
    lose(pmond)
    os.kill(main, 9)
    until(lambda: not alive(main), "its main program is gone")
    pmond.start()
    assert pmond.until("one", "running")["pid"] != main
    assert not alive(child)
    assert "TreeLeft" in pmond.reasons("one")


def test_what_got_another_name_is_not_started_beside_itself(pmond: Pmond) -> None:
    pmond.declare(sleeper("one"))
    before = pmond.until("one", "running")["pid"]
    renamed = sleeper("two", renamed_from="one")
    pmond.declare(renamed)
    assert pmond.until("two", "running")["pid"] == before
    lose(pmond)
    pmond.start()
    assert {name: row["pid"] for name, row in pmond.rows().items()} == {"two": before}
    os.kill(before, 9)
    assert pmond.until("two", "running", restart_count=1)["pid"] != before


GIVE_UP_RIGHTS = """
import os, time
os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
print("ready", flush=True)
time.sleep(1000)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give rights up")
def test_a_server_that_has_given_up_its_rights_is_not_started_beside_itself(pmond: Pmond) -> None:
    pmond.declare(python("server", GIVE_UP_RIGHTS) | {"file": "/usr/bin/python3"})
    before = pmond.until("server", "running")["pid"]
    until(lambda: "ready" in pmond.ok("log", "server"), "it runs as somebody else")
    lose(pmond)
    pmond.start()
    assert pids(pmond) == {"server": before}
    assert restart_required(pmond, "server") == "False"


def test_with_the_key_lost_too_it_is_known_by_its_marker_and_its_user(pmond: Pmond) -> None:
    pmond.declare(sleeper("declared"))
    pmond.until("declared", "running")
    pmond.ok("exec", "/bin/sleep", "--name", "mine", "--", "1001")
    before = pids(pmond)
    lose(pmond)
    (pmond.folder / "data" / "key").write_text("damaged")
    pmond.start()
    assert pids(pmond) == before
    assert (pmond.folder / "data" / "key").stat().st_mode & 0o777 == 0o600


def test_a_command_before_a_start_is_not_run_beside_itself(pmond: Pmond) -> None:
    begun, go = pmond.folder / "begun", pmond.folder / "go"
    command = f"echo begun >> {begun}; while ! [ -e {go} ]; do sleep 0.05; done"
    pmond.declare(sleeper("one", hooks={"pre_start": [["/bin/sh", "-c", command]]}))
    until(begun.exists, "its command runs", PATIENCE)
    lose(pmond)
    pmond.start()
    go.touch()
    pmond.until("one", "running")
    assert begun.read_text() == "begun\n"
    assert pmond.rows().keys() == {"one"}
