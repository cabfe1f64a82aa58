"""The manifests that pmond itself follows: the process config file, at start, on `init`, on change.

Theory of operation: the watcher says that a file changed; it is read again as a whole. Good: it
is brought in like any manifest, at once. Not good: nothing is taken from it, what was accepted
last stays in force (it is in the state file, so a restart of pmond keeps it too), and the journal,
the events and the set's conditions say where it is wrong. A file that is missing or says nothing
removes nothing. While its set is suspended the file is looked at, and nothing is taken from it.
Where the configuration names another file, that is another set: what both declare goes over to
it as it runs, and what only the earlier one declared stays the earlier one's until somebody says.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from msgspec.structs import replace

from pmon3_schema.answers import Plan
from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.manifest import ManifestFile, Reading, read
from pmon3_schema.process import ProcessSpec
from pmon3_schema.redaction import INVALID_MANIFEST, place_and_kind
from pmon3_schema.settings import Settings
from pmon3_schema.work_tree import commit_of
from pmond.core.compare import Comparison
from pmond.core.step import CompareOptions
from pmond.runtime.access import users
from pmond.runtime.base.failpoints import FailPoint, reached
from pmond.runtime.base.journal import Journal
from pmond.runtime.files.documents import read_documents
from pmond.runtime.intent.applier import Applier
from pmond.runtime.intent.apply_order import ApplyOrder
from pmond.runtime.intent.plan_view import invalid, plan_json
from pmond.runtime.intent.registry import Registry
from pmond.runtime.intent.sets import SOURCE_MISSING, Sets, digest_of, suspension_words
from pmond.runtime.state.records import SourceRecord

_REASONS = {
    ErrorCode.INVALID: INVALID_MANIFEST,
    ErrorCode.CONFLICT: "Conflict",
    ErrorCode.REFUSED: "PruneBlocked",
    ErrorCode.NOT_FOUND: SOURCE_MISSING,
}
_NOT_THERE = (
    "is followed, but it is not there yet (create it, or correct process_config_file or PMON3_PROCESS_CONF)"
)

Announce = Callable[[str, str, str], None]
"""Writes an event about the daemon: type, message, process name."""


class Sources:
    """Follows the process config file."""

    def __init__(
        self,
        applier: Applier,
        registry: Registry,
        sets: Sets,
        journal: Journal,
        settings: Callable[[], Settings],
        default_file: str,
        announce: Announce,
    ):
        self._applier = applier
        self._registry = registry
        self._sets = sets
        self._journal = journal
        self._settings = settings
        self._default_file = default_file
        """What is followed where nobody named a file: most often there is none."""
        self._announce = announce
        self._reloading: asyncio.Lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def process_config_file(self) -> str:
        return self._settings().process_config_file

    @property
    def owner(self) -> str:
        """The set of the process config file."""
        return f"file:{self.process_config_file}"

    def resumed(self, set_name: str) -> None:
        """A set takes new content again."""
        self.changed()

    def changed(self) -> None:
        """The file changed: read it again."""
        task = asyncio.get_running_loop().create_task(self.reload())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def reload(self) -> None:
        """Bring the file in as it is now; what is wrong with it is said, not raised."""
        # One reading at a time, in order: a later one must not be overtaken by an earlier one.
        async with self._reloading:
            try:
                if self._is_suspended():
                    return
                plan, _ = await self._bring_in()
            except PmonError as error:
                self._reject(error)
                return
            except Exception as error:
                self._journal.error("manifest.failed", error, path=self.process_config_file)
                return
            finally:  # where the configuration names another file, nothing else may tell it
                self._sets.looked_at({self.owner, *self._sets.predecessors()})
            self._accept(plan)

    async def init(self, *, required: bool) -> tuple[Plan, frozenset[str]]:
        """As `reload`, for a caller who is told what is wrong; the plan and the declared names."""
        async with self._reloading:
            try:
                plan, names = await self._bring_in()
            except PmonError as error:
                self._reject(error)
                if error.code is not ErrorCode.NOT_FOUND or required:
                    raise
                return self._empty_plan(), frozenset()
            self._accept(plan)
            return plan, names

    def _empty_plan(self) -> Plan:
        """What is done where there is nothing to read."""
        version = (self._sets.get(self.owner) or self._sets.fresh(self.owner)).version
        return plan_json(Comparison((), (), 0), self._options(), version, "", ())

    def declare(self, name: str) -> None:
        """Take one process from the file, if it is in there and not declared yet."""
        documents = self._documents_or_none()
        reading = read(documents) if documents else None
        entries = [entry for entry in reading.entries if entry.spec.name == name] if reading else []
        if reading is None or not entries:
            return
        if not reading.ok:
            raise invalid(reading)
        single = Reading(tuple(replace(entry, spec=self._alone(entry.spec)) for entry in entries), ())
        self._applier.apply_at_once(
            documents, single, ApplyOrder(replace(self._options(), prune=False, partial=True))
        )

    def _alone(self, spec: ProcessSpec) -> ProcessSpec:
        """The spec as `start NAME` takes it: a dependency that is not declared yet is left to `init`."""
        known = tuple(one for one in spec.dependencies if one.name in self._registry.processes)
        return replace(spec, dependencies=known, user=spec.user or users.name_of(os.geteuid()))

    async def declared(self) -> list[ProcessSpec]:
        """The processes of the file, also those that depend on each other in a cycle."""
        documents = self._documents_or_none()
        reading = await self._applier.read(documents, None) if documents else Reading((), ())
        return [entry.spec for entry in reading.entries]

    async def _bring_in(self) -> tuple[Plan, frozenset[str]]:
        documents = self._documents()
        reading = await self._applier.read(documents, None)
        reached(FailPoint.MANIFEST_READ)
        files = [(one.path, one.content) for one in documents if one.path.startswith("/")]
        commit = commit_of(self.process_config_file, files)
        before = self._sets.get(self.owner)
        applied = await self._applier.apply(documents, reading, ApplyOrder(self._options(), commit=commit))
        if before is None or not before.followed:
            for earlier in sorted(self._sets.predecessors()):
                self._journal.event("manifest.moved", before=earlier, after=self.owner)
        await asyncio.sleep(0)  # of a large manifest that was a turn's work
        return applied.plan, frozenset(entry.spec.name for entry in reading.entries)

    def _documents(self) -> list[ManifestFile]:
        documents = [
            ManifestFile(path, content) for path, content in read_documents(self.process_config_file)
        ]
        return self._sets.with_choice(self.owner, documents, os.geteuid())

    def _documents_or_none(self) -> list[ManifestFile]:
        try:
            return self._documents()
        except PmonError as error:
            if error.code is ErrorCode.NOT_FOUND:
                return []
            raise

    def _options(self) -> CompareOptions:
        return CompareOptions(
            owner=self.owner,
            prune=True,
            take_submitted=True,
            predecessors=self._sets.predecessors(),
            restart=self._settings().reload_policy == "restart",
        )

    def _is_suspended(self) -> bool:
        """Whether nothing is to be taken from the file as it is now; what it is now is noted."""
        record = self._sets.get(self.owner)
        if record is None or record.suspended is None or self._sets.is_foreign(record):
            return False
        digest = digest_of(self._documents())
        until_changed = record.suspended.get("digest")
        if until_changed and until_changed != digest:
            return False
        if digest != record.digest:
            with self._registry.edit("the state of a manifest") as edit:
                self._sets.put(edit, replace(record, digest=digest))
            message = f"{self.process_config_file} changed, but is {suspension_words(record.suspended)}"
            self._announce("ManifestSuspended", message, "")
        return True

    def _accept(self, plan: Plan) -> None:
        if plan["actions"]:
            self._journal.event("manifest.accepted", path=self.process_config_file, summary=plan["summary"])
            self._announce("ManifestApplied", f"{self.process_config_file}: {_words(plan['summary'])}", "")

    def _reject(self, error: PmonError) -> None:
        record = self._sets.get(self.owner)
        if error.code is ErrorCode.NOT_FOUND and not self._has_processes():
            self._note_missing(record)
            return
        reason = _REASONS.get(error.code, INVALID_MANIFEST)
        if error.code is ErrorCode.REFUSED and record is not None and record.suspended is not None:
            return  # `init` of a suspended set says so itself; the file is not at fault
        message = self._with_way_out(error)
        with self._registry.edit("the state of a manifest") as edit:
            digest = self._digest_or_empty()
            self._sets.rejected(edit, self.owner, digest, reason, message, error.diagnostics)
        self._journal.warn("manifest.rejected", path=self.process_config_file, message=message)
        said = message
        if reason == INVALID_MANIFEST:  # everybody may read events
            said = place_and_kind(self.process_config_file, message, error.diagnostics)
            said += " (pmon3 status says more)"
        self._announce("ManifestRejected", said, "")

    def _has_processes(self) -> bool:
        return any(one.owner == self.owner for one in self._registry.processes.values())

    def _note_missing(self, record: SourceRecord | None) -> None:
        """Nothing is lost with the file. Where somebody named it, that it is not there is said."""
        path = self.process_config_file
        if record is None and path == self._default_file:
            self._journal.debug("manifest.missing", path=path)
            return
        if record is None or record.reason != SOURCE_MISSING or not record.accepted:
            self._journal.warn("manifest.missing", path=path)
            with self._registry.edit("the state of a manifest") as edit:
                self._sets.missing(edit, self.owner, f"{path} {_NOT_THERE}")

    def _with_way_out(self, error: PmonError) -> str:
        """The message, and of a guard how a person insists: the file itself cannot carry flags."""
        if not error.hint.startswith("--"):
            return error.message
        return f"{error.message} (pmon3 apply -f {self.process_config_file} --prune {error.hint})"

    def _digest_or_empty(self) -> str:
        try:
            return digest_of(self._documents())
        except PmonError:
            return ""


def _words(summary: dict[str, int]) -> str:
    return ", ".join(f"{count} {word}" for word, count in summary.items() if count)
