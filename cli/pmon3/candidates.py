"""Candidates for completion, by what a word stands for: processes, groups, users, signals, files.

Theory of operation: one generator per kind; names of processes and groups are asked of pmond, with
the patience of a person who pressed Tab. Nothing heavy is imported: this is on the way of every Tab.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pmon3 import address
from pmon3.verbs import GROUP, GROUPS, PROCESS, PROCESSES

_PATIENCE = 2.0
"""Seconds to wait for pmond."""
_COMMAS = {PROCESSES: PROCESS, GROUPS: GROUP}


class Candidate(NamedTuple):
    """A word that can stand here, and what to say about it."""

    word: str
    text: str = ""


def matching(start: str, candidates: Iterable[Candidate]) -> Iterator[Candidate]:
    """Those that begin with what is typed."""
    return (candidate for candidate in candidates if candidate.word.startswith(start))


def of_kind(kind: str, typed: str, given: list[str]) -> Iterator[Candidate]:
    """Candidates of a kind, without those given already. Raises PmonError when pmond cannot be asked."""
    if kind in _COMMAS:
        head, comma, tail = typed.rpartition(",")
        for candidate in of_kind(_COMMAS[kind], tail, head.split(",")):
            yield candidate._replace(word=f"{head}{comma}{candidate.word}")
    elif kind in ("file", "folder"):
        yield Candidate(f":{kind}s")
    else:
        known = _KNOWN[kind]() if kind in _KNOWN else ()
        yield from matching(typed, (found for found in known if found.word not in given))


def _processes() -> Iterator[Candidate]:
    client = address.connect()
    client.timeout = _PATIENCE
    return (Candidate(process["name"], process["status"]) for process in client.get("/v1/processes"))


def _groups() -> Iterator[Candidate]:
    client = address.connect()
    client.timeout = _PATIENCE
    return (Candidate(group["name"], ", ".join(group["processes"])) for group in client.get("/v1/groups"))


def _users() -> Iterator[Candidate]:
    import pwd

    return (Candidate(user.pw_name, user.pw_gecos) for user in pwd.getpwall())


def _signals() -> Iterator[Candidate]:
    import signal

    return (Candidate(one.name) for one in signal.Signals)


_KNOWN = {PROCESS: _processes, GROUP: _groups, "user": _users, "signal": _signals}
