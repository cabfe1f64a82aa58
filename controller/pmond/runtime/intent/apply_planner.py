"""What bringing a manifest in comes to, worked out from values alone.

Theory of operation: `CurrentState` is what is declared and what runs at one moment. Everything here follows
from that, the manifest and the order; nothing is touched, so a thread may do it while the loop goes
on. `compared` answers what would be done; `prepare` also drafts all that is to be written. The draft is
good as long as nothing else is declared (`CurrentState.version`). What runs may change meanwhile: whoever
decides on starts and stops looks again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from pmon3_schema.answers import Plan
from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.manifest import Entry, Reading
from pmon3_schema.process import ProcessSpec
from pmon3_schema.status import Target
from pmond.core import pruning
from pmond.core.case import changed_files, waits_for_restart
from pmond.core.compare import Comparison, Note, compare
from pmond.core.intent import Runs, bring_in, existing
from pmond.core.model import CLI, Intent, SourceLocation
from pmond.core.replicas import Expanded, expand, meant, names_by_entry
from pmond.core.rollout import Rollout, from_json, rollout_of
from pmond.core.step import PRUNE, CompareOptions, Existing
from pmond.runtime.access.authority import Authority, Right
from pmond.runtime.access.principal import Principal
from pmond.runtime.intent.apply_order import ApplyOrder, ApplyRequest, CurrentState
from pmond.runtime.intent.commands import target
from pmond.runtime.intent.edit import Drafted
from pmond.runtime.intent.plan_view import conflict, invalid, plan_json, with_entries
from pmond.runtime.intent.precedence import Cleared, cleared, comparable, is_trusted
from pmond.runtime.intent.process_rights import Submission, check_processes
from pmond.runtime.intent.quotas import check_groups, check_quota, check_replicas, check_set_quota
from pmond.runtime.intent.request_spec import check_dependencies
from pmond.runtime.intent.set_rights import check_set
from pmond.runtime.intent.sets import Content, content_of, digest_of, suspension_words
from pmond.runtime.processes.controllers import problems_of
from pmond.runtime.state.records import SourceRecord

_IN_NO_GROUP: frozenset[int] = frozenset()


class Prepared(Struct, frozen=True):
    """All that is to be written, and what is answered when it has been."""

    plan: Plan
    comparison: Comparison
    drafted: Drafted
    rollout: Rollout | None
    targets: list[Target]
    content: Content
    displaced: Mapping[str, str]
    """Of processes that go on under another name, from the old to the new one."""


class Compared(Struct, frozen=True):
    """What bringing a manifest in would do."""

    comparison: Comparison
    entries: Sequence[Entry]
    """One for each process that is declared."""
    plan: Plan
    way: Cleared


class ApplyPlanner:
    """Works plans and drafts out, on the rules of who may do what."""

    def __init__(self, authority: Callable[[], Authority]) -> None:
        self._authority = authority

    def prepare(self, seen: CurrentState, request: ApplyRequest, drafted: Drafted) -> Prepared:
        """Write into the draft what bringing it in changes. Raises PmonError; the draft is of no use then."""
        order = request.order
        self._check_suspended(seen.record, request)
        found = self.compared(seen, request)
        before, way = seen.processes, found.way
        seen = way.seen
        for old, name in way.names.items():
            drafted.rename(before[old], name)
        for one in way.changed:
            drafted.put(one)
        _check_expected(found.plan, found.comparison, order)
        entries = {entry.spec.name: entry for entry in found.entries}
        rollout = rollout_of(found.comparison, _needs(seen, entries, found.comparison), order.rollout)
        brought = bring_in(
            found.comparison,
            seen.processes,
            {name: SourceLocation(entry.file, entry.line, entry.column) for name, entry in entries.items()},
            order.options,
            trusted=is_trusted(order, self._authority()),
            staged=rollout is not None,
        )
        old_names = {new: old for old, new in brought.moved.items()}
        for name, intent in brought.intents.items():
            _put(drafted, name, intent, seen.processes.get(old_names.get(name, name)))
        _keep_groups(drafted, entries, seen)
        drafted.settle(before)
        content = content_of(request.documents)
        if order.peer is not None:
            others = {one.owner for one in drafted.after.processes.values()} - {order.options.owner}
            sets = [seen.sets[name] for name in others & seen.sets.keys()]
            check_set_quota(sets, len(content.packed), order.peer, self._authority())
        targets = _targets(entries, drafted.after.processes, rollout)
        return Prepared(found.plan, found.comparison, drafted, rollout, targets, content, way.names)

    def compared(self, seen: CurrentState, request: ApplyRequest) -> Compared:
        """What bringing it in would do. Raises PmonError for mistakes, conflicts and guards."""
        order = request.order
        version = seen.record.version if seen.record is not None else 0
        _check_version(version, order)
        declared, authority = self._submitted(request.reading, order), self._authority()
        if order.peer is not None:
            check_replicas((entry.spec for entry in declared), seen.processes, order.peer, authority)
        way = cleared(seen, [entry.spec for entry in declared], order, authority)
        seen = way.seen
        expanded = expand(
            (entry.spec for entry in declared), seen.processes, order.options.owner, seen.implied
        )
        entries, specs = _entries(declared, expanded), expanded.specs
        everybodys = _grouped(existing(seen.processes, _running(seen), _awaited(seen)), seen)
        present = comparable(everybodys, way, specs, order, authority)
        comparison = self._checked(seen, request.reading, expanded, order, present)
        notes = (*comparison.notes, *way.notes, *_unkept(specs, seen.no_controllers))
        comparison = replace(comparison, notes=notes)
        digest = digest_of(request.documents)
        plan = plan_json(comparison, order.options, version, digest, request.reading.diagnostics)
        if order.whole_entries:
            plan = with_entries(plan, comparison, present)
        return Compared(comparison, entries, plan, way)

    def _checked(
        self,
        seen: CurrentState,
        reading: Reading,
        expanded: Expanded,
        order: ApplyOrder,
        present: Mapping[str, Existing],
    ) -> Comparison:
        if not reading.ok:
            raise invalid(reading)
        options = replace(order.options, implied=seen.implied)
        comparison = compare(expanded.specs, present, options, expanded.replicas)
        if comparison.conflicts:
            raise conflict(comparison, options.owner)
        refused = None if order.insist else _refusal(comparison, options)
        if refused is not None:
            raise PmonError(ErrorCode.REFUSED, f"cannot apply {options.owner}: {refused[0]}", refused[1])
        self._check_control(seen, comparison, order)
        # With a name gone, what did not change itself may depend on it.
        gone = {step.moved_from for step in comparison.steps if step.moved_from}
        gone |= {step.name for step in comparison.steps if step.action == PRUNE}
        changed = {step.name for step in comparison.steps}
        specs = [spec for spec in expanded.specs if gone or spec.name in changed]
        entry_of = {name: replica.entry.name for name, replica in expanded.replicas.items()}
        check_dependencies(specs, seen.processes, gone, entry_of)
        return comparison

    def _check_control(self, seen: CurrentState, comparison: Comparison, order: ApplyOrder) -> None:
        if order.peer is None:
            return
        for right, deletes in ((Right.DELETE, True), (Right.CHANGE, False)):
            steps = [step for step in comparison.steps if (step.action == PRUNE) is deletes]
            changed = (seen.processes.get(step.moved_from or step.name) for step in steps)
            verb = "delete" if deletes else "change"
            check_processes(verb, right, filter(None, changed), order.peer, self._authority())
        self._check_left(seen, comparison, order, order.peer)
        check_quota(seen.processes, _declared_after(seen, comparison), order.peer, self._authority())
        specs = [step.spec for step in comparison.steps if step.spec is not None]
        check_groups(specs, seen.groups, order.peer, self._authority())

    def _check_left(
        self, seen: CurrentState, comparison: Comparison, order: ApplyOrder, peer: Principal
    ) -> None:
        """What it takes over leaves another set: that is a matter of who made that one, too."""
        taken = (seen.processes.get(step.moved_from or step.name) for step in comparison.steps)
        for owner in {one.owner for one in taken if one is not None} - {CLI, order.options.owner}:
            maker = seen.sets[owner].uid if owner in seen.sets else self._authority().daemon_uid
            check_set("take from", owner, maker, peer, self._authority())

    def _submitted(self, reading: Reading, order: ApplyOrder) -> Sequence[Entry]:
        """The entries, once it is sure that the caller may have all that they say."""
        submission = Submission(order.peer, self._authority())
        for entry in reading.entries if reading.ok else ():
            submission.check(entry.spec)
        return reading.entries

    def _check_suspended(self, record: SourceRecord | None, request: ApplyRequest) -> None:
        if record is None or record.suspended is None or request.order.insist:
            return
        authority = self._authority()
        if is_trusted(request.order, authority) and not authority.owns(record.uid):
            return  # the set is about to become an owner's, for whom nobody else suspends anything
        until_changed = record.suspended.get("digest")
        if until_changed and until_changed != digest_of(request.documents):
            return
        raise PmonError(
            ErrorCode.REFUSED,
            f"cannot apply {record.set_name}: it is {suspension_words(record.suspended)}",
            f"pmon3 resume {record.set_name} ends that",
        )


def _unkept(specs: Sequence[ProcessSpec], no_controllers: Mapping[str, str]) -> Iterator[Note]:
    """Limits that are declared and will not be kept."""
    for spec in specs if no_controllers else ():
        problem = problems_of(spec.resources, no_controllers)
        if problem:
            yield Note("resources", spec.name, f"{spec.name}: this host does not keep {problem}")


def _declared_after(seen: CurrentState, comparison: Comparison) -> Mapping[str, Intent]:
    """What somebody without an owner's rights would have declared afterwards."""
    after = dict(seen.processes)
    for step in comparison.steps:
        after.pop(step.moved_from or step.name, None)
        if step.spec is not None:
            after[step.name] = Intent(step.spec, trusted=False)
    return after


