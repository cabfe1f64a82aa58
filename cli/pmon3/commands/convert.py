"""`convert`: a manifest in another format, or what another tool has, as a manifest. Works without pmond."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from pmon3 import exit_codes, output
from pmon3_schema.errors import ErrorCode, PmonError

if TYPE_CHECKING:
    from pmon3.converting import Converted
    from pmon3.converting.settings import CannotConvert


class TargetFormat(StrEnum):
    """What can be written."""

    YAML = "yaml"
    TOML = "toml"
    JSON = "json"


def command(
    paths: Annotated[list[str], typer.Argument(metavar="FILE|FOLDER...", help="What to read; - for stdin.")],
    kind: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="KIND",
            help="What it is; told from name and content by default: supervisord, systemd, pm2, procfile,"
            " process-compose, compose, circus, go-pmon3 or pmon3.",
        ),
    ] = "",
    form: Annotated[
        TargetFormat, typer.Option("--to", help="The format of the manifest.")
    ] = TargetFormat.YAML,
    strict: Annotated[bool, typer.Option("--strict", help="Print nothing if something is left out.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Print what will be different here instead of the manifest.")
    ] = False,
) -> int:
    """Print what another tool has as a manifest.

    Or a manifest in another format. Read are supervisord.conf with what it includes, units of systemd with
    drop-ins and timers, ecosystem files and dumps of pm2, Procfiles with .env, process-compose.yaml, docker
    compose, circus.ini, and data.db of the Go pmon3; of a folder every file of a known kind. What is not
    carried is told on stderr as FILE:LINE: KEY: reason. Keep the manifest beside the first file: relative
    paths count from there.
    """
    from pmon3.converting.writing import mistakes

    converted = _converted(paths, kind)
    found = mistakes(converted.manifest)
    wrong = any(mistake.is_error for mistake in found)
    for remark in dict.fromkeys([*converted.losses, *converted.notes, *found]):
        output.note(str(remark))
    if strict and converted.losses:
        return exit_codes.NEGATIVE
    if check:
        output.write("".join(f"{line}\n" for line in converted.differences))
    else:
        output.write(_text(converted, form.value, paths))
    return exit_codes.NEGATIVE if wrong else exit_codes.DONE


def _converted(paths: Sequence[str], kind: str) -> Converted:
    from pmon3.converting import KINDS
    from pmon3.converting.inputs import kind_named
    from pmon3.converting.reading import convert
    from pmon3.converting.settings import CannotConvert

    try:
        named = kind_named(kind) if kind else ""
    except ValueError:
        hint = f"one of {', '.join(KINDS)}"
        raise PmonError(
            ErrorCode.BAD_REQUEST, f"cannot read --from {kind}: there is no such kind", hint
        ) from None
    try:
        return convert(paths, sys.stdin.buffer.read() if "-" in paths else b"", named)
    except OSError as error:
        where = error.filename or paths[0]
        raise PmonError(ErrorCode.BAD_REQUEST, f"cannot read {where}: {error.strerror}") from error
    except CannotConvert as error:
        raise _refused(paths, error) from error


def _text(converted: Converted, form: str, paths: Sequence[str]) -> str:
    from pmon3.converting.settings import CannotConvert
    from pmon3.converting.writing import text_of

    try:
        return text_of(converted.manifest, form)
    except CannotConvert as error:
        raise _refused(paths, error) from error


def _refused(paths: Sequence[str], error: CannotConvert) -> PmonError:
    for loss in error.losses:
        output.note(str(loss))
    return PmonError(ErrorCode.INVALID, f"cannot convert {', '.join(paths)}: {error}", "see --from")
