"""What is wanted: processes and groups, in memory as in the state file, changed together.

Theory of operation: a change is an `edit`: records are put and deleted inside one durable
transaction, and only when that has reached the disk does memory follow and the loop look at what
was touched. So what a caller was told is on disk, and what could not be saved did not happen.
A change of thousands is drafted first, from what is declared at one moment (`version`), and carried
out over several turns if nothing else was changed meanwhile; it counts from one moment on all the same.
"""

from __future__ import annotations

import asyncio
import gc
from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from operator import attrgetter
from typing import Any

from msgspec.structs import replace

from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.protocol import Selection
from pmond.core.model import Intent
from pmond.core.plan import near, neighbours
from pmond.runtime.base.clock import Clock
from pmond.runtime.base.failpoints import FailPoint, reached
from pmond.runtime.base.long_work import MANY
from pmond.runtime.intent.edit import Drafted, Edit, Inventory, inventory
from pmond.runtime.state.records import Batch, Snapshot
from pmond.runtime.state.staging import Staging
from pmond.runtime.state.store import Store, explained
from pmond.runtime.state.store_error import StoreError
from pmond.runtime.state.transaction import DraftTransaction
from pmond.runtime.supervise.bus import Bus
from pmond.runtime.supervise.listeners import RenameListener
from pmond.runtime.supervise.loop import Loop

_SIMILAR = 500
"""Names before and after a mistyped one, in their order, that it is compared with."""
_AT_ONCE = 250
"""Rows written in one turn: about a millisecond. A request takes several turns."""

_LONGEST_ID = 19
"""Digits: SQLite keeps ids in 63 bits."""

Finish = Callable[[Edit], None]
"""Adds to a change what can only be known when it is written."""


