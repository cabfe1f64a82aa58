"""What changed between two specs and what that costs; a hash of what a running process depends on.

Theory of operation: every leaf field declares its effect. `revision` hashes the leaves
whose change needs a restart, leaving out defaults, so that a newer version with more fields restarts
nothing. `changes` compares leaf by leaf, list items and map entries one by one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from hashlib import blake2b
from itertools import compress
from operator import attrgetter, ne
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from pmon3_schema.effect import Effect
from pmon3_schema.fields import FieldStruct
from pmon3_schema.process import ProcessSpec

if TYPE_CHECKING:  # as in `errors`
    from pmon3_schema.answers import Change

PREFIX = "h1:"
"""Version of the recipe; revisions with another prefix are not comparable."""

_SECRET_FIELDS = ("/env_vars/", "/ready/http/headers/", "/live/http/headers/")
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
_STRENGTH = {effect: number for number, effect in enumerate(Effect)}
_NO_EXTRA: Mapping[str, str] = {}


class SpecChange(Struct, frozen=True):
    """One leaf that differs. `path` is a JSON pointer; None stands for "not there"."""

    path: str
    before: Any
    after: Any
    effect: Effect

    def to_json(self) -> Change:
        return {"path": self.path, "before": self.before, "after": self.after, "effect": self.effect.value}


class _Leaf(Struct, frozen=True):
    path: tuple[str, ...]
    default: Any
    effect: Effect


class _TopFields(Struct, frozen=True):
    """The fields of a class as wholes: most are equal, or the default, and nothing in them is looked at."""

    read: Callable[[Any], tuple[Any, ...]]
    """All of a value at once."""
    defaults: tuple[Any, ...]
    """What each is where all its leaves have their defaults; `...`: that is not known."""
    leaves: tuple[tuple[_Leaf, ...], ...]


def revision(spec: ProcessSpec, extra: Mapping[str, str] = _NO_EXTRA) -> str:
    """``h1:`` and a hash of the restart-relevant effective values of a spec.

    `extra` holds other things whose change needs a restart, such as digests of environment files.
    """
    values: dict[str, Any] = {}
    fields = _restart_fields()
    for leaves in compress(fields.leaves, map(ne, fields.read(spec), fields.defaults)):
        for leaf in leaves:
            if (value := _value(spec, leaf.path)) != leaf.default:
                values["/".join(leaf.path)] = value
    if extra:
        values["extra/"] = dict(extra)
    text = _ENCODER.encode(values)
    return PREFIX + blake2b(text.encode("ascii"), digest_size=16).hexdigest()


def changes(before: FieldStruct, after: FieldStruct) -> list[SpecChange]:
    """The leaves that differ between two values of one class, in the order of its fields."""
    if before is after or before == after:
        return []
    found: list[SpecChange] = []
    for leaf, old, new in _leaves_that_differ(before, after):
        pointer = _pointer(leaf.path)
        found.extend(SpecChange(pointer + p, o, n, leaf.effect) for p, o, n in _differences(old, new))
    return found


def fields_that_differ(before: FieldStruct, after: FieldStruct) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """Path, old and new value of each field that differs; lists and maps as a whole."""
    for leaf, old, new in _leaves_that_differ(before, after):
        yield leaf.path, old, new


def mask(change: SpecChange) -> SpecChange:
    """The change with secrets hidden; that something changed stays to be seen."""
    if not change.path.startswith(_SECRET_FIELDS):
        return change
    hidden_before = None if change.before is None else "*** (before)"
    hidden_after = None if change.after is None else "*** (after)"
    return replace(change, before=hidden_before, after=hidden_after)


def strongest(found: Sequence[SpecChange]) -> Effect:
    """The most expensive effect among the changes; NONE when there are none."""
    return max((change.effect for change in found), key=_STRENGTH.__getitem__, default=Effect.NONE)


def _leaves_that_differ(before: FieldStruct, after: FieldStruct) -> Iterator[tuple[_Leaf, Any, Any]]:
    fields = _top_fields(type(before))
    for leaves in compress(fields.leaves, map(ne, fields.read(before), fields.read(after))):
        for leaf in leaves:
            old, new = _value(before, leaf.path), _value(after, leaf.path)
            if old != new:
                yield leaf, old, new


def _differences(old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in {**old, **new}:
            if old.get(key) != new.get(key):
                yield _pointer((key,)), old.get(key), new.get(key)
    elif isinstance(old, tuple) and isinstance(new, tuple):
        for index in range(max(len(old), len(new))):
            first = old[index] if index < len(old) else None
            second = new[index] if index < len(new) else None
            if first != second:
                yield f"/{index}", first, second
    else:
        yield "", old, new


def _pointer(path: tuple[str, ...]) -> str:
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)


@cache
def _leaves(declared: type[FieldStruct]) -> tuple[_Leaf, ...]:
    """Every field that is not itself made of fields, in order."""
    found: list[_Leaf] = []
    for name, field in declared.declared.items():
        if field.inner is not None:
            found += [_Leaf((name, *leaf.path), leaf.default, leaf.effect) for leaf in _leaves(field.inner)]
        else:
            found.append(_Leaf((name,), field.default, field.effect or Effect.RESTART))
    return tuple(found)


@cache
def _top_fields(declared: type[FieldStruct]) -> _TopFields:
    """All fields."""
    return _grouped(declared, _leaves(declared))


@cache
def _restart_fields() -> _TopFields:
    """What a running process depends on, with those leaves alone."""
    leaves = tuple(leaf for leaf in _leaves(ProcessSpec) if leaf.effect is Effect.RESTART)
    return _grouped(ProcessSpec, leaves)


def _grouped(declared: type[FieldStruct], leaves: tuple[_Leaf, ...]) -> _TopFields:
    by_name: dict[str, list[_Leaf]] = {}
    for leaf in leaves:
        by_name.setdefault(leaf.path[0], []).append(leaf)
    defaults = (_whole_default(declared, name, of) for name, of in by_name.items())
    # Of one name alone it would read no tuple.
    return _TopFields(attrgetter(*by_name, *by_name), tuple(defaults), tuple(map(tuple, by_name.values())))


def _whole_default(declared: type[FieldStruct], name: str, leaves: Sequence[_Leaf]) -> Any:
    default = declared.declared[name].default
    plain = all(_value(default, leaf.path[1:]) == leaf.default for leaf in leaves)
    return default if plain else ...


def _value(declared: FieldStruct, path: tuple[str, ...]) -> Any:
    value: Any = declared
    for part in path:
        value = getattr(value, part)
    if type(value) is tuple and value and isinstance(value[0], FieldStruct):
        return tuple(one.to_plain() for one in value)
    return value
