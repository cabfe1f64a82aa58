"""What a wait makes of what it looks at: one verdict per condition, joined to an outcome. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from pmon3_schema.answers import Outcome
from pmon3_schema.goals import Goal, WaitCondition
from pmond.runtime.intent.set_conditions import SetStatus, condition_values


class Verdict(Struct, frozen=True):
    """One target at one moment: met, out of reach, or neither yet."""

    met: bool = False
    failed: bool = False
    reason: str = ""
    blocker: str = ""
    """The dependency that is in the way for good."""
    awaits: frozenset[str] = frozenset()
    """Dependencies that it waits for: when one of them changes, it is judged again."""
    steps: int = 0
    """How far it has come; what was not let go in its rollout yet has come nowhere."""


class Headway:
    """Whether any of some targets gets further than ever before: what goes to and fro gets nowhere."""

    def __init__(self) -> None:
        self._furthest: dict[str, int] = {}

    def made(self, verdicts: Mapping[str, Verdict]) -> bool:
        """Whether one of these verdicts says so."""
        further = {n: one.steps for n, one in verdicts.items() if one.steps > self._furthest.get(n, 0)}
        self._furthest |= further
        return bool(further)


def together(goal: Goal, verdicts: Sequence[Verdict]) -> Verdict:
    """The verdicts on all conditions of a goal as one."""
    every, some = (any, all) if goal.any else (all, any)
    reasons = dict.fromkeys(verdict.reason for verdict in verdicts if verdict.reason)
    return Verdict(
        every(verdict.met for verdict in verdicts),
        some(verdict.failed for verdict in verdicts),
        "; ".join(reasons),
        next((verdict.blocker for verdict in verdicts if verdict.blocker), ""),
        frozenset().union(*(verdict.awaits for verdict in verdicts)),
        max((verdict.steps for verdict in verdicts), default=0),
    )


def outcome_of(goal: Goal, processes: Iterable[Verdict], whole: Verdict | None) -> Outcome | None:
    """``met`` or ``failed`` once that is certain; `whole` is the verdict on the set, if one counts."""
    parts = [whole] if whole is not None else []
    if goal.part(of_set=False).conditions:
        found = list(processes)
        settled = all(one.met or one.failed for one in found)
        failed = settled and any(one.failed for one in found)
        parts.append(Verdict(met=all(one.met for one in found), failed=failed))
    verdict = together(goal, parts)
    return "met" if verdict.met else "failed" if verdict.failed else None


def judge_set(one: SetStatus, condition: WaitCondition) -> Verdict:
    """Whether a condition of a set is as it should be, and whether it can still become so."""
    if not one.matters:
        return Verdict(failed=True, reason="there is no such set")
    truth = next(truth for truth in condition_values(one) if truth.type == condition.type)
    said = f": {truth.message}" if truth.message else ""
    # What is wrong with a source stays so until somebody corrects it.
    hopeless = condition.status == "True" and condition.type in ("Accepted", "Synced")
    hopeless = hopeless and (
        one.accepted is False or bool(one.taken_out) or (bool(one.outdated) and not one.progressing)
    )
    reason = f"{truth.type} is {truth.status}{said}"
    met = truth.status == condition.status
    return Verdict(met=met, failed=hopeless and not met, reason=reason)
