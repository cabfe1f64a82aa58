"""Reads YAML: libyaml's events, YAML 1.2 core types, duplicate keys refused, bounded work.

Theory of operation: PyYAML's event stream is turned into plain data by a builder of our own. It is
several times faster than PyYAML's construction (no node objects, so the cyclic collector has nothing
to visit), it keeps `no`, `on`, `22:22` and dates as the text they are, and it sees duplicate keys.
Whole numbers with a leading zero stay text: YAML 1.1 reads them as octal, YAML 1.2 as decimal, and
both the octal modes of config.yml and `umask` want the digits as written.

Merge keys (`<<`) are those of YAML 1.1: what the mapping itself says wins, then the first of several. They
are laid under when the mapping has ended, and each merged field counts as a value towards the bound.

Positions are looked up in a second scan (`yaml_places`), only when there is an error to point at.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NoReturn

import yaml
from yaml import events
from yaml.reader import Reader, ReaderError

from pmon3_schema.formats.source import (
    MAX_ALIASES,
    MAX_DEPTH,
    MAX_NODES,
    Loaded,
    Span,
    TextDiagnostic,
    Unreadable,
    check_depth,
)

EventLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_CONSTANTS: dict[str, Any] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,399})\Z")
_BASED = re.compile(r"0o[0-7]{1,400}\Z|0x[0-9a-fA-F]{1,400}\Z")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z")
_NUMERIC_START = frozenset("+-.0123456789")
_TEXT_TAGS = frozenset({"!", "tag:yaml.org,2002:str"})
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_NO_KEY: Any = object()
_MERGE: Any = object()


def core_scalar(text: str) -> Any:
    """The value of a plain scalar in the core schema of YAML 1.2.

    Differs from it in one point: whole numbers with a leading zero are text (see the module).
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in _NUMERIC_START:
        return text
    if _INTEGER.match(text):
        return int(text)
    if _BASED.match(text):
        return int(text, 0)
    if _LEADING_ZERO.match(text):
        return text
    if _FLOAT.match(text):
        return float(text)
    return float(text.replace(".", "", 1)) if _NOT_FINITE.match(text) else text


def load(text: str, *, text_keys: frozenset[str] = frozenset(), typed: bool = True) -> Loaded:
    """The one document of a text as plain data.

    Values of `text_keys` stay text even where they look like numbers; with `typed` false every
    plain scalar does, except null. Raises Unreadable.
    """
    try:
        loaded = _Builder(text, text_keys, typed).build()
        if any(problem.code == "PM002" for problem in loaded.problems):
            return _Builder(text, text_keys, typed, keep_places=True).build()
        return loaded
    except yaml.MarkedYAMLError as error:
        _raise_syntax(text, error)
    except ReaderError:
        found = Reader.NON_PRINTABLE.search(text)
        start = found.start() if found else 0
        message = f"character U+{ord(text[start]):04X} is not allowed in YAML"
        raise Unreadable(TextDiagnostic("PM003", message, Span(start, start + 1))) from None


