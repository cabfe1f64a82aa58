"""Manifests to intent: read, compare, and take over what is accepted as one unit.

Theory of operation: a manifest is read and checked as a whole; with one error in it nothing is
taken from it. `apply_planner` then works out what differs and what follows from it, and drafts what is
to be written; a dry run stops before that. All of it is saved in one transaction together with
the documents themselves (the last good reading) and a revision, and the loop does the rest: at once
what may happen at once, wave by wave what must wait (`rollouts`). `init`, hot reload and rollback
come the same way as `apply`.

Of a large manifest a thread does the reading and the working out, and the rows are written over several
turns of the loop. If anything else was declared meanwhile, it is worked out again from that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial

from msgspec import Struct, field
from msgspec.structs import replace

from pmon3_schema.answers import Plan
from pmon3_schema.equivalence import ImpliedValues
from pmon3_schema.manifest import Entry, ManifestFile, Reading, read
from pmon3_schema.process import ProcessSpec
from pmon3_schema.status import Target
from pmond.core.model import Intent
from pmond.runtime.access import users
from pmond.runtime.access.authority import Authority
from pmond.runtime.access.principal import Principal
from pmond.runtime.base.long_work import MANY, in_thread, release
from pmond.runtime.intent.apply_order import ApplyOrder, ApplyRequest, CurrentState
from pmond.runtime.intent.apply_planner import ApplyPlanner, Prepared
from pmond.runtime.intent.bulk_change import TRIES
from pmond.runtime.intent.edit import Edit
from pmond.runtime.intent.plan_view import invalid, summary_of
from pmond.runtime.intent.registry import Registry
from pmond.runtime.intent.rollouts import Rollouts
from pmond.runtime.intent.sets import DONE, PROGRESSING, Sets
from pmond.runtime.processes.instances import Instances
from pmond.runtime.supervise.loop import Loop

_LARGE = 64 * 1024
"""Bytes above which documents are read in a thread, so that the loop goes on meanwhile."""


_HISTORY = 4
"""Times its quota of bytes are kept of the history of a user's sets."""


class ApplyResult(Struct, frozen=True):
    """What was done: the plan, what to wait for, and whether it is rolled out in waves."""

    plan: Plan
    targets: list[Target] = field(default_factory=list)
    revision: int = 0
    """The number of the new revision; 0 when nothing was changed."""


