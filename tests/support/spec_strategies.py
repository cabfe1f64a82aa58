"""Processes with any of all fields, and all the ways of writing each value, derived from the declarations.

Theory of operation: a field says its type, its bounds and its default; the tables here say for each type
which values there are and how one can be written. So a new field is covered by itself, and a type that
is new fails here until somebody says what its values look like. `entries` draws manifest data, `spellings`
other manifest data that mean the same.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from hypothesis import strategies as st
from msgspec import to_builtins
from msgspec.structs import replace

from pmon3_schema import field_types
from pmon3_schema.bounds import Capabilities
from pmon3_schema.capability_names import NUMBERS
from pmon3_schema.equivalence import ImpliedValues, meaning
from pmon3_schema.field_diagnostics import mistakes
from pmon3_schema.fields import Field, FieldStruct, InvalidValue
from pmon3_schema.process import ProcessSpec
from pmon3_schema.process_parts import Dependencies, Dependency
from pmon3_schema.reading import read_value
from pmon3_schema.scalars import signal_name

IMPLIED = ImpliedValues("root", "/var/log/pmon3")
FOLDER = "/srv/shop"
"""Where the manifests are."""

NEEDED = "base"
"""The process that others depend on; whoever reads them has to know it."""

Values = st.SearchStrategy[Any]

_CHARACTERS = st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"])
TEXT = st.text(_CHARACTERS, max_size=12)
NAMES = st.text("abcXYZ09_.:@ é-", min_size=1, max_size=8).filter(
    lambda name: (
        name == name.strip()
        and not name.startswith("-")
        and name not in {".", ".."}
        and not re.search("@[0-9]+$", name)
    )
)
VARIABLES = st.text("ABC_ é'\"1", min_size=1, max_size=6)
PATHS = st.text("abé 1", min_size=1, max_size=4).map(lambda name: f"{FOLDER}/{name.strip() or 'x'}")
DURATIONS = st.one_of(st.integers(0, 10**6), st.floats(0, 10**6, allow_nan=False))

_PATHS_OF = {
    "file", "log", "log_dir", "cwd", "stderr_log", "env_file", "watch.paths",
    "sandbox.read_only", "sandbox.hidden", "sandbox.writable",
}  # fmt: skip
"""Fields whose texts are paths; relative ones count from the folder of the manifest."""
_SAMPLES: dict[str, Values] = {
    "user": st.sampled_from(["ana", "1000", "true", "null"]),
    "live.http.url": st.sampled_from(["http://127.0.0.1:8080/health", "https://[::1]/a?b=c%20d"]),
    "live.http.method": st.sampled_from(["GET", "HEAD", "POST"]),
    "live.http.headers": st.dictionaries(st.sampled_from(["Accept", "X-1"]), st.text("a é", max_size=3)),
    "live.http.status": st.sampled_from(["200", "200-299", "200-204,301"]),
    "live.http.body": st.sampled_from(["ok", "^up$", r"\d+ 'x'"]),
    "live.tcp": st.sampled_from(["db:5432", "127.0.0.1:1", "[::1]:80", "8080"]),
    "schedule.cron": st.sampled_from(["*/5 * * * *", "0 3 * * 1-5", "@daily"]),
    "schedule.every": st.one_of(st.integers(1, 10**6), st.floats(0.1, 10**6, allow_nan=False)),
    "schedule.timezone": st.sampled_from(["", "UTC", "Europe/Berlin"]),
    "replicas": st.integers(0, 3),
    "rollout.max_parallel": st.integers(1, 1000),
    "container.image": st.sampled_from(["", "shop/web:1.2"]),
    "container.ports": st.lists(st.integers(1, 65535), max_size=2, unique=True),
    "ready.log": st.sampled_from(["ready", "listening on \\d+"]),
}
"""Values of fields whose types are theirs alone."""
_SAMPLES |= {name.replace("live.", "ready."): values for name, values in _SAMPLES.items()}


def _bounded(make: Callable[..., Values], low: float, high: float) -> Callable[[Field], Values]:
    return lambda field: make(field.bounds.get("ge", low), field.bounds.get("le", high))


_OF_TYPE: list[tuple[Any, Callable[[Field], Values]]] = [
    (field_types.Text, lambda field: TEXT),
    (field_types.Texts, lambda field: st.lists(TEXT, max_size=2)),
    (field_types.Words, lambda field: st.lists(TEXT, max_size=3)),
    (field_types.Environment, lambda field: st.dictionaries(VARIABLES, TEXT, max_size=3)),
    (dict[field_types.Text, field_types.Text], lambda field: st.dictionaries(TEXT, TEXT, max_size=2)),
    (field_types.OwnName, lambda field: NAMES),
    (field_types.Name, lambda field: NAMES),
    (field_types.Names, lambda field: st.lists(NAMES, max_size=3, unique=True)),
    (
        field_types.Commands,
        lambda field: st.lists(st.lists(TEXT.filter(bool), min_size=1, max_size=2), max_size=2),
    ),
    (field_types.Flag, lambda field: st.booleans()),
    (field_types.Whole, _bounded(st.integers, 0, 10**6)),
    (field_types.Whole | None, _bounded(st.integers, 0, 10**6)),
    (field_types.Number, _bounded(st.floats, 0, 10**6)),
    (field_types.Number | None, _bounded(st.floats, 0, 10**6)),
    (Capabilities, lambda field: st.lists(st.sampled_from(sorted(NUMBERS)), max_size=2)),
    (field_types.Duration, lambda field: DURATIONS),
    (field_types.Size, lambda field: st.integers(0, 2**40)),
    (field_types.Size | None, lambda field: st.integers(0, 2**40)),
    (field_types.SignalNumber, lambda field: st.sampled_from([1, 2, 9, 10, 15])),
    (field_types.ExitCodes, lambda field: st.lists(st.integers(0, 255), max_size=3)),
    (field_types.Mask, _bounded(st.integers, 0, 0o777)),
    (field_types.Prune, lambda field: st.sampled_from([True, False, "confirm"])),
]

_Forms = Callable[[Any], list[Any]]
_FORMS: list[tuple[Any, _Forms]] = [
    (field_types.Words, lambda value: [list(value), shlex.join(value)]),
    (field_types.Texts, lambda value: [list(value), *([value[0]] if len(value) == 1 else [])]),
    (field_types.Environment, lambda value: [dict(value), dict(reversed(value.items())), _joined(value)]),
    (Dependencies, lambda value: [[one.to_plain() for one in value], list(map(to_builtins, value))]),
    (field_types.Duration, lambda value: [value, repr(value), *_in_units(value)]),
    (field_types.Size, lambda value: [value, f"{value}B", str(value)]),
    (field_types.Size | None, lambda value: [value, f"{value} B"]),
    (field_types.SignalNumber, lambda value: [value, signal_name(value), signal_name(value)[3:].lower()]),
    (field_types.Mask, lambda value: [value, f"{value:04o}", f"0o{value:o}"]),
]
"""How a value that is not the simplest of its kind can be written."""


def _in_units(seconds: float) -> list[str]:
    return [f"{seconds:g}s", f"{seconds * 1000:g}ms"] if seconds in range(1000) else []


def _joined(variables: Mapping[str, str]) -> str:
    return shlex.join(f"{key}={value}" for key, value in variables.items())


@cache
def _types(declared: type[FieldStruct]) -> dict[str, Any]:
    return get_type_hints(declared, include_extras=True)


def _values(declared: type[FieldStruct], name: str, at: str) -> Values:
    field, kind = declared.declared[name], _types(declared)[name]
    if at in _SAMPLES:
        return _SAMPLES[at]
    if at == "dependencies":
        needed = _sections(Dependency, "dependencies.").map(lambda said: {**said, "name": NEEDED})
        return st.lists(st.one_of(st.just(NEEDED), needed), max_size=1)
    if field.inner is not None:
        return _sections(field.inner, at)
    if at in _PATHS_OF:
        return st.lists(PATHS, max_size=2) if kind is not field_types.Text else PATHS
    for known, values in _OF_TYPE:
        if kind == known:
            return values(field)
    words = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    if get_origin(words) is Literal:
        return st.sampled_from(get_args(words))
    raise NotImplementedError(f"say in {__name__} which values `{at}` has: its type is new")


@cache
def _sections(declared: type[FieldStruct], at: str) -> Values:
    """Any of the fields of a section; of those that exclude each other, one."""
    inside = {name: _values(declared, name, f"{at}.{name}".lstrip(".")) for name in declared.declared}
    kinds: tuple[str, ...] = getattr(declared, "needs_one_of", ())
    if not kinds:
        return st.fixed_dictionaries({}, optional=inside)
    rest = {name: values for name, values in inside.items() if name not in kinds}
    return st.one_of([
        st.fixed_dictionaries({kind: inside[kind].filter(bool)}, optional=rest) for kind in kinds
    ])  # fmt: skip


@st.composite
def entries(
    draw: st.DrawFn, names: Values = NAMES, file: Values = PATHS, whole: bool = False
) -> dict[str, Any]:
    """One entry of a manifest, in one way of writing it; what contradicts the rest of it is left out.

    `whole`: with what needs something beside the entry too, profiles in use and the process `NEEDED`.
    """
    entry: dict[str, Any] = draw(_sections(ProcessSpec, ""))
    entry |= {"file": draw(file), "name": draw(names)}
    for name in () if whole else ("profiles", "dependencies"):
        entry.pop(name, None)
    while True:
        try:
            read_value(ProcessSpec, entry)
        except InvalidValue as refused:
            wrong = {str(mistake.path[0]) for mistake in mistakes(refused, ProcessSpec)}
            assert wrong & entry.keys() - {"file", "name"}, refused.errors
            entry = {key: value for key, value in entry.items() if key not in wrong}
        else:
            return entry


@st.composite
def spellings(draw: st.DrawFn, spec: ProcessSpec) -> dict[str, Any]:
    """A manifest entry that means this process, with what it could leave out written or not."""
    for name in ("user", "cwd", "argv0"):
        implied = getattr(meaning(replace(spec, **{name: ""}), IMPLIED), name)
        if getattr(spec, name) in ("", implied):
            spec = replace(spec, **{name: draw(st.sampled_from(["", implied]))})
    entry = draw(_spelling(spec, ""))
    if "groups" in entry:
        entry["groups"] = draw(st.permutations(entry["groups"]))
    if entry["name"] == posixpath.basename(spec.file) and draw(st.booleans()):
        del entry["name"]
    return {key: entry[key] for key in draw(st.permutations(list(entry)))}


@st.composite
def _spelling(draw: st.DrawFn, value: FieldStruct, at: str) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    for name, field in value.declared.items():
        given, where = getattr(value, name), f"{at}.{name}".lstrip(".")
        is_default = given == field.default
        if is_default and (given is None or draw(st.integers(0, 3))):
            continue  # a default may be written out, now and then
        if where in ("restart.policy", "type") and is_default:
            continue  # which would contradict no_auto_restart, or a schedule
        if isinstance(given, FieldStruct):
            inside = draw(_spelling(given, where))
            if inside and not (is_default and getattr(given, "needs_one_of", ())):
                entry[name] = inside
        elif not (is_default and name in getattr(value, "needs_one_of", ())):
            entry[name] = draw(_written(type(value), name, where, given))
    return entry


def _written(declared: type[FieldStruct], name: str, at: str, value: Any) -> Values:
    kind = _types(declared)[name]
    forms = next((forms(value) for known, forms in _FORMS if kind == known), None)
    if forms is None:
        forms = [list(value) if isinstance(value, tuple) else value]
    if at in _PATHS_OF:
        forms += [_relative(form) for form in forms]
    return st.sampled_from(forms)


def _relative(paths: Any) -> Any:
    if isinstance(paths, list):
        return [_relative(path) for path in paths]
    return f"./{posixpath.relpath(paths, FOLDER)}" if paths.startswith(f"{FOLDER}/") else paths
