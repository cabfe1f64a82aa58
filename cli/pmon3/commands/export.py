"""`export`: what is there, as a manifest."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from pmon3 import exit_codes, options, output
from pmon3.address import connect
from pmon3.client import Query
from pmon3_schema.errors import ErrorCode, PmonError


class ExportTarget(StrEnum):
    """Tools that processes can be written for."""

    SYSTEMD = "systemd"
    KUBERNETES = "kubernetes"
    PROCFILE = "procfile"
    SUPERVISORD = "supervisord"
    COMPOSE = "compose"


def command(
    # Text, not a choice: with --into, which needs no format, the first name stands in its place.
    form: Annotated[str, typer.Argument(metavar="[json|toml|yaml]", help="The format.")] = "json",
    references: options.References = None,
    order: Annotated[
        str, typer.Option("--order", "-o", metavar="FIELD", help="The field to sort by.")
    ] = "id",
    groups: options.Groups = None,
    labels: options.Labels = None,
    into: Annotated[
        str | None,
        typer.Option(
            "--into",
            metavar="FILE|FOLDER",
            help="Bring this manifest to what is in force instead; with --to: the folder to write into.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --into: show the change, do not write it.")
    ] = False,
    profiles: options.Profiles = None,
    variables: options.Variables = None,
    target: Annotated[
        ExportTarget | None, typer.Option("--to", help="For another tool; what it cannot say is told.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="With --to: write nothing if something cannot be said.")
    ] = False,
) -> int:
    """Print processes as a manifest that can be applied again.

    With --into FILE nothing is printed: the processes that FILE declares, and those that are named,
    are written into it as they are now. Only what differs is changed; comments, quoting and order stay.

    With --to they are written for another tool: units of systemd (several need --into FOLDER), objects of
    Kubernetes, a Procfile, a supervisord.conf or a compose file.
    """
    from pmon3_schema.formats import export

    chosen: Query = [("group", group) for group in groups or []]
    chosen += [("label", f"{key}={value}") for key, value in options.label_map(labels).items()]
    if target is not None:
        from pmon3.exporting_to import export_to

        names = [*([] if form in export.FORMATS else [form]), *(references or [])]
        return export_to(connect(), target.value, [*(("ref", name) for name in names), *chosen], into, strict)
    if into is not None:
        from pmon3.exporting import export_into

        names = [*([] if form in export.FORMATS else [form]), *(references or [])]
        export_into(connect(), into, names, options.choice(profiles, variables), dry_run)
        return exit_codes.DONE
    if form not in export.FORMATS:
        hint = f"one of {', '.join(export.FORMATS)}; names come after it"
        raise PmonError(ErrorCode.BAD_REQUEST, f"cannot export as {form!r}: there is no such format", hint)
    query: Query = [("order", order), *(("ref", reference) for reference in references or []), *chosen]
    output.write(export.render(connect().get("/v1/export", query)["processes"], form))
    return exit_codes.DONE