class Registry:
    """The one writer of what is wanted."""

    def __init__(
        self,
        store: Store,
        loop: Loop,
        bus: Bus,
        clock: Clock,
        rename_listeners: Sequence[RenameListener] = (),
    ) -> None:
        """`rename_listeners`: who carries over what is known of a process, in this order."""
        self.processes: dict[str, Intent] = {}
        self.groups: dict[int, str] = {}
        self._memberships: dict[int, frozenset[int]] = {}
        """For each process id the ids of its groups."""
        self.version = 0
        """Counts the changes: what was worked out from one version holds as long as that does."""
        self._store = store
        self._loop = loop
        self._bus = bus
        self._clock = clock
        self._rename_listeners = rename_listeners

    def load(self, snapshot: Snapshot) -> None:
        """Take over what the state file holds."""
        self.processes = {one.name: one for one in snapshot.processes}
        self.groups = {group.id: group.name for group in snapshot.groups}
        for group, process in snapshot.memberships:
            self._memberships[process] = self.group_ids(process) | {group}
        self._take(inventory(self.processes))

    @contextmanager
    def edit(self, what: str) -> Iterator[Edit]:
        """Change processes and groups together; raises PmonError when it cannot be saved."""
        with _told(), self._store.transaction(what) as change:
            edit = Edit(change, self._clock, self.groups)
            yield edit
        self._commit(edit)

    def carry_out(self, drafted: Drafted, what: str, finish: Finish) -> None:
        """Do at once what was drafted from what is declared now. `finish` adds to it, last."""
        with _told(), self._store.transaction(what) as change:
            for statements in drafted.draft.statements(_AT_ONCE):
                change.execute(statements)
            drafted.go_on(change)
            finish(drafted)
        self._commit_draft(drafted)

    async def carry_out_in_turns(self, drafted: Drafted, version: int, what: str, finish: Finish) -> bool:
        """The same, with the loop going on between; False: nothing was done, as something else was.

        `version` is that of what it was drafted from.
        """
        if self.version != version:
            return False
        with _told(), explained(what):
            if not await self._write_in_turns(drafted, self._store.stage(what), finish):
                return False
        self._commit_draft(drafted)
        self._store.checkpoint()
        return True

    async def _write_in_turns(self, drafted: Drafted, staging: Staging, finish: Finish) -> bool:
        try:
            for statements in drafted.draft.statements(_AT_ONCE):
                staging.write(statements)
                await asyncio.sleep(0)
                if not staging.open:
                    return False
            await staging.sync()
            if not staging.open:
                return False
            with staging.committed() as change:
                drafted.go_on(change)
                finish(drafted)
        except BaseException:
            staging.abandon()
            self._store.flush(Batch())  # what waited for it
            raise
        return True

    def _commit(self, edit: Edit) -> None:
        touched: set[str] = set()
        reindex = False
        for old in edit.deleted_processes:
            touched |= neighbours(self._loop.desired, old.name) - {old.name}
            self.processes.pop(old.name, None)
            self._memberships.pop(old.id, None)
            reindex |= bool(old.spec.dependencies) or old.replica is not None
        for name, new in edit.put_processes.items():
            before = self.processes.get(name)
            reindex |= new.spec.dependencies != (before.spec.dependencies if before is not None else ())
            reindex |= new.replica is not None or (before is not None and before.replica is not None)
            self.processes[name] = new
        if reindex:
            self._take(inventory(self.processes))
        self._follow(edit, touched)

    def _commit_draft(self, drafted: Drafted) -> None:
        """In one go, however much it is: there are no steps between that anybody could see."""
        if drafted.renamed:
            self._store.renamed(drafted.renamed)
        for old, name in drafted.renamed.items():
            reached(FailPoint.RENAME_SAVED)
            for listener in self._rename_listeners:
                listener.renamed(self.processes[old], name)
        self._take(drafted.after)
        self._follow(drafted, set(drafted.renamed))

    def _take(self, after: Inventory) -> None:
        self.processes = after.processes
        self._loop.desired = replace(
            self._loop.desired,
            wanted=after.processes,
            dependants=after.dependants,
            replicas=after.replicas,
        )

    def _follow(self, edit: Edit, touched: set[str]) -> None:
        """What else in memory goes with an edit, and what the loop is to look at."""
        self.version += 1
        self.groups = edit.groups
        self._memberships.update(edit.memberships)
        names = edit.put_processes.keys()
        # Where much changes, to look for the neighbours takes longer than to look at all.
        much = 4 * len(names) > len(self.processes)
        touched |= self.processes.keys() if much else near(self._loop.desired, names)
        for name in self._loop.quarantined.keys() & names:
            del self._loop.quarantined[name]
        self._loop.note(names)
        for follow in edit.done:
            follow()
        self._bus.changed(names)
        self._loop.touch(touched)
        if len(names) >= MANY:
            gc.freeze()  # they stay: visiting them at each full collection would block the loop

    def select(self, selection: Selection, *, deleting: bool = True) -> list[Intent]:
        """The selected processes by id. Raises PmonError `not_found` for what matches nothing."""
        chosen: dict[str, Intent] = {}
        for ref in selection.refs:
            chosen.update((one.name, one) for one in self.resolve(ref))
        for group in selection.groups:
            chosen.update((one.name, one) for one in self.in_group(self.group_id(group)))
        if not selection.refs and not selection.groups:
            chosen = dict(self.processes)
        found = [one for one in chosen.values() if not selection.labels or _has_labels(one, selection)]
        found = [one for one in found if deleting or not one.deleting]
        return sorted(found, key=attrgetter("id"))

    def resolve(self, ref: str) -> list[Intent]:
        """The processes that an id, a name, that of all replicas, or a glob means.

        An id wins over a name of digits.
        """
        number = _number(ref)
        found = [one for one in self.processes.values() if one.id == number] if number is not None else []
        if not found and ref in self.processes:
            return [self.processes[ref]]
        if not found:
            found = [one for one in self.processes.values() if one.entry_name == ref]
        if not found:
            found = [one for name, one in self.processes.items() if fnmatchcase(name, ref)]
        if not found:
            raise not_found(ref, self.processes)
        return found

    def one(self, ref: str) -> Intent:
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
        if (meant := _number(ref)) is not None and meant in self.groups:
            return meant
        raise PmonError(
            ErrorCode.NOT_FOUND, f"cannot find group {ref!r}: there is none", "pmon3 group ls lists them"
        )

    def in_group(self, group: int) -> list[Intent]:
        """The members of a group by id."""
        found = [one for one in self.processes.values() if group in self.group_ids(one.id)]
        return sorted(found, key=lambda one: one.id)

    def memberships(self) -> dict[int, frozenset[int]]:
        """For each process id the ids of its groups, as they are now."""
        return dict(self._memberships)

    def draft(self) -> Drafted:
        """A change to be written down and carried out later, if nothing else is declared until then."""
        return Drafted(DraftTransaction(*self._store.last_ids()), self._clock, self.groups)

    def group_ids(self, process: int) -> frozenset[int]:
        """The ids of the groups of a process."""
        return self._memberships.get(process, frozenset())

    def groups_of(self, one: Intent) -> list[str]:
        """The names of the groups of a process, by id."""
        return [self.groups[number] for number in sorted(self.group_ids(one.id)) if number in self.groups]


def _number(ref: str) -> int | None:
    """The id that a reference means, if it is one."""
    # Longer ones are no id, and beyond 4,300 digits the interpreter reads none.
    return int(ref) if ref.isascii() and ref.isdecimal() and len(ref) < _LONGEST_ID else None


@contextmanager
def _told() -> Iterator[None]:
    """Raises PmonError if the change cannot be saved."""
    try:
        yield
    except StoreError as error:
        raise PmonError(ErrorCode.INTERNAL, str(error), "nothing was changed") from error


def not_found(ref: str, names: Sequence[str] | dict[str, Any]) -> PmonError:
    """The error for a reference that means nothing, with the nearest name there is."""
    from difflib import get_close_matches

    ordered = sorted(names)
    place = bisect(ordered, ref)
    # To compare with ten thousand takes 150 ms; who mistypes a name seldom does so at its beginning.
    around = ordered[max(0, place - _SIMILAR) : place + _SIMILAR]
    similar = get_close_matches(ref, around, n=1)
    hint = f"did you mean {similar[0]}?" if similar else "pmon3 ls lists the processes"
    return PmonError(ErrorCode.NOT_FOUND, f"cannot find process {ref!r}: there is none", hint)


def _has_labels(one: Intent, selection: Selection) -> bool:
    return all(one.spec.labels.get(key) == value for key, value in selection.labels.items())
