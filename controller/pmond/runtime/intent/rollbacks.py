"""Going back to an earlier revision of a set.

Theory of operation: a revision keeps the documents it was made of; going back is applying them
again, through the same planner as everything else, with the guards off because a person (or the
rollout that failed) asked for exactly that. The source itself still says what failed, so taking
from it is suspended until it says something else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from pmon3_schema.answers import Suspension
from pmon3_schema.errors import ErrorCode, PmonError
from pmond.core.step import CompareOptions
from pmond.runtime.access.principal import Principal
from pmond.runtime.base.clock import Clock
from pmond.runtime.base.journal import Journal
from pmond.runtime.intent.applier import Applier, ApplyResult
from pmond.runtime.intent.apply_order import ApplyOrder
from pmond.runtime.intent.registry import Registry
from pmond.runtime.intent.sets import DONE, ROLLED_BACK, Sets
from pmond.runtime.state.records import RevisionRecord, SourceRecord


class RollbackRequest(Struct, frozen=True):
    """Where to go back to: a number, the last revision that was rolled out whole, or the one before."""

    to: int | None = None
    stable: bool = False
    dry_run: bool = False
    message: str = ""


class Rollbacks:
    """Chooses the revision and brings it in."""

    def __init__(
        self, registry: Registry, applier: Applier, sets: Sets, clock: Clock, journal: Journal
    ) -> None:
        self._registry = registry
        self._applier = applier
        self._sets = sets
        self._clock = clock
        self._journal = journal
        self._task: asyncio.Task[None] | None = None

    async def roll_back(self, name: str, request: RollbackRequest, peer: Principal | None) -> ApplyResult:
        """Bring an earlier revision in. Raises PmonError."""
        chosen = self._choose(name, request)
        record = self._sets.one(name)
        source_digest = record.digest
        documents = self._sets.documents(chosen.content)
        author = _author_of(chosen, record)
        reading = await self._applier.read(documents, peer, author)
        message = request.message or f"rollback to {chosen.number}"
        options = CompareOptions(owner=name, prune=True, allow_empty=True)
        order = ApplyOrder(options, peer, message=message, commit=chosen.commit, author=author, insist=True)
        if request.dry_run:
            return ApplyResult(await self._applier.plan(documents, reading, order))
        applied = await self._applier.apply(documents, reading, order)
        self._suspend(name, peer, chosen, source_digest)
        return applied

    def start(self, to_undo: asyncio.Queue[str]) -> None:
        """Undo the rollouts that fail, from now on."""
        self._task = asyncio.get_running_loop().create_task(self._undo(to_undo))

    async def _undo(self, to_undo: asyncio.Queue[str]) -> None:
        while True:
            name = await to_undo.get()
            try:
                await self._after_failure(name)
            except Exception as error:  # a defect of ours: the next one is undone all the same
                self._journal.error("rollback.failed", error, set=name)

    async def _after_failure(self, name: str) -> None:
        """A rollout failed and is to be undone: the revision before the one in force."""
        failed = self._sets.one(name).revision
        try:
            await self.roll_back(name, RollbackRequest(message=f"rollback of {failed}, which failed"), None)
        except PmonError as error:
            self._journal.warn("rollback.failed", set=name, message=error.message)
            return
        with self._registry.edit("the outcome of a revision") as edit:
            for revision in self._sets.revisions(name):
                if revision.number == failed:
                    edit.change.put_revision(replace(revision, outcome=ROLLED_BACK))

    def _choose(self, name: str, request: RollbackRequest) -> RevisionRecord:
        record = self._sets.one(name)
        revisions = self._sets.revisions(name)
        others = [one for one in revisions if one.number < record.revision or request.to is not None]
        if request.to is not None:
            others = [one for one in others if one.number == request.to]
        elif request.stable:
            others = [one for one in others if one.outcome == DONE and one.digest != record.accepted_digest]
        if not others:
            wanted = f"revision {request.to}" if request.to is not None else "an earlier revision"
            raise PmonError(
                ErrorCode.NOT_FOUND,
                f"cannot roll {name} back: it has no {wanted.removeprefix('an ')}"
                + (" that was rolled out whole" if request.stable else ""),
                f"pmon3 history --set {name} lists them",
            )
        return others[0]

    def _suspend(self, name: str, peer: Principal | None, chosen: RevisionRecord, source_digest: str) -> None:
        suspension: Suspension = {
            "by": peer.user if peer is not None else "pmond",
            "at": self._clock.wall(),
            "reason": f"RolledBack to {chosen.number}",
            "until": None,
            "digest": source_digest,
        }
        with self._registry.edit(f"the suspension of {name}") as edit:
            self._sets.suspend(edit, name, suspension)


def _author_of(revision: RevisionRecord, record: SourceRecord) -> int:
    """Whose words go back into force: what they leave out, such as a user, he meant for himself."""
    # An earlier pmond did not keep that, and let a set have one maker.
    return revision.uid if revision.uid is not None else record.uid


class RolloutEnds:
    """What follows from the end of a rollout: an event, and the way back where that was asked for."""

    def __init__(self, announce: Callable[[str, str, str], None]) -> None:
        self._announce = announce
        self.to_undo: asyncio.Queue[str] = asyncio.Queue()
        """Sets whose rollout failed and is to be undone."""

    def __call__(self, name: str, outcome: str, skipped: tuple[str, ...]) -> None:
        left = f"; not reached: {', '.join(skipped)}" if skipped else ""
        self._announce("RolloutEnded", f"{name}: {outcome}{left}", "")
        if outcome == "rollback":
            self.to_undo.put_nowait(name)
