"""Steps that nobody needs to be told of: a probe was tried once more and said what it has said before.

A thousand processes that are asked every ten seconds take three hundred such steps a second. Counts and times
of a probe are read where they are shown, decisions look at them where they are made; what is saved, told
and worded at the end of a turn does not depend on them.
"""

from __future__ import annotations

from pmond.core.facts import DeadlinePassed, Fact, ProbeBegun, ProbeFailed, ProbePassed
from pmond.core.model import Phase, State
from pmond.core.probing import Probing

_OF_PROBES = frozenset({DeadlinePassed, ProbeBegun, ProbeFailed, ProbePassed})


def is_routine(fact: Fact, before: State, after: State) -> bool:
    """Whether the step changes nothing but counts and times of probes of an instance that runs."""
    old, new = before.instance, after.instance
    if type(fact) not in _OF_PROBES or old is None or new is None:
        return False
    if old.phase is not Phase.RUNNING or new.phase is not Phase.RUNNING or old.lost_ready != new.lost_ready:
        return False
    return _says_the_same(old.ready, new.ready) and _says_the_same(old.live, new.live)


def _says_the_same(old: Probing, new: Probing) -> bool:
    return old is new or (old.ok is new.ok and old.message == new.message)
