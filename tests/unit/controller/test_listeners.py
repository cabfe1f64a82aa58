"""Who is told of an end, and in which order."""

from __future__ import annotations

from pmond.core.model import ExitStatus
from pmond.runtime.supervise.listeners import Exits


class Owner:
    """Knows some pids, and writes down of which ends it was told."""

    def __init__(self, *pids: int) -> None:
        self._pids = pids
        self.told: list[int] = []

    def exited(self, pid: int, status: ExitStatus) -> bool:
        self.told.append(pid)
        return pid in self._pids


def test_an_end_is_told_in_order_until_somebody_knows_it() -> None:
    first, second, last = Owner(1), Owner(2), Owner(1, 2, 3)
    exits = Exits((first, second, last))
    assert all(exits.exited(pid, ExitStatus(0)) for pid in (1, 2, 3))
    assert (first.told, second.told, last.told) == ([1, 2, 3], [2, 3], [3])


def test_an_end_that_nobody_knows_is_no_error() -> None:
    assert not Exits((Owner(1),)).exited(9, ExitStatus(0))
