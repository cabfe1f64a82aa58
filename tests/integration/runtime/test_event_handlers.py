"""Event handlers as real programs: order, limits, failures, and that nothing waits for them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct
from tests.support.factories import desired, wanted
from tests.support.waiting import eventually, until

from pmon3_schema.settings import EventHandling
from pmond.core.model import NOTHING_SEEN, Ending, ExitStatus, History, Instance, Policy, State
from pmond.core.notifications import Notification
from pmond.runtime.base import clock
from pmond.runtime.base.journal import Journal
from pmond.runtime.observers.event_handlers import AT_ONCE, EventHandlers
from pmond.runtime.processes.identity import read_stat
from pmond.runtime.processes.reaper import Reaper
from pmond.runtime.supervise.loop import Loop

BEFORE = State(Instance(1, 10, "r1", 0, 0.0), History(number=1, attempts=1, revision="r1"))
AFTER = State(
    Instance(2, 11, "r1", 0, 1.0),
    History(
        number=2, attempts=2, revision="r1", ending=Ending.ITSELF, exit=ExitStatus(code=3), restart_count=1
    ),
)
NAMES = [f"p{number}" for number in range(AT_ONCE + 2)]


class HandlersBench(Struct):
    """Hooks on a loop that sees `NAMES`, each of which was just restarted."""

    hooks: EventHandlers
    journal: Path

    def restart(self, *names: str) -> None:
        self.hooks.turn_ended(dict.fromkeys(names or ("p0",), BEFORE), [])

    def journalled(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.journal.read_text().splitlines()]


@asynccontextmanager
async def bench(
    folder: Path,
    *commands: tuple[str, ...],
    describe: Callable[[Notification], str | None] = lambda found: json.dumps({"name": found.name}),
    quiet_until: float = 0.0,
    timeout: int = 30,
) -> AsyncIterator[HandlersBench]:
    path = folder / "journal"
    with path.open("ab") as file:
        journal = Journal(file.fileno(), form="json")
        loop = Loop(clock, journal, Policy())
        loop.desired = desired(*(wanted(name) for name in NAMES))
        loop.observed = dict.fromkeys(NAMES, AFTER)
        settings = EventHandling(process_restart=commands, timeout=timeout)
        environment = {"PATH": "/usr/bin:/bin"}
        hooks = EventHandlers(loop, lambda: settings, describe, environment, clock, journal, quiet_until)
        seen: list[bool] = []
        reaper = Reaper(
            asyncio.get_running_loop(), lambda pid, status: seen.append(hooks.exited(pid, status))
        )
        reaper.start()
        try:
            yield HandlersBench(hooks, path)
        finally:
            hooks.close()
            reaper.stop()


def script(path: Path, text: str, mode: int = 0o755) -> tuple[str, ...]:
    path.write_text(text)
    path.chmod(mode)
    return (str(path),)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.parametrize(("first", "mode"), [("#!/bin/sh\n", 0o755), ("", 0o755), ("", 0o644)])
def test_a_script_gets_the_json_as_its_first_argument(tmp_path: Path, first: str, mode: int) -> None:
    """With and without "#!", executable or not: as its author wrote it."""
    out = tmp_path / "out"
    value = '{"v": "a\\"b $(touch x) `id` \\\\ \' \\n"}'
    command = script(
        tmp_path / "on", f'{first}printf "%s|%s" "$1" "$#" > {out}.new && mv {out}.new {out}\n', mode
    )

    async def scenario() -> None:
        async with bench(tmp_path, command, describe=lambda found: value) as b:
            b.restart()
            await eventually(out.exists, "the handler to write")

    asyncio.run(scenario())
    assert out.read_text() == f"{value}|1"
    assert not (tmp_path / "x").exists()


def test_words_come_before_the_json_and_several_commands_run_in_order(tmp_path: Path) -> None:
    out = tmp_path / "out"
    on = script(tmp_path / "on", f'#!/bin/sh\necho "$@" >> {out}\n')

    async def scenario() -> None:
        async with bench(tmp_path, (*on, "one"), (*on, "two")) as b:
            b.restart()
            await eventually(lambda: len(lines(out)) == 2, "both commands")

    asyncio.run(scenario())
    assert lines(out) == ['one {"name": "p0"}', 'two {"name": "p0"}']


@pytest.mark.slow
def test_one_process_keeps_its_order_and_all_together_are_few(tmp_path: Path) -> None:
    """Each handler says when it begins and ends; a file that is there holds them up."""
    out, gate = tmp_path / "out", tmp_path / "gate"
    gate.touch()
    waits = (
        f"#!/bin/sh\necho begin $1 >> {out}\nwhile [ -e {gate} ]; do sleep 0.01; done\necho end $1 >> {out}\n"
    )
    on = script(tmp_path / "on", waits)
    number = iter(range(100))

    async def scenario() -> None:
        async with bench(tmp_path, on, describe=lambda found: f"{found.name}-{next(number)}") as b:
            b.restart(*NAMES)
            b.restart("p0")
            await eventually(lambda: len(lines(out)) == AT_ONCE, "the first handlers to begin")
            gate.unlink()
            await eventually(lambda: len(lines(out)) == 2 * len(NAMES) + 2, "all handlers to end")

    asyncio.run(scenario())
    told = lines(out)
    assert [line.split()[0] for line in told[:AT_ONCE]] == ["begin"] * AT_ONCE
    first, second = "p0-0", f"p0-{len(NAMES)}"
    assert told.index(f"end {first}") < told.index(f"begin {second}")


@pytest.mark.slow
def test_one_that_takes_too_long_is_ended_with_what_it_started(tmp_path: Path) -> None:
    on = script(tmp_path / "on", f"#!/bin/sh\nsleep 60 & echo $! > {tmp_path}/child\nwait\n")

    async def scenario() -> None:
        async with bench(tmp_path, on, timeout=1) as b:
            b.restart()
            await eventually(lambda: b.journalled(), "the journal to tell")
            assert "longer than 1 s" in b.journalled()[0]["message"]

    asyncio.run(scenario())
    child = int((tmp_path / "child").read_text())
    until(lambda: (stat := read_stat(child)) is None or stat.state == "Z", "SIGKILL to take effect")


def test_a_failed_handler_is_told_with_the_end_of_its_output(tmp_path: Path) -> None:
    on = script(tmp_path / "on", "#!/bin/sh\necho no mail server >&2\nexit 7\n")
    missing = (str(tmp_path / "missing"),)
    closed = script(tmp_path / "closed", "#!/bin/sh\n", 0o644)

    async def scenario() -> list[dict[str, Any]]:
        async with bench(tmp_path, on, missing, closed) as b:
            b.restart()
            await eventually(lambda: len(b.journalled()) == 3, "the journal to tell of all three")
            return b.journalled()

    failed, not_there, not_executable = asyncio.run(scenario())
    assert (failed["event"], failed["message"], failed["output"]) == (
        "handler.failed", "exited with code 7", "no mail server\n",
    )  # fmt: skip
    assert "missing: No such file" in not_there["message"]
    assert "chmod +x" in not_executable["message"]


def test_restarts_during_the_initialization_period_are_not_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        asked: list[Notification] = []

        def describe(found: Notification) -> None:
            asked.append(found)

        async with bench(tmp_path, ("/bin/true",), describe=describe, quiet_until=clock.now() + 60) as b:
            b.restart()
            assert asked == []
        async with bench(tmp_path, ("/bin/true",), describe=describe) as b:
            b.restart()
            assert len(asked) == 1

    asyncio.run(scenario())


def test_a_process_that_was_not_restarted_is_not_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        def describe(found: Notification) -> None:
            raise AssertionError(found)

        async with bench(tmp_path, ("/bin/true",), describe=describe) as b:
            b.hooks.turn_ended({"p0": AFTER, "gone": NOTHING_SEEN}, [])

    asyncio.run(scenario())
