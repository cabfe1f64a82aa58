"""Going back to an earlier revision of a set.

Theory of operation: a revision keeps the documents it was made of; going back is applying them
again, through the same planner as everything else, with the guards off because a person (or the
rollout that failed) asked for exactly that. The source itself still says what failed, so taking
from it is suspended until it says something else, in the same transaction. That a rollout is to be undone
is part of the state (`SourceRecord.undo`) until it has been: a pmond that is killed does not forget it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from pmon3_schema.answers import Suspension
from pmon3_schema.errors import ErrorCode, PmonError
from pmond.core.rollout import ROLLBACK, Advance
from pmond.core.step import CompareOptions
from pmond.runtime.access.principal import Principal
from pmond.runtime.base.clock import Clock
from pmond.runtime.base.failpoints import FailPoint, reached
from pmond.runtime.base.journal import Journal
from pmond.runtime.intent.applier import Applier, ApplyResult
from pmond.runtime.intent.apply_order import ApplyOrder
from pmond.runtime.intent.registry import Registry
from pmond.runtime.intent.sets import DONE, FAILED, ROLLED_BACK, Sets
from pmond.runtime.state.records import RevisionRecord, SourceRecord

_NAMED = 10
"""Processes named in one message."""
RETRY_SECONDS = 5.0
"""Between two tries to save a rollback."""

Announce = Callable[[str, str, str], None]
"""Writes an event about the daemon: type, message, process name."""


class RollbackRequest(Struct, frozen=True):
    """Where to go back to: a number, the last revision that was rolled out whole, or the one before."""

    to: int | None = None
    stable: bool = False
    dry_run: bool = False
    message: str = ""


class Rollbacks:
    """Chooses the revision and brings it in."""

    def __init__(
        self,
        registry: Registry,
        applier: Applier,
        sets: Sets,
        clock: Clock,
        journal: Journal,
        announce: Announce,
    ) -> None:
        self._announce = announce
        self._registry = registry
        self._applier = applier
        self._sets = sets
        self._clock = clock
        self._journal = journal
        self._task: asyncio.Task[None] | None = None

    async def roll_back(self, name: str, request: RollbackRequest, peer: Principal | None) -> ApplyResult:
        """Bring an earlier revision in. Raises PmonError."""
        return await self._bring_in(name, self._choose(name, request), request, peer)

    async def _bring_in(
        self,
        name: str,
        chosen: RevisionRecord,
        request: RollbackRequest,
        peer: Principal | None,
        version: int | None = None,
    ) -> ApplyResult:
        """Bring it in; `version`: only if the set has that one still."""
        documents = self._sets.documents(chosen.content)
        author = _author_of(chosen, self._sets.one(name))
        reading = await self._applier.read(documents, peer, author)
        order = ApplyOrder(
            CompareOptions(owner=name, prune=True, allow_empty=True),
            peer,
            message=request.message or f"rollback to {chosen.number}",
            commit=chosen.commit,
            if_version=version,
            author=author,
            insist=True,
            suspension=self._suspension(peer, chosen, self._sets.one(name).digest),
        )
        if request.dry_run:
            return ApplyResult(await self._applier.plan(documents, reading, order))
        return await self._applier.apply(documents, reading, order)

    def start(self, to_undo: asyncio.Queue[str]) -> None:
        """Undo the rollouts that fail, from now on, and what an earlier pmond had still to undo."""
        for record in self._sets.all():
            if record.undo:
                to_undo.put_nowait(record.set_name)
        self._task = asyncio.get_running_loop().create_task(self._undo(to_undo))

    async def _undo(self, to_undo: asyncio.Queue[str]) -> None:
        while True:
            name = await to_undo.get()
            try:
                while not await self._is_over(name):
                    await asyncio.sleep(RETRY_SECONDS)
            except Exception as error:  # a defect of ours: the next one is undone all the same
                self._journal.error("rollback.failed", error, set=name)

    async def _is_over(self, name: str) -> bool:
        """Undo it if that can be saved; a disk that is full may have room again later."""
        try:
            await self._after_failure(name)
        except PmonError as error:
            self._journal.warn("rollback.held_up", set=name, message=error.message)
            return False
        return True

    async def _after_failure(self, name: str) -> None:
        """The rollout of a revision failed and is to be undone, if nothing else was brought in since."""
        record = self._sets.get(name)
        if record is None or not record.undo:
            return
        failed = record.undo
        reached(FailPoint.ROLLOUT_FAILED)
        try:
            chosen = self._before(name, failed)
            request = RollbackRequest(message=f"rollback of {failed}, which failed, to {chosen.number}")
            await self._bring_in(name, chosen, request, None, record.version)
        except PmonError as error:
            if error.code is ErrorCode.INTERNAL:
                raise  # it could not be saved
            self._give_up(name, failed, error)
            return
        with self._registry.edit("the outcome of a revision") as edit:
            self._sets.put_outcome(edit, name, failed, ROLLED_BACK)
        self._announce("RolledBack", f"{name}: revision {failed} failed; back to {chosen.number}", "")

    def _give_up(self, name: str, failed: int, error: PmonError) -> None:
        """It stays as it is: trying the same again would fail the same way."""
        if self._sets.one(name).undo != failed:
            return  # somebody brought something else in meanwhile, and that stands
        self._journal.warn("rollback.failed", set=name, message=error.message)
        with self._registry.edit("the end of a rollback") as edit:
            self._sets.put(edit, replace(self._sets.one(name), undo=0))
        self._announce("RollbackFailed", f"{name}: revision {failed} failed, and stays: {error.message}", "")

    def _before(self, name: str, failed: int) -> RevisionRecord:
        """The last revision before that one that was rolled out whole; else the one before it."""
        earlier = [one for one in self._sets.revisions(name) if one.number < failed]
        whole = [one for one in earlier if one.outcome == DONE]
        if not earlier:
            why = f"cannot roll {name} back: there is no revision before {failed}"
            raise PmonError(ErrorCode.NOT_FOUND, why)
        return (whole or earlier)[0]

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

    def _suspension(self, peer: Principal | None, chosen: RevisionRecord, source_digest: str) -> Suspension:
        """The source still says what failed: nothing is taken from it until it says something else."""
        return {
            "by": peer.user if peer is not None else "pmond",
            "at": self._clock.wall(),
            "reason": f"RolledBack to {chosen.number}",
            "until": None,
            "digest": source_digest,
        }


def _author_of(revision: RevisionRecord, record: SourceRecord) -> int:
    """Whose words go back into force: what they leave out, such as a user, he meant for himself."""
    # An earlier pmond did not keep that, and let a set have one maker.
    return revision.uid if revision.uid is not None else record.uid


class RolloutEnds:
    """What follows from the end of a rollout: an event, and the way back where that was asked for."""

    def __init__(self, announce: Announce) -> None:
        self._announce = announce
        self.to_undo: asyncio.Queue[str] = asyncio.Queue()
        """Sets whose rollout failed and is to be undone."""

    def __call__(self, name: str, move: Advance) -> None:
        parts = [f"{name}: {'done' if move.outcome == DONE else FAILED}"]
        parts += [f"not ready: {_some(move.failed)}"] if move.failed else []
        parts += [f"not reached: {_some(move.skipped)}"] if move.skipped else []
        parts += ["it is rolled back"] if move.outcome == ROLLBACK else []
        self._announce("RolloutEnded", "; ".join(parts), "")
        if move.outcome == ROLLBACK:
            self.to_undo.put_nowait(name)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
