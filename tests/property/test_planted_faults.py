"""The generated histories notice what is wrong: faults planted in the core are caught.

Each fault breaks one rule in the way that a hurried change would. Without it the same histories
pass (`test_histories`), so a fault that is not caught is a hole in the laws.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from msgspec.structs import replace
from tests.support import simulated_loop
from tests.support.histories import broken_by, generate

from pmon3_schema.process_parts import Dependency
from pmond.core import (
    backoff,
    case,
    decide,
    evolve,
    flap,
    hooking,
    needs,
    probing,
    readiness,
    rules_hooks,
    rules_with_instance,
    rules_without_instance,
)
from pmond.core.actions import Start
from pmond.core.case import Case, Decision, Rule
from pmond.core.facts import (
    Exited,
    HookBegun,
    KillSent,
    ReloadBegun,
    Reloaded,
    SpawnFailed,
    StopSent,
    TreeEmpty,
)
from pmond.core.model import Desired, Ending, Instance, Observed, Phase, Policy, State

WITHIN = 400
"""Histories that a fault may need at most until it is noticed."""

Patch = pytest.MonkeyPatch
Fault = Callable[[Patch], None]


def without(patch: Patch, table: ModuleType, rule: str) -> None:
    kept = tuple(each for each in table.RULES if each.__name__ != rule)
    assert len(kept) == len(table.RULES) - 1
    patch.setattr(table, "RULES", kept)


def instead(patch: Patch, table: ModuleType, rule: str, other: Callable[..., Decision | None]) -> None:
    patch.setattr(table, "RULES", tuple(other if each.__name__ == rule else each for each in table.RULES))


def handling(patch: Patch, fact: type, handler: Callable[..., State]) -> None:
    patch.setitem(evolve._HANDLERS, fact, handler)


def no_backoff(patch: Patch) -> None:
    without(patch, rules_without_instance, "_backoff")


def backoff_that_does_not_grow(patch: Patch) -> None:
    right = backoff.delay
    patch.setattr(backoff, "delay", lambda restart, streak, name: right(restart, min(streak, 2), name))


def no_flap_detection(patch: Patch) -> None:
    without(patch, rules_without_instance, "_flapping")


def flap_forgets_the_window(patch: Patch) -> None:
    patch.setattr(flap, "restarted", lambda known, policy, now: flap.CLEAR)


def given_up_in_name_only(patch: Patch) -> None:
    without(patch, rules_without_instance, "gave_up")


def restart_against_the_policy(patch: Patch) -> None:
    without(patch, rules_without_instance, "never")


def start_while_held(patch: Patch) -> None:
    without(patch, rules_without_instance, "_down")


def never_forgotten(patch: Patch) -> None:
    instead(
        patch,
        rules_without_instance,
        "_forget",
        lambda case: Decision(Rule.FORGET) if case.wanted is None or case.wanted.deleting else None,
    )


def dependency_ignored(patch: Patch) -> None:
    without(patch, rules_without_instance, "_await_dependencies")


def dependency_not_waited_out(patch: Patch) -> None:
    right = needs.unmet

    def unmet(case: Case, need: Dependency) -> Any:
        return right(replace(case, policy=replace(case.policy, settle=0.0)), need)

    patch.setattr(needs, "unmet", unmet)


def stop_order_ignored(patch: Patch) -> None:
    without(patch, rules_with_instance, "_await_dependants")


def early_kill(patch: Patch) -> None:
    right = rules_with_instance._await_stopped

    def early(case: Case, instance: Instance) -> Decision | None:
        return right(replace(case, now=case.now + 1.0), instance)

    instead(patch, rules_with_instance, "_await_stopped", early)


def never_killed(patch: Patch) -> None:
    def asked(case: Case, instance: Instance) -> Decision | None:
        return Decision(Rule.AWAIT_STOPPED) if instance.phase is Phase.STOPPING and instance.kill_at else None

    instead(patch, rules_with_instance, "_await_stopped", asked)


def lost_deadline(patch: Patch) -> None:
    right = rules_without_instance._backoff

    def sleeps_on(case: Case) -> Decision | None:
        decision = right(case)
        return replace(decision, wake_at=None) if decision is not None else None

    instead(patch, rules_without_instance, "_backoff", sleeps_on)


def deadline_in_the_past(patch: Patch) -> None:
    def started(case: Case, instance: Instance) -> Decision | None:
        return Decision(Rule.STARTING, wake_at=instance.started_at) if instance.phase < 2 else None

    instead(patch, rules_with_instance, "_starting", started)


def two_instances(patch: Patch) -> None:
    def beside(case: Case, instance: Instance) -> Decision | None:
        if case.wanted is None or not case.up or instance.token == case.wanted.token:
            return None
        return Decision(Rule.REPLACE, "", Start(case.name, instance.number + 1, ""))

    instead(patch, rules_with_instance, "_replace", beside)


def revision_ignored(patch: Patch) -> None:
    for rules in (rules_with_instance, needs):
        patch.setattr(rules, "is_outdated", lambda wanted, state: state.instance.token != wanted.token)


def deferral_ignored(patch: Patch) -> None:
    for rules in (rules_with_instance, needs):
        patch.setattr(rules, "is_outdated", lambda wanted, state: state.instance.revision != wanted.revision)


def tree_left_ignored(patch: Patch) -> None:
    right = evolve._exited

    def exited(state: State, fact: Exited, *more: Any) -> State:
        return right(state, replace(fact, tree_left=False), *more)

    handling(patch, Exited, exited)


def tree_left_alone(patch: Patch) -> None:
    without(patch, rules_with_instance, "_clear_tree")


def stale_facts_accepted(patch: Patch) -> None:
    patch.setattr(State, "run", lambda state, number: state.instance)


def repeated_failure_counted(patch: Patch) -> None:
    right = evolve._spawn_failed

    def failed(state: State, fact: SpawnFailed, *more: Any) -> State:
        return right(replace(state, history=replace(state.history, number=0)), fact, *more)

    handling(patch, SpawnFailed, failed)


def stop_counted_as_a_failure(patch: Patch) -> None:
    right = evolve._stop_sent

    def sent(state: State, fact: StopSent, *more: Any) -> State:
        return right(state, replace(fact, ending=Ending.ITSELF), *more)

    handling(patch, StopSent, sent)


def stop_not_noted(patch: Patch) -> None:
    handling(patch, StopSent, lambda state, *more: state)


def kill_not_noted(patch: Patch) -> None:
    handling(patch, KillSent, lambda state, *more: state)


def empty_tree_not_noted(patch: Patch) -> None:
    handling(patch, TreeEmpty, lambda state, *more: state)


def phase_that_goes_back(patch: Patch) -> None:
    right = evolve._kill_sent

    def sent(state: State, *more: Any) -> State:
        after = right(state, *more)
        instance = after.instance
        return after if instance is None else replace(after, instance=replace(instance, phase=Phase.RUNNING))

    handling(patch, KillSent, sent)


def dependants_not_looked_at(patch: Patch) -> None:
    def near(desired: Desired, name: str) -> set[str]:
        return {name}

    patch.setattr(simulated_loop, "neighbours", near)


def random_plan(patch: Patch) -> None:
    right, looks = rules_without_instance._backoff, [0]

    def swaying(case: Case) -> Decision | None:
        looks[0] += 1
        decision = right(case)
        if decision is None or decision.wake_at is None:
            return decision
        return replace(decision, wake_at=decision.wake_at + looks[0] % 3)

    instead(patch, rules_without_instance, "_backoff", swaying)


def policy_of_another_daemon(patch: Patch) -> None:
    """The planner forgets to hand the daemon's settings on; the report does not."""
    right = decide.decide

    def forgetful(name: str, wanted: Desired, seen: Observed, now: float, policy: Policy) -> Decision:
        return right(name, wanted, seen, now, Policy())

    patch.setattr("pmond.core.plan.decide", forgetful)


