"""The JSON Schema of manifests, for editors and other tools, made from the model itself.

Theory of operation: pydantic describes what a field may be *written* as (`input_schema`, through
the types of `field_types`). Added here is what readers do before the model sees an entry: the manifest around
the list of processes, keys in the spellings of the Go pmon3 (`spelling`), empty values, text that
YAML would take for a number, and values made of variables. The schema is never stricter than
`validate`, and looser only in what the last section of the how-to on validation lists. Editors want
draft-07, newer tools 2020-12.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pmon3_schema import input_schema
from pmon3_schema.fields import FieldStruct, title_of
from pmon3_schema.jsonschema_parts import (
    ANNOTATIONS,
    in_all_spellings,
    kinds_of,
    literal_only,
    some_of,
    with_references,
)
from pmon3_schema.models import model_of
from pmon3_schema.process import ProcessSpec
from pmon3_schema.profiles import OF_ONE_PROCESS
from pmon3_schema.spelling import SEED_TEXT_KEYS

DRAFTS = {
    "7": "http://json-schema.org/draft-07/schema#",
    "2020-12": "https://json-schema.org/draft/2020-12/schema",
}

_PLAIN: dict[str, Any] = {"type": ["number", "boolean"]}
_VARIABLES: dict[str, Any] = {
    "type": "object",
    "description": "variables by name; null: there is no default, a value must be given",
    "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
    "additionalProperties": {"type": ["string", "integer", "boolean", "null"]},
}
_PROFILE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "variables": _VARIABLES,
        "processes": {
            "type": "array",
            "description": "changes by name (null takes a field away), and more processes",
            "items": {"type": "object"},
        },
    },
    "additionalProperties": False,
}
_USE: dict[str, Any] = {
    "type": "object",
    "description": "the profiles in use, and values of variables",
    "properties": {
        "profiles": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
        "variables": _VARIABLES,
    },
    "additionalProperties": False,
}


def definitions() -> dict[str, Any]:
    """The model alone: `Process` and the sections of it by their names, without what readers add."""
    process = model_of(ProcessSpec).model_json_schema(mode="validation", ref_template="#/$defs/{model}")
    found: dict[str, Any] = _bounded({**process.pop("$defs", {}), "Process": process})
    for section in _sections_of(ProcessSpec):
        alternatives = [one for key in section.needs_one_of for one in some_of(key)]
        found[title_of(section)] |= {"anyOf": alternatives} if alternatives else {}
    return found


def _sections_of(declared: type[FieldStruct]) -> Iterator[type[FieldStruct]]:
    """The classes of its fields that are made of fields, and of theirs."""
    for field in declared.declared.values():
        if field.inner is not None:
            yield field.inner
            yield from _sections_of(field.inner)


def manifest_schema(draft: str = "7") -> dict[str, Any]:
    """The schema of a manifest in that draft, one of `DRAFTS`."""
    sections = definitions()
    process = sections["Process"]
    _as_readers_take_it(process)
    literal = literal_only(sections, process)
    for section in sections.values():
        section["properties"] = {key: with_references(field) for key, field in section["properties"].items()}
    schema: dict[str, Any] = {
        "$schema": DRAFTS[draft],
        "title": "pmon3 manifest",
        "type": "object",
        "properties": {
            "$schema": {"description": "the address of this schema; ignored"},
            "processes": {
                "type": "array",
                "description": "the declared processes; an empty list is written []",
                "items": {"$ref": "#/$defs/Process"},
            },
            "defaults": {
                "description": "fields that each process takes where it does not say otherwise",
                "allOf": [
                    {"$ref": "#/$defs/Process"},
                    {"properties": {key: {"type": "null"} for key in OF_ONE_PROCESS}},
                ],
            },
            "variables": _VARIABLES,
            "profiles": {
                "type": "object",
                "description": "for each profile what is different while it is in use",
                "additionalProperties": _PROFILE,
            },
            "use": _USE,
        },
        "anyOf": [*some_of("processes"), *some_of("profiles"), *some_of("use")],
        "additionalProperties": False,
        "patternProperties": {"^x-": True},
        "allOf": [
            _where("variables", "NamedByItself", "WithoutVariables"),
            _where("defaults", "", "OfItself"),
        ],
        "$defs": {
            **sections,
            "Reference": input_schema.REFERENCE,
            "NamedByItself": {"properties": {"name": {"not": input_schema.REFERENCE}}},
            "WithoutVariables": literal,
            "OfItself": {"anyOf": some_of("file")},
        },
    }
    in_all_spellings(schema)
    return _draft_7(schema) if draft == "7" else schema


def _where(key: str, then: str, otherwise: str) -> dict[str, Any]:
    """What every process has to be where the top has a key, and where it has not; empty: anything."""

    def each(name: str) -> dict[str, Any]:
        return {"properties": {"processes": {"items": {"$ref": f"#/$defs/{name}"}}}}

    result: dict[str, Any] = {"if": {"anyOf": some_of(key)}, "else": each(otherwise)}
    return {**result, "then": each(then)} if then else result


def _as_readers_take_it(process: dict[str, Any]) -> None:
    """Numbers in YAML where text is meant, its words for truth, empty values for what is not given."""
    properties = process["properties"]
    for key in sorted(SEED_TEXT_KEYS - {"env_vars"}):
        # No name begins with `-`.
        _also(properties[key], _PLAIN | ({"minimum": 0} if key in ("file", "name") else {}))
    for key in [key for key in properties if key != "file"]:
        _also(properties[key], {"type": "null"})
    _also(properties["no_auto_restart"], input_schema.YES_NO)
    _also(properties["name"], {"const": ""})
    del process["required"]  # `file` may stand in `defaults`


def _also(field: dict[str, Any], kind: dict[str, Any]) -> None:
    kinds = kinds_of(field)
    for key in field.keys() - ANNOTATIONS:
        del field[key]
    field["anyOf"] = [*kinds, kind]


def _bounded(value: Any) -> Any:
    """pydantic says `ge` where it does not know that a union is of numbers; of texts it means nothing."""
    if isinstance(value, list):
        return [_bounded(item) for item in value]
    if not isinstance(value, dict):
        return value
    names = {"ge": "minimum", "le": "maximum"} if "type" in value else {"ge": "", "le": ""}
    renamed = {names.get(key, key): _bounded(item) for key, item in value.items()}
    return {key: item for key, item in renamed.items() if key}


def _draft_7(value: Any) -> Any:
    """Definitions stood elsewhere then; nothing else that is used here differs."""
    if isinstance(value, dict):
        return {("definitions" if key == "$defs" else key): _draft_7(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_draft_7(item) for item in value]
    if isinstance(value, str) and value.startswith("#/$defs/"):
        return value.replace("#/$defs/", "#/definitions/")
    return value
