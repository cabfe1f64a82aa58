"""A process on its way to another tool: its fields, which are taken or told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from pmon3_schema.fields import FieldStruct
from pmon3_schema.process import ProcessSpec
from pmon3_schema.process_parts import Dependency

_OF_MANIFESTS = {
    "prune": "it is about the manifest",
    "renamed_from": "it is about the manifest",
    "profiles": "what is exported is what is in use",
}


class Unsaid(Struct, frozen=True):
    """What one field says and the other tool cannot, and why."""

    field: str
    reason: str
    advice: str


class Leaving:
    """The fields of one spec that are not the default, by their dotted names."""

    def __init__(self, spec: ProcessSpec, places: Mapping[str, str] | None = None) -> None:
        """`places`: file and line of fields that a manifest declares."""
        self.spec = spec
        self.told: list[Unsaid] = []
        self._places = places or {}
        self._fields = dict(_leaves(spec))
        self._taken: set[str] = {"name"}

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def losses(self) -> list[str]:
        """What was told, a line each."""
        lines = ((one, f" ({one.advice})" if one.advice else "") for one in self.told)
        return [f"{self._place(one.field)}: {one.field}: {one.reason}{hint}" for one, hint in lines]

    @property
    def fields(self) -> tuple[str, ...]:
        """Those that say something."""
        return tuple(self._fields)

    def __contains__(self, field: str) -> bool:
        return field in self._fields

    def take(self, field: str, default: Any = None) -> Any:
        """The value of a field, or the default where it is not said."""
        self._taken.add(field)
        return self._fields.get(field, default)

    def section(self, prefix: str) -> dict[str, Any]:
        """All that a section says, taken as a whole."""
        found = {key: value for key, value in self._fields.items() if key.startswith(f"{prefix}.")}
        self._taken |= found.keys()
        return {key.removeprefix(f"{prefix}."): value for key, value in found.items()}

    def lose(self, field: str, reason: str, advice: str = "") -> None:
        """Tell that what a field says is not carried."""
        self._taken.add(field)
        self.told.append(Unsaid(field, reason, advice))

    def lose_if_said(self, reason: str, *fields: str, advice: str = "") -> None:
        """Tell those of the fields that are said."""
        for field in fields:
            if field in self._fields:
                self.lose(field, reason, advice)

    def close(self, why: Mapping[str, str]) -> None:
        """Tell what nobody has taken; reasons are of a field, or of all below one."""
        for field in self._fields:
            if field not in self._taken:
                section = field.partition(".")[0]
                reasons = {**_OF_MANIFESTS, **why}
                self.lose(field, reasons.get(field) or reasons.get(section) or "it has no word for it")

    def _place(self, field: str) -> str:
        parts = field.split(".")
        known = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
        place = next((self._places[one] for one in known if one in self._places), "")
        return f"{place}: {self.name}" if place else self.name

    @property
    def command(self) -> list[str]:
        """Program and arguments, taken."""
        return [str(self.take("file")), *self.take("args", ())]

    @property
    def folder(self) -> str:
        """Where it runs, taken: what it says, else the folder of the program."""
        cwd = str(self.take("cwd", ""))
        file = self.spec.file
        return cwd or (file.rpartition("/")[0] or "/" if file.startswith("/") else "")

    @property
    def log(self) -> str:
        """The log file, taken; empty: pmond chooses."""
        folder, log = self.take("log_dir", ""), self.take("log", "")
        return str(log) or (f"{folder}/{self.name}.log" if folder else "")

    @property
    def policy(self) -> str:
        """The restart policy, taken."""
        self.take("no_auto_restart")
        self.take("restart.policy")
        return self.spec.policy


def condition_of(need: Dependency, other: ProcessSpec) -> str:
    """What a dependency waits for: what is said, or what follows from how the other one is declared."""
    if need.condition:
        return need.condition
    if other.ready.kind:
        return "ready"
    return "completed" if other.is_oneshot else "started"


def own_name(process: Leaving, wanted: str, taken: set[str], what: str) -> str:
    """A name that the other tool allows and that no other process has got there; one that changed is told."""
    name = wanted
    while name in taken:
        name += "-"
    taken.add(name)
    if name != process.name:
        process.lose("name", f"{what} cannot be called so: it is called {name}")
    return name


def _leaves(value: FieldStruct, above: str = "") -> Iterator[tuple[str, Any]]:
    for name, field in value.declared.items():
        given = getattr(value, name)
        if given is field.default or given == field.default:
            continue
        if isinstance(given, FieldStruct) and given.declared and field.inner is not None:
            yield from _leaves(given, f"{above}{name}.")
        else:
            yield f"{above}{name}", given
