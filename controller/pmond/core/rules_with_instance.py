"""The rules for a process that has an instance, in the order in which they are tried."""

from __future__ import annotations

from itertools import islice

from pmond.core.actions import Kill, Reload, Stop
from pmond.core.case import Case, Decision, Rule, changed_files, is_outdated, why_down
from pmond.core.model import NOTHING_SEEN, Ending, Instance, Phase

_MOST_NAMED = 3
"""Names that a reason lists at most."""


def _clear_tree(case: Case, instance: Instance) -> Decision | None:
    if instance.ended_at is None or instance.kill_at is not None:
        return None
    reason = "its main program ended and left other processes behind"
    return Decision(Rule.CLEAR_TREE, reason, _stop(case, instance, instance.ending, reason))


def _await_killed(case: Case, instance: Instance) -> Decision | None:
    if instance.killed_at is None:
        return None
    again = instance.killed_at + case.policy.empty_tree
    reason = "killed, not yet gone"
    if case.now < again:
        return Decision(Rule.AWAIT_KILLED, reason, wake_at=again)
    stuck = "it does not die: SIGKILL is sent again (a program in an uninterruptible wait, or out of reach)"
    return Decision(Rule.AWAIT_KILLED, stuck, _kill(case, instance, instance.ending, stuck))


def _force(case: Case, instance: Instance) -> Decision | None:
    if case.up or case.wanted is None or not case.wanted.forced:
        return None
    return Decision(
        Rule.FORCE, "stopped by force", _kill(case, instance, _down_ending(case), "stopped by force")
    )


def _await_stopped(case: Case, instance: Instance) -> Decision | None:
    if instance.phase is not Phase.STOPPING or instance.kill_at is None:
        return None
    if case.now >= instance.kill_at:
        reason = "it did not end in time"
        return Decision(Rule.AWAIT_STOPPED, reason, _kill(case, instance, instance.ending, reason))
    return Decision(Rule.AWAIT_STOPPED, "asked to end", wake_at=instance.kill_at)


def _await_dependants(case: Case, instance: Instance) -> Decision | None:
    """In a stop of several, what others depend on goes last."""
    if case.up:
        return None
    alive = (
        name
        for name in case.desired.dependants.get(case.name, ())
        if not case.desired.up(name) and case.observed.get(name, NOTHING_SEEN).instance is not None
    )
    named = list(islice(alive, _MOST_NAMED + 1))  # of thousands, finding one is enough
    if not named:
        return None
    others = " and others" if len(named) > _MOST_NAMED else ""
    return Decision(Rule.AWAIT_DEPENDANTS, f"ends after {', '.join(named[:_MOST_NAMED])}{others}")


def _stop_unwanted(case: Case, instance: Instance) -> Decision | None:
    if case.up:
        return None
    reason = why_down(case)
    return Decision(Rule.STOP, reason, _stop(case, instance, _down_ending(case), reason))


def _replace(case: Case, instance: Instance) -> Decision | None:
    wanted = case.wanted
    assert wanted is not None
    if instance.token != wanted.token:
        reason = "a restart was asked for"
    elif not is_outdated(wanted, case.state):
        return None
    elif instance.revision != wanted.revision and not wanted.deferred:
        reason = "its spec changed"
    else:
        reason = f"{', '.join(changed_files(case.state))} changed"
    return Decision(Rule.REPLACE, reason, _stop(case, instance, Ending.SUPERSEDED, reason))


def _stop_again(case: Case, instance: Instance) -> Decision | None:
    """An earlier pmond had begun to stop it: that is finished, as it would have been without its end."""
    if instance.ending is Ending.ITSELF:
        return None
    reason = "it was being stopped when pmond was killed"
    return Decision(Rule.STOP_AGAIN, reason, _stop(case, instance, instance.ending, reason))


def _starting(case: Case, instance: Instance) -> Decision | None:
    if instance.phase is not Phase.STARTING:
        return None
    return Decision(Rule.STARTING, "started", wake_at=instance.started_at + case.policy.min_ready)


def _reload(case: Case, instance: Instance) -> Decision | None:
    """Only what runs is told: a program that is just starting may not yet listen to signals."""
    changed = changed_files(case.state)
    if instance.reloading is not None:
        return Decision(Rule.RELOAD, "reloading")
    if not changed or case.spec.on_change not in ("reload", "signal"):
        return None
    reason = f"{', '.join(changed)} changed"
    return Decision(Rule.RELOAD, reason, Reload(case.name, instance.number, case.state.files, reason))


def _running(case: Case, instance: Instance) -> Decision | None:
    return Decision(Rule.RUNNING)


def _stop(case: Case, instance: Instance, ending: Ending, reason: str) -> Stop:
    stop = case.spec.stop
    tree = _whole_tree(case, instance)
    return Stop(case.name, instance.number, ending, stop.signal, stop.timeout, tree, reason)


def _kill(case: Case, instance: Instance, ending: Ending, reason: str) -> Kill:
    return Kill(case.name, instance.number, ending, _whole_tree(case, instance), reason)


def _whole_tree(case: Case, instance: Instance) -> bool:
    """When the main program has ended, what is left of the instance is its tree."""
    return case.spec.stop.kill_group or instance.ended_at is not None


def _down_ending(case: Case) -> Ending:
    shutdown = case.desired.ending and case.wanted is not None and case.wanted.up
    return Ending.SHUTDOWN if shutdown else Ending.UNWANTED


RULES = (
    _clear_tree,
    _await_killed,
    _force,
    _await_stopped,
    _await_dependants,
    _stop_unwanted,
    _replace,
    _stop_again,
    _starting,
    _reload,
    _running,
)
