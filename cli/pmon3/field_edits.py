"""Changes of single fields in the manifest that declares a process, every other byte as it is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pmon3 import atomic_write, output
from pmon3.address import connect
from pmon3.client import Client, path_segment
from pmon3_schema.errors import ErrorCode, PmonError

FieldChange = tuple[Sequence[str], Any]
"""A field, by its parts, and its new value; an empty text takes it out."""


class Edited(NamedTuple):
    """A file and what it is to be."""

    path: str
    before: bytes
    after: bytes

    @property
    def difference(self) -> str:
        """For people, as a unified diff."""
        return atomic_write.difference(self.path, self.before, self.after)

    def write(self) -> None:
        """Replace the file, unless it says something else meanwhile, and tell what is next."""
        atomic_write.replace_content(self.path, self.before, self.after)
        output.note(f"wrote {self.path}; {_what_next(self.path)}")


def edited(name: str, file: str, changes: Sequence[FieldChange]) -> Edited:
    """The file with other fields of one process. Raises PmonError where that cannot be, or means nothing."""
    from pmon3_schema.edit_text import CannotEdit, set_value
    from pmon3_schema.manifest import ManifestFile, read

    path = os.path.realpath(file)
    before = Path(path).read_bytes()
    document = ManifestFile(path, before)
    for field, value in changes:
        try:
            document = ManifestFile(path, set_value(document, name, list(field), value))
        except CannotEdit as error:
            raise PmonError(ErrorCode.INVALID, f"cannot set {'.'.join(field)} of {name}: {error}") from None
    found = read([document], known_names=_known(document))
    if not found.ok:
        first = found.diagnostics[0]
        raise PmonError(ErrorCode.INVALID, f"cannot set that: {first.message}", "nothing was written")
    return Edited(path, before, document.content)


def declared_in(client: Client, name: str) -> str:
    """The file that declares a process, or replicas of that name. Raises PmonError where none does."""
    first = client.get("/v1/processes", [("ref", name)])[0]["name"]
    place: str = client.get(f"/v1/processes/{path_segment(first)}").get("declared_at") or ""
    if not place:
        hint = "name a manifest with -f, or change it with pmon3 restart and its flags"
        raise PmonError(ErrorCode.BAD_REQUEST, f"cannot tell which file declares {name}: none does", hint)
    return place.rpartition(":")[0]


def _what_next(path: str) -> str:
    """Whether pmond takes over by itself what the file says now."""
    try:
        sets = connect().get("/v1/sets")
    except PmonError:
        sets = []  # the file is written, whether pmond runs or not
    for one in sets:
        source = os.path.realpath(one["name"].removeprefix("file:"))
        if one["name"].startswith("file:") and source in (path, os.path.dirname(path)):  # noqa: PTH120
            if one["followed"] and not one["suspended"]:
                return "pmond follows it and takes it over"
            return f"take it over with: pmon3 apply -f {one['name'].removeprefix('file:')}"
    return f"take it over with: pmon3 apply -f {path}"


def _known(document: Any) -> list[str]:
    """Dependencies may be declared in other files: they are not what is checked here."""
    from pmon3_schema.manifest import read

    return [need for entry in read([document]).entries for need in entry.spec.needs]
