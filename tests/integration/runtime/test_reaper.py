"""Every exit is reported once and truly, whoever's child it is."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Set
from itertools import pairwise

import pytest
from tests.support.waiting import eventually, until

from pmond.core.model import ExitStatus
from pmond.runtime.processes.adopted_exits import AdoptedExits, reaped_status, zombie_status
from pmond.runtime.processes.descendants import become_subreaper
from pmond.runtime.processes.identity import identify, open_pidfd, read_stat
from pmond.runtime.processes.reaper import Reaper

Exits = list[tuple[int, ExitStatus]]


def reaping(story: Callable[[Reaper, Exits], Awaitable[None]], running: Set[int] = frozenset()) -> Exits:
    """Tell a story to a reaper, which expects the ends of `running`; answers the exits that it reported."""
    exits: Exits = []

    async def tell() -> None:
        reaper = Reaper(
            asyncio.get_running_loop(),
            lambda pid, status: exits.append((pid, status)),
            expected=lambda: running - {ended for ended, _ in exits},
        )
        reaper.start()
        try:
            await story(reaper, exits)
        finally:
            reaper.stop()

    asyncio.run(tell())
    return exits


def shell(command: str) -> int:
    defaults = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
    return os.posix_spawn("/bin/sh", ["sh", "-c", command], {"PATH": "/bin:/usr/bin"}, setsigdef=defaults)


@pytest.mark.slow
def test_all_exit_codes_and_many_signals() -> None:
    expected: dict[int, ExitStatus] = {}

    async def story(reaper: Reaper, exits: Exits) -> None:
        for code in range(256):
            expected[shell(f"exit {code}")] = ExitStatus(code=code)
        for number in ("HUP", "INT", "QUIT", "KILL", "SEGV", "PIPE", "ALRM", "TERM", "XCPU", "RTMAX"):
            value = int(getattr(signal, f"SIG{number}"))
            expected[shell(f"ulimit -c 0; kill -{value} $$")] = ExitStatus(signal=value)
        await eventually(lambda: len(exits) >= len(expected), "all children are reported")

    exits = reaping(story)
    assert dict(exits) == expected
    assert len(exits) == len(expected)


def test_pid_still_means_the_child_when_its_exit_is_told() -> None:
    states: list[str] = []

    async def tell() -> None:
        def on_exit(pid: int, status: ExitStatus) -> None:
            stat = read_stat(pid)
            states.append(stat.state if stat else "gone")

        reaper = Reaper(asyncio.get_running_loop(), on_exit)
        reaper.start()
        pid = shell("exit 0")
        await eventually(lambda: read_stat(pid) is None, "it is reaped")
        reaper.stop()

    asyncio.run(tell())
    assert states == ["Z"]


def test_child_that_ended_before_the_start_is_reported() -> None:
    pid = shell("exit 3")
    until(lambda: (stat := read_stat(pid)) and stat.state == "Z", "it ends")

    async def story(reaper: Reaper, exits: Exits) -> None:
        await eventually(lambda: bool(exits), "it is reported")

    assert reaping(story) == [(pid, ExitStatus(code=3))]


def test_more_exits_at_once_than_one_turn_handles() -> None:
    pids: list[int] = []

    async def story(reaper: Reaper, exits: Exits) -> None:
        pids.extend(os.posix_spawn("/bin/true", ["true"], {}) for _ in range(250))
        await eventually(lambda: len(exits) >= 250, "all are reported")

    assert Counter(pid for pid, _ in reaping(story)) == Counter(pids)


@pytest.mark.slow
def test_however_many_signals_come_the_loop_gets_its_turns() -> None:
    """Of thousands that end at once each signal asks for a look, hundreds of them in one pass of the loop."""
    pids = [os.posix_spawn("/bin/true", ["true"], {}) for _ in range(1000)]
    for pid in pids:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    passes: list[int] = []

    async def story(reaper: Reaper, exits: Exits) -> None:
        for _ in range(10):
            os.kill(os.getpid(), signal.SIGCHLD)
        while len(exits) < len(pids):
            passes.append(len(exits))
            await asyncio.sleep(0)
        passes.append(len(exits))

    assert Counter(pid for pid, _ in reaping(story)) == Counter(pids)
    assert max(later - earlier for earlier, later in pairwise(passes)) <= 400


def test_sweep_finds_exits_of_which_no_signal_told() -> None:
    running = set[int]()

    async def story(reaper: Reaper, exits: Exits) -> None:
        reaper.stop()
        pid = shell("exit 4")
        await eventually(lambda: (stat := read_stat(pid)) and stat.state == "Z", "it ends")
        assert exits == []
        running.add(pid)
        reaper.look_again()
        assert exits == [(pid, ExitStatus(code=4))]
        reaper.start()

    reaping(story, running)


def test_child_reaped_by_somebody_else_ended_in_an_unknown_way() -> None:
    running = set[int]()

    async def story(reaper: Reaper, exits: Exits) -> None:
        reaper.stop()
        pid = shell("exit 5")
        alive = shell("sleep 60")
        os.waitpid(pid, 0)
        running.update({pid, alive})
        reaper.look_again()
        assert exits == [(pid, ExitStatus())]
        assert not exits[0][1].known
        os.kill(alive, signal.SIGKILL)
        reaper.start()
        await eventually(lambda: len(exits) == 2, "the other one is reported")

    reaping(story, running)


def test_error_of_the_owner_costs_no_exit() -> None:
    told: list[str] = []
    exits: list[int] = []

    async def tell() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, details: told.append(details["message"]))

        def on_exit(pid: int, status: ExitStatus) -> None:
            exits.append(pid)
            raise ValueError("a defect")

        reaper = Reaper(loop, on_exit)
        reaper.start()
        for _ in range(3):
            shell("exit 0")
        await eventually(lambda: len(exits) == 3, "all three are reported")
        reaper.stop()

    asyncio.run(tell())
    assert len(told) == 3
    assert "cannot handle the exit" in told[0]


def test_orphans_are_reaped_and_reported() -> None:
    become_subreaper()
    exits: Exits = []

    async def story(reaper: Reaper, found: Exits) -> None:
        shell("(sleep 0.02; exit 9) & exit 0")
        await eventually(lambda: len(found) == 2, "parent and orphan are reported")

    exits = reaping(story)
    assert {status.code for _, status in exits} == {0, 9}


# The parent of a foreign process: starts a child that ends as it is told, and reaps it when it is told.
PARENT = """
import os, sys
stdin = [(os.POSIX_SPAWN_DUP2, int(sys.argv[2]), 0)]
child = os.posix_spawn("/bin/sh", ["sh", "-c", "read word; " + sys.argv[1]], {}, file_actions=stdin)
print(child, flush=True)
sys.stdin.readline()
os.waitpid(child, 0)
print("reaped", flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("reaped_first", [False, True], ids=["zombie", "reaped"])
@pytest.mark.parametrize(
    ("command", "status"),
    [("exit 0", ExitStatus(code=0)), ("exit 7", ExitStatus(code=7)), ("kill -9 $$", ExitStatus(signal=9))],
)
def test_exit_of_a_foreign_process(command: str, status: ExitStatus, reaped_first: bool) -> None:
    exits: Exits = []
    read_end, write_end = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", PARENT, command, str(read_end)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, pass_fds=[read_end],
    ) as parent:  # fmt: skip
        assert parent.stdin is not None
        assert parent.stdout is not None

        async def tell() -> None:
            child = identify(int(parent.stdout.readline()))  # type: ignore[union-attr]
            assert child is not None

            def told(pid: int, found: ExitStatus) -> None:
                exits.append((pid, found))

            adopted_exits = AdoptedExits(asyncio.get_running_loop())
            assert adopted_exits.watch(child, told)
            os.write(write_end, b"go\n")
            if reaped_first:
                # Before the loop has a turn: only the pidfd knows the status then.
                parent.stdin.write("reap\n")  # type: ignore[union-attr]
                parent.stdin.flush()  # type: ignore[union-attr]
                assert parent.stdout.readline() == "reaped\n"  # type: ignore[union-attr]
            await eventually(lambda: bool(exits), "the exit is reported")
            assert exits == [(child.pid, status)]
            if reaped_first:
                assert not adopted_exits.watch(child, told)
            else:
                assert adopted_exits.watch(child, told)
                await eventually(lambda: len(exits) == 2, "the exit of a zombie is reported")
                assert exits[1] == exits[0]
            adopted_exits.close()

        asyncio.run(tell())
        parent.stdin.write("\n\n")
    os.close(read_end)
    os.close(write_end)


def test_status_is_unknown_while_a_foreign_process_runs() -> None:
    own = identify(os.getppid())
    assert own is not None
    assert not zombie_status(own).known
    pidfd = open_pidfd(own.pid)
    assert pidfd is not None
    assert not reaped_status(pidfd).known
    os.close(pidfd)


def test_foreign_process_that_is_forgotten_is_not_reported() -> None:
    exits: Exits = []

    async def tell() -> None:
        def told(pid: int, found: ExitStatus) -> None:
            exits.append((pid, found))

        adopted_exits = AdoptedExits(asyncio.get_running_loop())
        first, second = identify(shell("read x < /dev/zero")), identify(shell("read x < /dev/zero"))
        assert first is not None
        assert second is not None
        assert adopted_exits.watch(first, told)
        assert adopted_exits.watch(second, told)
        adopted_exits.forget(first.pid)
        for identity in (first, second):
            os.kill(identity.pid, signal.SIGKILL)
        await eventually(lambda: bool(exits), "the exit of the other one")
        adopted_exits.close()
        for identity in (first, second):
            os.waitpid(identity.pid, 0)
        assert exits == [(second.pid, ExitStatus(signal=9))]

    asyncio.run(tell())
