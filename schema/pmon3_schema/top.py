"""The top of a document: the processes, and what decides which of them there are and how.

`processes` is the list. `defaults` has fields that each of them takes where it does not say otherwise.
`variables` declares what `${NAME}` stands for in this document. `profiles` has, for each profile, values of
variables and changes of processes. `use` says which profiles are in use and gives variables their values. A
document that has `profiles` or `use` may do without processes; any other without them is taken for a broken
one. Keys that begin with `x-` are the author's own, for anchors or for other programs, and mean nothing.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from pmon3_schema import variables
from pmon3_schema.field_diagnostics import did_you_mean, type_name
from pmon3_schema.formats.source import Path
from pmon3_schema.path_diagnostics import PathDiagnostic

_EMPTY_LIST = "an empty list is `processes: []`"
_KEYS = ("processes", "defaults", "variables", "profiles", "use")
_OWN_KEY = "x-"


class Profile(Struct, frozen=True):
    """One profile as one document has it."""

    path: Path
    variables: dict[str, str | None]
    processes: list[Any]
    """Entries as written; those of a name that is declared elsewhere change it."""
    processes_path: Path


class Use(Struct, frozen=True):
    """The profiles in use, in order, and values of variables."""

    path: Path
    profiles: tuple[str, ...] = ()
    variables: dict[str, str | None] = field(default_factory=dict)


class Top(Struct):
    """What a document says, each part checked for its form only."""

    key: str = "processes"
    """How it spells `processes`."""
    processes: list[Any] = field(default_factory=list)
    defaults: dict[str, Any] | None = None
    """What is laid under every process of this document, as written."""
    defaults_path: Path = ("defaults",)
    variables: dict[str, str | None] | None = None
    """None: nothing in this document is replaced."""
    variables_path: Path = ("variables",)
    profiles: dict[str, Profile] = field(default_factory=dict)
    use: Use | None = None
    findings: list[PathDiagnostic] = field(default_factory=list)


def read_top(data: Any, format_name: str) -> Top:
    """The parts of a document's data. Wrong parts are left out and said in `findings`."""
    top = Top()
    if data is None:
        top.findings.append(PathDiagnostic("PM011", "the file is empty", (), hint=_EMPTY_LIST))
        return top
    if not isinstance(data, dict):
        message = f"a manifest is a mapping with `processes`, not {type_name(data)}"
        top.findings.append(PathDiagnostic("PM010", message, ()))
        return top
    written = {_folded(key, format_name): key for key in reversed(data)}
    for key in data:
        if key != "$schema" and (written[_folded(key, format_name)] != key or not _known(key, format_name)):
            top.findings.append(
                PathDiagnostic("PM014", f"unknown field `{key}`", (key,), True, did_you_mean(key, _KEYS))
            )
    if "defaults" in written:
        top.defaults_path = (written["defaults"],)
        top.defaults = _mapping(data[written["defaults"]], top.defaults_path, top)
    if "variables" in written:
        top.variables_path = (written["variables"],)
        top.variables = variables.declared(data[written["variables"]], top.variables_path, top.findings)
    if "profiles" in written:
        top.profiles = _profiles(data[written["profiles"]], (written["profiles"],), format_name, top)
    if "use" in written:
        top.use = _use(data[written["use"]], (written["use"],), format_name, top)
    if "processes" in written:
        top.key = written["processes"]
        top.processes = _list(data[top.key], (top.key,), top)
    elif "profiles" not in written and "use" not in written:
        top.findings.append(PathDiagnostic("PM011", "`processes` is missing", (), hint=_EMPTY_LIST))
    return top


def _profiles(value: Any, path: Path, format_name: str, top: Top) -> dict[str, Profile]:
    found = {}
    for name, content in _mapping(value, path, top).items():
        at = (*path, name)
        parts = _parts(content, at, format_name, ("variables", "processes"), top)
        given = variables.declared(*parts["variables"], top.findings) if "variables" in parts else {}
        entries, where = parts.get("processes", ([], (*at, "processes")))
        found[name] = Profile(at, given, _list(entries, where, top), where)
    return found


def _use(value: Any, path: Path, format_name: str, top: Top) -> Use:
    parts = _parts(value, path, format_name, ("profiles", "variables"), top)
    names, where = parts.get("profiles", ([], (*path, "profiles")))
    names = [names] if isinstance(names, str) else _list(names, where, top)
    for index, name in enumerate(names):
        if not isinstance(name, str):
            message = f"a profile is named by text, not by {type_name(name)}"
            top.findings.append(PathDiagnostic("PM010", message, (*where, index)))
    given = variables.declared(*parts["variables"], top.findings) if "variables" in parts else {}
    return Use(path, tuple(name for name in names if isinstance(name, str)), given)


def _parts(
    value: Any, path: Path, format_name: str, known: tuple[str, ...], top: Top
) -> dict[str, tuple[Any, Path]]:
    """The values of the known keys of a mapping and where they are; others are unknown fields."""
    found = {}
    for key, content in _mapping(value, path, top).items():
        name = _folded(key, format_name)
        if name in known and name not in found:
            found[name] = content, (*path, key)
        else:
            hint = did_you_mean(key, known)
            top.findings.append(PathDiagnostic("PM014", f"unknown field `{key}`", (*path, key), True, hint))
    return found


def _mapping(value: Any, path: Path, top: Top) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    top.findings.append(
        PathDiagnostic("PM010", f"`{path[-1]}` must be a mapping, not {type_name(value)}", path)
    )
    return {}


def _list(value: Any, path: Path, top: Top) -> list[Any]:
    if isinstance(value, list):
        return value
    hint = _list_hint(value) if path[-1] == "processes" else ""
    top.findings.append(
        PathDiagnostic("PM010", f"`processes` must be a list, not {type_name(value)}", path, hint=hint)
    )
    return []


def _list_hint(value: Any) -> str:
    """How what is there is written as a list."""
    first = next(iter(value), None) if isinstance(value, dict) else None
    return f"write each as an item of a list: `- name: {first}`" if isinstance(first, str) else _EMPTY_LIST


def _folded(key: str, format_name: str) -> str:
    """A key of the top as it is looked up: the Go pmon3 took `Processes` in TOML and JSON."""
    if format_name == "toml" or (format_name == "json" and key.lower() == "processes"):
        return key.lower()
    return key


def _known(key: str, format_name: str) -> bool:
    return _folded(key, format_name) in _KEYS or key.startswith(_OWN_KEY)
