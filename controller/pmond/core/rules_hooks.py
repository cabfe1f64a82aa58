"""The rule of hooks: while one runs, or is due after an end, nothing else is done about its process."""

from __future__ import annotations

from math import inf

from pmond.core.actions import EndHook, RunHook
from pmond.core.case import Case, Decision, Rule, why_down
from pmond.core.hooking import Hooking, Moment, due

_LOST_AFTER = 5.0
"""Seconds beyond its time limit after which the end of a hook counts as seen by nobody."""


def hook(case: Case) -> Decision | None:
    """What is to be done about the hooks of a process that has no instance; None: nothing."""
    hooking = case.state.history.hooking
    if hooking is None or hooking.over:
        return None
    if reason := _unwanted(case, hooking):
        return Decision(Rule.HOOK, reason, _end(case, hooking, reason))
    if hooking.under_way:
        return _under_way(case, hooking)
    if (following := due(case.spec.hooks, hooking)) is None:
        return None
    moment, index = following
    return Decision(Rule.HOOK, _running(moment), RunHook(case.name, hooking.number, moment, index))


def _under_way(case: Case, hooking: Hooking) -> Decision:
    limit = (hooking.since or 0.0) + case.spec.hooks.timeout + _LOST_AFTER
    if case.now >= limit:
        return Decision(Rule.HOOK, "its hook is ended", _end(case, hooking, "its end was not seen"))
    ends = case.desired.untrusted_until if case.wanted is not None and not case.wanted.trusted else None
    return Decision(Rule.HOOK, _running(hooking.moment), wake_at=min(limit, inf if ends is None else ends))


def _unwanted(case: Case, hooking: Hooking) -> str:
    """Why no hook is to run any more: it comes before a start that nobody wants, or was to end by force."""
    before_start = hooking.moment is Moment.PRE_START
    if before_start and hooking.number <= case.state.history.number:
        return ""
    if before_start and not case.up:
        return why_down(case)
    if case.wanted is not None and case.wanted.forced and not case.up and hooking.under_way:
        return "stopped by force"
    until = case.desired.untrusted_until
    late = until is not None and case.now >= until and case.wanted is not None and not case.wanted.trusted
    return "pmond is shutting down" if late and hooking.under_way else ""


def _running(moment: Moment) -> str:
    return f"its {moment.value} hook runs"


def _end(case: Case, hooking: Hooking, reason: str) -> EndHook:
    return EndHook(case.name, hooking.number, hooking.moment, max(0, hooking.begun - 1), reason)