def files_that_change_nothing(patch: Patch) -> None:
    for rules in (rules_with_instance, case):
        patch.setattr(rules, "changed_files", lambda state: ())


def reload_while_starting(patch: Patch) -> None:
    right = rules_with_instance._reload
    kept = tuple(each for each in rules_with_instance.RULES if each is not right)
    patch.setattr(rules_with_instance, "RULES", (*kept[:-2], right, *kept[-2:]))


def reload_not_noted(patch: Patch) -> None:
    handling(patch, Reloaded, lambda state, *more: state)


def reload_begun_not_noted(patch: Patch) -> None:
    handling(patch, ReloadBegun, lambda state, *more: state)


def sick_one_left_alone(patch: Patch) -> None:
    without(patch, rules_with_instance, "_unhealthy")


def failed_at_once(patch: Patch) -> None:
    patch.setattr(probing, "is_unhealthy", lambda live, found: bool(live.kind) and found.ok is False)


def start_period_ignored(patch: Patch) -> None:
    patch.setattr(readiness, "_counts_from", lambda instance, spec: instance.started_at)


def deadline_of_readiness_ignored(patch: Patch) -> None:
    without(patch, rules_with_instance, "_not_ready_in_time")


def unready_one_restarted(patch: Patch) -> None:
    """A failing ready probe is taken for a failing live probe."""
    right = rules_with_instance._unhealthy

    def hasty(case: Case, instance: Instance) -> Decision | None:
        failing = instance.phase is Phase.RUNNING and instance.ready.ok is False
        return right(case, replace(instance, live=instance.ready) if failing else instance)

    instead(patch, rules_with_instance, "_unhealthy", hasty)


