"""Manifests to processes: text in, `Entry` values and `Diagnostic` values out; never an exception.

Theory of operation: each document is read into plain data (`formats`) and its top looked at (`top`);
the profiles in use say which processes there are (`profiles`), keys are brought to one spelling
(`spelling`), what depends on the manifest's place is filled in (relative paths, the default
name), and one process at a time becomes a `ProcessSpec`. Errors of all documents are collected as
*findings*: paths into the data. Checks that span documents (duplicate names, dependencies) add to
them. At the very end one scan per faulty document turns paths into lines and columns, so that a
correct manifest costs no position keeping at all.
"""

from __future__ import annotations

import gc
import posixpath
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from pmon3_schema import other_tools
from pmon3_schema.checks import check_together
from pmon3_schema.diagnostics import Diagnostic, has_errors
from pmon3_schema.field_diagnostics import FieldDiagnostic, mistakes, type_name
from pmon3_schema.fields import InvalidValue
from pmon3_schema.formats import format_of
from pmon3_schema.formats.source import LineIndex, Path, Unreadable, decode
from pmon3_schema.locating import diagnostics
from pmon3_schema.path_diagnostics import NO_VALUE, ManifestFile, PathDiagnostic
from pmon3_schema.process import REPLICA_FIELDS, ProcessSpec
from pmon3_schema.profiles import OPTIONS, gather, merged
from pmon3_schema.reading import read_value
from pmon3_schema.replica_text import filled_in, mentions, refers_anywhere
from pmon3_schema.sources import Item, Source
from pmon3_schema.spelling import SEED_TEXT_KEYS
from pmon3_schema.top import Top, read_top
from pmon3_schema.variables import references_hint

_LARGE = 256 * 1024
_SANDBOX_PATHS = ("read_only", "hidden", "writable")
_PATH_FIELDS = ("log", "log_dir", "cwd", "stderr_log")

__all__ = ["Entry", "ManifestFile", "Reading", "read", "texts"]


class Entry(Struct, frozen=True):
    """One process and the place in a file that declares it."""

    spec: ProcessSpec
    file: str
    line: int
    column: int


class Reading(Struct, frozen=True):
    """What a manifest says. `entries` has the correct processes only; use it when `ok`."""

    entries: tuple[Entry, ...]
    diagnostics: tuple[Diagnostic, ...]

    @property
    def ok(self) -> bool:
        """Whether there is no error; warnings do not count."""
        return not has_errors(self.diagnostics)


def read(
    documents: Iterable[ManifestFile],
    *,
    search_path: str | None = None,
    base: str | None = None,
    known_names: Collection[str] = (),
    user_exists: Callable[[str], bool] | None = None,
) -> Reading:
    """The processes of one or more documents, taken as one manifest.

    `base` replaces the folder of each document for relative paths. With `search_path` bare program
    names are looked up there (PM031), with `user_exists` users are checked (PM030). `known_names` are
    names outside the documents that may be depended upon.
    """
    sources = [Source(document) for document in documents]

    @cache
    def folder_of(path: str) -> str:
        return base if base is not None else posixpath.dirname(posixpath.abspath(path))

    with _without_cyclic_collector(sum(len(source.document.content) for source in sources)):
        for source in sources:
            _load(source)
        gathered = gather(sources)
        for source in sources:
            for item in source.items:
                if not item.layers[0].absent:
                    _validate(item, folder_of, search_path, user_exists)
        check_together(sources, known_names, gathered.elsewhere)
        entries = tuple(entry for source in sources for entry in _entries(source))
        reading = Reading(entries, tuple(diagnostics(sources)))
        for source in sources:
            source.items.clear()  # they know their source, and only the collector frees a cycle
        return reading


def texts(documents: Iterable[ManifestFile]) -> dict[str, str]:
    """The text of each file by its path, for rendering diagnostics; not what a caller gave by option."""
    return {
        document.path: document.content.decode("utf-8", "replace").removeprefix("\ufeff")
        for document in documents
        if document.path != OPTIONS  # its one line has the values of all variables
    }


def _load(source: Source) -> None:
    document = source.document
    try:
        source.text = decode(document.content)
        source.format = format_of(document.path, source.text, text_keys=SEED_TEXT_KEYS)
        source.loaded = source.format.load(source.text)
    except Unreadable as unreadable:
        source.text = source.text or document.content.decode("utf-8", "replace").removeprefix("\ufeff")
        source.problems.append(other_tools.of_text(document.path, source.text) or unreadable.problem)
        return
    source.problems.extend(source.loaded.problems)
    source.top = read_top(source.loaded.data, source.format.name)
    if source.top.findings:
        _recognise(source, source.loaded.data)
    source.findings.extend(source.top.findings)


def _recognise(source: Source, data: Any) -> None:
    """A file of another tool is called what it is, instead of all that it lacks."""
    other = other_tools.of_data(source.document.path, data)
    if other is not None:
        source.top = Top(findings=[PathDiagnostic("PM005", other.message, other.path, True, other.hint)])
    elif isinstance(data, str) and (problem := other_tools.of_text(source.document.path, source.text)):
        source.top = Top()
        source.problems.append(problem)


