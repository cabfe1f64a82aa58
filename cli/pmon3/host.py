"""Whether what manifests name is there on this host: users, programs, folders, env files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from pmon3_schema.diagnostics import Diagnostic, Severity
from pmon3_schema.group_limits import LIMITS
from pmon3_schema.manifest import Entry, ManifestFile, Reading
from pmon3_schema.origins import ranges

UNKEPT = "PM034"


def user_exists(user: str) -> bool:
    """Whether there is such a user, by name or number."""
    import pwd

    try:
        pwd.getpwnam(user)
    except KeyError:
        return user.isascii() and user.isdigit()
    return True


def search_path() -> str:
    """Where bare program names are looked up."""
    return os.environ.get("PATH", os.defpath)


def check(documents: Sequence[ManifestFile], reading: Reading) -> Iterator[Diagnostic]:
    """What the entries need that this host does not have, at the fields that name it."""
    by_path = {document.path: document for document in documents}
    for entry in reading.entries:
        for field, code, message in _problems(entry):
            at = ranges(by_path[entry.file], entry.spec.name, (field,))
            path = f"/processes/{entry.spec.name.replace('~', '~0')}/{field}"
            severity = Severity.WARNING if code == UNKEPT else Severity.ERROR
            yield Diagnostic(severity, code, message, entry.file, *at, path=path)


def _problems(entry: Entry) -> Iterator[tuple[str, str, str]]:
    spec = entry.spec
    program = Path(spec.file)
    if program.is_absolute() and not program.exists():
        yield "file", "PM031", f"no program `{spec.file}` on this host"
    elif program.is_absolute() and not (program.is_file() and os.access(program, os.X_OK)):
        yield "file", "PM031", f"`{spec.file}` cannot be run"
    if spec.cwd and not Path(spec.cwd).is_dir():
        yield "cwd", "PM032", f"no folder `{spec.cwd}` on this host"
    if spec.log_dir and not Path(spec.log_dir).is_dir() and not Path(spec.log_dir).parent.is_dir():
        yield "log_dir", "PM032", f"no folder `{spec.log_dir}` on this host, and none to create it in"
    for file in spec.env_file:
        if not Path(file).is_file():
            yield "env_file", "PM033", f"no file `{file}` on this host"
    yield from _unkept(entry)


def _unkept(entry: Entry) -> Iterator[tuple[str, str, str]]:
    """Limits whose controllers control groups do not have here; which pmond may use it says itself."""
    there = controllers()
    for limit in LIMITS:
        if getattr(entry.spec.resources, limit.field) is not None and limit.controller not in there:
            why = f"control groups (version 2) of this host have no controller `{limit.controller}`"
            yield "resources", UNKEPT, f"`resources.{limit.field}` is not kept: {why}"


def controllers(mounts: str = "/proc/self/mountinfo") -> frozenset[str]:
    """Those of control groups of version 2 that this caller can see."""
    try:
        lines = [line.split() for line in Path(mounts).read_text("utf-8", "replace").splitlines()]
        points = [fields[4] for fields in lines if fields[fields.index("-") + 1] == "cgroup2"]
        return frozenset(Path(points[0], "cgroup.controllers").read_text("ascii").split() if points else ())
    except (OSError, ValueError, IndexError):
        return frozenset()
