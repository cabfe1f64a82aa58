"""`set`: change fields of a process in the file that declares it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pmon3 import exit_codes, field_edits, output
from pmon3.address import connect
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
    changed = field_edits.edited(
        name,
        file or field_edits.declared_in(connect(), name),
        _in_order([_change(change) for change in changes], name),
    )
    if write:
        changed.write()
    else:
        output.write(changed.difference)
    return exit_codes.DONE


def _in_order(changes: list[tuple[list[str], Any]], name: str) -> list[tuple[list[str], Any]]:
    """A new name last, since the others are found by the old one; and never alone."""
    if any(field == ["name"] for field, _ in changes) and (["renamed_from"], name) not in changes:
        hint = f"say renamed_from={name} beside it: it keeps running then"
        raise PmonError(ErrorCode.BAD_REQUEST, f"cannot set the name of {name} alone: {name} would end", hint)
    return sorted(changes, key=lambda change: change[0] == ["name"])


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
