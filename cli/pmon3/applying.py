"""Sending manifests to pmond to be applied, for `apply` and `up`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from pmon3 import documents
from pmon3.client import Client
from pmon3_schema.rollout import MAX_PARALLEL, PATIENCE


class ApplyOptions(NamedTuple):
    """How manifests are to be applied; the names are those of the request."""

    prune: bool = False
    prune_limit: str = ""
    allow_empty: bool = False
    take_ownership: bool = False
    if_version: int | None = None
    on_failure: str = "stop"
    max_parallel: int = MAX_PARALLEL
    patience: float = PATIENCE
    restart: Sequence[str] = ()
    message: str = ""
    dry_run: bool = False

    def body(self) -> dict[str, Any]:
        """The part of a request that differs from its defaults."""
        return {key: value for key, value in self._asdict().items() if value != self._field_defaults[key]}


def apply(
    client: Client,
    paths: list[str] | None,
    set_name: str | None,
    apply_options: ApplyOptions,
    choice: dict[str, str] | None = None,
) -> list[dict[str, Any]]:
    """Apply each named manifest in order; gives the answers. All are read before any is sent."""
    return send(client, documents.bodies(paths, set_name, choice), apply_options)


def send(
    client: Client, requests: Sequence[dict[str, Any]], apply_options: ApplyOptions
) -> list[dict[str, Any]]:
    """Apply what was read (`documents.bodies`) in order; gives the answers."""
    return [client.post("/v1/apply", body | apply_options.body()) for body in requests]
