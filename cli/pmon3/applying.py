"""Sending manifests to pmond to be applied, for `apply` and `up`."""

from __future__ import annotations

from typing import Any

from pmon3 import documents
from pmon3.client import Client


def apply(
    client: Client, paths: list[str] | None, set_name: str | None, prune: bool, dry_run: bool = False
) -> list[dict[str, Any]]:
    """Apply each named manifest in order; gives the answers. All are read before any is sent."""
    requests = documents.bodies(paths, set_name)
    return [client.post("/v1/apply", body | {"prune": prune, "dry_run": dry_run}) for body in requests]