class _Builder:
    """Plain data from events. Problems that leave the rest readable are collected."""

    def __init__(
        self, text: str, text_keys: frozenset[str], typed: bool, *, keep_places: bool = False
    ) -> None:
        self._get: Callable[[], Any] = EventLoader(text).get_event
        self._keep_places = keep_places
        self._text_keys = text_keys
        self._typed = typed
        self._problems: list[TextDiagnostic] = []
        self._anchors: dict[str, Any] = {}
        # Nodes that one use of an anchor stands for: shared nodes count as often as they are used.
        self._sizes: dict[str, int] = {}
        self._nodes = 0
        self._aliases = 0
        # Where each key of each mapping is; the mapping is kept, so that its identity stays its own.
        self._places: dict[tuple[int, str], tuple[Any, Span]] = {}
        # What is to be laid under a mapping when it ends, by its identity.
        self._merges: dict[int, tuple[Any, Any]] = {}

    def build(self) -> Loaded:
        """Follow the events. One loop, because a call per event would cost a second in large files."""
        get = self._get
        stack: list[tuple[Any, bool, Any, str | None, int]] = []
        starts: list[int] = []
        root: Any = None
        current: Any = None
        section: str | None = None
        key, is_map, documents = _NO_KEY, False, 0
        while True:
            event = get()
            kind = type(event)
            if kind is events.ScalarEvent:
                value = self._scalar(event, key) if is_map else self._scalar(event, None)
            elif kind is events.MappingStartEvent or kind is events.SequenceStartEvent:
                value = {} if kind is events.MappingStartEvent else []
                self._check_collection(event, len(stack))
            elif kind is events.MappingEndEvent or kind is events.SequenceEndEvent:
                if self._merges and id(current) in self._merges:
                    self._merge(current)
                current, is_map, key, anchor, before = stack.pop()
                if anchor is not None:
                    self._sizes[anchor] = self._nodes - before
                continue
            elif kind is events.AliasEvent:
                value = self._alias(event)
            elif kind is events.StreamEndEvent:
                if self._aliases:  # they may nest what is flat in the text
                    check_depth(root)
                return Loaded(root, starts, tuple(self._problems))
            elif kind is events.DocumentStartEvent:
                documents += 1
                if documents > 1:
                    _fail(
                        "PM001",
                        "a second document in one file",
                        event,
                        "put everything under one `processes:`",
                    )
                continue
            else:
                continue
            self._nodes += 1
            if current is None:
                root = value
            elif not is_map:
                current.append(value)
                if len(stack) == 2 and section == "processes":
                    starts.append(event.start_mark.index)
            elif key is _NO_KEY:
                if type(value) is str and value not in current and value != "<<" and not self._keep_places:
                    key = value
                else:
                    key = self._key(event, value, current)
                if len(stack) == 1:
                    section = key if type(key) is str else None
                if kind is events.ScalarEvent or kind is events.AliasEvent:
                    continue
                _fail("PM001", "a list or mapping as a key", event, "keys are text")
            else:
                if key is _MERGE:
                    self._merges[id(current)] = (value, event)
                elif key is not None:
                    current[key] = value
                key = _NO_KEY
            if kind is events.AliasEvent:
                continue
            if event.anchor is not None:
                self._anchors[event.anchor], self._sizes[event.anchor] = value, 1
            if kind is not events.ScalarEvent:
                self._sizes.pop(event.anchor, 0)
                stack.append((current, is_map, key, event.anchor, self._nodes - 1))
                current, is_map, key = value, kind is events.MappingStartEvent, _NO_KEY

    def _scalar(self, event: Any, key: Any) -> Any:
        if event.implicit[0]:
            value = core_scalar(event.value) if self._typed or event.value in _NULLS else event.value
            if type(value) is not str and value is not None and key in self._text_keys:
                return event.value
            return value
        if event.tag is not None and event.tag not in _TEXT_TAGS:
            _fail("PM001", f"the tag {event.tag} is not supported", event, "write the plain value")
        return event.value

    def _merge(self, mapping: dict[str, Any]) -> None:
        """Lay under a mapping what its `<<` names."""
        under, event = self._merges.pop(id(mapping))
        parts = under if isinstance(under, list) else [under]
        for part in parts:
            if not isinstance(part, dict):
                hint = "write <<: *NAME, where &NAME stands before a mapping"
                self._report("PM010", "a merge key `<<` takes a mapping, or a list of mappings", event, hint)
                return
            self._nodes += len(part)
            self._check_nodes(event)
            for key, value in part.items():
                mapping.setdefault(key, value)

    def _key(self, event: Any, value: Any, mapping: dict[str, Any]) -> Any:
        if type(value) is not str:
            if type(event) is events.ScalarEvent:
                self._report("PM010", "a key must be text", event, f"write it in quotes: '{event.value}'")
            return None
        if value == "<<" and event.implicit[0]:
            if id(mapping) not in self._merges:
                self._merges[id(mapping)] = (None, event)
                return _MERGE
            message, hint = "duplicate key `<<`", "write a list of aliases: <<: [*one, *two]"
            self._report("PM002", message, event, hint)
            return None
        span = _span(event)
        if value not in mapping:
            self._places[(id(mapping), value)] = (mapping, span)
            return value
        known = self._places.get((id(mapping), value))
        related = ((known[1], "first given here"),) if known else ()
        self._problems.append(
            TextDiagnostic("PM002", f"duplicate key `{value}`", span, "remove one of them", related)
        )
        return None

    def _alias(self, event: Any) -> Any:
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            _fail("PM004", f"more than {MAX_ALIASES} aliases", event)
        if event.anchor not in self._anchors:
            _fail("PM001", f"the alias *{event.anchor} has no anchor before it", event)
        if event.anchor not in self._sizes:
            _fail("PM004", f"the alias *{event.anchor} stands inside its own anchor", event)
        self._nodes += self._sizes[event.anchor]
        self._check_nodes(event)
        return self._anchors[event.anchor]

    def _check_collection(self, event: Any, depth: int) -> None:
        if depth >= MAX_DEPTH:
            _fail("PM004", f"more than {MAX_DEPTH} levels of nesting", event)
        if event.tag is not None and not event.implicit:
            _fail("PM001", f"the tag {event.tag} is not supported", event, "write the plain value")
        self._check_nodes(event)

    def _check_nodes(self, event: Any) -> None:
        if self._nodes > MAX_NODES:
            _fail("PM004", f"more than {MAX_NODES} values, aliases counted as often as used", event)

    def _report(self, code: str, message: str, event: Any, hint: str) -> None:
        self._problems.append(TextDiagnostic(code, message, _span(event), hint))


def _span(event: Any) -> Span:
    return Span(event.start_mark.index, event.end_mark.index)


def _fail(code: str, message: str, event: Any, hint: str = "") -> NoReturn:
    raise Unreadable(TextDiagnostic(code, message, _span(event), hint))


def _raise_syntax(text: str, error: yaml.MarkedYAMLError) -> NoReturn:
    mark: Any = error.problem_mark or error.context_mark
    context: Any = error.context_mark
    start = mark.index if mark else len(text)
    message = str(error.problem or error.context)
    hint = "indent with spaces, not tabs" if text[start : start + 1] == "\t" else ""
    related: tuple[tuple[Span, str], ...] = ()
    if error.context and context and context.index != start:
        at = context.index
        related = ((Span(at, at + 1), str(error.context)),)
    raise Unreadable(TextDiagnostic("PM001", message, Span(start, start + 1), hint, related)) from None
