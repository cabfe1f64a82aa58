"""A declared process as comparison sees it, the options of one comparison, and what comes of it: steps."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct

from pmon3_schema.equivalence import ImpliedValues
from pmon3_schema.process import ProcessSpec
from pmon3_schema.revision import SpecChange
from pmond.core.model import NOWHERE, SourceLocation

CREATE, START, UPDATE, RESTART = "create", "start", "update", "restart"
ADOPT, PRUNE, MOVE = "adopt", "prune", "move"


class Existing(NamedTuple):
    """A declared process as comparison sees it. A tuple: a thousand are made for each comparison."""

    spec: ProcessSpec
    owner: str
    place: SourceLocation = NOWHERE
    """For messages."""
    runs: str = ""
    """The revision that it runs with; empty when it does not run."""
    outdated: bool = False
    """It runs with an earlier spec, as a restart was put off."""
    behind: bool = False
    """A file that it watches says something else than when it read it."""
    earlier: ProcessSpec | None = None
    """The spec that it runs with where it is outdated, as far as that is known."""
    staged: bool = False
    """It was never let go, and the rollout that was to start it has ended."""
    held: bool = False
    """A person stopped it."""
    entry: str = ""
    """The name of the entry that it is a replica of; empty: of none."""

    @property
    def running(self) -> bool:
        return bool(self.runs)


class CompareOptions(Struct, frozen=True):
    """How a manifest is to be brought in, and for whom."""

    owner: str
    prune: bool = False
    prune_limit: str = ""
    """How much may be pruned at once: a number, or a share such as 80%; the default when empty."""
    allow_empty: bool = False
    take_over: bool = False
    """Processes of other owners become the owner's."""
    take_submitted: bool = False
    """Processes that were submitted by command become the owner's."""
    predecessors: frozenset[str] = frozenset()
    """Sets that the owner takes the place of: what both declare becomes the owner's."""
    restart: bool = True
    """A change that needs a restart gets one; otherwise it waits for the next start."""
    partial: bool = False
    """The specs are some of what the owner declares; nothing is known about the others."""
    forced: frozenset[str] = frozenset()
    """These are restarted whether they changed or not."""
    implied: ImpliedValues = ImpliedValues()
    """What stands for values that specs leave out."""


class Step(Struct, frozen=True):
    """One difference and what removing it costs."""

    action: str
    name: str
    effect: str
    changes: tuple[SpecChange, ...] = ()
    causes: tuple[str, ...] = ()
    spec: ProcessSpec | None = None
    """What is declared afterwards; None where nothing is."""
    moved_from: str = ""
    wave: int = 0
    """Steps of one wave need nothing of each other; earlier waves come first."""
