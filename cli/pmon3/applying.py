"""Sending manifests to pmond to be applied, for `apply` and `up`."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field
from msgspec.structs import asdict

from pmon3 import documents
from pmon3.client import Client


class Wishes(Struct, frozen=True):
    """How manifests are to be applied; the names are those of the request."""

    prune: bool = False
    prune_limit: str = ""
    allow_empty: bool = False
    take_ownership: bool = False
    if_version: int | None = None
    on_failure: str = "stop"
    max_parallel: int = 1
    restart: list[str] = field(default_factory=list)
    message: str = ""
    dry_run: bool = False

    def body(self) -> dict[str, Any]:
        """The part of a request that differs from its defaults."""
        plain = Wishes()
        return {key: value for key, value in asdict(self).items() if value != getattr(plain, key)}


def apply(
    client: Client,
    paths: list[str] | None,
    set_name: str | None,
    wishes: Wishes,
    choice: dict[str, str] | None = None,
) -> list[dict[str, Any]]:
    """Apply each named manifest in order; gives the answers. All are read before any is sent."""
    requests = documents.bodies(paths, set_name, choice)
    return [client.post("/v1/apply", body | wishes.body()) for body in requests]
