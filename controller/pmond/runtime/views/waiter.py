"""`wait`: answer when processes are where a caller wants them, or cannot get there.

Judged on nothing older than the caller's own request: not before the loop has decided on that generation;
an instance of an earlier token does not count, nor does an end that happened before. A wait ends early when
the goal is out of reach without somebody acting: the process failed, it was stopped meanwhile, it is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from pmon3_schema.answers import Outcome, WaitFailure, WaitOutcome
from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.goals import Goal, WaitCondition, parse
from pmon3_schema.protocol import Promise, Wait
from pmon3_schema.status import FINAL, Status
from pmond.core.model import NOTHING_SEEN, Ending, Intent
from pmond.core.report import Report, condition_values, report
from pmond.runtime.base.clock import Clock
from pmond.runtime.base.long_work import cooperative_map
from pmond.runtime.files import log_files, logs
from pmond.runtime.files.log_files import LogFile
from pmond.runtime.intent.registry import Registry
from pmond.runtime.intent.set_conditions import SetStatus
from pmond.runtime.supervise.bus import Bus, ChangeWatch, set_key
from pmond.runtime.supervise.loop import Loop
from pmond.runtime.views.publishing import Publisher
from pmond.runtime.views.wait_conditions import Verdict, judge_set, outcome_of, together

_TAIL_LINES = "10"
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
        with self._bus.watch({*judged, set_key(wish.set)}) as changes:
            changed = set(judged)
            while True:
                # Only what changed: judging all of a thousand at each change would take seconds.
                found = [by_name[name] for name in changed & judged]
                verdicts.update(
                    await cooperative_map(found, lambda one: self._judge_all(one, goal.part(of_set=False)))
                )
                whole = self._judge_set(goal.part(of_set=True), stands, changes)
                outcome = None if changes.unread else outcome_of(goal, verdicts.values(), whole)
                left = deadline - self._clock.now()
                if outcome or left <= 0:
                    said = verdicts if whole is None else verdicts | {f"set {wish.set}": whole}
                    return await self._answer(outcome or "timeout", by_name, said, readable)
                changed = await changes.wait(left)

    def _judge_set(self, goal: Goal, stands: Callable[[], SetStatus], changes: ChangeWatch) -> Verdict | None:
        """The verdict on what of the goal is about a set; None: nothing is."""
        if not goal.conditions:
            return None
        one = stands()
        changes.include(frozenset(one.members))  # those that came meanwhile decide too
        return together(goal, [judge_set(one, condition) for condition in goal.conditions])

    def _judge_all(self, target: Promise, goal: Goal) -> tuple[str, Verdict]:
        """Its name, and the verdicts on all conditions of a goal as one."""
        return target.name, together(goal, [self._judge(target, one) for one in goal.conditions])

    def _judge(self, target: Promise, condition: WaitCondition) -> Verdict:
        one = self._registry.processes.get(target.name)
        until = condition.word
        if one is None:
            met = until in {"deleted", "stopped"}
            return Verdict(met=met, failed=not met, reason="deleted")
        loop = self._loop
        seen = report(target.name, loop.desired, loop.observed, self._clock.now(), loop.policy)
        aside = loop.quarantined.get(target.name)
        if aside:
            return Verdict(failed=True, reason=f"internal error: {aside}")
        if loop.decided.get(target.name, 0) < target.generation:
            return Verdict(reason="it was not looked at since")
        if until == "stopped":
            return self._judge_stopped(target, seen)
        if until == "deleted":
            # Whoever only waits (token 0) may wait for somebody else to delete it.
            kept = bool(target.token) and not one.deleting
            return Verdict(failed=kept, reason=f"it is {seen.status.word}")
        if until == "exited":
            return self._judge_exited(target, seen, condition.code)
        if until == "synced":
            return self._judge_synced(one, seen)
        if until == "condition":
            found = condition_values(target.name, loop.desired, loop.observed, self._clock.now(), loop.policy)
            status = next((truth.status for truth in found if truth.type == condition.type), "Unknown")
            return Verdict(met=status == condition.status, reason=f"{condition.type} is {status}")
        return self._judge_up(target, one, seen, until)

    def _judge_exited(self, target: Promise, seen: Report, code: int | None) -> Verdict:
        """Its program ended by itself, with that code if one is asked for."""
        state = self._loop.observed.get(target.name, NOTHING_SEEN)
        history = state.history
        token = state.instance.token if state.instance is not None else history.token
        ended = history.ending is Ending.ITSELF and history.exit is not None and token >= target.token
        if ended and history.exit is not None and code in (None, history.exit.code):
            return Verdict(met=True)
        final = state.instance is None and seen.status in FINAL
        return Verdict(failed=final, reason=seen.reason or f"it is {seen.status.word}")

    def _judge_synced(self, one: Intent, seen: Report) -> Verdict:
        """What runs, or has run to its end, is what is declared."""
        instance = self._loop.observed.get(one.name, NOTHING_SEEN).instance
        record = one
        if record.staged or (
            instance is not None and (instance.revision, instance.token) != (one.revision, record.token)
        ):
            stuck = (record.staged or record.deferred) and not self._rolling_out(record.owner)
            return Verdict(failed=stuck, reason="it does not run with what is declared")
        if instance is None and seen.status is Status.FAILED:
            return Verdict(failed=True, reason=seen.reason)
        met = (instance is not None) == one.up or seen.status is Status.COMPLETED
        return Verdict(met=met, reason="it does not run")

    def _judge_stopped(self, target: Promise, seen: Report) -> Verdict:
        state = self._loop.observed.get(target.name, NOTHING_SEEN)
        if state.instance is None and not self._loop.desired.up(target.name):
            return Verdict(met=True)
        if state.instance is None and seen.status in {Status.FAILED, Status.COMPLETED}:
            return Verdict(met=True)
        if self._loop.desired.up(target.name) and target.token:
            return Verdict(failed=True, reason="it was started again")
        return Verdict(reason=seen.reason or f"it is {seen.status.word}")

    def _judge_up(self, target: Promise, wanted: Intent, seen: Report, until: str) -> Verdict:
        state = self._loop.observed.get(target.name, NOTHING_SEEN)
        goal = {Status.COMPLETED} if until == "completed" else {Status.RUNNING, Status.COMPLETED}
        instance, history = state.instance, state.history
        token = instance.token if instance is not None else history.token
        reason = seen.reason or f"it is {seen.status.word}"
        if token < target.token:
            record = self._registry.processes[target.name]
            if record.staged or record.deferred:
                if self._rolling_out(record.owner):
                    return Verdict(reason="waits for its turn in a rollout")
                return Verdict(failed=True, reason="skipped: the rollout ended before its turn")
            if not self._loop.desired.up(target.name):
                return Verdict(failed=True, reason=reason)
            return Verdict(reason=reason)
        if seen.status in goal:
            return Verdict(met=True)
        if seen.status in {Status.FAILED, Status.STOPPED, Status.CLOSED}:
            return Verdict(failed=True, reason=reason)
        tried = (history.revision, history.token) == (wanted.revision, target.token)
        failed = tried and (history.ending is Ending.ITSELF or bool(history.error))
        if until == "ready" and target.token and failed and instance is None:
            return Verdict(failed=True, reason=reason)
        return Verdict(reason=reason)

    async def _answer(
        self, outcome: Outcome, names: Iterable[str], verdicts: dict[str, Verdict], readable: Readable
    ) -> WaitOutcome:
        present = [self._registry.processes[name] for name in names if name in self._registry.processes]
        # Of several ways to a goal one may be enough.
        unmet = [(name, one) for name, one in verdicts.items() if outcome != "met" and not one.met]
        failures = await cooperative_map(
            unmet,
            lambda one: self._failure(*one, readable),
        )
        await asyncio.sleep(0)  # all that looks at thousands in one go is a turn's work
        rows = await self._publisher.rows(sorted(present, key=lambda one: one.id), usage=True)
        return {"outcome": outcome, "processes": rows, "failures": failures}

    def _failure(self, name: str, verdict: Verdict, readable: Readable) -> WaitFailure:
        return {"name": name, "reason": verdict.reason, "log_tail": self._tail(name, readable)}

    def _tail(self, name: str, readable: Readable) -> str:
        one = self._registry.processes.get(name)
        files = readable(one) if one is not None else []
        if not files:
            return ""
        try:
            text = b"".join(logs.read(files[0].path, log_files.parse_lines(_TAIL_LINES), files[0].owners))
        except (OSError, PmonError):
            return ""  # no log, no last lines; the reason says what matters
        return text[-_TAIL_BYTES:].decode("utf-8", "replace")


def _goal(wish: Wait) -> Goal:
    try:
        return parse(wish.until, of_set=bool(wish.set))
    except ValueError as error:
        raise PmonError(ErrorCode.BAD_REQUEST, f"cannot wait: {error}") from None
