"""What is wanted: processes and groups, in memory as in the state file, changed together.

Theory of operation: one `Declared` per process joins the record of the state file with the values
derived from it. A change is an `edit`: records are put and deleted inside one durable
transaction, and only when that has reached the disk does memory follow and the loop look at what
was touched. So what a caller was told is on disk, and what could not be saved did not happen.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.process import ProcessSpec
from pmon3_schema.protocol import Selection
from pmon3_schema.revision import revision
from pmond.core import model
from pmond.core.model import Desired, Wanted
from pmond.core.plan import dependants_of, neighbours
from pmond.runtime.clock import Clock
from pmond.runtime.failpoints import FailPoint, reached
from pmond.runtime.loop import Loop
from pmond.runtime.state.change import Change
from pmond.runtime.state.records import GroupRecord, ProcessRecord, Snapshot
from pmond.runtime.state.store import Store
from pmond.runtime.state.store_error import StoreError

_MANY = 256
"""Processes in one change from which on the cyclic collector is spared them."""
CLI = "cli"
"""The owner of processes that were submitted by command."""


class Declared(Struct, frozen=True):
    """One process as it is wanted."""

    record: ProcessRecord
    spec: ProcessSpec
    wanted: Wanted

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def id(self) -> int:
        return self.record.id


def dump(spec: ProcessSpec) -> dict[str, Any]:
    """The spec as the state file keeps it: plain data without defaults."""
    return spec.model_dump(mode="json", exclude_defaults=True)


def declared(record: ProcessRecord, spec: ProcessSpec | None = None) -> Declared:
    """The values derived from a record. Raises pydantic's ValidationError for a damaged spec."""
    spec = spec or ProcessSpec.model_validate(record.spec)
    hold = record.hold
    wanted = Wanted(
        spec=spec,
        revision=revision(spec),
        generation=record.generation,
        token=record.token,
        hold=model.Hold(hold.up, hold.by, hold.at, hold.reason) if hold is not None else None,
        deferred=record.deferred,
        deleting=record.deleting,
        forced=record.forced,
        staged=record.staged,
        trusted=record.trusted,
    )
    return Declared(record, spec, wanted)


class Edit:
    """The changes of one transaction, kept aside until it has reached the disk."""

    def __init__(self, change: Change, clock: Clock, groups: Mapping[int, str]) -> None:
        self.change = change
        self.put_processes: dict[str, Declared] = {}
        self.deleted_processes: list[Declared] = []
        self.renamed: dict[str, str] = {}
        self.groups = dict(groups)
        self.memberships: dict[int, frozenset[int]] = {}
        """For each process id whose groups change, the ids of its groups."""
        self._now = clock.wall()
        self.done: list[Callable[[], None]] = []
        """Called once it is on the disk: what else in memory follows it."""

    def put(self, record: ProcessRecord, spec: ProcessSpec | None = None) -> Declared:
        """Add or replace a process; the time of change is filled in."""
        new = declared(replace(record, updated_at=self._now), spec)
        self.change.put_process(new.record)
        self.put_processes[new.name] = new
        return new

    def rename(self, old: Declared, name: str) -> None:
        """The process is called `name` from now on; its record is put under that name next."""
        self.change.rename_runtime(old.name, name)
        self.renamed[old.name] = name

    def delete(self, old: Declared) -> None:
        """Remove a process for good."""
        self.change.delete_process(old.id)
        self.deleted_processes.append(old)

    def group(self, name: str) -> int:
        """The id of the group of that name, which is created if there is none."""
        for number, existing in self.groups.items():
            if existing == name:
                return number
        number = self.change.next_group_id()
        self.change.put_group(GroupRecord(number, name))
        self.groups[number] = name
        return number

    def delete_group(self, number: int) -> None:
        """Remove a group; its processes stay."""
        self.change.delete_group(number)
        del self.groups[number]

    def set_groups(self, process: int, present: frozenset[int], wanted: frozenset[int]) -> None:
        """Make the groups of a process exactly `wanted`."""
        for number in wanted - present:
            self.change.add_member(number, process)
        for number in present - wanted:
            self.change.remove_member(number, process)
        self.memberships[process] = wanted

    def add(
        self,
        spec: ProcessSpec,
        owner: str,
        trusted: bool,
        place: tuple[str, int, int] = ("", 0, 0),
        staged: bool = False,
    ) -> Declared:
        """Add a process that is new."""
        record = ProcessRecord(
            id=self.change.next_process_id(), name=spec.name, owner=owner, spec=dump(spec), generation=1,
            token=1, hold=None, deferred=False, deleting=False, file=place[0],
            line=place[1], column=place[2], created_at=self._now, updated_at="", trusted=trusted,
            staged=staged,
        )  # fmt: skip
        return self.put(record, spec)


