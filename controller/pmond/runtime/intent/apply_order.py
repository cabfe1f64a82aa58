"""A manifest that is to be brought in: on whose word, how, and against what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from pmon3_schema.answers import Suspension
from pmon3_schema.equivalence import ImpliedValues
from pmon3_schema.manifest import ManifestFile, Reading
from pmon3_schema.process import ProcessSpec
from pmond.core.model import Intent, State
from pmond.core.rollout import RolloutOptions
from pmond.core.step import CompareOptions
from pmond.runtime.access.principal import Principal
from pmond.runtime.state.records import SourceRecord


class ApplyOrder(Struct, frozen=True):
    """How a manifest is to be brought in, and on whose word."""

    options: CompareOptions
    peer: Principal | None = None
    """Who asks; None: the daemon itself, for its own configuration."""
    message: str = ""
    commit: str = ""
    if_version: int | None = None
    """The version that the set must have; 0: it must not be there."""
    expected: str = ""
    """The digest of the plan that is to be carried out, exactly."""
    rollout: RolloutOptions = RolloutOptions()
    author: int | None = None
    """The uid of who wrote the documents, where that is not who asks: of a rollback."""
    insist: bool = False
    """Although the set is suspended, and without the guards: a rollback."""
    suspension: Suspension | None = None
    """Nothing else is taken from the source from then on."""
    whole_entries: bool = False

    @property
    def by(self) -> str:
        return self.peer.user if self.peer is not None else "pmond"


class CurrentState(Struct, frozen=True):
    """What is declared and what runs at one moment."""

    version: int
    """Of what is declared."""
    processes: Mapping[str, Intent]
    memberships: Mapping[int, frozenset[int]]
    observed: Mapping[str, State]
    record: SourceRecord | None
    """Of the set that the manifest is."""
    groups: Mapping[int, str] = {}
    """Their names by id."""
    run_specs: Mapping[str, ProcessSpec] = {}
    """What runs of those whose restart was put off, as far as that is known."""
    implied: ImpliedValues = ImpliedValues()
    sets: Mapping[str, SourceRecord] = {}
    """All of them by name."""
    no_controllers: Mapping[str, str] = {}
    """Those that control groups of this host lack, and why."""


class ApplyRequest(Struct, frozen=True):
    """A manifest, what it says, and what is to be done with it."""

    documents: Sequence[ManifestFile]
    reading: Reading
    order: ApplyOrder