class Applier:
    """Brings manifests in."""

    def __init__(
        self,
        registry: Registry,
        loop: Loop,
        sets: Sets,
        rollouts: Rollouts,
        authority: Callable[[], Authority],
        instances: Instances,
        implied: Callable[[], ImpliedValues],
        announce: Callable[[str, str, str], None],
        no_controllers: Callable[[], Mapping[str, str]],
    ) -> None:
        """`no_controllers`: those of control groups that this host lacks, and why."""
        self._announce = announce
        self._no_controllers = no_controllers
        self._registry = registry
        self._loop = loop
        self._instances = instances
        self._implied = implied
        self._planner = ApplyPlanner(authority)
        self._sets = sets
        self._rollouts = rollouts
        self._authority = authority

    async def read(
        self, documents: Sequence[ManifestFile], peer: Principal | None, author: int | None = None
    ) -> Reading:
        """The processes of documents of `peer`, or of `author`; each that says no user runs as that one.

        Names that are declared already may be depended upon.
        """
        authority, present = self._authority(), dict(self._registry.processes)
        user = authority.default_user(peer) if author is None else users.name_of(author)
        user_exists = cache(lambda user: authority.uid_of(user) is not None)
        if sum(len(document.content) for document in documents) < _LARGE:
            return _read(documents, present, user, user_exists)
        return await in_thread(_read, documents, present, user, user_exists)

    async def plan(self, documents: Sequence[ManifestFile], reading: Reading, order: ApplyOrder) -> Plan:
        """What bringing it in would do. Raises PmonError for mistakes, conflicts and guards."""
        request, seen = ApplyRequest(documents, reading, order), self._look(order)
        if not self._is_large(reading):
            return self._planner.compared(seen, request).plan
        found = await in_thread(self._planner.compared, seen, request)
        release(reading.entries, found.comparison.steps)
        return found.plan

    async def apply(
        self, documents: Sequence[ManifestFile], reading: Reading, order: ApplyOrder
    ) -> ApplyResult:
        """Bring it in; the plan that was carried out, and what to wait for."""
        for _ in range(TRIES if self._is_large(reading) else 0):
            request, seen = ApplyRequest(documents, reading, order), self._look(order)
            draft = self._registry.draft()
            prepared = await in_thread(self._planner.prepare, seen, request, draft)
            finish = partial(self._note, order, prepared)
            if await self._registry.carry_out_in_turns(draft, seen.version, _what(order), finish):
                release(seen.processes.values(), reading.entries, prepared.comparison.steps)
                return self._applied(order, prepared)
        return self.apply_at_once(documents, reading, order)

    def apply_at_once(
        self, documents: Sequence[ManifestFile], reading: Reading, order: ApplyOrder
    ) -> ApplyResult:
        """The same for few processes, in one go."""
        draft = self._registry.draft()
        prepared = self._planner.prepare(self._look(order), ApplyRequest(documents, reading, order), draft)
        self._registry.carry_out(draft, _what(order), partial(self._note, order, prepared))
        return self._applied(order, prepared)

    def _is_large(self, reading: Reading) -> bool:
        return max(len(reading.entries), len(self._registry.processes)) >= MANY

    def _look(self, order: ApplyOrder) -> CurrentState:
        return CurrentState(
            self._registry.version,
            dict(self._registry.processes),
            self._registry.memberships(),
            dict(self._loop.observed),
            self._sets.get(order.options.owner),
            dict(self._registry.groups),
            self._run_specs(),
            self._implied(),
            {record.set_name: record for record in self._sets.all()},
            self._no_controllers(),
        )

    def _run_specs(self) -> dict[str, ProcessSpec]:
        """What runs of the processes whose restart was put off."""
        deferred = (name for name, one in self._registry.processes.items() if one.deferred)
        running = {name: self._instances.get(name) for name in deferred}
        return {name: one.spec for name, one in running.items() if one is not None and one.spec is not None}

    def _note(self, order: ApplyOrder, prepared: Prepared, edit: Edit) -> None:
        """Write what the set is now together with its processes."""
        if order.options.partial:
            return
        owner, rollout, revision = order.options.owner, prepared.rollout, None
        asks = order.peer.uid if order.peer is not None else self._authority().daemon_uid
        uid = asks if order.author is None else order.author
        if prepared.comparison.steps:
            outcome = PROGRESSING if rollout is not None else DONE
            summary = summary_of(prepared.comparison)
            revision = self._sets.new_revision(
                edit,
                owner,
                prepared.content,
                order.by,
                summary,
                order.message,
                order.commit,
                outcome,
                uid,
            )
        record = self._sets.accepted(edit, owner, prepared.content, revision, uid, order.suspension)
        if rollout is not None:
            self._rollouts.write(edit, record, rollout)
        if revision is not None and self._sets.is_foreign(record):
            inhabited = {one.owner for one in prepared.drafted.after.processes.values()}
            history = _HISTORY * self._authority().rules.quota.bytes
            self._sets.keep_within(edit, uid, inhabited, history)

    def _applied(self, order: ApplyOrder, prepared: Prepared) -> ApplyResult:
        for old, name in prepared.displaced.items():
            message = f"{order.options.owner} declares {old}: this one goes on as {name}"
            self._announce("NameTaken", message, name)
        if prepared.rollout is not None:
            self._rollouts.start(order.options.owner)
        record = self._sets.get(order.options.owner)
        changed = bool(prepared.comparison.steps) and record is not None and not order.options.partial
        return ApplyResult(prepared.plan, prepared.targets, record.revision if record and changed else 0)


def _what(order: ApplyOrder) -> str:
    return f"the manifest {order.options.owner}"


def _read(
    documents: Sequence[ManifestFile],
    present: Mapping[str, Intent],
    user: str,
    user_exists: Callable[[str], bool],
) -> Reading:
    """What documents say; a process that is declared like that already keeps its spec.

    Not a second equal value: comparing the two afterwards, in the loop, then costs nothing.
    """
    reading = read(documents, known_names=present.keys(), user_exists=user_exists)
    return replace(reading, entries=tuple(_shared(entry, present, user) for entry in reading.entries))


def _shared(entry: Entry, present: Mapping[str, Intent], user: str) -> Entry:
    spec = entry.spec if entry.spec.user else replace(entry.spec, user=user)
    one = present.get(spec.name)
    spec = one.spec if one is not None and one.spec == spec else spec
    return entry if spec is entry.spec else replace(entry, spec=spec)


__all__ = ["Applier", "ApplyOrder", "ApplyResult", "invalid"]
