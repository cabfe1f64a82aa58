"""Files and folders through the modules of their tools, to one manifest."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from pmon3.converting import Converted
from pmon3.converting.drafts import Draft
from pmon3.converting.inputs import files_in, kind_of
from pmon3.converting.settings import Books, CannotConvert, Loss, Place
from pmon3.converting.sources import STDIN, InputFiles
from pmon3_schema.characters import IS_UNSEEN

_IN_NAME = re.compile(r"[/,*?\[\]\x00-\x1f\x7f]+")
_MODULES = {
    "supervisord": "supervisord", "systemd": "systemd", "pm2": "pm2", "procfile": "procfile",
    "circus": "circus",
    "process-compose": "process_compose", "compose": "compose", "go-pmon3": "go_pmon3",
}  # fmt: skip
_OF_OTHERS = frozenset({"PM020", "PM021"})
"""Mistakes about processes that stand elsewhere in the manifest."""
_AT_ITS_BEGINNING = re.compile(r"^[\s-]+")
_VAIN = re.compile(r"/processes/(.+)/dependencies/(\d+)/condition")
_NUMBERED = re.compile(r"@(?=[0-9]+\Z)")


def convert(paths: Sequence[str], stdin: bytes, kind: str) -> Converted:
    """What the files and folders declare; the kind is told from each file where none is given.

    Raises CannotConvert, OSError.
    """
    first = paths[0]
    home = "." if first == STDIN else first if Path(first).is_dir() else posixpath.dirname(first)
    sources, books = InputFiles(home), Books()
    drafts: list[Draft] = []
    manifests: list[dict[str, Any]] = []
    for path in paths:
        for file, its_kind in _files(path, kind, sources, books):
            try:
                found = _one(file, its_kind, stdin, sources, books)
            except CannotConvert as error:
                if file == path:
                    why = str(error) if len(paths) == 1 else f"{file}: {error}"
                    raise CannotConvert(why, _in_order(books.losses)) from error
                books.lose_at(Place(file, 1), posixpath.basename(file), str(error))
                continue
            drafts += found if isinstance(found, list) else []
            manifests += [found] if isinstance(found, dict) else []
    if not drafts and not manifests:
        raise CannotConvert("nothing in it can be a process here", _in_order(books.losses))
    return _together(drafts, manifests, books)


def _files(path: str, kind: str, sources: InputFiles, books: Books) -> list[tuple[str, str]]:
    if path == STDIN or not Path(path).is_dir():
        return [(path, kind)]
    found = []

    def is_read(name: str) -> bool:
        return str(Path(name).resolve()) in sources.read

    def skipped(name: str) -> None:
        books.note(f"{name} is passed over: it is of no known kind (see --from)")

    for name, its_kind in files_in(path, is_read, skipped):
        found.append((name, kind or its_kind))
    if not found:
        raise CannotConvert("there is no file of a known kind in it")
    return found


def _one(
    path: str, kind: str, stdin: bytes, sources: InputFiles, books: Books
) -> list[Draft] | dict[str, Any]:
    from pmon3.converting import manifests

    if path != STDIN and str(Path(path).resolve()) in sources.read:
        return []  # another file of the same folder has included it
    if path != STDIN and not Path(path).exists() and (kind or kind_of(path, b"")) == "systemd":
        return _drafts(path, "systemd", b"", sources, books)  # an instance, of which the template is there
    content = stdin if path == STDIN else sources.bytes_of(path)
    kind = kind or kind_of(path, content)
    if kind == "pmon3":
        return manifests.convert(path, content)
    if not kind:
        raise CannotConvert("it cannot be told of which tool it is")
    return _drafts(path, kind, content, sources, books)


def _drafts(path: str, kind: str, content: bytes, sources: InputFiles, books: Books) -> list[Draft]:
    """Each module is loaded with the first file of its tool."""
    from importlib import import_module

    module = import_module(f"pmon3.converting.{_MODULES[kind]}")
    found: list[Draft] = module.convert(path, content, sources, books)
    return found


def _together(drafts: list[Draft], manifests: list[dict[str, Any]], books: Books) -> Converted:
    """One manifest of all that was found."""
    manifest: dict[str, Any] = {}
    for one in manifests:
        for key, value in one.items():
            if key not in manifest:
                manifest[key] = value
            elif isinstance(value, list) and isinstance(manifest[key], list):
                manifest[key] = [*manifest[key], *value]
            elif (
                isinstance(value, dict)
                and isinstance(manifest[key], dict)
                and not value.keys() & manifest[key]
            ):
                manifest[key] = {**manifest[key], **value}
            elif value != manifest[key]:
                raise CannotConvert(f"two of the files say `{key}`, and not the same")
    drafts = _with_programs(drafts, books)
    _name(drafts, books)
    _link(drafts)
    entries = _valid(drafts)
    if entries or not manifest:
        manifest["processes"] = [*manifest.get("processes", []), *entries]
    profiles = _profiles(drafts)
    if profiles:
        manifest["profiles"] = profiles
    return Converted(manifest, _in_order(books.losses), tuple(books.differences), tuple(books.notes))


def _in_order(losses: Sequence[Loss]) -> tuple[Loss, ...]:
    """Each once, file by file as they were met, from the first line on."""
    files = list(dict.fromkeys(loss.place.file for loss in losses))
    return tuple(
        sorted(dict.fromkeys(losses), key=lambda loss: (files.index(loss.place.file), loss.place.line))
    )


def _with_programs(drafts: Sequence[Draft], books: Books) -> list[Draft]:
    """Those that run something; of a damaged file one may be left without."""
    for draft in drafts:
        if not draft.get("file"):
            books.lose(draft.origin, "it has no program", key=f"process {draft.name!r}")
    return [draft for draft in drafts if draft.get("file")]


def _name(drafts: Sequence[Draft], books: Books) -> None:
    """Give every process a name that it may have, and that no other has; what changes is told."""
    taken: set[str] = set()
    for draft in drafts:
        wanted = draft.name
        name = _NUMBERED.sub("-", _IN_NAME.sub("-", IS_UNSEEN.sub("-", wanted)))
        name = _AT_ITS_BEGINNING.sub("", name)[:128].rstrip()
        name = name if name.strip(". ") else "process"
        unique, number = name, 2
        while unique in taken:
            unique, number = f"{name}-{number}", number + 1
        taken.add(unique)
        if unique != wanted:
            why = (
                "another one has this name" if unique != name else "a name of a process cannot be written so"
            )
            books.lose(draft.origin, f"{why}: it is called {unique!r}", key=f"name {wanted!r}")
        draft.name = unique


def _valid(drafts: Sequence[Draft]) -> list[dict[str, Any]]:
    """The entries, without the values that a manifest does not allow; those are told where they come from."""
    from pmon3.converting.writing import mistakes

    for draft in drafts:
        for _ in range(64):  # each time one field goes
            found = mistakes({"processes": [draft.entry]})
            wrong = [one for one in found if one.is_error and one.code not in _OF_OTHERS]
            if not any(draft.refuse(one.field, one.message) for one in wrong):
                break
    _without_vain_conditions(drafts)
    return [draft.entry for draft in drafts]


def _without_vain_conditions(drafts: Sequence[Draft]) -> None:
    """Take out what no process can wait for, such as the readiness of one whose probe was not carried."""
    from pmon3.converting.writing import mistakes

    named = {draft.name: draft for draft in drafts}
    for one in mistakes({"processes": [draft.entry for draft in drafts]}):
        place = _VAIN.fullmatch(one.path) if one.code == "PM025" else None
        if place is not None:
            named[place[1]].weaken(int(place[2]), one.message)


def _link(drafts: Sequence[Draft]) -> None:
    """Turn what a process needs into dependencies, where what it needs is declared too."""
    known: dict[str, list[str]] = {}
    for draft in drafts:
        for alias in dict.fromkeys((*draft.aliases, draft.origin_name)):
            known.setdefault(alias, []).append(draft.name)
    for draft in drafts:
        for need in draft.before:
            found = [
                other for other in drafts if other.name in known.get(need.name, ()) and other is not draft
            ]
            for other in found:
                other.need(replace(need, name=draft.origin_name, required=False))
            if not found:
                draft.books.lose(need.source, need.unknown, key=need.key)
    one_shots = {draft.name for draft in drafts if draft.get("type") == "oneshot"}
    for draft in drafts:
        draft.link(known, one_shots)


def _profiles(drafts: Sequence[Draft]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for draft in drafts:
        for name, change in draft.profiles.items():
            found.setdefault(name, {"processes": []})["processes"].append({"name": draft.name, **change})
    return found
