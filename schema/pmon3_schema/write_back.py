"""Bringing the entries of a manifest to what is in force, and leaving every other byte as it is.

Theory of operation: what the text says is read as `apply` would read it and compared, field by
field, with the specs that are in force. Each difference is one edit: a value replaced (`edit_text`), a
field taken out (`remove_field`), an entry added (`add_entry`); a value is written in the form it had before.
In the end the text is read once more, and stands only if it says exactly what is in force. What comes
from a variable, an anchor or a profile is refused, since changing it would change more.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from pmon3_schema.add_entry import with_entry
from pmon3_schema.edit_text import BY_HAND, CannotEdit, set_value
from pmon3_schema.formats.export import plain
from pmon3_schema.manifest import read
from pmon3_schema.origins import find
from pmon3_schema.path_diagnostics import ManifestFile
from pmon3_schema.process import ProcessSpec
from pmon3_schema.remove_field import without_field
from pmon3_schema.revision import fields_that_differ
from pmon3_schema.variables import literal

_MAPS = (("env_vars",), ("labels",))


def written_back(
    document: ManifestFile,
    others: Sequence[ManifestFile],
    in_force: Mapping[str, ProcessSpec],
    *,
    known: Collection[str] = (),
    own_users: Collection[str] = (),
) -> bytes:
    """The content of a manifest that declares these processes as they are. Raises CannotSplice.

    `others` are the other documents of its set, and what was chosen by option. `known` are names that
    may be depended upon. A `user` that the text leaves out stands for any of `own_users`.
    """
    before = declared_in(document, others, known)
    for name, spec in in_force.items():
        present = declared_in(document, others, known).get(name)
        if present is None:
            entry = {key: value for key, value in plain(spec).items() if value not in ("", False)}
            if spec.user in own_users:
                entry.pop("user", None)
            document = ManifestFile(document.path, with_entry(document, entry))
            continue
        target = _as_written(spec, present, own_users)
        for path, _, value in fields_that_differ(present, target):
            document = ManifestFile(document.path, _with_field(document, target, path, value))
    after = declared_in(document, others, known)
    for name, spec in in_force.items():
        wrong = list(fields_that_differ(after[name], _as_written(spec, after[name], own_users)))
        if wrong:
            field = ".".join(wrong[0][0])
            raise CannotEdit(
                f"{field} of {name} comes from `defaults`, a profile or another file (change it there)"
            )
    if any(after.get(name) != spec for name, spec in before.items() if name not in in_force):
        raise CannotEdit(f"another process would change with it ({BY_HAND})")
    return document.content


def declared_in(
    document: ManifestFile, others: Sequence[ManifestFile], known: Collection[str] = ()
) -> dict[str, ProcessSpec]:
    """The processes that a document declares, by name. Raises CannotEdit where there are mistakes."""
    reading = read([document, *others], known_names=known)
    for diagnostic in reading.diagnostics:
        if diagnostic.is_error:
            place = f"{diagnostic.file}:{diagnostic.line}:{diagnostic.column}"
            raise CannotEdit(f"{place}: {diagnostic.message}")
    return {entry.spec.name: entry.spec for entry in reading.entries if entry.file == document.path}


def _as_written(spec: ProcessSpec, present: ProcessSpec, own_users: Collection[str]) -> ProcessSpec:
    """The spec as the text has to say it: who runs a process is often left to who applies it."""
    if not present.user and spec.user in own_users:
        return replace(spec, user="")
    return spec


def _with_field(document: ManifestFile, spec: ProcessSpec, path: tuple[str, ...], value: Any) -> bytes:
    written = find(document, spec.name)
    raw: Any = written.spelling.entry if written is not None else {}
    for part in path:
        raw = raw.get(part) if isinstance(raw, dict) else None
    if path in _MAPS and isinstance(raw, dict):
        return _with_keys(document, spec, path, raw, value)
    if value is None or value == () or value == {} or value == "":
        return without_field(document, spec.name, path)
    shown = _shown(spec, path, value, raw)
    if isinstance(shown, list) and isinstance(raw, list) and len(raw) == len(shown):
        for index, (old, new) in enumerate(zip(raw, shown, strict=True)):
            if old != new:
                changed = set_value(document, spec.name, [*path, index], _literal(document, spec, new))
                document = ManifestFile(document.path, changed)
        return document.content
    return set_value(document, spec.name, path, _literal(document, spec, shown))


def _with_keys(
    document: ManifestFile,
    spec: ProcessSpec,
    path: tuple[str, ...],
    raw: Mapping[str, Any],
    value: Mapping[str, str],
) -> bytes:
    """A map entry by entry, so that comments between them stay. New ones first: it is never empty."""
    for key, content in value.items():
        if raw.get(key) != content:
            changed = set_value(document, spec.name, [*path, key], _literal(document, spec, content))
            document = ManifestFile(document.path, changed)
    for key in raw:
        if key not in value:
            document = ManifestFile(document.path, without_field(document, spec.name, [*path, key]))
    return document.content


def _shown(spec: ProcessSpec, path: tuple[str, ...], value: Any, raw: Any) -> Any:
    """The value in the form it had in the text; else as `export` writes it."""
    if isinstance(raw, list) and isinstance(value, tuple):
        return list(value)
    if isinstance(raw, str) and isinstance(value, tuple) and path != ("args",) and len(value) == 1:
        return value[0]
    shown: Any = plain(spec)
    for part in path:
        shown = shown.get(part) if isinstance(shown, dict) else None
    return value if shown is None else shown


def _literal(document: ManifestFile, spec: ProcessSpec, value: Any) -> Any:
    """The value as the document has to write it: with variables in it, `${` must be meant."""
    written = find(document, spec.name)
    return literal(value) if written is not None and written.has_variables else value
