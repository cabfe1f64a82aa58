"""`export`: what is there, as a manifest."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from pmon3 import options, output
from pmon3.address import connect
from pmon3.client import Query


class Form(StrEnum):
    """The formats of a manifest."""

    JSON = "json"
    TOML = "toml"
    YAML = "yaml"


def command(
    form: Annotated[Form, typer.Argument(metavar="[json|toml|yaml]", help="The format.")] = Form.JSON,
    references: options.References = None,
    order: Annotated[
        str, typer.Option("--order", "-o", metavar="FIELD", help="The field to sort by.")
    ] = "id",
    groups: options.Groups = None,
    labels: options.Labels = None,
) -> None:
    """Print processes as a manifest that can be applied again."""
    from pmon3_schema.formats import export

    query: Query = [("order", order), *(("ref", reference) for reference in references or [])]
    query += [("group", group) for group in groups or []]
    query += [("label", f"{key}={value}") for key, value in options.label_map(labels).items()]
    output.write(export.render(connect().get("/v1/export", query)["processes"], form.value))
