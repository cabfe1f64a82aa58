"""Two things that JSON Schema has no words for, said with the words it has: variables, and spellings.

Theory of operation: where a document declares variables, `${NAME}` may stand for any value that is
not text. Each such field takes a reference besides its own kinds of values, and for documents without
variables a second, small schema (`literal_only`) leaves the reference out again. Keys may be spelt as
the Go pmon3 took them: the usual spelling is a property, which editors propose, every other one a
pattern that leads to it.
"""

from __future__ import annotations

from typing import Any

from pmon3_schema.input_schema import any_case

ANNOTATIONS = frozenset({"$comment", "default", "description", "effect", "since", "title"})
"""The keys of a field's schema that refuse no value."""
_CHOICE = frozenset({"enum", "const", "pattern"})
_REFERENCE = {"$ref": "#/$defs/Reference"}


def kinds_of(field: dict[str, Any]) -> list[dict[str, Any]]:
    """What a field may be, each kind by itself, without annotations."""
    if "anyOf" in field:
        return [kind for one in field["anyOf"] for kind in kinds_of(one)]
    return [{key: value for key, value in field.items() if key not in ANNOTATIONS}]


def with_references(field: dict[str, Any]) -> dict[str, Any]:
    """The field, where it and the values in its lists may be made of variables; text may anyway."""
    before = kinds_of(field)
    kinds = [_in_list(kind) for kind in before]
    if any(_is_restricted(kind) for kind in kinds) and not any(map(_is_any_text, kinds)):
        kinds.append(_REFERENCE)
    if kinds == before:
        return field
    kept = {key: value for key, value in field.items() if key in ANNOTATIONS}
    return {**kept, **(kinds[0] if len(kinds) == 1 else {"anyOf": kinds})}


def literal_only(sections: dict[str, Any], section: dict[str, Any]) -> dict[str, Any]:
    """What a process without variables has to be, as far as `with_references` takes more."""
    properties = {}
    for key, field in section["properties"].items():
        inner = next((kind["$ref"] for kind in kinds_of(field) if "$ref" in kind), None)
        if inner is not None:
            properties[key] = literal_only(sections, sections[inner.rpartition("/")[2]])
        elif with_references(field) != field:
            properties[key] = {"anyOf": kinds_of(field)}
    return {"properties": properties}


def some_of(key: str) -> list[dict[str, Any]]:
    """Alternatives, one of which holds where a mapping has the key, in any spelling."""
    return [{"required": [key]}, {"not": {"propertyNames": {"not": {"pattern": _spelt(key)}}}}]


def in_all_spellings(value: Any, at: str = "#") -> None:
    """Add to every mapping of known keys the patterns of their other spellings."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(parts):
        in_all_spellings(inner, f"{at}/{key}")
    if isinstance(value, dict) and isinstance(value.get("properties"), dict):
        value["patternProperties"] = value.get("patternProperties", {}) | {
            f"(?!^{key}$){_spelt(key)}": {"$ref": f"{at}/properties/{key}"}
            for key in value["properties"]
            if key.isidentifier()
        }


def _spelt(key: str) -> str:
    """A pattern of `log_dir`, `LogDir` and the like."""
    spellings = dict.fromkeys([any_case(key), any_case(key.replace("_", ""))])
    return f"^(?:{'|'.join(spellings)})$"


def _in_list(kind: dict[str, Any]) -> dict[str, Any]:
    return {**kind, "items": with_references(kind["items"])} if "items" in kind else kind


def _is_restricted(kind: dict[str, Any]) -> bool:
    return bool(kind.keys() & _CHOICE) or kind.get("type") in (
        "integer",
        "number",
        "boolean",
    )


def _is_any_text(kind: dict[str, Any]) -> bool:
    return kind.get("type") == "string" and not kind.keys() & _CHOICE
