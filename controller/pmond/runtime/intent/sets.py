"""Sets: who declares processes, what they said last, and what is in force of it.

Theory of operation: a set is one manifest (`file:PATH`) or one name (`--set NAME`). Its record
joins three things: the source as it was looked at last (accepted or not, and why), the content
in force, and whether taking new content is suspended. Every accepted change is a numbered
revision. Records change inside the registry's transactions, and in memory when those are on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from operator import attrgetter
from typing import Any, cast

from msgspec import Struct
from msgspec.structs import replace

from pmon3_schema.answers import DiagnosticObject, Suspension
from pmon3_schema.diagnostics import UNREADABLE, Diagnostic, Severity
from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.manifest import ManifestFile
from pmon3_schema.profiles import OPTIONS, chosen_by_caller
from pmond.core.model import CLI, Intent
from pmond.runtime.base.clock import Clock
from pmond.runtime.files.documents import as_json, pack, unpack
from pmond.runtime.intent.edit import Edit
from pmond.runtime.state.records import RevisionRecord, SourceRecord
from pmond.runtime.state.store import Store
from pmond.runtime.supervise.bus import HOLDS, Bus, set_key

KEEP_REVISIONS = 20
"""Revisions kept of each set; Kubernetes and Argo CD keep 10."""
_EMPTY_SETS = 5
"""Sets without processes that are kept of each user without an owner's rights."""

PROGRESSING, DONE, FAILED, ROLLED_BACK, SUPERSEDED = (
    "progressing", "done", "failed", "rolled_back", "superseded",
)  # fmt: skip

SOURCE_MISSING = "SourceMissing"
"""The reason of a set whose source is not there."""


class Content(Struct, frozen=True):
    """Documents as they are kept, and what tells them from others."""

    packed: bytes
    digest: str


def content_of(documents: Sequence[ManifestFile]) -> Content:
    """Documents in the form in which a record keeps them."""
    return Content(pack(_pairs(documents)), digest_of(documents))


def digest_of(documents: Sequence[ManifestFile]) -> str:
    """``b2:`` and a hash of the documents, paths included."""
    return "b2:" + blake2b(as_json(_pairs(documents)), digest_size=16).hexdigest()


def _pairs(documents: Sequence[ManifestFile]) -> list[tuple[str, bytes]]:
    return [(document.path, document.content) for document in documents]


