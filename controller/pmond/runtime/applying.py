"""Manifests to intent: read, compare, and take over what is accepted as one unit.

Theory of operation: a manifest is read and checked as a whole; with one error in it nothing is
taken from it. `core.compare` then says what differs. A dry run stops there. Otherwise all steps
are saved in one transaction together with the documents themselves (the last good reading), and
the loop does the rest. `init` and hot reload come the same way as `apply`, but leave changes that
need a restart to the next start unless `reload_policy` says otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

from pmon3_schema.diagnostics import Diagnostic
from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.manifest import Document, Entry, Reading, read
from pmon3_schema.process import ProcessSpec
from pmon3_schema.revision import mask
from pmon3_schema.status import Target
from pmond.core.compare import (
    ADOPT,
    CREATE,
    PRUNE,
    RESTART,
    Comparison,
    Existing,
    Step,
    compare,
    too_many_pruned,
)
from pmond.core.model import NOTHING_SEEN
from pmond.runtime import auth
from pmond.runtime.acting import Acting, target
from pmond.runtime.auth import Peer
from pmond.runtime.clock import Clock
from pmond.runtime.documents import pack
from pmond.runtime.loop import Loop
from pmond.runtime.records import SourceRecord
from pmond.runtime.registry import Declared, Edit, Registry, dump

PLAN_FORMAT = "pmon3.plan/1.0"
_LARGE = 64 * 1024
"""Bytes above which documents are read in a thread, so that the loop goes on meanwhile."""


@dataclass(frozen=True, slots=True)
class Order:
    """How a manifest is to be brought in."""

    owner: str
    prune: bool = False
    take_over: bool = False
    restart: bool = True
    peer: Peer | None = None
    """Who asks; None: the daemon itself, for its own configuration."""


class Applying:
    """Brings manifests in."""

    def __init__(self, registry: Registry, loop: Loop, acting: Acting, clock: Clock, daemon_uid: int) -> None:
        self._registry = registry
        self._loop = loop
        self._acting = acting
        self._clock = clock
        self._daemon_uid = daemon_uid

    async def read(self, documents: Sequence[Document]) -> Reading:
        """The processes of documents; names that are declared already may be depended upon."""
        known = frozenset(self._registry.processes)
        if sum(len(document.content) for document in documents) < _LARGE:
            return read(documents, known_names=known)
        return await asyncio.to_thread(read, documents, known_names=known)

    def plan(self, reading: Reading, order: Order) -> dict[str, Any]:
        """What bringing it in would do. Raises PmonError for mistakes and conflicts."""
        comparison = self._compare(reading, order)
        return plan_json(order.owner, comparison, reading.diagnostics)

    def apply(
        self, documents: Sequence[Document], reading: Reading, order: Order
    ) -> tuple[dict[str, Any], list[Target]]:
        """Bring it in; the plan that was carried out, and what to wait for."""
        comparison = self._compare(reading, order)
        entries = {entry.spec.name: self._owned(entry, order) for entry in reading.entries}
        changed: list[Declared] = []
        with self._registry.edit(f"the manifest {order.owner}") as edit:
            for step in comparison.steps:
                changed += self._take(edit, step, entries.get(step.name), order)
            self._keep_groups(edit, entries)
            self._place(edit, entries, {step.name for step in comparison.steps})
            edit.change.put_source(_source(documents, order.owner, self._clock.wall()))
        self._lift(changed)
        return plan_json(order.owner, comparison, reading.diagnostics), self._targets(entries)

    def _compare(self, reading: Reading, order: Order) -> Comparison:
        if not reading.ok:
            raise invalid(reading)
        entries = [self._owned(entry, order).spec for entry in reading.entries]
        existing = self._existing()
        prune = order.prune and bool(entries)
        comparison = compare(
            entries, existing, order.owner, prune=prune, take_over=order.take_over, restart=order.restart
        )
        if comparison.conflicts:
            raise _conflict(comparison, order.owner)
        owned = sum(one.owner == order.owner for one in existing.values())
        if prune and too_many_pruned(comparison, owned):
            pruned = sum(step.action == PRUNE for step in comparison.steps)
            raise PmonError(
                ErrorCode.REFUSED,
                f"cannot apply {order.owner}: {pruned} of its {owned} processes would be deleted",
                "delete them with pmon3 del, if that is meant",
            )
        if order.peer is not None:
            for step in comparison.steps:
                if step.name in self._registry.processes:
                    self._acting.check_control("change", order.peer, self._registry.processes[step.name])
        self._acting.check_dependencies(entries)
        return comparison

    def _owned(self, entry: Entry, order: Order) -> Entry:
        if order.peer is None:
            return entry
        return replace(entry, spec=self._acting.as_submitted(entry.spec, order.peer))

    def _existing(self) -> dict[str, Existing]:
        return {
            name: Existing(
                one.spec,
                one.record.owner,
                self._loop.observed.get(name, NOTHING_SEEN).instance is not None,
                f"{one.record.file}:{one.record.line}" if one.record.file else "",
            )
            for name, one in self._registry.processes.items()
            if not one.record.deleting
        }

    def _take(self, edit: Edit, step: Step, entry: Entry | None, order: Order) -> list[Declared]:
        present = self._registry.processes.get(step.name)
        if step.action == PRUNE:
            assert present is not None
            record = replace(present.record, deleting=True, generation=present.record.generation + 1)
            return [edit.put(record, present.spec)]
        assert entry is not None
        if present is None:
            return [edit.add(entry.spec, order.owner, self._trusted(order), _place_of(entry))]
        return [self._update(edit, present, step, entry, order)]

    def _update(self, edit: Edit, present: Declared, step: Step, entry: Entry, order: Order) -> Declared:
        record = present.record
        record = replace(
            record,
            owner=order.owner,
            spec=dump(entry.spec),
            generation=record.generation + (step.action != ADOPT),
            deferred=not order.restart if step.effect == "restart" else record.deferred and not order.restart,
            deleting=False,
            forced=False,
            trusted=self._trusted(order),
            file=entry.file,
            line=entry.line,
            column=entry.column,
        )
        if record.deleting or step.action == CREATE:  # declared again while it was being deleted
            record = replace(record, token=record.token + 1, hold=None)
        return edit.put(record, entry.spec)

    def _keep_groups(self, edit: Edit, entries: dict[str, Entry]) -> None:
        """A manifest's groups are what it says, whatever was assigned by command."""
        for name, entry in entries.items():
            one = edit.put_processes.get(name) or self._registry.processes[name]
            wanted = frozenset(edit.group(group) for group in entry.spec.groups)
            present = self._registry.group_ids(one.id)
            if wanted != present:
                edit.set_groups(one.id, present, wanted)

    def _place(self, edit: Edit, entries: dict[str, Entry], done: set[str]) -> None:
        """Follow declarations that only moved within their file, and apply deferred changes now due."""
        for name, entry in entries.items():
            if name in done:
                continue
            record = self._registry.processes[name].record
            if (record.file, record.line, record.column) != _place_of(entry):
                moved = replace(record, file=entry.file, line=entry.line, column=entry.column)
                edit.put(moved, self._registry.processes[name].spec)

    def _lift(self, changed: Sequence[Declared]) -> None:
        for one in changed:
            self._loop.retry(one.name)

    def _targets(self, entries: dict[str, Entry]) -> list[Target]:
        found = (self._registry.processes[name] for name in entries)
        return [target(one) for one in found if one.wanted.up]

    def _trusted(self, order: Order) -> bool:
        return order.peer is None or auth.is_owner(order.peer, self._daemon_uid)


