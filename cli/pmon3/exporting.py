"""`export --into`: a manifest that exists is brought to what is in force, its comments kept."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pmon3 import atomic_write, documents, output
from pmon3.client import Client
from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.path_diagnostics import ManifestFile
from pmon3_schema.process import ProcessSpec
from pmon3_schema.reading import read_value

_MASKED = "***"
"""What pmond says instead of values that are not for this caller."""


def export_into(
    client: Client, path: str, names: Sequence[str], choice: dict[str, str] | None, dry_run: bool
) -> None:
    """Bring the file's own processes, and the named ones, to what is in force. Raises PmonError, OSError."""
    from pmon3_schema.edit_text import CannotEdit
    from pmon3_schema.write_back import declared_in, written_back

    full = os.path.abspath(path)  # noqa: PTH100 - relative names start at the link, not behind it
    document = ManifestFile(full, Path(full).read_bytes())
    others = _rest_of_set(client, full, choice)
    everything = {entry["name"]: entry for entry in client.get("/v1/export")["processes"]}
    try:
        wanted = [*declared_in(document, others, everything.keys()), *_named(client, names)]
        in_force = {name: spec_of(everything[name]) for name in wanted if name in everything}
        content = written_back(
            document, others, in_force, known=everything.keys(), own_users={"root", documents.caller()}
        )
    except CannotEdit as error:
        raise PmonError(
            ErrorCode.INVALID, f"cannot write into {path}: {error}", "nothing was written"
        ) from None
    for name in [name for name in wanted if name not in everything]:
        output.note(f"{name} is not there: its entry stays as it is")
    if dry_run:
        output.write(atomic_write.difference(full, document.content, content))
    elif content == document.content:
        output.note(f"{path} says it already")
    else:
        atomic_write.replace_content(full, document.content, content)
        output.note(f"wrote {path}")


def _rest_of_set(client: Client, path: str, choice: dict[str, str] | None) -> list[ManifestFile]:
    """The other files of the folder that pmond knows as one set with this one, and what was chosen for it."""
    from pmon3_schema.profiles import options_document

    sets = {one["name"]: one for one in client.get("/v1/sets")}
    folder = str(Path(path).parent)
    whole = f"file:{folder}" in sets and f"file:{path}" not in sets
    names = [name for name in documents.files(folder) if name != path] if whole else []
    found = [ManifestFile(name, Path(name).read_bytes()) for name in names]
    known = sets.get(f"file:{folder}" if whole else f"file:{path}")
    if choice is not None:
        return [*found, ManifestFile(choice["path"], choice["text"].encode())]
    # Values of variables are not told; where one is missing, reading says which.
    chosen = known["chosen"] if known is not None else None
    return [*found, options_document(chosen["profiles"], {})] if chosen else found


def _named(client: Client, names: Sequence[str]) -> list[str]:
    if not names:
        return []
    found = client.get("/v1/processes", [("usage", "0"), *(("ref", name) for name in names)])
    return [str(one["name"]) for one in found]


def spec_of(entry: dict[str, Any]) -> ProcessSpec:
    """An exported entry as a spec. Raises PmonError where its variables are not for this caller."""
    if entry.get("env_vars") == _MASKED:
        why = f"cannot read the variables of {entry['name']}: they are not for you"
        raise PmonError(ErrorCode.FORBIDDEN, why, "ask as its user, or as root")
    return read_value(ProcessSpec, entry)
