"""What a field of a manifest means, as it is declared: type, default, values, effect, since when."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from pmon3_schema.effect import Effect
from pmon3_schema.fields import FieldStruct, title_of
from pmon3_schema.formats.export import written
from pmon3_schema.jsonschema import definitions, manifest_schema
from pmon3_schema.process import ProcessSpec

ROOT = "process"
MANIFEST = "manifest"
"""What stands beside the processes."""

_COSTS = {
    Effect.NONE: "nothing that runs is touched",
    Effect.IN_PLACE: "the process goes on and the new value counts from now on",
    Effect.RELOAD: "the process is told to read its files again",
    Effect.RESTART: "the process is stopped and started",
}


class Explanation(Struct, frozen=True):
    """One field, or the whole process."""

    path: str
    description: str
    type: str
    default: Any
    required: bool
    effect: str
    cost: str
    since: str
    fields: tuple[Explanation, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "path": self.path, "description": self.description, "type": self.type,
            "default": self.default, "required": self.required, "effect": self.effect,
            "since": self.since, "fields": [field.to_json() for field in self.fields],
        }  # fmt: skip


def explain(path: str = ROOT) -> Explanation:
    """The field at a path such as ``process.restart.policy``. Raises KeyError with the unknown part.

    What stands beside the processes is at ``manifest.variables`` and the like.
    """
    parts = [part for part in path.split(".") if part]
    if parts[:1] == [MANIFEST]:
        return _beside(parts[1:])
    if parts[:1] in ([ROOT], ["processes"]):
        parts = parts[1:]
    declared: type[FieldStruct] = ProcessSpec
    found, at = _process(), ROOT
    schema = definitions()
    for place, part in enumerate(parts):
        if part not in declared.declared:
            raise KeyError(part)
        at = f"{at}.{part}"
        found = _field(at, part, declared, schema)
        inner = declared.declared[part].inner
        if inner is None and place + 1 < len(parts):
            raise KeyError(parts[place + 1])
        declared = inner or declared
    return found


def _process() -> Explanation:
    schema = definitions()
    fields = tuple(_field(f"{ROOT}.{name}", name, ProcessSpec, schema) for name in ProcessSpec.declared)
    return Explanation(ROOT, "one declared process", "mapping", None, True, "", "", "0.1", fields)


def _beside(parts: list[str]) -> Explanation:
    """The manifest itself, or what is at these keys of it."""
    schema = {**manifest_schema(), "description": "a file, or a folder of files, that declares processes"}
    for part in parts:
        if part not in _keys(schema):
            raise KeyError(part)
        schema = _keys(schema)[part]
    return _described(".".join([MANIFEST, *parts]), schema)


def _described(path: str, schema: dict[str, Any]) -> Explanation:
    fields = (_described(f"{path}.{key}", inner) for key, inner in _keys(schema).items())
    text = str(schema.get("description", ""))
    return Explanation(path, text, _type(schema), None, False, "", "", "0.1", tuple(fields))


def _keys(schema: dict[str, Any]) -> dict[str, Any]:
    """The keys of a mapping, or of each of the mappings in it."""
    inner = schema.get("additionalProperties")
    found: dict[str, Any] = schema.get("properties") or (inner if inner else {}).get("properties", {})
    return found


def _field(path: str, name: str, declared: type[FieldStruct], schema: dict[str, Any]) -> Explanation:
    field = declared.declared[name]
    inner, effect = field.inner, field.effect or Effect.RESTART
    return Explanation(
        path,
        field.description,
        "mapping" if inner is not None else _type(schema[title_of(declared)]["properties"][name]),
        None if field.required or inner is not None else written(name, field.default),
        field.required,
        "" if inner is not None else effect.value,
        "" if inner is not None else _COSTS[effect],
        field.since,
        tuple(_fields(path, inner, schema)) if inner is not None else (),
    )


def _fields(path: str, declared: type[FieldStruct], schema: dict[str, Any]) -> Iterator[Explanation]:
    for name in declared.declared:
        yield _field(f"{path}.{name}", name, declared, schema)


def _type(schema: dict[str, Any]) -> str:
    """A schema in the words of the author of a manifest."""
    if "$comment" in schema:
        return str(schema["$comment"])
    if "$ref" in schema:
        return "mapping"
    if "anyOf" in schema and "type" not in schema:
        kinds = [_type(kind) for kind in schema["anyOf"] if kind.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds)) + _range(schema)
    if "enum" in schema or "const" in schema:
        return " | ".join(str(value) for value in schema.get("enum", [schema.get("const")]))
    names = {"string": "text", "integer": "whole number", "boolean": "true | false", "object": "mapping"}
    kind = schema.get("type", "")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return names.get(str(kind), str(kind)) + _range(schema)


def _range(schema: dict[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is None and high is None:
        return ""
    return f", {low} to {high}" if None not in (low, high) else f", at least {low}"
