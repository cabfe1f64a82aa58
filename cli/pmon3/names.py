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
    """What to ask for one by one. One plain reference needs no asking; pmond resolves all others."""
    references = chosen["refs"]
    if len(references) == 1 and not chosen["groups"] and not chosen["labels"] and not is_glob(references[0]):
        return list(references)
    return [process["name"] for process in client.get("/v1/processes", query(chosen))]


def is_glob(reference: str) -> bool:
    """Whether pmond would match this reference as a pattern."""
    return any(character in reference for character in "*?[")
