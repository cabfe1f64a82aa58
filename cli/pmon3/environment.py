"""Variables that a person gives: all of them as text (`-e`), and single ones beside the others (`--env`)."""

from __future__ import annotations

from typing import Any

from pmon3 import options
from pmon3.client import Client, path_segment
from pmon3.names import resolve
from pmon3_schema.errors import ErrorCode, PmonError

_MASKED = "***"
"""What pmond says instead of values that are not for this caller."""


def laid_over(before: Any, words: list[str] | None) -> Any:
    """The variables `before`, text or map, and over them each `NAME=VALUE`. Raises PmonError."""
    more = options.pairs(words)
    if not more:
        return before
    # Imported here: most commands are given no variables.
    from pmon3_schema.field_types import env_map

    found = env_map(before or {})
    if not isinstance(found, dict):
        raise PmonError(ErrorCode.BAD_REQUEST, f"cannot read the variables {before!r}", "write 'K=V K2=V2'")
    return found | more


def of_the_one(client: Client, chosen: dict[str, Any]) -> Any:
    """The variables of the one process that is chosen, over which others are to be laid. Raises PmonError."""
    names = resolve(client, chosen)
    if len(names) != 1:
        why = f"cannot use --env for {len(names)} processes: each has variables of its own"
        raise PmonError(ErrorCode.BAD_REQUEST, why, "name one process, or give all variables with -e")
    found = client.get(f"/v1/processes/{path_segment(names[0])}")["spec"].get("env_vars", "")
    values = list(found.values()) if isinstance(found, dict) else [found]
    if _MASKED in values:
        raise PmonError(ErrorCode.FORBIDDEN, "cannot use --env: the other variables are not for you to see")
    return found