class Sets:
    """All of them, by name."""

    def __init__(
        self, store: Store, bus: Bus, clock: Clock, daemon_uid: int, followed: Callable[[], str]
    ) -> None:
        """`followed`: the set of the process config file."""
        self._store = store
        self._bus = bus
        self._clock = clock
        self._owners = frozenset({0, daemon_uid})
        self._records: dict[str, SourceRecord] = {}
        self.followed = followed

    def load(self, records: Iterable[SourceRecord]) -> None:
        """Take over what the state file holds."""
        self._records = {record.set_name: _with_known_diagnostics(record) for record in records}

    def all(self) -> list[SourceRecord]:
        return [self._records[name] for name in sorted(self._records)]

    def get(self, name: str) -> SourceRecord | None:
        return self._records.get(name)

    def one(self, name: str) -> SourceRecord:
        """The set of that name, or of that path. Raises PmonError `not_found`."""
        record = self._records.get(name) or self._records.get(f"file:{name}")
        if record is None:
            known = ", ".join(sorted(self._records)) or "there is none"
            raise PmonError(ErrorCode.NOT_FOUND, f"cannot find set {name!r}", f"sets: {known}")
        return record

    def predecessors(self) -> frozenset[str]:
        """Sets that were the process config file until the configuration named another one."""
        followed = self.followed()
        return frozenset(r.set_name for r in self._records.values() if r.followed and r.set_name != followed)

    def version(self, name: str) -> int:
        """How often the set was changed; 0 for one that is not there."""
        record = self._records.get(name)
        return record.version if record is not None else 0

    def put(self, edit: Edit, record: SourceRecord) -> SourceRecord:
        """Write a record together with the other changes of a transaction."""
        edit.change.put_source(record)
        edit.done.append(lambda: self._remember(record))
        return record

    def accepted(
        self,
        edit: Edit,
        name: str,
        content: Content,
        revision: RevisionRecord | None,
        uid: int,
        suspension: Suspension | None = None,
    ) -> SourceRecord:
        """These documents of `uid` are in force now; `revision` when they changed something.

        A set that was somebody else's takes nothing over of what he had in mind with it. `suspension`:
        nothing else is to come for now; a person's own, for good, stays in its place.
        """
        before = self._records.get(name) or replace(self.fresh(name), uid=uid)
        if not self._is_of(name, uid):
            before = replace(before, suspended=None, rollout=None)
        after = replace(
            before,
            uid=uid,
            digest=content.digest,
            accepted_digest=content.digest,
            content=content.packed,
            accepted=True,
            diagnostics=[],
            reason="",
            message="",
            checked_at=self._clock.wall(),
            version=before.version + (revision is not None),
            revision=revision.number if revision is not None else before.revision,
            # What a person applies is theirs again, not what another process config file takes over.
            followed=name == self.followed(),
            undo=0,
            taken_out=[],
        )
        if after.suspended is not None and after.suspended.get("digest"):
            after = replace(after, suspended=None)  # laid until other content came
        if suspension is not None and (after.suspended is None or after.suspended["until"]):
            after = replace(after, suspended=suspension)
            edit.done.append(lambda: self._bus.changed({HOLDS}))
        if name in self._records and replace(after, checked_at=before.checked_at) == before:
            return before
        return self.put(edit, after)

    def rejected(
        self, edit: Edit, name: str, digest: str, reason: str, message: str, found: list[DiagnosticObject]
    ) -> SourceRecord:
        """The present content of the source is not in force, for this reason."""
        before = self._records.get(name) or self.fresh(name)
        after = replace(
            before, digest=digest or before.digest, accepted=False, diagnostics=found, reason=reason,
            message=message, checked_at=self._clock.wall(),
        )  # fmt: skip
        return self.put(edit, after)

    def missing(self, edit: Edit, name: str, message: str) -> SourceRecord:
        """The source is not there, and nothing that it declared is either: that is no mistake."""
        before = self._records.get(name) or self.fresh(name)
        after = replace(
            before, digest="", accepted=True, diagnostics=[], reason=SOURCE_MISSING, message=message,
            checked_at=self._clock.wall(), taken_out=[],
        )  # fmt: skip
        return self.put(edit, after)

    def deleted(self, edit: Edit, chosen: Iterable[Intent]) -> None:
        """Somebody deletes these: until it is brought in again, what they were declared by says more."""
        names: dict[str, set[str]] = {}
        for one in chosen:
            if not one.undeclared and one.owner in self._records:
                names.setdefault(one.owner, set()).add(one.name)
        for owner, deleted in names.items():
            record = self._records[owner]
            if not deleted.issubset(record.taken_out):
                self.put(edit, replace(record, taken_out=sorted(deleted.union(record.taken_out))))

    def new_revision(
        self,
        edit: Edit,
        name: str,
        content: Content,
        by: str,
        summary: Mapping[str, int],
        message: str,
        commit: str,
        outcome: str,
        uid: int,
    ) -> RevisionRecord:
        """Write down that the set is changed now."""
        record = RevisionRecord(
            number=edit.change.next_revision_number(),
            set_name=name,
            at=self._clock.wall(),
            by=by,
            summary=dict(summary),
            content=content.packed,
            message=message,
            digest=content.digest,
            commit=commit,
            outcome=outcome,
            uid=uid,
        )
        for earlier in self._store.revisions(name, 1):
            if earlier.outcome == PROGRESSING:
                edit.change.put_revision(replace(earlier, outcome=SUPERSEDED))
        edit.change.add_revision(record)
        edit.change.trim_revisions(name, KEEP_REVISIONS)
        return record

    def keep_within(self, edit: Edit, uid: int, inhabited: Collection[str], most: int) -> None:
        """Of the sets of somebody, keep the last empty ones, and so many bytes of their history."""
        his = [record for record in self._records.values() if record.uid == uid]
        empty = [record for record in his if record.set_name not in inhabited and record.suspended is None]
        for record in sorted(empty, key=attrgetter("checked_at"))[:-_EMPTY_SETS]:
            edit.change.delete_source(record.path)
            edit.change.trim_revisions(record.set_name, 0)
            edit.done.append(partial(self._forget, record.set_name))
        edit.change.trim_revisions_within([record.set_name for record in his], most)

    def ended(self, edit: Edit, name: str, outcome: str, undo: bool = False) -> None:
        """The rollout of the set has ended like this; `undo`: it is to be rolled back."""
        record = self._records.get(name)
        if record is not None:
            self.put(edit, replace(record, rollout=None, undo=record.revision if undo else 0))
            self.put_outcome(edit, name, record.revision, outcome)

    def put_outcome(self, edit: Edit, name: str, number: int, outcome: str) -> None:
        """Write down how a revision ended."""
        for revision in self._store.revisions(name, KEEP_REVISIONS):
            if revision.number == number:
                edit.change.put_revision(replace(revision, outcome=outcome))

    def revisions(self, name: str, limit: int = KEEP_REVISIONS) -> list[RevisionRecord]:
        """The history of a set, newest first."""
        return self._store.revisions(name, limit)

    def in_force(self, name: str) -> list[ManifestFile]:
        """The documents that a set was accepted with last; none for one that is not there."""
        record = self._records.get(name)
        return self.documents(record.content) if record is not None else []

    def with_choice(self, name: str, documents: Sequence[ManifestFile], uid: int) -> list[ManifestFile]:
        """The documents and, unless they say it anew, what was chosen when the set was applied last.

        So whatever reads the set again, hot reload too, comes to the same processes. What somebody else
        than `uid` chose says nothing about what he declares.
        """
        if chosen_by_caller(documents) is not None or not self._is_of(name, uid):
            return list(documents)
        chosen = self.choice(name)
        return [*documents, chosen] if chosen is not None else list(documents)

    def choice(self, name: str) -> ManifestFile | None:
        """What was chosen by option when the set was applied last, as a document."""
        record = self._records.get(name)
        # Unpacking a large set takes long, and few have a choice.
        if record is None or OPTIONS.encode() not in record.content:
            return None
        return chosen_by_caller(self.documents(record.content))

    def is_foreign(self, record: SourceRecord) -> bool:
        """Whether it is the set of somebody with fewer rights than pmond's own."""
        return record.uid not in self._owners

    def _is_of(self, name: str, uid: int) -> bool:
        record = self._records.get(name)
        if record is None:
            return False
        return uid == record.uid or (uid in self._owners and not self.is_foreign(record))

    def documents(self, content: bytes) -> list[ManifestFile]:
        """What a record or revision keeps."""
        return [ManifestFile(path, text) for path, text in unpack(content)] if content else []

    def suspend(self, edit: Edit, name: str, suspension: Suspension | None) -> None:
        """Take no new content from here on, or take it again (None)."""
        record = self._records.get(name) or self.fresh(name)
        self.put(edit, replace(record, suspended=suspension))
        edit.done.append(lambda: self._bus.changed({HOLDS}))

    def fresh(self, name: str) -> SourceRecord:
        """The record of a set that has none: nothing was ever brought in."""
        return SourceRecord(
            path=name.removeprefix("file:"), set_name=name, digest="", content=b"", accepted=True,
            diagnostics=[], checked_at=self._clock.wall(), version=0,
        )  # fmt: skip

    def looked_at(self, names: Iterable[str]) -> None:
        """Tell whoever waits for something of these sets."""
        self._bus.changed(set(map(set_key, names)))

    def _forget(self, name: str) -> None:
        self._records.pop(name, None)

    def _remember(self, record: SourceRecord) -> None:
        self._records[record.set_name] = record
        self.looked_at({record.set_name})


def _with_known_diagnostics(record: SourceRecord) -> SourceRecord:
    """An earlier pmond wrote only path and message of a file that it could not read."""

    def known(found: Mapping[str, Any]) -> DiagnosticObject:
        if "code" in found:
            return cast(DiagnosticObject, found)
        message, path = str(found.get("message", "")), str(found.get("path", record.path))
        return Diagnostic(Severity.ERROR, UNREADABLE, message, path).to_json()

    return replace(record, diagnostics=[known(found) for found in record.diagnostics])


def suspension_words(suspended: Suspension) -> str:
    """``suspended by ana: maintenance, until 2025-…``."""
    why = f": {suspended['reason']}" if suspended["reason"] else ""
    until = f", until {suspended['until']}" if suspended["until"] else ""
    return f"suspended by {suspended['by']}{why}{until}"


__all__ = ["CLI", "Sets", "content_of", "digest_of", "suspension_words"]
