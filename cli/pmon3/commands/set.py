"""`set`: change fields of a process in the file that declares it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from pmon3 import atomic_write, exit_codes, output
from pmon3.address import connect
from pmon3.client import path_segment
from pmon3_schema.errors import ErrorCode, PmonError


def command(
    name: Annotated[str, typer.Argument(metavar="PROCESS", help="Its name.")],
    changes: Annotated[
        list[str], typer.Argument(metavar="FIELD=VALUE...", help="Such as restart.delay=5s or args='-v -x'.")
    ],
    file: Annotated[
        str | None,
        typer.Option(
            "--file", "-f", metavar="PATH", help="The manifest; the one that declares it by default."
        ),
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Write the file instead of showing the change.")
    ] = False,
) -> int:
    """Change fields in the manifest that declares a process.

    Nothing else of that file changes. Without --write the change is shown as a diff. Comments, quoting
    and order stay as they are.
    """
    from pmon3_schema.edit_text import CannotEdit, set_value
    from pmon3_schema.manifest import ManifestFile, read

    path = os.path.realpath(file or _declared_in(name))
    before = Path(path).read_bytes()
    document = ManifestFile(path, before)
    for field, value in _in_order([_change(change) for change in changes], name):
        try:
            document = ManifestFile(path, set_value(document, name, field, value))
        except CannotEdit as error:
            raise PmonError(ErrorCode.INVALID, f"cannot set {'.'.join(field)} of {name}: {error}") from None
    found = read([document], known_names=_known(document))
    if not found.ok:
        first = found.diagnostics[0]
        raise PmonError(ErrorCode.INVALID, f"cannot set that: {first.message}", "nothing was written")
    if write:
        atomic_write.replace_content(path, before, document.content)
        output.note(f"wrote {path}; {_what_next(path)}")
        return exit_codes.DONE
    output.write(atomic_write.difference(path, before, document.content))
    return exit_codes.DONE


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


def _in_order(changes: list[tuple[list[str], Any]], name: str) -> list[tuple[list[str], Any]]:
    """A new name last, since the others are found by the old one; and never alone."""
    if any(field == ["name"] for field, _ in changes) and (["renamed_from"], name) not in changes:
        hint = f"say renamed_from={name} beside it: it keeps running then"
        raise PmonError(ErrorCode.BAD_REQUEST, f"cannot set the name of {name} alone: {name} would end", hint)
    return sorted(changes, key=lambda change: change[0] == ["name"])


def _declared_in(name: str) -> str:
    process = connect().get(f"/v1/processes/{path_segment(name)}")
    place: str = process.get("declared_at") or ""
    if not place:
        hint = "name a manifest with -f, or change it with pmon3 restart and its flags"
        raise PmonError(ErrorCode.BAD_REQUEST, f"cannot tell which file declares {name}: none does", hint)
    return place.rpartition(":")[0]


def _change(text: str) -> tuple[list[str], Any]:
    field, equals, value = text.partition("=")
    if not equals or not field:
        raise PmonError(ErrorCode.BAD_REQUEST, f"cannot read {text!r}: it is not FIELD=VALUE")
    parts = field.removeprefix("process.").split(".")
    from pmon3_schema.formats.yaml import load
    from pmon3_schema.spelling import SEED_TEXT_KEYS

    if parts[0] in SEED_TEXT_KEYS:
        return parts, value
    return parts, load(value).data if value else ""


def _known(document: Any) -> list[str]:
    """Dependencies may be declared in other files: they are not what is checked here."""
    from pmon3_schema.manifest import read

    return [need for entry in read([document]).entries for need in entry.spec.needs]
