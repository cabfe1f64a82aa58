"""Settings filled from a YAML file and the environment, with every mistake said and placed.

Theory of operation: values stay text until they are read as a whole. Whatever is refused is
reported and taken out, and the rest is read again from what is left; so the result is always usable.
Overrides are derived from the field names: `wait.cmd_exec_response` is `CONFIGOR_WAIT_CMDEXECRESPONSE`,
the name that the Go pmon3 used, and `PMON3_WAIT_CMDEXECRESPONSE`, which wins when both are set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias, TypeVar

from pmon3_schema.diagnostics import Diagnostic, Severity
from pmon3_schema.field_diagnostics import FieldDiagnostic, mistakes
from pmon3_schema.fields import FieldStruct, InvalidValue, inner_of
from pmon3_schema.formats.source import LineIndex, Path, Position, Span, TextDiagnostic, Unreadable, decode
from pmon3_schema.reading import read_value

Value = TypeVar("Value", bound=FieldStruct)
Keys: TypeAlias = tuple[str, ...]

_PREFIXES = ("CONFIGOR_", "PMON3_")
_OTHER_WORDS = {"EVENTHANDLING": ("EVENTHANDLER", "EVENTHANDLING")}
"""Sections whose name in variables differs from their name in the file."""

_FALSE = frozenset({"0", "f", "false"})
_DEBUG_LEVELS = {"true": "debug", "debug": "debug", "info": "info", "warn": "warn", "error": "error"}


class SettingsText:
    """The text of one configuration file and the environment laid over it."""

    def __init__(self, path: str, content: bytes, environ: Mapping[str, str]) -> None:
        self.path = path
        self.environ = environ
        self.text = ""
        self.data: dict[str, Any] = {}
        self.problems: list[TextDiagnostic] = []
        self.variables: dict[Keys, str] = {}
        """Which variable gave the value at a path."""
        self.emptied: frozenset[Keys] = frozenset()
        """Keys that are present without a value."""
        self._load(content)

    def _load(self, content: bytes) -> None:
        if not content:  # there need not be a file, nor a reader of YAML then
            return
        from pmon3_schema.formats import yaml

        try:
            self.text = decode(content)
            loaded = yaml.load(self.text, typed=False)
        except Unreadable as unreadable:
            self.text = self.text or content.decode("utf-8", "replace").removeprefix("\ufeff")
            self.problems.append(unreadable.problem)
            return
        self.problems.extend(loaded.problems)
        if isinstance(loaded.data, dict):
            empty: set[Keys] = set()
            self.data = _without_empty(loaded.data, (), empty)
            self.emptied = frozenset(empty)
        elif loaded.data is not None:
            self.problems.append(TextDiagnostic("PM010", "a configuration is a mapping", Span(0, 1)))

    def overlay(self, declared: type[FieldStruct]) -> None:
        """Lay the environment over the file. Empty variables are ignored, as the Go pmon3 did."""
        for path, is_flag in settings_in(declared):
            for name in variable_names(path):
                value = self.environ.get(name, "")
                if value:
                    flag = "false" if value.lower() in _FALSE else "true"
                    self.put(path, flag if is_flag else value)
                    self.variables[path] = name
        debug = self.environ.get("PMON3_DEBUG", "")
        if debug and "log_level" in declared.declared:
            self.put(("log_level",), _DEBUG_LEVELS.get(debug.lower(), "info"))

    def put(self, path: Keys, value: str) -> None:
        """Set one value, making the sections on the way."""
        node = self.data
        for key in path[:-1]:
            if not isinstance(node.get(key), dict):
                node[key] = {}
            node = node[key]
        node[path[-1]] = value

    def says(self, *path: str) -> bool:
        """Whether a setting is given, and not refused."""
        node: Any = self.data
        for key in path:
            if not isinstance(node, dict) or key not in node:
                return False
            node = node[key]
        return True

    def remove(self, path: Keys) -> None:
        """Take a value out, so that its default stands."""
        node: Any = self.data
        for key in path[:-1]:
            node = node.get(key) if isinstance(node, dict) else None
        if isinstance(node, dict):
            node.pop(path[-1], None)


def read_layers(layer: SettingsText, declared: type[Value]) -> tuple[Value, tuple[Diagnostic, ...]]:
    """The value that the layers describe, and what was wrong with them."""
    layer.overlay(declared)
    found: list[tuple[FieldDiagnostic, Severity]] = []
    while layer.data:  # what is refused is taken out of it
        try:
            return read_value(declared, layer.data), _diagnostics(layer, found)
        except InvalidValue as refused:
            for item, mistake in zip(refused.errors, mistakes(refused, declared), strict=False):
                path = tuple(str(part) for part in item["loc"])
                kind = _WRONG_TYPE if isinstance(item["input"], dict | list) else str(item["type"])
                found.append(_judged(mistake, kind, path))
                layer.remove(_setting(path, declared))
                instead = _instead(path, declared)
                if instead is not None and found[-1][0].code == "PM042":
                    layer.put(path, str(instead))
    return declared(), _diagnostics(layer, found)


def variable_names(path: Keys) -> list[str]:
    """Every variable that overrides a setting, weakest first."""
    names = [""]
    for part in path:
        word = part.replace("_", "").upper()
        names = [f"{n}_{w}" if n else w for n in names for w in _OTHER_WORDS.get(word, (word,))]
    if path == ("message_queue", "directory", "shmem"):
        names.insert(0, "MESSAGEQUEUE_DIRECTORY")
    return [prefix + name for prefix in _PREFIXES for name in names]


def settings_in(declared: type[FieldStruct], above: Keys = ()) -> Iterator[tuple[Keys, bool]]:
    """The path of each setting, and whether it is a flag."""
    for name, field in declared.declared.items():
        if field.inner is not None:
            yield from settings_in(field.inner, (*above, name))
        else:
            yield (*above, name), isinstance(field.default, bool)


def _without_empty(data: Mapping[str, Any], above: Keys, empty: set[Keys]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, value in data.items():
        if value is None or value == "":
            empty.add((*above, key))
        else:
            kept[key] = _without_empty(value, (*above, key), empty) if isinstance(value, dict) else value
    return kept


_WRONG_TYPE = "list or mapping"
"""What no single value can be read from: no word of it is out of range."""


def _judged(mistake: FieldDiagnostic, kind: str, path: Keys) -> tuple[FieldDiagnostic, Severity]:
    """The mistake in the words of a configuration, and whether it is more than a warning."""
    if kind == "extra_forbidden":
        return mistake, Severity.WARNING
    if kind in {"greater_than_equal", "less_than_equal", "literal_error", "range"}:
        message = f"{mistake.message}; the default is used"
        if kind == "range":
            message = f"`{'.'.join(path)}` {message}"
        return FieldDiagnostic("PM042", message, path, hint=mistake.hint), Severity.WARNING
    if kind == _WRONG_TYPE and mistake.code == "PM012":
        return FieldDiagnostic("PM010", mistake.message, path), Severity.ERROR
    if kind.startswith(("int_", "bool_")):
        what = "a whole number" if kind.startswith("int_") else "true or false"
        return FieldDiagnostic("PM010", f"`{'.'.join(path)}` must be {what}", path), Severity.ERROR
    if kind == "command":
        return FieldDiagnostic("PM012", f"`{'.'.join(path)}` {mistake.message}", path), Severity.ERROR
    return mistake, Severity.ERROR


def _setting(path: Keys, declared: type[FieldStruct]) -> Keys:
    """The whole setting that a path is in: one wrong word takes out its command."""
    current: type[FieldStruct] | None = declared
    for length, part in enumerate(path, start=1):
        current = inner_of(current, part) if current else None
        if current is None:
            return path[:length]
    return path


def _instead(path: Keys, declared: type[FieldStruct]) -> Any:
    current: type[FieldStruct] | None = declared
    for part in path[:-1]:
        current = inner_of(current, part) if current else None
    field = current.declared.get(path[-1]) if current and path else None
    return field.instead if field else None


def _places(text: str, paths: list[Path]) -> Mapping[Path, Position]:
    if not paths or not text:
        return {}
    from pmon3_schema.formats import yaml_places

    return yaml_places.locate(text, paths)


def _diagnostics(
    layer: SettingsText, found: list[tuple[FieldDiagnostic, Severity]]
) -> tuple[Diagnostic, ...]:
    lines = LineIndex(layer.text)
    result = [_at(layer.path, lines, problem) for problem in layer.problems]
    places = _places(layer.text, [mistake.path for mistake, _ in found])
    for mistake, severity in found:
        keys = tuple(str(part) for part in mistake.path)
        pointer = "".join(f"/{key}" for key in keys)
        variable = layer.variables.get(keys)
        file, span = layer.path, _span(places, mistake)
        position = (*lines.at(span.start), *lines.at(span.end))
        if variable:
            file, position = f"${variable}", (1, 1, 1, 1)
        result.append(
            Diagnostic(severity, mistake.code, mistake.message, file, *position, pointer, mistake.hint)
        )
    return tuple(sorted(result, key=lambda d: (d.file, d.line, d.column)))


def _at(file: str, lines: LineIndex, problem: TextDiagnostic) -> Diagnostic:
    position = (*lines.at(problem.span.start), *lines.at(problem.span.end))
    return Diagnostic(Severity.ERROR, problem.code, problem.message, file, *position, hint=problem.hint)


def _span(places: Mapping[Any, Position], mistake: FieldDiagnostic) -> Span:
    for length in range(len(mistake.path), 0, -1):
        place = places.get(mistake.path[:length])
        if place is not None:
            return place.key if mistake.at_key and place.key else place.value
    return Span(0, 0)
