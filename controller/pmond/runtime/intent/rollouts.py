"""Carries rollouts out: lets processes go when `core.rollout` says that their turn has come.

Theory of operation: one task for each set that is rolled out. It looks where every process is,
asks `advance`, lets go what may go in one durable transaction, and sleeps until one of the
processes changes or a deadline passes. A step that cannot be saved has not happened, and is tried
again after a while. The rollout itself is in the state file, and what is held
back is part of each process's intent, so after a crash of pmond `resume` goes on where it stood.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Set
from typing import Any

from msgspec.structs import replace

from pmon3_schema.errors import PmonError
from pmond.core.intent import released
from pmond.core.model import NOTHING_SEEN
from pmond.core.pace import Pace, look
from pmond.core.report import report
from pmond.core.rollout import (
    ROLLBACK,
    Advance,
    Progress,
    Rollout,
    advance,
    from_json,
    merged,
    to_json,
)
from pmond.runtime.base.clock import Clock
from pmond.runtime.base.failpoints import FailPoint, reached
from pmond.runtime.base.journal import Journal
from pmond.runtime.intent.edit import Edit
from pmond.runtime.intent.registry import Registry
from pmond.runtime.intent.sets import DONE, FAILED, Sets
from pmond.runtime.state.records import SourceRecord
from pmond.runtime.supervise.bus import Bus
from pmond.runtime.supervise.loop import Loop

_SOON = 0.05
"""Seconds; the shortest wait between two looks."""

RETRY_SECONDS = 5.0
"""Between two tries to save a step; a disk that is full stays so for longer than a moment."""

Ended = Callable[[str, Advance], None]
"""Told how the rollout of a set ended."""


class Rollouts:
    """The rollouts that are under way, by set."""

    def __init__(
        self,
        registry: Registry,
        loop: Loop,
        bus: Bus,
        sets: Sets,
        clock: Clock,
        journal: Journal,
        ended: Ended,
    ) -> None:
        self._ended = ended
        self._registry = registry
        self._loop = loop
        self._bus = bus
        self._sets = sets
        self._clock = clock
        self._journal = journal
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._paces: dict[str, dict[str, Pace]] = {}
        """How far the processes of each set were at the last look."""
        self._rollouts: dict[str, tuple[dict[str, Any], Rollout]] = {}
        """What was read of the state, and what it says."""

    def write(self, edit: Edit, record: SourceRecord, rollout: Rollout) -> None:
        """Make the rollout part of the state, with what is brought in."""
        if record.rollout is not None:
            rollout = merged(from_json(record.rollout), rollout)
        self._sets.put(edit, replace(record, rollout=dict(to_json(rollout))))

    def start(self, name: str) -> None:
        """Begin the rollout of a set; a task that is on its way sees the new one."""
        task = self._tasks.get(name)
        if task is not None:
            task.cancel()
        self._tasks[name] = asyncio.get_running_loop().create_task(self._run(name))

    def resume(self) -> None:
        """Go on with what an earlier pmond had begun."""
        for record in self._sets.all():
            if record.rollout is not None:
                self.start(record.set_name)

    def active(self, name: str) -> bool:
        """Whether a set is being rolled out, or what failed is about to be rolled back."""
        record = self._sets.get(name)
        return record is not None and (record.rollout is not None or bool(record.undo))

    async def _run(self, name: str) -> None:
        try:
            record = self._sets.get(name)
            if record is None or record.rollout is None:
                return
            rollout = from_json(record.rollout)
            names = frozenset(rollout.gone).union(*rollout.waves)
            with self._bus.watch(names) as changes:
                changed: Set[str] = names
                while (seconds := await self._saved_step(name, changed)) is not None:
                    # Where nothing is told for a while, all are looked at: what is told may get lost.
                    changed = await changes.wait(seconds) or names
        except Exception as error:  # a defect of ours: the rest stays held back, and is said so
            self._journal.error("rollout.failed", error, set=name)
            self._finish(name, Advance(outcome="failed"))

    async def _saved_step(self, name: str, changed: Set[str]) -> float | None:
        """The same as `_step`, as soon as it can be saved."""
        said = False
        while True:
            try:
                return self._step(name, changed)
            except PmonError as error:
                if not said:
                    self._journal.warn("rollout.held_up", set=name, error=str(error))
                said = True
            await asyncio.sleep(RETRY_SECONDS)

    def _step(self, name: str, changed: Set[str]) -> float | None:
        """Do what is due; seconds until the next look, None when it has ended."""
        record = self._sets.get(name)
        if record is None or record.rollout is None:
            return None
        rollout = self._read(name, record.rollout)
        self._look(name, rollout, changed)
        paces = self._paces[name]
        progress = {member: pace.progress for member, pace in paces.items()}
        gone = not any(self._is_ending(member) for member in rollout.gone)
        move = advance(rollout, progress, gone)
        if move.outcome:
            self._finish(name, move)
            return None
        if move.release:
            self._release(move.release)
            self._look(name, rollout, frozenset(move.release))
        now = self._clock.now()
        times = [pace.overdue_at for pace in self._paces[name].values() if pace.progress is Progress.MOVING]
        return max(_SOON, min(times, default=now + rollout.patience) - now)

    def _read(self, name: str, kept: dict[str, Any]) -> Rollout:
        """The rollout as the state file has it, read once."""
        known = self._rollouts.get(name)
        if known is None or known[0] is not kept:
            known = self._rollouts[name] = (kept, from_json(kept))
        return known[1]

    def _look(self, name: str, rollout: Rollout, changed: Set[str]) -> None:
        """See where those are that changed or are on their way; all of thousands would take long."""
        before, now, loop = self._paces.get(name, {}), self._clock.now(), self._loop
        paces = {}
        for member in (member for wave in rollout.waves for member in wave if self._is_member(member, name)):
            known = before.get(member)
            if known is not None and known.progress is not Progress.MOVING and member not in changed:
                paces[member] = known
                continue
            intent, state = self._registry.processes[member], loop.observed.get(member, NOTHING_SEEN)
            seen = report(member, loop.desired, loop.observed, now, loop.policy)
            in_turn = member in rollout.entries
            paces[member] = look(known, intent, state, seen, now, rollout.patience, in_turn=in_turn)
        self._paces[name] = paces

    def _is_member(self, name: str, of_set: str) -> bool:
        one = self._registry.processes.get(name)
        return one is not None and one.owner == of_set  # the name may be another's by now

    def _is_ending(self, name: str) -> bool:
        one = self._registry.processes.get(name)
        return one is not None and one.deleting

    def _release(self, names: tuple[str, ...]) -> None:
        with self._registry.edit("a step of a rollout") as edit:
            for name in names:
                one = self._registry.processes[name]
                edit.put(released(one))
        reached(FailPoint.WAVE_RELEASED)

    def _finish(self, name: str, move: Advance) -> None:
        with self._registry.edit("the end of a rollout") as edit:
            outcome = DONE if move.outcome == "done" else FAILED
            self._sets.ended(edit, name, outcome, undo=move.outcome == ROLLBACK)
        self._journal.event(
            "rollout.ended", set=name, outcome=move.outcome,
            failed=list(move.failed), skipped=list(move.skipped),
        )  # fmt: skip
        self._paces.pop(name, None)
        self._rollouts.pop(name, None)
        self._ended(name, move)
        self._bus.changed(set(self._registry.processes))
