"""Changes of several intents together.

Theory of operation: an `Edit` collects what is put and deleted: in an open transaction, or in a draft
that a thread may write for the loop to carry out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from pmond.core.model import Intent
from pmond.core.plan import dependants_of
from pmond.core.replicas import meant, names_by_entry
from pmond.runtime.base.clock import Clock
from pmond.runtime.state.records import GroupRecord
from pmond.runtime.state.transaction import DraftTransaction, Transaction


class Inventory(Struct, frozen=True):
    """Everything that is wanted, by name, and who depends on whom."""

    processes: dict[str, Intent]
    dependants: Mapping[str, tuple[str, ...]]
    replicas: Mapping[str, tuple[str, ...]]


def inventory(processes: dict[str, Intent]) -> Inventory:
    replicas = names_by_entry(processes.values())
    needs = ((name, meant(one.spec.needs, replicas)) for name, one in processes.items())
    return Inventory(processes, dependants_of(needs), replicas)


class Edit:
    """The changes of one transaction, kept aside until it has reached the disk."""

    def __init__(self, change: Transaction, clock: Clock, groups: Mapping[int, str]) -> None:
        self.change = change
        self.put_processes: dict[str, Intent] = {}
        self.deleted_processes: list[Intent] = []
        self.groups = dict(groups)
        self.memberships: dict[int, frozenset[int]] = {}
        """For each process id whose groups change, the ids of its groups."""
        self._now = clock.wall()
        self.done: list[Callable[[], None]] = []
        """Called once it is on the disk: what else in memory follows it."""

    def put(self, intent: Intent) -> Intent:
        """Add or replace a process; its number is filled in, and the times."""
        if not intent.id:
            intent = replace(intent, id=self.change.next_process_id(), created_at=self._now)
        new = replace(intent, updated_at=self._now)
        self.change.put_process(new)
        self.put_processes[new.name] = new
        return new

    def delete(self, old: Sequence[Intent]) -> None:
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


class Drafted(Edit):
    """Changes that are written down first, by a thread perhaps, and carried out later."""

    def __init__(self, draft: DraftTransaction, clock: Clock, groups: Mapping[int, str]) -> None:
        super().__init__(draft, clock, groups)
        self.draft = draft
        self.renamed: dict[str, str] = {}
        self.after: Inventory
        """What is declared when it has been carried out."""

    def rename(self, old: Intent, name: str) -> None:
        """The process is called `name` from now on; its record is put under that name next."""
        self.change.rename_runtime(old.name, name)
        self.renamed[old.name] = name

    def settle(self, processes: Mapping[str, Intent]) -> None:
        """The draft is complete; `processes` are those from which it was made."""
        after = {name: one for name, one in processes.items() if name not in self.renamed}
        after.update(self.put_processes)
        self.after = inventory(after)

    def go_on(self, change: Transaction) -> None:
        """The draft was executed in an open transaction; what comes now is executed in it at once."""
        for old, new in self.draft.renames:
            change.rename_runtime(old, new)
        self.change = change
