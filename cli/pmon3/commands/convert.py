"""`convert`: a manifest in another format, or what another tool has, as a manifest. Works without pmond."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pmon3 import exit_codes, output
from pmon3_schema.errors import ErrorCode, PmonError


class SourceKind(StrEnum):
    """What can be read."""

    PMON3 = "pmon3"
    PROCFILE = "procfile"
    SUPERVISORD = "supervisord"
    PM2 = "pm2"
    SYSTEMD = "systemd"


class TargetFormat(StrEnum):
    """What can be written."""

    YAML = "yaml"
    TOML = "toml"
    JSON = "json"


def command(
    path: Annotated[str, typer.Argument(metavar="FILE", help="The file; - for stdin.")],
    kind: Annotated[
        SourceKind | None, typer.Option("--from", help="What it is; told from its name and text by default.")
    ] = None,
    form: Annotated[
        TargetFormat, typer.Option("--to", help="The format of the manifest.")
    ] = TargetFormat.YAML,
    strict: Annotated[bool, typer.Option("--strict", help="Print nothing if something is left out.")] = False,
) -> int:
    """Print what another tool has as a manifest.

    Or a manifest in another format. Read are supervisord.conf, Procfile, the ecosystem file of pm2 as
    JSON or YAML, and a service unit of systemd. What has no counterpart is told on stderr, with the
    reason. Comments are not kept."""
    from pmon3.converting import CannotConvert
    from pmon3.converting.reading import convert
    from pmon3.converting.writing import checked, text_of

    try:
        content = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        converted = convert(content, path, kind.value if kind is not None else "")
        text = text_of(converted.manifest, form.value)
    except OSError as error:
        raise PmonError(ErrorCode.BAD_REQUEST, f"cannot read {path}: {error.strerror}") from error
    except CannotConvert as error:
        raise PmonError(ErrorCode.INVALID, f"cannot convert {path}: {error}", "see --from") from error
    found = checked(converted.manifest)
    for remark in dict.fromkeys([*converted.losses, *found.errors, *found.warnings]):
        output.note(remark)
    if strict and converted.losses:
        return exit_codes.NEGATIVE
    output.write(text)
    return exit_codes.NEGATIVE if found.errors else exit_codes.DONE
