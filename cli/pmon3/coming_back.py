"""What was deleted and is declared by a file that pmond follows: who deletes it should know."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pmon3 import output
from pmon3.client import Client
from pmon3_schema.status import DELETED

_NAMED = 5
"""Processes named in one sentence."""


def tell(client: Client, deleted: Sequence[dict[str, Any]]) -> None:
    """Say of these processes which come back, if any do."""
    if any(one["owner"].startswith("file:") for one in deleted):
        for text in notes(client.get("/v1/sets"), deleted):
            output.note(text)


def notes(sets: Iterable[dict[str, Any]], deleted: Iterable[dict[str, Any]]) -> list[str]:
    """A sentence for each followed file that still declares some of them."""
    names: dict[str, list[str]] = {}
    for one in deleted:
        names.setdefault(one["owner"], []).append(one["name"])
    return [
        _sentence(one["name"].removeprefix("file:"), names[one["name"]])
        for one in sets
        if one["followed"] and one["name"] in names and _still_declares(one)
    ]


def _still_declares(one: dict[str, Any]) -> bool:
    return any(truth["reason"] == DELETED for truth in one["conditions"])


def _sentence(path: str, names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    comes = "comes" if len(names) == 1 else "come"
    return (
        f"{', '.join(names[:_NAMED])}{more} {comes} back when {path} is read again, as it declares "
        f"{'it' if len(names) == 1 else 'them'} (take {'it' if len(names) == 1 else 'them'} out there; "
        "pmon3 stop keeps a process down)"
    )