class Registry:
    """The one writer of what is wanted."""

    def __init__(self, store: Store, loop: Loop, clock: Clock) -> None:
        self.processes: dict[str, Declared] = {}
        self.groups: dict[int, str] = {}
        self._memberships: dict[int, frozenset[int]] = {}
        """For each process id the ids of its groups."""
        self.changed: Callable[[Set[str]], None] = lambda names: None
        """Told the names of processes of which something else is wanted now."""
        self.renamed: Callable[[Declared, str], None] = lambda old, name: None
        """Told the old process and the new name of a process, to carry over what is known of it."""
        self._store = store
        self._loop = loop
        self._clock = clock

    def load(self, snapshot: Snapshot) -> list[str]:
        """Take over what the state file holds; answers what had to be left out, for people."""
        notices = []
        for record in snapshot.processes:
            try:
                self.processes[record.name] = declared(record)
            except ValueError as error:  # pydantic's is one
                notices.append(f"cannot read the spec of {record.name}: {error}")
        self.groups = {group.id: group.name for group in snapshot.groups}
        for group, process in snapshot.memberships:
            self._memberships[process] = self.group_ids(process) | {group}
        self._index()
        return notices

    @contextmanager
    def edit(self, what: str) -> Iterator[Edit]:
        """Change processes and groups together; raises PmonError when it cannot be saved."""
        try:
            with self._store.transaction(what) as change:
                edit = Edit(change, self._clock, self.groups)
                yield edit
        except StoreError as error:
            raise PmonError(ErrorCode.INTERNAL, str(error), "nothing was changed") from error
        self._commit(edit)

    def _commit(self, edit: Edit) -> None:
        touched: set[str] = set()
        reindex = False
        for old in edit.deleted_processes:
            self.processes.pop(old.name, None)
            self._memberships.pop(old.id, None)
            touched |= neighbours(self._loop.desired, old.name) - {old.name}
            reindex = True
        for old_name, name in edit.renamed.items():
            reached(FailPoint.RENAME_SAVED)
            self.renamed(self.processes.pop(old_name), name)
            touched |= {old_name, name}
            reindex = True
        for name, new in edit.put_processes.items():
            before = self.processes.get(name)
            reindex |= before is None or before.spec.dependencies != new.spec.dependencies
            self.processes[name] = new
        self.groups = edit.groups
        self._memberships.update(edit.memberships)
        if reindex:
            self._index()
        for name, new in edit.put_processes.items():
            self._wanted[name] = new.wanted
            touched |= neighbours(self._loop.desired, name)
            self._loop.set_aside.pop(name, None)
            self._loop.note(name)
        for follow in edit.done:
            follow()
        self.changed(edit.put_processes.keys())
        self._loop.touch(touched)
        if len(edit.put_processes) >= _MANY:
            gc.freeze()  # they stay: visiting them at each full collection would block the loop

    def _index(self) -> None:
        self._wanted = {name: one.wanted for name, one in self.processes.items()}
        dependants = dependants_of((name, one.spec.dependencies) for name, one in self.processes.items())
        self._loop.desired = Desired(self._wanted, dependants, self._loop.desired.ending)

    def select(self, selection: Selection, *, deleting: bool = True) -> list[Declared]:
        """The selected processes by id. Raises PmonError `not_found` for what matches nothing."""
        chosen: dict[str, Declared] = {}
        for ref in selection.refs:
            chosen.update((one.name, one) for one in self.resolve(ref))
        for group in selection.groups:
            chosen.update((one.name, one) for one in self.in_group(self.group_id(group)))
        if not selection.refs and not selection.groups:
            chosen = dict(self.processes)
        found = [one for one in chosen.values() if _has_labels(one, selection)]
        found = [one for one in found if deleting or not one.record.deleting]
        return sorted(found, key=lambda one: one.id)

    def resolve(self, ref: str) -> list[Declared]:
        """The processes that an id, a name or a glob means. An id wins over a name of digits."""
        found = [one for one in self.processes.values() if ref.isdecimal() and one.id == int(ref)]
        if not found and ref in self.processes:
            return [self.processes[ref]]
        if not found:
            found = [one for name, one in self.processes.items() if fnmatchcase(name, ref)]
        if not found:
            raise not_found(ref, self.processes)
        return found

    def one(self, ref: str) -> Declared:
        """The single process that a reference means."""
        found = self.resolve(ref)
        if len(found) > 1:
            why = f"cannot choose: {ref!r} means {', '.join(one.name for one in found)}"
            raise PmonError(ErrorCode.BAD_REQUEST, why, "name one of them")
        return found[0]

    def group_id(self, ref: str) -> int:
        """The id of a group named by name or id."""
        for number, name in self.groups.items():
            if name == ref:
                return number
        if ref.isdecimal() and int(ref) in self.groups:
            return int(ref)
        raise PmonError(
            ErrorCode.NOT_FOUND, f"cannot find group {ref!r}: there is none", "pmon3 group ls lists them"
        )

    def in_group(self, group: int) -> list[Declared]:
        """The members of a group by id."""
        found = [one for one in self.processes.values() if group in self.group_ids(one.id)]
        return sorted(found, key=lambda one: one.id)

    def group_ids(self, process: int) -> frozenset[int]:
        """The ids of the groups of a process."""
        return self._memberships.get(process, frozenset())

    def groups_of(self, one: Declared) -> list[str]:
        """The names of the groups of a process, by id."""
        return [self.groups[number] for number in sorted(self.group_ids(one.id)) if number in self.groups]


def not_found(ref: str, names: Sequence[str] | dict[str, Any]) -> PmonError:
    """The error for a reference that means nothing, with the nearest name there is."""
    from difflib import get_close_matches

    near = get_close_matches(ref, list(names), n=1)
    hint = f"did you mean {near[0]}?" if near else "pmon3 ls lists the processes"
    return PmonError(ErrorCode.NOT_FOUND, f"cannot find process {ref!r}: there is none", hint)


def _has_labels(one: Declared, selection: Selection) -> bool:
    return all(one.spec.labels.get(key) == value for key, value in selection.labels.items())