def _running(seen: CurrentState) -> dict[str, Runs]:
    running: dict[str, Runs] = {}
    for name, state in seen.observed.items():
        one, instance = seen.processes.get(name), state.instance
        if one is not None and instance is not None:
            outdated = waits_for_restart(one, state)
            earlier = seen.run_specs.get(name) if outdated else None
            running[name] = Runs(instance.revision, outdated, bool(changed_files(state)), earlier)
    return running


def _awaited(seen: CurrentState) -> frozenset[str]:
    """What has its turn still to come, in the rollout of the set that is under way."""
    rollout = seen.record.rollout if seen.record is not None else None
    return frozenset(name for wave in from_json(rollout).waves for name in wave) if rollout else frozenset()


def _grouped(present: dict[str, Existing], seen: CurrentState) -> dict[str, Existing]:
    """The same with the groups that each process is in now: commands change those too."""
    in_groups: dict[frozenset[int], tuple[str, ...]] = {}
    for name, one in present.items():
        ids = seen.memberships.get(seen.processes[name].id, _IN_NO_GROUP)
        if not ids and not one.spec.groups:
            continue
        names = in_groups.get(ids)
        if names is None:
            names = in_groups[ids] = tuple(
                seen.groups[number] for number in sorted(ids) if number in seen.groups
            )
        if set(names) != {*one.spec.groups}:
            present[name] = one._replace(spec=replace(one.spec, groups=names))
    return present


