"""Candidates for completion, by what a word stands for: processes, groups, users, signals, files.

Theory of operation: one generator per kind; names of processes and groups are asked of pmond, with
the patience of a person who pressed Tab. Nothing heavy is imported: this is on the way of every Tab.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from pmon3 import address
from pmon3.verbs import GROUP, GROUPS, PROCESS, PROCESSES, SCALED

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
    elif kind == "program":
        if typed and "/" not in typed:
            yield from matching(typed, _programs(typed))
        yield Candidate(":files")
    elif kind == "assignment":
        yield from matching(typed, (field._replace(word=f"{field.word}=") for field in _fields()))
    else:
        known = _KNOWN[kind]() if kind in _KNOWN else ()
        # An assignment given already begins so, whatever its number was.
        taken = {word.rpartition("=")[0] + "=" for word in given} if kind == SCALED else {*given}
        yield from matching(typed, (found for found in known if found.word not in taken))


def _processes() -> Iterator[Candidate]:
    """All names that mean processes: where there are replicas, that of all of them before each one's."""
    told = set()
    for process in _rows():
        entry, status = _entry_of(process)
        if entry != process["name"] and entry not in told:
            told.add(entry)
            yield Candidate(entry, status)
        yield Candidate(process["name"], process["status"])


def _scalable() -> Iterator[Candidate]:
    """What there can be more or fewer of, and how many there are now."""
    told = set()
    for process in _rows():
        entry, text = _entry_of(process)
        if entry not in told:
            told.add(entry)
            yield Candidate(f"{entry}=", text)


def _rows() -> Any:
    client = address.connect()
    client.timeout = _PATIENCE
    return client.get("/v1/processes")


def _entry_of(process: dict[str, Any]) -> tuple[str, str]:
    """The name that it was declared under, and how many there are of it."""
    replica = process.get("replica")
    return (replica["of"], _counted(replica["count"])) if replica else (process["name"], "1 process")


def _counted(count: int) -> str:
    return f"{count} replica{'' if count == 1 else 's'}"


def _groups() -> Iterator[Candidate]:
    client = address.connect()
    client.timeout = _PATIENCE
    return (Candidate(group["name"], ", ".join(group["processes"])) for group in client.get("/v1/groups"))


def _sets() -> Iterator[Candidate]:
    client = address.connect()
    client.timeout = _PATIENCE
    return (
        Candidate(one["name"].removeprefix("file:"), f"{one['sync']}, {one['health']}")
        for one in client.get("/v1/sets")
    )


def _conditions() -> Iterator[Candidate]:
    from pmon3_schema.goals import PLAIN

    yield from map(Candidate, PLAIN)
    yield Candidate("exited=", "with this exit code")
    yield Candidate("condition=", "of the process or the set, TYPE or TYPE=STATUS")


def _fields() -> Iterator[Candidate]:
    from pmon3_schema.process import ProcessSpec

    for name, field in ProcessSpec.declared.items():
        yield Candidate(name, field.description)
        inner = field.inner.declared if field.inner else {}
        yield from (Candidate(f"{name}.{key}", one.description) for key, one in inner.items())


def profiles(files: Iterable[str]) -> Iterator[Candidate]:
    """The profiles that these manifests have, or those of the process config file."""
    from pmon3 import documents
    from pmon3_schema.manifest import ManifestFile
    from pmon3_schema.profiles import profile_names

    named = list(files) or [address.connect().get("/v1/version")["process_config_file"]]
    found = [ManifestFile(*one) for path in named if path for one in documents.contents(path)]
    return (Candidate(name) for name in [*profile_names(found), "none"])


def _programs(start: str) -> Iterator[Candidate]:
    """Programs on PATH whose names begin so."""
    import os

    names = set()
    for folder in os.environ.get("PATH", os.defpath).split(":"):
        try:
            with os.scandir(folder or ".") as entries:
                names |= {
                    entry.name
                    for entry in entries
                    if entry.name.startswith(start) and os.access(entry.path, os.X_OK) and entry.is_file()
                }
        except OSError:
            continue  # a folder that is not there has no programs
    return map(Candidate, sorted(names))


def _users() -> Iterator[Candidate]:
    import pwd

    return (Candidate(user.pw_name, user.pw_gecos) for user in pwd.getpwall())


def _signals() -> Iterator[Candidate]:
    import signal

    return (Candidate(one.name) for one in signal.Signals)


_KNOWN = {PROCESS: _processes, SCALED: _scalable, GROUP: _groups, "user": _users, "signal": _signals,
          "set": _sets, "condition": _conditions, "field": _fields}  # fmt: skip
