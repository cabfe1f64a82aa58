"""pydantic's errors said in the words of the author of a manifest, with suggestions.

Messages name types, never values of the environment: they end in logs and events.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from msgspec import Struct

from pmon3_schema import foreign_fields
from pmon3_schema.fields import FieldStruct, InvalidValue, inner_of
from pmon3_schema.formats.source import Path
from pmon3_schema.substituted_text import SubstitutedText

MAX_PER_ENTRY = 100

_EXPECTED = {
    "string_type": "text", "string_sub_type": "text", "string_unicode": "text", "bool_type": "true or false",
    "int_type": "a whole number", "int_from_float": "a whole number", "float_type": "a number",
    "tuple_type": "a list", "list_type": "a list", "dict_type": "a mapping", "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}  # fmt: skip
_TWO_FORMS = {
    "args": "text or a list of texts",
    "env_vars": "text or a mapping",
    "env_file": "text or a list",
    "watch.paths": "text or a list",
    "watch.ignore": "text or a list",
    "reload.command": "text or a list of texts",
    "hooks.pre_start": "a list of commands",
    "hooks.post_stop": "a list of commands",
    "hooks.on_failure": "a list of commands",
    "sandbox.read_only": "text or a list",
    "sandbox.hidden": "text or a list",
    "sandbox.writable": "text or a list",
}
_TYPE_NAMES: tuple[tuple[Any, str], ...] = (
    (bool, "true or false"), (int, "a number"), (float, "a number"), (str, "text"),
    ((list, tuple), "a list"), (dict, "a mapping"), (type(None), "empty"),
    ((datetime.date, datetime.time), "a date or time"),
)  # fmt: skip
_PLACE_OF_CHECK: dict[str, Path] = {
    "conflict": ("no_auto_restart",),
    "endless": ("exit_on_end",),
    "env_vars": ("env_vars",),
    "oneshot": ("type",),
    "replicas": ("replicas",),
    "reload": ("on_change",),
    "sandbox": ("sandbox",),
}


class FieldDiagnostic(Struct, frozen=True):
    """One wrong thing in one value; `path` has canonical keys, from the value's top."""

    code: str
    message: str
    path: Path
    at_key: bool = False
    hint: str = ""


