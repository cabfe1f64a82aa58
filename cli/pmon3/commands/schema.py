"""`schema`: the JSON Schema of manifests. Works without pmond."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from pmon3 import output


class SchemaDraft(StrEnum):
    """The drafts of JSON Schema."""

    SEVEN = "7"
    NEWER = "2020-12"


def command(
    draft: Annotated[SchemaDraft, typer.Option("--draft", help="Editors want 7.")] = SchemaDraft.SEVEN,
) -> None:
    """Print the JSON Schema of manifests."""
    from pmon3_schema.jsonschema import manifest_schema

    output.write(output.json_text(manifest_schema(draft.value)))
