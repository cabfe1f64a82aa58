"""What must hold of any machine after any fault.

Asked of the kernel (what lives with the marker), of the ledger (what the workers saw of each other, and
how they ended) and of pmond (what it says of them), and compared. `Fleet` asks more, because it knows
what is wanted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.chaos.machine import ChaosMachine
from tests.support.waiting import until

SETTLE = 20.0
"""Seconds for everything to be as pmond says."""
_ANSWER = 1.0
"""Seconds within which pmond answers, I7."""
_DESCRIPTORS = 64
"""What pmond has open at most without processes; two more for each of them, I5."""
_REST = 0.1
"""Seconds in which a pmond that has nothing to do does nothing, I8."""


def check(machine: ChaosMachine, *, at_rest: bool = True) -> None:
    """I1 to I8, as far as they can be seen from outside. Nothing is asked of a machine without pmond.

    `at_rest`: no process crashes any more, so that there is nothing to do.
    """
    if machine.pmond is None:
        return
    problems: list[str] = []

    def settled() -> bool:
        problems[:] = _problems(machine)
        return not problems

    try:
        until(settled, "everything is as pmond says", SETTLE)
    except AssertionError as error:
        raise AssertionError(f"{error}: {problems}") from None
    if at_rest:
        until(_rests(machine.pid), "pmond comes to rest", SETTLE)
    ledger = machine.ledger
    ledger.read()
    assert not ledger.doubles, f"two of one name: {ledger.doubles}"
    assert not ledger.repeated, f"an instance was started twice: {ledger.repeated}"
    assert (wrong := list(wrong_ends(machine.told(), ledger.endings))) == [], wrong


def checked(machine: ChaosMachine) -> Iterator[ChaosMachine]:
    """The machine for a test, and what must hold of it afterwards: the rest of a fixture."""
    try:
        yield machine
        check(machine)
    finally:
        machine.close()


def wrong_ends(told: list[dict[str, Any]], announced: Mapping[tuple[str, int], set[int]]) -> Iterator[str]:
    """Ends with another code than the worker announced, I6. What announced nothing may end with any."""
    for line in told:
        if line["event"] in {"process.exited", "process.stopped"} and line["exit_code"] is not None:
            key = line["name"], line["instance"]
            if key in announced and line["exit_code"] not in announced[key]:
                yield f"{key}: recorded {line['exit_code']}, announced {announced[key]}"


def _rests(pid: int) -> Callable[[], bool]:
    """Asks whether the main thread has used no processor time for a while, from the first look on."""
    seen, since = "", 0.0

    def look() -> bool:
        nonlocal seen, since
        used = Path(f"/proc/{pid}/schedstat").read_text().split()[0]
        if used != seen:
            seen, since = used, time.monotonic()
        return time.monotonic() - since >= _REST

    return look


def _problems(machine: ChaosMachine) -> list[str]:
    """What is not as it must be at this moment."""
    asked = time.monotonic()
    rows = machine.rows()
    answered = time.monotonic() - asked
    problems = [f"pmond took {answered:.2f} s to answer"] if answered > _ANSWER else []
    living, mains = machine.marked(), {row["pid"]: name for name, row in rows.items()}
    for survivor in living:  # its marker has the name that it was started with
        name, pid = survivor.name, survivor.identity.pid
        if pid not in mains and (survivor.leads or name not in rows):
            problems.append(f"{name}: {pid} is nobody's main program")
    pids = {survivor.identity.pid for survivor in living}
    problems += [
        f"{name} is said to be {row['pid']}, which is not there"
        for name, row in rows.items()
        if row["status"] == "running" and row["pid"] not in pids
    ]
    problems += [f"zombie {pid}" for pid in machine.zombies()]
    if (count := machine.descriptors()) > _DESCRIPTORS + 2 * len(rows):
        problems.append(f"{count} descriptors")
    return problems