def _entries(declared: Sequence[Entry], expanded: Expanded) -> Sequence[Entry]:
    """An entry for each process."""
    if not expanded.replicas:
        return declared
    by_name = {entry.spec.name: entry for entry in declared}
    return [
        by_name[entry.name] if spec is entry else replace(by_name[entry.name], spec=spec)
        for spec, entry in zip(expanded.specs, expanded.entries, strict=True)
    ]


def _needs(
    seen: CurrentState, entries: Mapping[str, Entry], comparison: Comparison
) -> dict[str, tuple[str, ...]]:
    """What each process that has dependencies will depend on."""
    by_entry: dict[str, Sequence[str]] = dict(names_by_entry(seen.processes.values()))
    made: dict[str, list[str]] = {}
    for name, replica in comparison.replicas.items():
        if replica.count:
            made.setdefault(replica.entry.name, []).append(name)
    by_entry |= made
    needs = {name: one.spec.needs for name, one in seen.processes.items() if one.spec.dependencies}
    needs |= {name: entry.spec.needs for name, entry in entries.items()}
    return {name: meant(needed, by_entry) for name, needed in needs.items()}


def _put(drafted: Drafted, name: str, intent: Intent, present: Intent | None) -> None:
    if present is not None and present.name != name:
        drafted.rename(present, name)
    drafted.put(intent)


def _keep_groups(drafted: Drafted, entries: Mapping[str, Entry], seen: CurrentState) -> None:
    """A manifest's groups are what it says, whatever was assigned by command."""
    ids: dict[tuple[str, ...], frozenset[int]] = {}
    for name, entry in entries.items():
        one = drafted.put_processes.get(name) or seen.processes[name]
        wanted = ids.get(entry.spec.groups)
        if wanted is None:
            wanted = ids[entry.spec.groups] = frozenset(map(drafted.group, entry.spec.groups))
        present = seen.memberships.get(one.id, frozenset())
        if wanted != present:
            drafted.set_groups(one.id, present, wanted)


def _targets(
    entries: Mapping[str, Entry], processes: Mapping[str, Intent], rollout: Rollout | None
) -> list[Target]:
    restarts = rollout.restarts if rollout is not None else frozenset()
    targets: list[Target] = []
    for name in entries:
        one = processes[name]
        if one.up_in_turn:
            promise = target(one)
            # A restart that is still to be let go will count up.
            promise["token"] += name in restarts
            targets.append(promise)
    return targets


def _refusal(comparison: Comparison, options: CompareOptions) -> tuple[str, str] | None:
    try:
        return pruning.refusal(comparison, options)
    except ValueError as error:
        raise PmonError(ErrorCode.BAD_REQUEST, f"cannot read the prune limit: {error}") from None


def _check_version(version: int, order: ApplyOrder) -> None:
    if order.if_version is not None and order.if_version != version:
        raise PmonError(
            ErrorCode.CONFLICT,
            f"cannot apply {order.options.owner}: it is at version {version}, not {order.if_version}",
            "look at pmon3 diff again, then apply with the new version",
        )


def _check_expected(plan: Mapping[str, Any], comparison: Comparison, order: ApplyOrder) -> None:
    if not order.expected or not comparison.steps or plan["plan_digest"] == order.expected:
        return
    raise PmonError(
        ErrorCode.CONFLICT,
        f"cannot apply the plan for {order.options.owner}: something changed since it was made",
        "make a new one with pmon3 plan --out; nothing was changed",
    )
