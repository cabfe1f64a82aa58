"""`validate`: are these manifests correct? Works without pmond."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pmon3 import documents, exit_codes, output
from pmon3_schema import manifest
from pmon3_schema.diagnostics import Diagnostic, render_concise, render_text, summary


class Form(StrEnum):
    """The forms of a report."""

    TEXT = "text"
    CONCISE = "concise"
    JSON = "json"


def command(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Manifests, or folders of them.")],
    form: Annotated[
        Form, typer.Option("--format", "--output", "-o", help="The form of the report.")
    ] = Form.TEXT,
    exit_zero: Annotated[bool, typer.Option("--exit-zero", help="Exit code 0 for findings too.")] = False,
) -> int:
    """Check manifests; no pmond is needed.

    Exit code 1 for findings, 2 when there is nothing to check.
    """
    found = [
        manifest.Document(path=file, content=Path(file).read_bytes())
        for path in paths
        for file in documents.files(path)
    ]
    reading = manifest.read(found)
    output.write(report(form, reading.diagnostics, found))
    if form is Form.TEXT:
        processes = f"{len(reading.entries)} process{'' if len(reading.entries) == 1 else 'es'}"
        output.note(
            f"{len(found)} file{'' if len(found) == 1 else 's'}, {processes}, {summary(reading.diagnostics)}"
        )
    return exit_codes.NEGATIVE if reading.diagnostics and not exit_zero else exit_codes.DONE


def report(form: Form, diagnostics: Sequence[Diagnostic], found: Sequence[manifest.Document]) -> str:
    """The findings in the form asked for."""
    if form is Form.CONCISE:
        return render_concise(diagnostics)
    sources = manifest.texts(found)
    if form is Form.JSON:
        items = [item.to_json(sources.get(item.file)) for item in diagnostics]
        return json.dumps(items, ensure_ascii=False, indent=2) + "\n"
    return render_text(diagnostics, sources)
