"""Trees by a look at every process there is, for what was left behind by a daemon that died."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress

from msgspec import Struct

from pmond.runtime.processes.identity import Identity, Stat, read_stat
from pmond.runtime.processes.tree import Root
from pmond.runtime.processes.tree_claims import Claim, alive, claim_of, is_member


class ProcessTable:
    """Membership by looking at every process there is: about 20 µs for each.

    As of `Descendants`, one look serves all who ask until the event loop comes round again.
    """

    def __init__(self) -> None:
        self._seen: _Table | None = None

    def members(self, root: Root) -> frozenset[Identity]:
        """Everything in its session or group or with its marker, and all descendants of that."""
        table = self._look()
        start, found = table.starting_at(root), dict[int, Stat]()
        while start:
            pid = start.pop()
            stat = table.stats[pid]
            if pid not in found and stat.start_ticks >= root.start_ticks:
                found[pid] = stat
                start += table.below.get(pid, ())
        return alive(found)

    def may_live(self, root: Root) -> bool:
        """Nobody can wait until a look is settled, as on a busy machine somebody always ends: two must do."""
        if self.members(root):
            return True
        settled, self._seen = self._look().settled, None
        return not settled and bool(self.members(root))

    def _look(self) -> _Table:
        if self._seen is not None:
            return self._seen
        seen = _look_at_all()
        with suppress(RuntimeError):
            asyncio.get_running_loop().call_soon(self._forget)
            self._seen = seen
        return seen

    def _forget(self) -> None:
        self._seen = None


class _Table(Struct, frozen=True):
    """All processes at one moment."""

    stats: dict[int, Stat]
    below: Mapping[int, list[int]]
    """For each process its children."""
    together: Mapping[int, list[int]]
    """For each session and each process group its members."""
    claims: Mapping[str, list[tuple[int, Claim]]]
    """For each marker who bears it."""
    settled: bool

    def starting_at(self, root: Root) -> list[int]:
        """The members that are not known by their parents."""
        leader = self.stats.get(root.pid)
        # Its number may be another's by now, whose session and group then bear it too.
        reused = leader is not None and leader.start_ticks != root.start_ticks
        bearers = self.claims.get(root.marker, ())
        found = [pid for pid, claim in bearers if is_member(self.stats[pid], claim, root, by_session=False)]
        return found if reused else [*self.together.get(root.pid, ()), *found]


def _look_at_all() -> _Table:
    pids = list(_pids())
    stats = {pid: stat for pid in pids if (stat := read_stat(pid)) is not None}
    below, together, claims = defaultdict(list), defaultdict(list), defaultdict(list)
    settled = len(stats) == len(pids)
    for pid, stat in stats.items():
        below[stat.parent].append(pid)
        for number in {stat.session, stat.group}:
            together[number].append(pid)
        claim = claim_of(pid, stat)
        if claim is None or stat.state == "Z":
            settled = False
        elif claim.marker:
            claims[claim.marker].append((pid, claim))
    return _Table(stats, below, together, claims, settled)


def members(marker: str, session: int, started_ticks: int) -> frozenset[Identity]:
    """The exact, slow look: `ProcessTable` on one tree."""
    return ProcessTable().members(Root(session, started_ticks, marker, frozenset({os.geteuid()})))


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdecimal())  # noqa: PTH208 - on the path of adoption
