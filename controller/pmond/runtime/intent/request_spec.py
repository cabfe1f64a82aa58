"""Specs that somebody submits: read as they are meant where they come from, and against what is declared."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pmon3_schema import graph
from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.field_diagnostics import mistakes
from pmon3_schema.fields import InvalidValue
from pmon3_schema.process import ProcessSpec
from pmon3_schema.reading import read_value
from pmond.core.model import Intent
from pmond.core.replicas import meant
from pmond.runtime.intent.registry import not_found


def check_dependencies(
    specs: Sequence[ProcessSpec],
    processes: Mapping[str, Intent],
    gone: Collection[str] = (),
    entry_of: Mapping[str, str] | None = None,
) -> None:
    """Raises PmonError when a dependency is unknown or the whole would have a cycle.

    `gone` are names that will be no more, `entry_of` the names of the entries of new replicas.
    """
    if not any(spec.needs for spec in specs):
        return
    staying = [one for one in processes.values() if not one.deleting and one.name not in gone]
    by_entry: dict[str, set[str]] = {}
    for name, entry in [*((one.name, one.entry_name) for one in staying), *(entry_of or {}).items()]:
        if name != entry:
            by_entry.setdefault(entry, set()).add(name)
    ordered = {entry: sorted(names) for entry, names in by_entry.items()}
    needs = {one.name: meant(one.spec.needs, ordered) for one in staying}
    needs.update((spec.name, meant(spec.needs, ordered)) for spec in specs)
    for spec in specs:
        unknown = [name for name in spec.needs if name not in needs and name not in ordered]
        if unknown:
            error = not_found(unknown[0], [name for name in needs if name != spec.name])
            why = f"cannot take {spec.name}: it depends on {unknown[0]!r}, which is not declared"
            raise PmonError(ErrorCode.INVALID, why, error.hint)
    concerned = graph.reachable([spec.name for spec in specs], needs)
    for cycle in graph.cycles(concerned, needs):
        why = f"cannot take {specs[0].name}: dependencies form a cycle: {' -> '.join(cycle)}"
        raise PmonError(ErrorCode.INVALID, why, "remove one of these dependencies")


def check_free(entry: str, specs: Iterable[ProcessSpec], others: Mapping[str, Intent]) -> None:
    """Raises PmonError where a process has the name of a replica and is none.

    It was found running when the state was lost, say.
    """
    taken = next((spec.name for spec in specs if spec.name in others), None)
    if taken is not None:
        why = f"cannot have replicas of {entry}: {taken} is the name of another process"
        raise PmonError(ErrorCode.CONFLICT, why, f"pmon3 del {taken}, when it may end")


def read_spec(data: Mapping[str, Any], cwd: str) -> ProcessSpec:
    """A submitted spec in its normal form. Raises PmonError `invalid` that names the first mistake."""
    placed = dict(data)
    file = placed.get("file")
    if isinstance(file, str) and "/" in file:
        placed["file"] = os.path.normpath(Path(cwd) / file)
    if isinstance(file, str) and not placed.get("name"):
        placed["name"] = Path(file).name
    for key in ("log", "log_dir", "cwd", "stderr_log"):
        if isinstance(placed.get(key), str) and placed[key]:
            placed[key] = str(Path(cwd) / placed[key])
    try:
        return read_value(ProcessSpec, placed)
    except InvalidValue as refused:
        first = next(iter(mistakes(refused, ProcessSpec)))
        where = ".".join(str(part) for part in first.path) or "process"
        raise PmonError(
            ErrorCode.INVALID, f"cannot take this process: {where}: {first.message}", first.hint
        ) from None
