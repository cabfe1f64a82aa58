"""Manifests to intent: read, compare, and take over what is accepted as one unit.

Theory of operation: a manifest is read and checked as a whole; with one error in it nothing is
taken from it. `core.compare` then says what differs and `core.intent` what follows from it. A dry
run stops there. Otherwise all of it is saved in one transaction together with the documents
themselves (the last good reading) and a revision, and the loop does the rest: at once what may
happen at once, wave by wave what must wait (`rollouts`). `init`, hot reload and rollback come the
same way as `apply`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.manifest import Document, Entry, Reading, read
from pmon3_schema.status import Target
from pmond.core import intent as intents_
from pmond.core import pruning
from pmond.core.compare import PRUNE, Comparison, Existing, Options, compare
from pmond.core.intent import BroughtIn, Intent, Place, Runs, bring_in
from pmond.core.model import NOTHING_SEEN
from pmond.core.rollout import STOP, Rollout, rollout_of
from pmond.runtime.http import auth
from pmond.runtime.http.auth import Peer
from pmond.runtime.intent.acting import Acting, target
from pmond.runtime.intent.intents import changed_record, intent_of
from pmond.runtime.intent.plan_view import conflict, invalid, plan_json, summary_of, with_entries
from pmond.runtime.intent.registry import Declared, Edit, Registry
from pmond.runtime.intent.rollouts import Rollouts
from pmond.runtime.intent.sets import DONE, PROGRESSING, Sets, digest_of, suspension_words
from pmond.runtime.loop import Loop

_LARGE = 64 * 1024
"""Bytes above which documents are read in a thread, so that the loop goes on meanwhile."""


class Order(Struct, frozen=True):
    """How a manifest is to be brought in, and on whose word."""

    options: Options
    peer: Peer | None = None
    """Who asks; None: the daemon itself, for its own configuration."""
    message: str = ""
    commit: str = ""
    if_version: int | None = None
    """The version that the set must have; 0: it must not be there."""
    expected: str = ""
    """The digest of the plan that is to be carried out, exactly."""
    on_failure: str = STOP
    parallel: int = 1
    insist: bool = False
    """Although the set is suspended, and without the guards: a rollback."""
    whole_entries: bool = False

    @property
    def by(self) -> str:
        return self.peer.user if self.peer is not None else "pmond"


class Applied(Struct, frozen=True):
    """What was done: the plan, what to wait for, and whether it is rolled out in waves."""

    plan: dict[str, Any]
    targets: list[Target] = field(default_factory=list)
    revision: int = 0
    """The number of the new revision; 0 when nothing was changed."""


class Applying:
    """Brings manifests in."""

    def __init__(
        self, registry: Registry, loop: Loop, acting: Acting, sets: Sets, rollouts: Rollouts, daemon_uid: int
    ) -> None:
        self._registry = registry
        self._loop = loop
        self._acting = acting
        self._sets = sets
        self._rollouts = rollouts
        self._daemon_uid = daemon_uid

    async def read(self, documents: Sequence[Document]) -> Reading:
        """The processes of documents; names that are declared already may be depended upon."""
        present = dict(self._registry.processes)
        user_exists = cache(lambda user: auth.uid_of(user, self._daemon_uid) is not None)
        if sum(len(document.content) for document in documents) < _LARGE:
            return _read(documents, present, user_exists)
        return await asyncio.to_thread(_read, documents, present, user_exists)

    def plan(self, documents: Sequence[Document], reading: Reading, order: Order) -> dict[str, Any]:
        """What bringing it in would do. Raises PmonError for mistakes, conflicts and guards."""
        self._check_version(order)
        existing = self._existing(self._intents())
        comparison = self._compare(reading, self._owned(reading, order), order, existing)
        return self._plan_json(documents, reading, order, comparison, existing)

    def apply(self, documents: Sequence[Document], reading: Reading, order: Order) -> Applied:
        """Bring it in; the plan that was carried out, and what to wait for."""
        self._check_version(order)
        self._check_suspended(documents, order)
        intents = self._intents()
        existing = self._existing(intents)
        owned = self._owned(reading, order)
        comparison = self._compare(reading, owned, order, existing)
        plan = self._plan_json(documents, reading, order, comparison, existing)
        self._check_expected(plan, comparison, order)
        entries = {entry.spec.name: entry for entry in owned}
        rollout = rollout_of(comparison, order.parallel, order.on_failure)
        brought = bring_in(
            comparison,
            intents,
            {name: Place(entry.file, entry.line, entry.column) for name, entry in entries.items()},
            order.options,
            trusted=order.peer is None or auth.is_owner(order.peer, self._daemon_uid),
            staged=rollout is not None,
        )
        self._save(documents, order, comparison, entries, brought, rollout)
        for name in brought.intents:
            self._loop.retry(name)
        if rollout is not None:
            self._rollouts.start(order.options.owner)
        record = self._sets.get(order.options.owner)
        changed = bool(comparison.steps) and record is not None and not order.options.partial
        return Applied(plan, self._targets(entries, rollout), record.revision if record and changed else 0)

    def _save(
        self,
        documents: Sequence[Document],
        order: Order,
        comparison: Comparison,
        entries: Mapping[str, Entry],
        brought: BroughtIn,
        rollout: Rollout | None,
    ) -> None:
        owner = order.options.owner
        with self._registry.edit(f"the manifest {owner}") as edit:
            old_names = {new: old for old, new in brought.moved.items()}
            for name, intent in brought.intents.items():
                self._put(edit, name, intent, old_names.get(name, name))
            self._keep_groups(edit, entries)
            revision = None
            if comparison.steps and not order.options.partial:
                summary = summary_of(comparison)
                outcome = PROGRESSING if rollout is not None else DONE
                revision = self._sets.new_revision(
                    edit, owner, documents, order.by, summary, order.message, order.commit, outcome
                )
            if order.options.partial:
                return
            record = self._sets.accepted(edit, owner, documents, revision, self._uid(order))
            if rollout is not None:
                self._rollouts.write(edit, record, rollout)

    def _uid(self, order: Order) -> int:
        return order.peer.uid if order.peer is not None else self._daemon_uid

    def _put(self, edit: Edit, name: str, intent: Intent, old: str) -> Declared:
        present = self._registry.processes.get(old)
        if present is None:
            place = (intent.place.file, intent.place.line, intent.place.column)
            return edit.add(intent.spec, intent.owner, intent.trusted, place, staged=intent.staged)
        record = changed_record(present.record, intent)
        if old != name:
            edit.rename(present, name)
            record = replace(record, name=name)
        return edit.put(record, intent.spec)

    def _plan_json(
        self,
        documents: Sequence[Document],
        reading: Reading,
        order: Order,
        comparison: Comparison,
        existing: Mapping[str, Existing],
    ) -> dict[str, Any]:
        version = self._sets.version(order.options.owner)
        plan = plan_json(comparison, order.options, version, digest_of(documents), reading.diagnostics)
        return with_entries(plan, comparison, existing) if order.whole_entries else plan

    def _compare(
        self, reading: Reading, entries: Sequence[Entry], order: Order, existing: Mapping[str, Existing]
    ) -> Comparison:
        if not reading.ok:
            raise invalid(reading)
        options = order.options
        comparison = compare([entry.spec for entry in entries], existing, options)
        if comparison.conflicts:
            raise conflict(comparison, options.owner)
        refused = None if order.insist else _refusal(comparison, options)
        if refused is not None:
            raise PmonError(ErrorCode.REFUSED, f"cannot apply {options.owner}: {refused[0]}", refused[1])
        if order.peer is not None:
            for step in comparison.steps:
                present = self._registry.processes.get(step.moved_from or step.name)
                if present is not None:
                    self._acting.check_control("change", order.peer, present)
        # With a name gone, what did not change itself may depend on it.
        gone = {step.moved_from for step in comparison.steps if step.moved_from}
        gone |= {step.name for step in comparison.steps if step.action == PRUNE}
        changed = {step.name for step in comparison.steps}
        specs = [entry.spec for entry in entries if gone or entry.spec.name in changed]
        self._acting.check_dependencies(specs, gone=gone)
        return comparison

    def _check_version(self, order: Order) -> None:
        version = self._sets.version(order.options.owner)
        if order.if_version is not None and order.if_version != version:
            raise PmonError(
                ErrorCode.CONFLICT,
                f"cannot apply {order.options.owner}: it is at version {version}, not {order.if_version}",
                "look at pmon3 diff again, then apply with the new version",
            )

    def _check_suspended(self, documents: Sequence[Document], order: Order) -> None:
        record = self._sets.get(order.options.owner)
        if record is None or record.suspended is None or order.insist:
            return
        until_changed = record.suspended.get("digest")
        if until_changed and until_changed != digest_of(documents):
            return
        raise PmonError(
            ErrorCode.REFUSED,
            f"cannot apply {record.set_name}: it is {suspension_words(record.suspended)}",
            f"pmon3 resume {record.set_name} ends that",
        )

    def _check_expected(self, plan: dict[str, Any], comparison: Comparison, order: Order) -> None:
        if not order.expected or not comparison.steps or plan["plan_digest"] == order.expected:
            return
        raise PmonError(
            ErrorCode.CONFLICT,
            f"cannot apply the plan for {order.options.owner}: something changed since it was made",
            "make a new one with pmon3 plan --out; nothing was changed",
        )

    def _owned(self, reading: Reading, order: Order) -> Sequence[Entry]:
        """The entries with their users filled in, as far as the caller may choose them."""
        if order.peer is None or not reading.ok:
            return reading.entries
        specs = [self._acting.as_submitted(entry.spec, order.peer) for entry in reading.entries]
        pairs = zip(reading.entries, specs, strict=True)
        return [entry if spec is entry.spec else replace(entry, spec=spec) for entry, spec in pairs]

    def _intents(self) -> dict[str, Intent]:
        return {name: intent_of(one) for name, one in self._registry.processes.items()}

    def _existing(self, intents: Mapping[str, Intent]) -> dict[str, Existing]:
        running: dict[str, Runs] = {}
        for name, one in self._registry.processes.items():
            instance = self._loop.observed.get(name, NOTHING_SEEN).instance
            if instance is not None:
                outdated = one.record.deferred and instance.revision != one.wanted.revision
                running[name] = Runs(instance.revision, outdated)
        return intents_.existing(intents, running)

    def _keep_groups(self, edit: Edit, entries: Mapping[str, Entry]) -> None:
        """A manifest's groups are what it says, whatever was assigned by command."""
        ids: dict[tuple[str, ...], frozenset[int]] = {}
        for name, entry in entries.items():
            one = edit.put_processes.get(name) or self._registry.processes[name]
            wanted = ids.get(entry.spec.groups)
            if wanted is None:
                wanted = ids[entry.spec.groups] = frozenset(map(edit.group, entry.spec.groups))
            present = self._registry.group_ids(one.id)
            if wanted != present:
                edit.set_groups(one.id, present, wanted)

    def _targets(self, entries: Mapping[str, Entry], rollout: Rollout | None) -> list[Target]:
        restarts = rollout.restarts if rollout is not None else frozenset()
        waiting = {name for wave in rollout.waves for name in wave} if rollout is not None else set()
        targets = []
        for name in entries:
            one = self._registry.processes[name]
            if one.wanted.up or name in waiting:
                promise = target(one)
                # A restart that is still to be let go will count up.
                targets.append({**promise, "token": promise["token"] + (name in restarts)})
        return targets  # type: ignore[return-value]


def _read(
    documents: Sequence[Document], present: Mapping[str, Declared], user_exists: Callable[[str], bool]
) -> Reading:
    """What documents say; a process that is declared like that already keeps its spec.

    Not a second equal value: comparing the two afterwards, in the loop, then costs nothing.
    """
    reading = read(documents, known_names=present.keys(), user_exists=user_exists)
    return replace(reading, entries=tuple(_shared(entry, present) for entry in reading.entries))


def _shared(entry: Entry, present: Mapping[str, Declared]) -> Entry:
    one = present.get(entry.spec.name)
    return replace(entry, spec=one.spec) if one is not None and one.spec == entry.spec else entry


def _refusal(comparison: Comparison, options: Options) -> tuple[str, str] | None:
    try:
        return pruning.refusal(comparison, options)
    except ValueError as error:
        raise PmonError(ErrorCode.BAD_REQUEST, f"cannot read the prune limit: {error}") from None


__all__ = ["Applied", "Applying", "Order", "invalid"]
