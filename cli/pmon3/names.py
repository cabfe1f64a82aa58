"""From what a person typed to the processes that are meant."""

from __future__ import annotations

from typing import Any

from pmon3.client import Client, Query


def query(chosen: dict[str, Any]) -> Query:
    """A selection as the query of a GET."""
    pairs: Query = [("ref", reference) for reference in chosen["refs"]]
    pairs += [("group", group) for group in chosen["groups"]]
    return pairs + [("label", f"{key}={value}") for key, value in chosen["labels"].items()]


def measured(client: Client, which: Query | None = None) -> list[dict[str, Any]]:
    """Processes for showing them: with processor and memory figures, which pmond measures only when asked."""
    found: list[dict[str, Any]] = client.get("/v1/processes", [*(which or []), ("usage", "1")])
    return found


def resolve(client: Client, chosen: dict[str, Any]) -> list[str]:
    """What to ask for one by one: a name may be that of several replicas."""
    return [process["name"] for process in client.get("/v1/processes", query(chosen))]