def invalid(reading: Reading) -> PmonError:
    """The error of a manifest with mistakes; they come along as diagnostics."""
    errors = [diagnostic for diagnostic in reading.diagnostics if diagnostic.is_error]
    first = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return PmonError(
        ErrorCode.INVALID,
        f"cannot apply {first.file}: {first.file}:{first.line}:{first.column}: {first.message}{more}",
        "nothing was changed; pmon3 validate shows the places",
        [diagnostic.to_json() for diagnostic in reading.diagnostics],
    )


def plan_json(owner: str, comparison: Comparison, found: Sequence[Diagnostic]) -> dict[str, Any]:
    """A comparison as callers see it; values of the environment are never shown."""
    summary: dict[str, int] = {}
    for step in comparison.steps:
        summary[step.action] = summary.get(step.action, 0) + 1
    return {
        "format": PLAN_FORMAT,
        "set": owner,
        "summary": {**summary, "unchanged": comparison.unchanged},
        "actions": [_step_json(step) for step in comparison.steps],
        "notes": [],
        "diagnostics": [diagnostic.to_json() for diagnostic in found],
    }


def _step_json(step: Step) -> dict[str, Any]:
    return {
        "action": step.action,
        "name": step.name,
        "effect": step.effect,
        "changes": [mask(change).to_json() for change in step.changes],
        "causes": list(step.causes),
    }


def _conflict(comparison: Comparison, owner: str) -> PmonError:
    first = comparison.conflicts[0]
    place = f" ({first.place})" if first.place else ""
    more = f" and {len(comparison.conflicts) - 1} more" if len(comparison.conflicts) > 1 else ""
    return PmonError(
        ErrorCode.CONFLICT,
        f"cannot apply {owner}: {first.name}{more} belongs to {first.owner}{place}",
        f"rename it here, or remove it there (pmon3 del {first.name})",
    )


def _place_of(entry: Entry) -> tuple[str, int, int]:
    return entry.file, entry.line, entry.column


def _source(documents: Sequence[Document], owner: str, at: str) -> SourceRecord:
    packed = pack([(document.path, document.content) for document in documents])
    return SourceRecord(
        path=owner.removeprefix("file:"),
        set_name=owner,
        digest=blake2b(packed, digest_size=16).hexdigest(),
        content=packed,
        accepted=True,
        diagnostics=[],
        checked_at=at,
        version=1,
    )


def of_spec(spec: ProcessSpec, owner: str) -> Order:
    """How a single process of the daemon's own manifest is brought in."""
    return Order(owner=owner, restart=True)


__all__ = ["RESTART", "Applying", "Order", "invalid", "of_spec", "plan_json"]