def _validate(
    item: Item,
    folder_of: Callable[[str], str],
    search_path: str | None,
    user_exists: Callable[[str], bool] | None,
) -> None:
    value = item.layers[0]
    if value.spelling is None:
        assert item.source.top is not None
        written = item.source.top.processes[int(value.at[-1])]
        item.report("PM010", f"a process is a mapping, not {type_name(written)}")
        return
    placed = _laid_over(item, folder_of)
    declared: Any = placed.get("name")
    item.name = declared if isinstance(declared, str) else ""
    if search_path is not None and isinstance(placed.get("file"), str) and "/" not in placed["file"]:
        found = shutil.which(placed["file"], path=search_path)
        if found is None and placed["file"]:
            message = f"no program `{placed['file']}` on the search path"
            item.report("PM031", message, "file", hint="write its full path")
        placed["file"] = found or placed["file"]
    try:
        item.spec = read_value(ProcessSpec, placed)
    except InvalidValue as refused:
        _report(item, placed, list(mistakes(refused, ProcessSpec)))
        return
    if item.spec.replicas is None:
        _take_for_one(item, item.spec)
    if user_exists is not None and item.spec.user and not user_exists(item.spec.user):
        item.report("PM030", f"no user `{item.spec.user}` on this host", "user")


def _take_for_one(item: Item, spec: ProcessSpec) -> None:
    """A process that is not several has no number; what is meant to be the text itself becomes it."""
    for name in REPLICA_FIELDS:
        value = getattr(spec, name)
        if refers_anywhere(value):
            message = f"`{name}` has ${{REPLICA}}, and the process has no `replicas`"
            hint = "add `replicas`, or write $${REPLICA} for the text itself"
            item.report(NO_VALUE, message, name, hint=hint)
        elif mentions(value):
            item.spec = replace(item.spec or spec, **{name: filled_in(value, 0)})


def _report(item: Item, placed: dict[str, Any], found: list[FieldDiagnostic]) -> None:
    # A name taken from the file is wrong because the file is: say it once.
    derived = item.name_field() == "file" and any(mistake.path == ("file",) for mistake in found)
    for mistake in found:
        parts = mistake.path
        if parts == ("name",):
            if derived:
                continue
            parts = (item.name_field(),)
        hint = references_hint(_value_at(placed, mistake.path)) or mistake.hint
        item.report(mistake.code, mistake.message, *parts, at_key=mistake.at_key, hint=hint)


def _value_at(entry: Any, path: Path) -> Any:
    for part in path:
        inside = isinstance(entry, dict) or (isinstance(entry, list) and isinstance(part, int))
        entry = entry[part] if inside and (not isinstance(entry, dict) or part in entry) else None
    return entry


def _laid_over(item: Item, folder_of: Callable[[str], str]) -> dict[str, Any]:
    """The entry in force, each layer's paths seen from its own document."""
    result: dict[str, Any] = {}
    for layer in item.layers:
        placed = _placed(layer.entry, folder_of(layer.source.document.path))
        result = merged(result, placed) if layer is not item.layers[0] else placed
    if item.defaults is None:
        return result
    under = _placed(item.defaults.entry, folder_of(item.defaults.source.document.path))
    if not result.get("file"):
        return merged(under, result)
    under.pop("name", None)  # that of the file in `defaults`
    return merged(under, result)


def _placed(entry: dict[str, Any], folder: str) -> dict[str, Any]:
    """The entry with its paths made absolute and its name filled in; wrong types are left to the model."""
    placed = dict(entry)
    file = placed.get("file")
    if isinstance(file, str) and file:
        if "/" in file:
            placed["file"] = _absolute(file, folder)
        if not placed.get("name"):
            placed["name"] = posixpath.basename(file.rstrip("/"))
    for key in _PATH_FIELDS:
        if isinstance(placed.get(key), str):
            placed[key] = _absolute(placed[key], folder)
    if "env_file" in placed:
        placed["env_file"] = _each_absolute(placed["env_file"], folder)
    watch = placed.get("watch")
    if isinstance(watch, dict) and "paths" in watch:
        placed["watch"] = {**watch, "paths": _each_absolute(watch["paths"], folder)}
    sandbox = placed.get("sandbox")
    if isinstance(sandbox, dict):
        found = {
            key: _each_absolute(value, folder) for key, value in sandbox.items() if key in _SANDBOX_PATHS
        }
        placed["sandbox"] = {**sandbox, **found}
    return placed


def _each_absolute(paths: Any, folder: str) -> Any:
    if isinstance(paths, list):
        return [_absolute(path, folder) if isinstance(path, str) else path for path in paths]
    return _absolute(paths, folder) if isinstance(paths, str) else paths


def _absolute(path: str, folder: str) -> str:
    if not path or path.startswith("/"):
        return path
    joined = posixpath.join(folder, path)
    # `..` is left to the kernel: after a symbolic link it means something else than the text says.
    return joined if ".." in path.split("/") else posixpath.normpath(joined)


def _entries(source: Source) -> Iterator[Entry]:
    if source.loaded is None or source.top is None or source.format is None:
        return
    lines, starts = LineIndex(source.text), source.loaded.starts
    for index, item in enumerate(source.items):
        if item.spec is None:
            continue
        start = starts[index] if index < len(starts) else 0
        if index >= len(source.top.processes):  # a profile adds it
            at = item.layers[0].at
            start = source.format.locate(source.text, [at])[at].value.start
        yield Entry(item.spec, source.document.path, *lines.at(start))


@contextmanager
def _without_cyclic_collector(size: int) -> Iterator[None]:
    """Plain data has no cycles: the collector would only visit a million new objects again and again."""
    if size < _LARGE or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
