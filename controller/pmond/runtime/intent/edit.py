"""One declared process, and changes of several together.

Theory of operation: one `Declared` per process joins the record of the state file with the values
derived from it; it is made once for each change and never changes. An `Edit` collects what is put
and deleted: in an open transaction, or in a draft that a thread may write for the loop to carry out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from pmon3_schema.process import ProcessSpec
from pmon3_schema.revision import revision
from pmond.core import model
from pmond.core.intent import Intent, SourceLocation
from pmond.core.model import Wanted
from pmond.core.plan import dependants_of
from pmond.runtime.base.clock import Clock
from pmond.runtime.state.records import GroupRecord, ProcessRecord
from pmond.runtime.state.transaction import DraftTransaction, Transaction

CLI = "cli"
"""The owner of processes that were submitted by command."""


class Declared(Struct, frozen=True):
    """One process as it is wanted."""

    record: ProcessRecord
    spec: ProcessSpec
    wanted: Wanted
    intent: Intent

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def id(self) -> int:
        return self.record.id


def dump(spec: ProcessSpec) -> dict[str, Any]:
    """The spec as the state file keeps it: plain data without defaults."""
    return spec.to_record()


def declared(record: ProcessRecord, spec: ProcessSpec | None = None) -> Declared:
    """The values derived from a record. Raises ValueError for a damaged spec."""
    spec = spec or ProcessSpec.from_record(record.spec)
    kept = record.hold
    hold = None
    if kept is not None:
        hold = model.Hold(kept.up, kept.by, kept.at, kept.reason, kept.until or "")
    wanted = Wanted(
        spec=spec,
        revision=revision(spec),
        generation=record.generation,
        token=record.token,
        hold=hold,
        deferred=record.deferred,
        deleting=record.deleting,
        forced=record.forced,
        staged=record.staged,
        trusted=record.trusted,
    )
    intent = Intent(
        spec=spec,
        owner=record.owner,
        place=SourceLocation(record.file, record.line, record.column),
        generation=record.generation,
        token=record.token,
        hold=hold,
        deferred=record.deferred,
        staged=record.staged,
        deleting=record.deleting,
        forced=record.forced,
        trusted=record.trusted,
        undeclared=record.undeclared,
    )
    return Declared(record, spec, wanted, intent)


class Inventory(Struct, frozen=True):
    """Everything that is declared, by name, and what of it the loop decides on."""

    processes: dict[str, Declared]
    wanted: dict[str, Wanted]
    dependants: Mapping[str, tuple[str, ...]]


def inventory(processes: dict[str, Declared]) -> Inventory:
    wanted = {name: one.wanted for name, one in processes.items()}
    dependants = dependants_of((name, one.spec.dependencies) for name, one in processes.items())
    return Inventory(processes, wanted, dependants)


class Edit:
    """The changes of one transaction, kept aside until it has reached the disk."""

    def __init__(self, change: Transaction, clock: Clock, groups: Mapping[int, str]) -> None:
        self.change = change
        self.put_processes: dict[str, Declared] = {}
        self.deleted_processes: list[Declared] = []
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

    def delete(self, old: Sequence[Declared]) -> None:
        """Remove processes for good, some hundred at most."""
        self.change.delete_processes([one.id for one in old])
        self.deleted_processes += old

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


class Drafted(Edit):
    """Changes that are written down first, by a thread perhaps, and carried out later."""

    def __init__(self, draft: DraftTransaction, clock: Clock, groups: Mapping[int, str]) -> None:
        super().__init__(draft, clock, groups)
        self.draft = draft
        self.renamed: dict[str, str] = {}
        self.after: Inventory
        """What is declared when it has been carried out."""

    def rename(self, old: Declared, name: str) -> None:
        """The process is called `name` from now on; its record is put under that name next."""
        self.change.rename_runtime(old.name, name)
        self.renamed[old.name] = name

    def settle(self, processes: Mapping[str, Declared]) -> None:
        """The draft is complete; `processes` are those from which it was made."""
        after = {name: one for name, one in processes.items() if name not in self.renamed}
        after.update(self.put_processes)
        self.after = inventory(after)

    def go_on(self, change: Transaction) -> None:
        """The draft was executed in an open transaction; what comes now is executed in it at once."""
        for old, new in self.draft.renames:
            change.rename_runtime(old, new)
        self.change = change