def mistakes(refused: InvalidValue, declared: type[FieldStruct]) -> Iterator[FieldDiagnostic]:
    """What is wrong with what no value of `declared` could be read from, at most `MAX_PER_ENTRY` things."""
    if not refused.errors:
        yield FieldDiagnostic("PM010", f"{refused.count} values have the wrong type", ())
        return
    for item in refused.errors[:MAX_PER_ENTRY]:
        yield _mistake(item, declared)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``did you mean `x`?`` when one of the known words is close, else nothing."""
    names = list(known)
    folded = {name.replace("_", "").replace("-", "").lower(): name for name in names}
    same = folded.get(word.replace("_", "").replace("-", "").lower())
    close = [same] if same else get_close_matches(word[:100], names, 1)
    return f"did you mean `{close[0]}`?" if close else ""


_YES_OR_NO = {
    **dict.fromkeys(("yes", "on", "y", "true", "1"), "true, without quotes"),
    **dict.fromkeys(("no", "off", "n", "false", "0"), "false, without quotes"),
    **dict.fromkeys(("yes", "on", "y"), "true"),
    **dict.fromkeys(("no", "off", "n"), "false"),
}
"""Words that YAML 1.1 read as true and false; since YAML 1.2 they are text, with quotes and without."""
_OCTAL = frozenset({"umask", "directory_mode", "file_mode"})
_BOUNDS = {"greater_than_equal": ("at least", "ge"), "less_than_equal": ("at most", "le")}


def type_name(value: Any) -> str:
    """What a value is, in words: ``text``, ``a number``, ``a list``."""
    if isinstance(value, SubstitutedText):
        return f"what `{value.written}` stands for"
    for types, name in _TYPE_NAMES:
        if isinstance(value, types):
            return name
    return type(value).__name__


def _mistake(item: Mapping[str, Any], declared: type[FieldStruct]) -> FieldDiagnostic:
    kind, path, given = str(item["type"]), tuple(item["loc"]), item["input"]
    if path and path[-1] == "[key]":
        path = path[:-1]
    field = ".".join(str(part) for part in path)
    if kind == "extra_forbidden":
        return _unknown(path, declared)
    if kind == "missing":
        return FieldDiagnostic("PM011", f"`{field}` is missing", path[:-1])
    if kind == "literal_error":
        allowed = str(item["ctx"]["expected"]).replace("'", "")
        words = allowed.replace(" or ", ", ").split(", ")
        hint = did_you_mean(given, words) if isinstance(given, str) else ""
        return FieldDiagnostic("PM012", f"`{field}` must be {allowed}", path, hint=hint)
    if kind in _EXPECTED:
        expected = _TWO_FORMS.get(field, _EXPECTED[kind])
        is_secret = isinstance(given, SubstitutedText)
        is_word = kind == "bool_type" and not is_secret and str(given).lower() in _YES_OR_NO
        what = f"`{given}`" if is_word else type_name(given)
        message = f"`{field}` must be {expected}, not {what}" if field else f"must be {expected}"
        return FieldDiagnostic("PM010", message, path, hint=_type_hint(kind, given))
    if kind == "string_too_short":
        return FieldDiagnostic("PM012", f"`{field}` is empty", path)
    if kind in ("conflict", "sandbox"):
        return FieldDiagnostic(
            "PM013", str(item["msg"]), path or _PLACE_OF_CHECK[kind], hint="remove one of the two"
        )
    if kind == "endless":
        hint = "add `restart: {policy: on-failure}`, or never, or max_failures"
        return FieldDiagnostic("PM013", str(item["msg"]), path or _PLACE_OF_CHECK[kind], hint=hint)
    if kind == "oneshot":
        hint = "say `policy: never`, or `on-failure` with max_failures"
        is_of_type = "schedule" in str(item["msg"])
        at = _PLACE_OF_CHECK[kind] if is_of_type else ("restart", "policy")
        return FieldDiagnostic(
            "PM013", str(item["msg"]), path or at, hint="remove `type`" if is_of_type else hint
        )
    if kind in _BOUNDS:
        side, bound = _BOUNDS[kind]
        limit = item["ctx"][bound]
        shown = f"0{limit:o}" if field in _OCTAL and limit else str(limit)
        return FieldDiagnostic("PM012", f"`{field}` must be {side} {shown}", path)
    message = str(item["msg"])
    if "ctx" in item and "why" not in item["ctx"]:
        message = f"`{field}`: {message[:1].lower()}{message[1:]}"
    return FieldDiagnostic("PM012", message, path or _PLACE_OF_CHECK.get(kind, ()))


def _unknown(path: Path, declared: type[FieldStruct]) -> FieldDiagnostic:
    owner: type[FieldStruct] | None = declared
    for part in path[:-1]:
        owner = inner_of(owner, str(part)) if owner else None
    key = str(path[-1])
    names = owner.declared if owner else {}
    # What another tool means by a word comes before what it looks like.
    foreign = foreign_fields.hint(key, names) if owner is declared else ""
    hint = foreign or did_you_mean(key, names) or _elsewhere(key, owner)
    return FieldDiagnostic("PM014", f"unknown field `{key}`", path, at_key=True, hint=hint)


def _elsewhere(key: str, owner: type[FieldStruct] | None) -> str:
    for name, field in owner.declared.items() if owner else ():
        if field.inner and key in field.inner.declared:
            return f"did you mean `{key}` inside `{name}`?"
    return ""


def _type_hint(kind: str, given: Any) -> str:
    if kind.startswith("string") and isinstance(given, int | float):
        return "write it in quotes"
    if kind == "bool_type" and isinstance(given, str):
        meant = _YES_OR_NO.get(given.lower())
        return f"write {meant}" if meant else "write true or false, without quotes"
    if kind in {"int_type", "float_type"} and isinstance(given, str) and given.isdigit():
        return "write it without quotes or leading zeros"
    return ""
