"""Entries of a manifest while they are made: fields by their dotted names, each with its setting.

Theory of operation: `put` asks the declaration of `ProcessSpec` whether there is such a field. A table of a
tool may so name fields of a later version: until they are there, their keys are told like all the others.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from pmon3.converting.settings import Books, NotCarried, Section, Setting
from pmon3_schema.fields import FieldStruct
from pmon3_schema.process import REPLICA_FIELDS, ProcessSpec
from pmon3_schema.replica_text import as_text_itself

Table = Mapping[str, tuple[str, Callable[[Any], Any]]]
"""From the key of a tool to the field, and how its value is read; the reader may raise NotCarried."""

_FIRST = ("name", "description", "file", "args", "cwd", "user")
_EMPTY: tuple[Any, ...] = (None, "", [], {}, ())


class Need(Struct, frozen=True):
    """One process that another needs, in the words of the input."""

    name: str
    source: Setting
    condition: str = ""
    """started, ready or completed; empty: as the manifest takes it."""
    restart: bool = False
    required: bool = True
    unknown: str = "it is no process of this input"
    advice: str = "declare it, or start it otherwise"
    is_told: bool = True
    """What is not declared is told."""

    @property
    def key(self) -> str:
        return f"{self.source.key} {self.name}" if self.name not in self.source.key else self.source.key

    @property
    def what(self) -> str:
        """What it asks for beyond a start."""
        asked = [f"the condition {self.condition}"] if self.condition else []
        asked += ["the restart with it"] if self.restart else []
        asked += [] if self.required else ["that it may be absent"]
        return " and ".join(asked)

    def value(self, name: str) -> Any:
        """The dependency as a manifest writes it."""
        said: dict[str, Any] = {"condition": self.condition} if self.condition else {}
        said |= {"restart": True} if self.restart else {}
        said |= {} if self.required else {"required": False}
        return {"name": name, **said} if said else name


class Draft:
    """One entry of the manifest to be."""

    def __init__(self, name: str, books: Books, origin: Setting) -> None:
        self.name, self.books, self.origin = name, books, origin
        self._values: dict[str, Any] = {}
        self._sources: dict[str, Setting] = {}
        self.origin_name = name
        self.aliases: list[str] = []
        """Other names by which the input speaks of it."""
        self._needs: list[Need] = []
        self._asked: dict[str, Need] = {}
        """Which of them ask for more than a start, by the name that it is declared with."""
        self.before: list[Need] = []
        self.profiles: dict[str, dict[str, Any]] = {}
        """What profiles change of it."""

    def put(self, field: str, value: Any, source: Setting | None = None) -> None:
        """Set a field. Nothing is set for an empty value; one that there is no field for is told."""
        if value in _EMPTY and type(value) is not bool:
            return
        if not is_declared(field):
            if source is not None:
                self.books.lose(source, *missing(field))
            return
        self._values[field] = value
        if source is not None:
            self._sources[field] = source

    def put_all(self, field: str, value: Any, sources: Sequence[Setting]) -> None:
        """Set a field from several settings, each of which is told where there is no such field."""
        if value in _EMPTY:
            return
        for source in [] if is_declared(field) else sources:
            self.books.lose(source, *missing(field))
        if is_declared(field):
            self.put(field, value, sources[0] if sources else None)

    def put_list(self, field: str, value: Sequence[Any], sources: Sequence[Setting]) -> None:
        """Set a field whose empty list says more than that nothing is said."""
        self.put_all(field, value, sources)
        if not value and is_declared(field):
            self._values[field], self._sources[field] = [], sources[0]

    def carry(self, section: Section, table: Table) -> None:
        """Set the fields of a table from the settings of a section."""
        for key, (field, reader) in table.items():
            setting = section.take(key)
            if setting is not None:
                self.carry_one(setting, field, reader)

    def carry_one(self, setting: Setting, field: str, reader: Callable[[Any], Any]) -> None:
        """Set one field from one setting."""
        try:
            self.put(field, reader(setting.value), setting)
        except NotCarried as why:
            self.books.lose(setting, why.reason, why.advice)

    def need(self, need: Need) -> None:
        """Have it depend on what the input calls so, wherever that is declared."""
        self._needs.append(need)

    def precede(self, need: Need) -> None:
        """Have what the input calls so depend on this one."""
        self.before.append(need)

    def link(self, known: Mapping[str, Sequence[str]], one_shots: Collection[str]) -> None:
        """Set its dependencies, by the names that the processes of the input have got.

        A one-shot that runs again replaces nothing, so nobody is restarted with it.
        """
        wanted: dict[str, Any] = {}
        for need in self._needs:
            names = [name for name in known.get(need.name, ()) if name != self.name]
            if not names and need.is_told:
                self.books.lose(need.source, need.unknown, need.advice, key=need.key)
            for name in names:
                value = (replace(need, restart=False) if name in one_shots else need).value(name)
                if value != name and not takes("dependencies", [value]):
                    self.books.lose(
                        need.source,
                        f"{need.what} cannot be said here",
                        "it waits until that one runs",
                        key=need.key,
                    )
                    value = name
                if value != name:
                    self._asked[name] = need
                # What asks for more than a start has come by another key, and says more.
                wanted[name] = value if value != name else wanted.get(name, name)
        self.put("dependencies", [*wanted.values()], self._needs[0].source if self._needs else None)

    def weaken(self, index: int, why: str) -> None:
        """Have a dependency wait for no more than a manifest does by itself, and tell it."""
        names = list(self._values["dependencies"])
        wanted = names[index]
        name = wanted["name"]
        rest = {key: value for key, value in wanted.items() if key != "condition"}
        names[index] = rest if rest.keys() > {"name"} else name
        self._values["dependencies"] = names
        need = self._asked.get(name)
        if need is not None:
            self.books.lose(need.source, why, "it waits until that one runs", key=need.key)

    def get(self, field: str, default: Any = None) -> Any:
        return self._values.get(field, default)

    @property
    def fields(self) -> set[str]:
        """The fields that are set."""
        return {*self._values}

    def has(self, field: str) -> bool:
        return field in self._values

    def refuse(self, field: str, why: str) -> bool:
        """Take a field out again that the manifest does not allow, and tell it; False: it has to stay."""
        inner = next((key for key in self._beneath(field)), None)
        if inner is None or inner in ("file", "name"):
            return False
        del self._values[inner]
        self.books.lose(self._sources.get(inner, self.origin), why)
        return True

    def _beneath(self, field: str) -> Iterator[str]:
        parts = field.split(".")
        yield from (key for n in range(len(parts), 0, -1) if (key := ".".join(parts[:n])) in self._values)
        yield from (key for key in self._values if key.startswith(f"{field}."))

    @property
    def entry(self) -> dict[str, Any]:
        """The entry as plain data, in the order in which one reads it."""
        nested: dict[str, Any] = {"name": self.name}
        for field in sorted(self._values, key=_rank):
            *sections, last = field.split(".")
            inner = nested
            for section in sections:
                inner = inner.setdefault(section, {})
            inner[last] = self._values[field]
        if "replicas" not in self._values:  # then no tool has meant the number of one
            nested |= {name: as_text_itself(nested[name]) for name in REPLICA_FIELDS if name in nested}
        return nested


def _rank(field: str) -> tuple[int, ...]:
    if field in _FIRST:
        return (0, _FIRST.index(field))
    declared: type[FieldStruct] | None = ProcessSpec
    places = [1]
    for part in field.split("."):
        names = list(declared.declared) if declared is not None else []
        places.append(names.index(part) if part in names else len(names))
        declared = declared.declared[part].inner if declared is not None and part in names else None
    return tuple(places)


def is_declared(field: str) -> bool:
    """Whether a manifest of this version has the field; below a mapping of free keys anything is."""
    declared: type[FieldStruct] | None = ProcessSpec
    for part in field.split("."):
        if declared is None:
            return True
        if part not in declared.declared:
            return False
        declared = declared.declared[part].inner
    return True


def takes(field: str, value: Any) -> bool:
    """Whether a manifest of this version takes such a value."""
    from pmon3_schema.fields import InvalidValue
    from pmon3_schema.reading import read_value

    try:
        read_value(ProcessSpec, {"file": "/x", "name": "x", field: value})
    except InvalidValue:
        return False
    return True


def missing(field: str) -> tuple[str, str]:
    """Why what a field of another version would say is not carried, and what to do."""
    return f"this version of pmon3 has no field `{field}`", "see the manual for what comes nearest"
