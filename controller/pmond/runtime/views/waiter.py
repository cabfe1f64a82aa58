"""`wait`: answer when processes are where a caller wants them, or cannot get there.

Judged on nothing older than the caller's own request: not before the loop has decided on that generation;
an instance of an earlier token does not count, nor does an end that happened before. A wait ends early when
the goal is out of reach without somebody acting: the process failed, it was stopped meanwhile, it is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

from pmon3_schema.answers import Outcome, WaitFailure, WaitOutcome
from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.goals import Goal, parse
from pmon3_schema.protocol import Promise, Wait
from pmond.core.model import Intent
from pmond.runtime.base.clock import Clock
from pmond.runtime.base.long_work import cooperative_map
from pmond.runtime.files import logs
from pmond.runtime.files.log_files import LogFile
from pmond.runtime.intent.registry import Registry
from pmond.runtime.intent.set_conditions import SetStatus
from pmond.runtime.supervise.bus import Bus, ChangeWatch, set_key
from pmond.runtime.supervise.loop import Loop
from pmond.runtime.views.process_verdicts import Sight, judge
from pmond.runtime.views.publishing import Publisher
from pmond.runtime.views.wait_conditions import Headway, Verdict, judge_set, outcome_of, together

_TAIL_LINES = 10
_TAIL_BYTES = 8192


Readable = Callable[[Intent], Sequence[LogFile]]
"""The logs of a process that the caller may see."""


class Waiter:
    """Judges targets whenever one of their processes changes."""

    def __init__(
        self,
        registry: Registry,
        loop: Loop,
        bus: Bus,
        publisher: Publisher,
        clock: Clock,
        rolling_out: Callable[[str], bool],
    ) -> None:
        self._rolling_out = rolling_out
        self._registry = registry
        self._loop = loop
        self._bus = bus
        self._publisher = publisher
        self._clock = clock

    async def wait(self, wish: Wait, readable: Readable, stands: Callable[[], SetStatus]) -> WaitOutcome:
        """The answer of `POST /v1/wait`. `stands`: how the set that is named is now."""
        deadline = self._clock.now() + wish.timeout
        goal = _goal(wish)
        by_name = {target.name: target for target in wish.targets}
        judged = by_name.keys() if goal.part(of_set=False).conditions else set()
        verdicts: dict[str, Verdict] = {}
        headway = Headway()
        with self._bus.watch({*judged, set_key(wish.set)}) as changes:
            changed = set(judged)
            while True:
                # Only what changed: judging all of a thousand at each change would take seconds.
                found = [by_name[name] for name in self._touched(changed, verdicts) & judged]
                verdicts.update(
                    await cooperative_map(found, lambda one: self._judge_all(one, goal.part(of_set=False)))
                )
                # Who is in the way may be no target, and far away.
                changes.include(frozenset().union(*(verdicts[one.name].awaits for one in found)))
                if headway.made({one.name: verdicts[one.name] for one in found}) and wish.progress:
                    deadline = self._clock.now() + wish.timeout
                whole = self._judge_set(goal.part(of_set=True), stands, changes)
                outcome = None if changes.unread else outcome_of(goal, verdicts.values(), whole)
                left = deadline - self._clock.now()
                if outcome or left <= 0:
                    said = verdicts if whole is None else verdicts | {f"set {wish.set}": whole}
                    return await self._answer(outcome or "timeout", by_name, said, readable)
                changed = await changes.wait(left)

    def _touched(self, changed: set[str], verdicts: Mapping[str, Verdict]) -> set[str]:
        """Those that changed, and those that wait for them."""
        return changed | {name for name, one in verdicts.items() if one.awaits and one.awaits & changed}

    def _judge_set(self, goal: Goal, stands: Callable[[], SetStatus], changes: ChangeWatch) -> Verdict | None:
        """The verdict on what of the goal is about a set; None: nothing is."""
        if not goal.conditions:
            return None
        one = stands()
        changes.include(frozenset(one.members))  # those that came meanwhile decide too
        return together(goal, [judge_set(one, condition) for condition in goal.conditions])

    def _judge_all(self, target: Promise, goal: Goal) -> tuple[str, Verdict]:
        """Its name, and the verdicts on all conditions of a goal as one."""
        return target.name, together(goal, [judge(target, one, self._sight()) for one in goal.conditions])

    def _sight(self) -> Sight:
        loop = self._loop
        return Sight(
            loop.desired, loop.observed, self._clock.now(), loop.policy, loop.decided, loop.quarantined,
            self._rolling_out,
        )  # fmt: skip

    async def _answer(
        self, outcome: Outcome, names: Iterable[str], verdicts: dict[str, Verdict], readable: Readable
    ) -> WaitOutcome:
        present = [self._registry.processes[name] for name in names if name in self._registry.processes]
        # Of several ways to a goal one may be enough.
        order = {name: place for place, name in enumerate(dict.fromkeys((*names, *verdicts)))}
        unmet = [(name, one) for name, one in verdicts.items() if outcome != "met" and not one.met]
        unmet.sort(key=lambda one: order[one[0]])
        failures = await cooperative_map(
            unmet,
            lambda one: self._failure(*one, readable),
        )
        await asyncio.sleep(0)  # all that looks at thousands in one go is a turn's work
        rows = await self._publisher.rows(sorted(present, key=lambda one: one.id), usage=True)
        return {"outcome": outcome, "processes": rows, "failures": failures}

    def _failure(self, name: str, verdict: Verdict, readable: Readable) -> WaitFailure:
        # What matters stands in the log of the one that is in the way; in none, where nothing was done yet.
        tail = self._tail(verdict.blocker or name, readable) if verdict.steps else ""
        return {"name": name, "reason": verdict.reason, "log_tail": tail, "blocker": verdict.blocker}

    def _tail(self, name: str, readable: Readable) -> str:
        one = self._registry.processes.get(name)
        files = readable(one) if one is not None else []
        if not files:
            return ""
        try:
            text = logs.tail(files[0], _TAIL_LINES, _TAIL_BYTES)
        except (OSError, PmonError):
            return ""  # no log, no last lines; the reason says what matters
        return text.decode("utf-8", "replace")


def _goal(wish: Wait) -> Goal:
    try:
        return parse(wish.until, of_set=bool(wish.set))
    except ValueError as error:
        raise PmonError(ErrorCode.BAD_REQUEST, f"cannot wait: {error}") from None
