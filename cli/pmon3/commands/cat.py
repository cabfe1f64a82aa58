"""`cat`: what declares a process, value by value, and what is laid over it."""

from __future__ import annotations

from typing import Any

from pmon3 import options, output
from pmon3.address import connect
from pmon3.client import path_segment
from pmon3.names import query
from pmon3.table import visible
from pmon3.times import local_time


def command(
    references: options.References = None,
    groups: options.Groups = None,
    labels: options.Labels = None,
    output_shape: options.Output = options.OutputFormat.TABLE,
) -> None:
    """Print what declares a process, and where each value is written.

    Its entry as it is in force, with file and line of every value, and what persons or other layers (a hold,
    groups given by command) have laid over it.
    """
    client = connect()
    chosen = query(options.selection(references, groups, labels))
    entries: list[dict[str, Any]] = client.get("/v1/export", chosen)["processes"]
    found = []
    for entry in entries:
        known = client.get(f"/v1/processes/{path_segment(entry['name'])}")
        found.append({
            "name": entry["name"], "owner": known["owner"], "declared_at": known["declared_at"],
            "origins": known["origins"], "hold": known["hold"], "entry": entry,
        })  # fmt: skip
    output.emit(found, output_shape.value, lambda _: "\n".join(map(_text, found)))


def _text(found: dict[str, Any]) -> str:
    declared_at, owner = found["declared_at"], found["owner"]
    where = f"declared at {declared_at} by {owner}" if declared_at else f"submitted by command ({owner})"
    lines = [visible(f"# {found['name']}: {where}")]
    if found["hold"]:
        lines.append(visible(f"# {_held(found['hold'])}"))
    file = declared_at.rpartition(":")[0]
    for key, value in found["entry"].items():
        first, *rest = output.yaml_text({key: value}).rstrip("\n").split("\n")
        places = _places(key, found["origins"], file)
        lines += [f"{first}  # {visible(places)}" if places else first, *rest]
    return "\n".join(lines) + "\n"


def _held(hold: dict[str, Any]) -> str:
    """What is laid over it, by whom, and until when."""
    text = (
        f"held {'up' if hold['up'] else 'down'} by {hold['by'] or 'somebody'} since {local_time(hold['at'])}"
    )
    text += f", until {local_time(hold['until'])}" if hold.get("until") else ""
    return text + (f": {hold['reason']}" if hold.get("reason") else "")


def _places(key: str, origins: dict[str, str], file: str) -> str:
    """Where a value is written; of one that is put together from several, where each of them is."""
    places = {at: None for field, at in origins.items() if field == key or field.startswith(f"{key}.")}
    return ", ".join(
        f"line {at.removeprefix(f'{file}:')}" if file and at.startswith(f"{file}:") else at for at in places
    )