def ready_by_the_first_pass(patch: Patch) -> None:
    patch.setattr(probing, "becomes_ready", lambda ready, found: bool(found.ok))


def started_before_it_is_ready(patch: Patch) -> None:
    patch.setattr(needs, "is_ready", lambda intent, instance: True)


def results_counted_twice(patch: Patch) -> None:
    patch.setattr(probing, "awaits", lambda found, attempt: found.attempt == attempt)


def probe_repeated_at_once(patch: Patch) -> None:
    patch.setattr(probing, "begun", lambda found, attempt, now: replace(found, attempt=attempt))


def fault_that_is_no_failure(patch: Patch) -> None:
    patch.setattr(backoff, "failed", lambda spec, history: not backoff.succeeded(spec, history.exit))


def replacement_not_followed(patch: Patch) -> None:
    patch.setattr(needs, "replaced", lambda case, instance: "")


def completion_not_awaited(patch: Patch) -> None:
    patch.setattr(needs, "condition_of", lambda need, spec: "started")


def hooks_left_out(patch: Patch) -> None:
    patch.setattr(rules_without_instance, "begun_before", lambda hooking, number: 99)


def hooks_run_again(patch: Patch) -> None:
    handling(patch, HookBegun, lambda state, *more: state)


def started_beside_a_hook(patch: Patch) -> None:
    right = rules_hooks.hook

    def hasty(case: Case) -> Decision | None:
        decision = right(case)
        return decision if decision is not None and decision.action is not None else None

    instead(patch, rules_without_instance, "hook", hasty)


def failure_after_a_stop(patch: Patch) -> None:
    right = hooking.after_end
    patch.setattr(hooking, "after_end", lambda hooks, number, failed: right(hooks, number, True))


FAULTS: list[Fault] = [
    hooks_left_out, hooks_run_again, started_beside_a_hook, failure_after_a_stop,
    replacement_not_followed, completion_not_awaited,
    sick_one_left_alone, failed_at_once, start_period_ignored, deadline_of_readiness_ignored,
    unready_one_restarted, ready_by_the_first_pass, started_before_it_is_ready, results_counted_twice,
    probe_repeated_at_once, fault_that_is_no_failure,
    no_backoff, backoff_that_does_not_grow, no_flap_detection, flap_forgets_the_window, given_up_in_name_only,
    restart_against_the_policy, start_while_held, never_forgotten, dependency_ignored,
    dependency_not_waited_out,
    stop_order_ignored, early_kill, never_killed, lost_deadline, deadline_in_the_past, two_instances,
    revision_ignored, deferral_ignored, tree_left_ignored, tree_left_alone, stale_facts_accepted,
    repeated_failure_counted, stop_counted_as_a_failure, stop_not_noted, kill_not_noted, empty_tree_not_noted,
    phase_that_goes_back, dependants_not_looked_at, random_plan, policy_of_another_daemon,
    files_that_change_nothing, reload_while_starting, reload_not_noted, reload_begun_not_noted,
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__.replace("_", "-"))
def test_a_planted_fault_is_caught(fault: Fault, monkeypatch: Patch) -> None:
    fault(monkeypatch)
    caught = next((seed for seed in range(WITHIN) if broken_by(generate(seed)) is not None), None)
    assert caught is not None, f"{WITHIN} histories did not notice: {fault.__name__}"
