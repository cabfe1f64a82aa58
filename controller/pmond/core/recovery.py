"""What becomes of what runs when the state that declared it is lost.

Theory of operation: what bears the marker of an instance, or is in its control group, is found first, and
the manifests are read; then this decides about each. What is declared is taken over, by the name that it
has now; where it does not run with what is declared, its restart is put off for a person to choose the
moment. What is declared nowhere was submitted by command, and is declared again. Nothing ends for a lost
state; where the state is whole, what it does not know was left behind by what was deleted, and ends.

A marker is a claim that anybody can make of his own processes: it counts for the users that a declared
process runs as. Of what is not declared it gives nobody more than he may have anyway: a process that
runs as himself, within his quota, by a name that nobody with more right to it has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct, field

from pmond.core.free_name import free_name


class Bearer(Struct, frozen=True):
    """A live process that says it is of an instance, or is known to be."""

    pid: int
    uid: int
    user: str
    """Whom it runs as, by number and by name."""
    leads: bool
    """It may be the main program: it leads its session, and is not known to be a child of that."""
    proven: bool = False
    """It is in the control group of its instance, has the proof of that (`seal`), or is recorded."""
    revision: str = ""
    """With which values of its spec it was started, as it says itself; empty: it does not."""


class Found(Struct, frozen=True):
    """What lives of one instance, oldest first."""

    name: str
    number: int
    bearers: tuple[Bearer, ...]
    recorded: str | None = None
    """The revision in its record; None: there is none."""


class Claimable(Struct, frozen=True):
    """What is declared by now, as far as what runs can be it."""

    revision: str
    uids: frozenset[int]
    """Whom its main program may run as."""
    renamed_from: str = ""


class RecoveryTerms(Struct, frozen=True):
    """What holds for all of them."""

    lost: bool
    """The state was lost, and not just a row of it."""
    own_uid: int
    """Whom pmond runs as."""
    most_per_user: int
    """How many processes everybody else may have."""


class Fate(StrEnum):
    """What becomes of one."""

    ADOPT = "adopt"
    """It is what is declared: its main program is taken over, or what that has left is cleared."""
    DECLARE = "declare"
    """It was submitted by command, and is declared again, or held where that cannot be."""
    END = "end"
    """It belongs to nothing."""
    SPARE = "spare"
    """It goes on, and pmond has nothing to do with it."""


class Decided(Struct, frozen=True):
    """What becomes of one, under which name."""

    found: Found
    fate: Fate
    name: str = ""
    main: Bearer | None = None
    """Its main program; None: that has ended."""
    deferred: bool = False
    """It does not run with what is declared, as far as that can be told."""
    reason: str = ""
    """Why it is spared, for people."""


def decide(found: Iterable[Found], declared: Mapping[str, Claimable], terms: RecoveryTerms) -> list[Decided]:
    """One decision for each; those of most right come first, then the latest runs."""
    in_order = sorted(found, key=lambda one: (_rank(one, terms), -one.number))
    heirs = _heirs({one.name for one in in_order}, declared)
    submitted, decisions = _Submitted(set(declared)), list[Decided]()
    for one in in_order:
        name = one.name if one.name in declared else heirs.get(one.name, "")
        if name and _may_be(one, declared[name]):
            decision = _adopted(one, name, declared[name])
        elif one.recorded is None and not terms.lost:
            decision = Decided(one, Fate.END)
        else:
            decision = submitted.decide(one, terms)
        decisions.append(decision)
    return decisions


def main_of(bearers: Sequence[Bearer], uids: Collection[int] | None = None) -> Bearer | None:
    """The main program among what lives of an instance; None when it has ended.

    `uids`: whom it may run as; None: nobody knows. What is proven counts before what is only claimed.
    """
    mains = [one for one in bearers if one.leads and (one.proven or uids is None or one.uid in uids)]
    return min(mains, key=lambda one: not one.proven, default=None)


def _heirs(names: Collection[str], declared: Mapping[str, Claimable]) -> dict[str, str]:
    """For what runs by an earlier name, the one that it is declared by now."""
    heirs: dict[str, str] = {}
    for name, one in declared.items():
        if one.renamed_from in names and name not in names:
            heirs.setdefault(one.renamed_from, name)
    return heirs


def _may_be(one: Found, declared: Claimable) -> bool:
    if one.recorded is not None:
        return True
    return any(bearer.proven or bearer.uid in declared.uids for bearer in one.bearers)


def _adopted(one: Found, name: str, declared: Claimable) -> Decided:
    main = main_of(one.bearers, declared.uids)
    shown = one.recorded or (main.revision if main is not None else "")
    deferred = main is not None and shown != declared.revision
    return Decided(one, Fate.ADOPT, name, main, deferred)


class _Submitted(Struct):
    """Gives names to what is declared nowhere, one after the other."""

    taken: set[str]
    known: set[tuple[str, int]] = field(default_factory=set)
    count: Counter[int] = field(default_factory=Counter)

    def decide(self, one: Found, terms: RecoveryTerms) -> Decided:
        main = main_of(_of_most_right(one.bearers, terms.own_uid))
        known = main or next(iter(one.bearers), None)
        if known is None:
            return Decided(one, Fate.END)
        if reason := self._refused(one, known, terms):
            return Decided(one, Fate.SPARE, one.name, reason=reason)
        name = one.name if one.name not in self.taken else free_name(one.name, known.user, self.taken)
        self.taken.add(name)
        return Decided(one, Fate.DECLARE, name, main)

    def _refused(self, one: Found, known: Bearer, terms: RecoveryTerms) -> str:
        """Why this is not declared; empty where it is, and counts."""
        if terms.own_uid not in (0, known.uid):
            return "it runs as another user"
        if (one.name, known.uid) in self.known:
            return "a later run of it lives"
        self.known.add((one.name, known.uid))
        self.count[known.uid] += 1
        believed = known.proven or known.uid == terms.own_uid
        if not believed and self.count[known.uid] > terms.most_per_user:
            return "its user has more than his quota"
        return ""


def _rank(one: Found, terms: RecoveryTerms) -> int:
    main = main_of(_of_most_right(one.bearers, terms.own_uid))
    if main is None or main.proven:
        return 0 if main is not None else 2
    return 1 if main.uid == terms.own_uid else 2


def _of_most_right(bearers: Sequence[Bearer], own_uid: int) -> Sequence[Bearer]:
    """Those of whom one is believed: what is proven, then what runs as pmond does, then the oldest."""
    for chosen in ([b for b in bearers if b.proven], [b for b in bearers if b.uid == own_uid]):
        if any(bearer.leads for bearer in chosen):
            return chosen
    return bearers
