"""A comparison as callers see it: the plan object, its digest, and the errors that refuse it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

from pmon3_schema.answers import Plan, PlannedAction
from pmon3_schema.diagnostics import Diagnostic
from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.formats.export import plain
from pmon3_schema.manifest import Reading
from pmon3_schema.masking import masked
from pmon3_schema.process import ProcessSpec
from pmon3_schema.revision import mask
from pmond.core.compare import Comparison
from pmond.core.model import CLI
from pmond.core.step import CREATE, CompareOptions, Existing, Step

PLAN_FORMAT = "pmon3.plan/1.0"
_ENCODER = json.JSONEncoder(sort_keys=True, default=str)


def summary_of(comparison: Comparison) -> dict[str, int]:
    """How many steps of each kind, and how many processes need none."""
    counts: dict[str, int] = {}
    for step in comparison.steps:
        counts[step.action] = counts.get(step.action, 0) + 1
    held = sum(note.code == "held" for note in comparison.notes)
    return {**counts, "unchanged": comparison.unchanged, **({"held": held} if held else {})}


def plan_json(
    comparison: Comparison, options: CompareOptions, version: int, digest: str, found: Sequence[Diagnostic]
) -> Plan:
    """The plan object; values of the environment are never shown."""
    return {
        "format": PLAN_FORMAT,
        "set": options.owner,
        "set_version": version,
        "source_digest": digest,
        "plan_digest": plan_digest(comparison, options, version),
        "options": {"prune": options.prune, "prune_limit": options.prune_limit,
                    "allow_empty": options.allow_empty, "take_over": options.take_over,
                    "restart": sorted(options.forced)},
        "summary": summary_of(comparison),
        "actions": [_step_json(step) for step in comparison.steps],
        "notes": [{"code": n.code, "name": n.name, "message": n.message} for n in comparison.notes],
        "diagnostics": [diagnostic.to_json() for diagnostic in found],
    }  # fmt: skip


def plan_digest(comparison: Comparison, options: CompareOptions, version: int) -> str:
    """A hash of exactly what would be done, to which version of the set.

    Values of the environment count, so that a plan does not carry a secret it was not made for.
    """
    digest = blake2b(_text([options.owner, version]), digest_size=16)
    for step in comparison.steps:  # one by one: the text of thousands at once would hold up the loop
        created = step.spec.to_record() if step.action == CREATE and step.spec is not None else None
        differences = [[change.path, change.before, change.after] for change in step.changes]
        digest.update(
            _text([step.action, step.name, step.effect, step.moved_from, step.wave, differences, created])
        )
    return "b2:" + digest.hexdigest()


def _text(value: list[Any]) -> bytes:
    return _ENCODER.encode(value).encode("utf-8", "surrogatepass")


def with_entries(plan: Plan, comparison: Comparison, existing: Mapping[str, Existing]) -> Plan:
    """The plan with the whole entry of each process before and after, secrets masked."""
    moved = {step.name for step in comparison.steps if step.moved_from}
    for action, step in zip(plan["actions"], comparison.steps, strict=True):
        if step.name in moved and not step.moved_from:
            continue  # the step that gave it its name shows all that differs
        known = existing.get(step.moved_from or step.name)
        before, after = known.spec if known is not None else None, step.spec
        action["entry_before"] = _entry(before, after, "*** (before)")
        action["entry_after"] = _entry(after, before, "*** (after)")
    return plan


def _entry(spec: ProcessSpec | None, other: ProcessSpec | None, word: str) -> dict[str, Any] | None:
    """Manifest data without secrets; `word` stands for values that differ from those of `other`."""
    if spec is None:
        return None
    entry = plain(spec)
    if not spec.env_vars:
        return entry
    shown = masked({**entry, "env_vars": dict(spec.env_vars)})
    elsewhere = other.env_vars if other is not None else spec.env_vars
    differing = {name for name, value in spec.env_vars.items() if elsewhere.get(name, value) != value}
    return {**shown, "env_vars": shown["env_vars"] | dict.fromkeys(differing, word)}


def _step_json(step: Step) -> PlannedAction:
    body: PlannedAction = {
        "action": step.action,
        "name": step.name,
        "effect": step.effect,
        "changes": [mask(change).to_json() for change in step.changes],
        "causes": list(step.causes),
        "wave": step.wave,
    }
    if step.moved_from:
        body["moved_from"] = step.moved_from
    return body


def invalid(reading: Reading) -> PmonError:
    """The error of a manifest with mistakes; they come along as diagnostics."""
    errors = [diagnostic for diagnostic in reading.diagnostics if diagnostic.is_error]
    first = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    of_host = "--host " if first.code.startswith("PM03") else ""
    return PmonError(
        ErrorCode.INVALID,
        f"cannot apply {first.file}: {first.file}:{first.line}:{first.column}: {first.message}{more}",
        f"nothing was changed; pmon3 validate {of_host}shows the places",
        [diagnostic.to_json() for diagnostic in reading.diagnostics],
    )


def conflict(comparison: Comparison, owner: str) -> PmonError:
    """The error of names that somebody else owns: who, where, and the ways out."""
    first = comparison.conflicts[0]
    said = [f"{one.name} belongs to {one.owner}{_at(one.place)}" for one in comparison.conflicts[:10]]
    more = f" and {len(comparison.conflicts) - 10} more" if len(comparison.conflicts) > 10 else ""
    remove = (
        f"pmon3 del {first.name}" if first.owner == CLI else f"remove it from {first.place or first.owner}"
    )
    return PmonError(
        ErrorCode.CONFLICT,
        f"cannot apply {owner}: {'; '.join(said)}{more}",
        f"take it over with --take-ownership, rename it here, or {remove}",
    )


def _at(place: str) -> str:
    return f" ({place})" if place else ""
