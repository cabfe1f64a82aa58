"""Specs to plain manifest data and to text, in the field order and style of the Go pmon3's export.

The seed's ten fields come first, in its order, spelling and rules for leaving out; `args` and
`env_vars` are one string each. Fields that it did not have follow in snake_case. Reading the text
gives equal specs in all three formats.
"""

from __future__ import annotations

import io
import json
import re
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from pmon3_schema.characters import escaped, escaped_json
from pmon3_schema.fields import FieldStruct
from pmon3_schema.process import REPLICA_FIELDS, ProcessSpec
from pmon3_schema.replica_text import as_text_itself, mentions
from pmon3_schema.scalars import LONGEST_DURATION, format_duration, parse_duration, signal_name
from pmon3_schema.spelling import SEED_FIELDS

FORMATS = ("json", "toml", "yaml")

_ALWAYS = frozenset({"file", "user", "args", "name"})
_DURATIONS = frozenset({"delay", "max_delay", "stable_after", "window", "timeout", "debounce"})
_TOML_KEYS = {
    "file": "File", "user": "User", "log": "Log", "log_dir": "LogDir", "args": "Args", "env_vars": "EnvVars",
    "name": "Name", "no_auto_restart": "NoAutoRestart",
}  # fmt: skip

_NO_TEXT_ELSEWHERE = re.compile(
    r"(?i:y|n|yes|no|on|off)|(?!0[0-9]+\Z)[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])*(?:\.[0-9_]*)?|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*"
)
"""Words that readers of YAML 1.1 (kubectl, PyYAML) take for true, false, a number or a date."""


def plain(spec: ProcessSpec) -> dict[str, Any]:
    """A spec as the shortest manifest entry that reads back as the same spec."""
    entry: dict[str, Any] = {name: _seed_value(spec, name) for name in SEED_FIELDS}
    entry = {name: value for name, value in entry.items() if value or name in _ALWAYS or value is False}
    entry |= _plain(spec, skip=frozenset(SEED_FIELDS))
    if spec.replicas is None:
        for name in REPLICA_FIELDS:
            if name in entry and mentions(getattr(spec, name)):
                entry[name] = as_text_itself(entry[name])
    return entry


def exported(spec: ProcessSpec, user: str, groups: Sequence[str]) -> dict[str, Any]:
    """The same of a process as it is: who it really runs as, and the groups that it is in now.

    Profiles have said already that it is declared; here nobody chooses one.
    """
    present = replace(spec, user=user, groups=tuple(groups), profiles=())
    return plain(present)


def render(processes: Sequence[Mapping[str, Any]], format_name: str) -> str:
    """The text of a manifest of plain entries. Raises ValueError for an unknown format."""
    writers: dict[str, Callable[[Sequence[Mapping[str, Any]]], str]] = {
        "json": _json, "yaml": _yaml, "toml": _toml,
    }  # fmt: skip
    if format_name not in writers:
        raise ValueError(f"cannot export as {format_name!r}: accepted formats: json, toml or yaml")
    return _harmless(writers[format_name](processes), format_name)


def render_manifest(manifest: Mapping[str, Any], format_name: str) -> str:
    """The text of a manifest with all that stands beside its processes, every value as it is given."""
    return _harmless(_text_of(manifest, format_name), format_name)


def _text_of(manifest: Mapping[str, Any], format_name: str) -> str:
    if format_name == "json":
        return json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    if format_name == "toml":
        import tomlkit

        return tomlkit.dumps(manifest)
    return _yaml_text(manifest)


def _harmless(text: str, format_name: str) -> str:
    """It goes to terminals too. All that cannot be printed stands in quotes, where escapes mean the same."""
    return escaped_json(text) if format_name == "json" else escaped(text)


def _seed_value(spec: ProcessSpec, name: str) -> Any:
    value = getattr(spec, name)
    if name == "args":
        return shlex.join(value)
    if name == "env_vars":
        return shlex.join(f"{key}={content}" for key, content in value.items())
    if name == "dependencies":
        return [one.to_plain() for one in value]
    return list(value) if isinstance(value, tuple) else value


def _plain(value: FieldStruct, skip: Collection[str] = ()) -> dict[str, Any]:
    """What of it is not the default, as a person would write it."""
    entry: dict[str, Any] = {}
    for name, field in value.declared.items():
        given = getattr(value, name)
        if given is field.default or given == field.default or name in skip:
            continue
        plain = _plain(given) if isinstance(given, FieldStruct) else written(name, given)
        if plain is not None and plain != {}:
            entry[name] = plain
    return entry


def written(name: str, value: Any) -> Any:
    """A value of the field `name` as a person would write it."""
    if name in _DURATIONS and value <= LONGEST_DURATION:  # an older pmond kept longer ones
        text = format_duration(value)
        return text if parse_duration(text) == value else value
    if name == "signal":
        return signal_name(value)
    if name == "umask" and value is not None:
        return f"{value:04o}"
    return _lists(value)


def _json(processes: Sequence[Mapping[str, Any]]) -> str:
    text = json.dumps({"processes": list(processes)}, indent=2, ensure_ascii=False)
    # Go escapes these so that JSON may stand in HTML; outside strings none of them occurs.
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026") + "\n"


def _yaml(processes: Sequence[Mapping[str, Any]]) -> str:
    return _yaml_text({"processes": [_without_false(entry) for entry in processes]})


def _yaml_text(manifest: Mapping[str, Any]) -> str:
    from ruamel.yaml import YAML

    writer = YAML()
    writer.indent(mapping=4, sequence=6, offset=4)
    writer.width = 1_000_000
    out = io.StringIO()
    writer.dump(_yaml_value(manifest), out)
    return out.getvalue()


def _yaml_value(value: Any) -> Any:
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    from pmon3_schema.formats.yaml import core_scalar

    if isinstance(value, Mapping):
        return {_yaml_value(key): _yaml_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_yaml_value(item) for item in value]
    if isinstance(value, str) and (
        not value.isprintable() or type(core_scalar(value)) is not str or _NO_TEXT_ELSEWHERE.fullmatch(value)
    ):
        return DoubleQuotedScalarString(value)
    return value


def _toml(processes: Sequence[Mapping[str, Any]]) -> str:
    import tomlkit

    document = tomlkit.document()
    tables = tomlkit.aot()
    for entry in processes:
        table = tomlkit.table()
        for name, value in _without_false(entry).items():
            table.add(_TOML_KEYS.get(name, name), _toml_value(value))
        table.indent(2)
        tables.append(table)
    document.add("Processes", tables if processes else tomlkit.array())
    return document.as_string().rstrip("\n") + "\n"


def _toml_value(value: Any) -> Any:
    import tomlkit

    if isinstance(value, Mapping):
        table = tomlkit.inline_table()
        for key, item in value.items():
            table.append(key, _toml_value(item))
        return table
    if isinstance(value, list | tuple):
        array = tomlkit.array()
        for item in value:
            array.append(_toml_value(item))
        return array
    return value


def _without_false(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The seed writes `no_auto_restart` in YAML and TOML only where it is true."""
    return {k: v for k, v in entry.items() if not (k == "no_auto_restart" and v is False)}


def _lists(value: Any) -> Any:
    """Tuples as lists, also those inside of others: commands are lists of words."""
    return [_lists(item) for item in value] if isinstance(value, tuple) else value
