"""The JSON Schema of manifests, for editors and other tools, made from the model itself.

Theory of operation: pydantic describes what a field may be *written* as (`json_schema_input_type`
on the converters of `process`); what is added here is the manifest around the list of processes
and what the YAML reader does with text fields. The schema is never stricter than the model: it
helps while writing, `validate` decides. Editors want draft-07, newer tools 2020-12.
"""

from __future__ import annotations

from typing import Any

from pmon3_schema.process import ProcessSpec
from pmon3_schema.spelling import SEED_TEXT_KEYS

DRAFTS = {
    "7": "http://json-schema.org/draft-07/schema#",
    "2020-12": "https://json-schema.org/draft/2020-12/schema",
}

_VARIABLES: dict[str, Any] = {
    "type": "object",
    "description": "variables by name; null: there is no default, a value must be given",
    "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
    "additionalProperties": {"type": ["string", "integer", "boolean", "null"]},
}


def manifest_schema(draft: str = "7") -> dict[str, Any]:
    """The schema of a manifest in that draft, one of `DRAFTS`."""
    process = ProcessSpec.model_json_schema(mode="validation", ref_template="#/$defs/{model}")
    definitions = {**process.pop("$defs", {}), "Process": process}
    for key in SEED_TEXT_KEYS:
        _as_text(process["properties"], key)
    schema = {
        "$schema": DRAFTS[draft],
        "title": "pmon3 manifest",
        "type": "object",
        "properties": {
            "$schema": {"type": "string", "description": "the address of this schema; ignored"},
            "processes": {
                "type": "array",
                "description": "the declared processes; an empty list is written []",
                "items": {"$ref": "#/$defs/Process"},
            },
            "variables": _VARIABLES,
            "profiles": {
                "type": "object",
                "description": "for each profile what is different while it is in use",
                "additionalProperties": {
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
                },
            },
            "use": {
                "type": "object",
                "description": "the profiles in use, and values of variables",
                "properties": {
                    "profiles": {
                        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]
                    },
                    "variables": _VARIABLES,
                },
                "additionalProperties": False,
            },
        },
        "anyOf": [{"required": ["processes"]}, {"required": ["profiles"]}, {"required": ["use"]}],
        "additionalProperties": False,
        "$defs": definitions,
    }
    return _draft_7(schema) if draft == "7" else schema


def _as_text(properties: dict[str, Any], key: str) -> None:
    """The readers take a number or a truth value in a text field as the text it is written as."""
    field = properties[key]
    kinds = field.pop("anyOf", None) or [
        {name: field.pop(name) for name in ("type", "minLength") if name in field}
    ]
    field["anyOf"] = [*kinds, {"type": ["number", "boolean"]}]


def _draft_7(value: Any) -> Any:
    """Definitions stood elsewhere then; nothing else that is used here differs."""
    if isinstance(value, dict):
        return {("definitions" if key == "$defs" else key): _draft_7(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_draft_7(item) for item in value]
    if isinstance(value, str) and value.startswith("#/$defs/"):
        return value.replace("#/$defs/", "#/definitions/")
    return value
