"""Profiles: the processes of a manifest as they are in development, in production, anywhere else.

Theory of operation: the documents of a manifest say which profiles are in use (`use`); the caller
may say it instead, with one more document (`options_document`), so that whoever keeps the
documents keeps the choice. A process that names `profiles` is there only with one of them. What a
profile says of a process is laid over its entry as a JSON merge patch (RFC 7386): mappings merge,
everything else replaces, null takes away. Each layer keeps its place in its own file, so that a
mistake, and `desc`, point at the line that is in force.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from pmon3_schema.field_diagnostics import did_you_mean, type_name
from pmon3_schema.field_types import env_map
from pmon3_schema.formats import format_of
from pmon3_schema.formats.source import Path, Unreadable, decode
from pmon3_schema.path_diagnostics import ManifestFile, PathDiagnostic
from pmon3_schema.sources import Item, Layer, Source
from pmon3_schema.spelling import Spelling
from pmon3_schema.top import Top, Use, read_top
from pmon3_schema.variables import Values, check_known, substituted

if TYPE_CHECKING:  # as in `errors`
    from pmon3_schema.answers import ProfileChoice

OPTIONS = "<options>"
"""The path of the document that says what the caller chose, in place of every `use`."""

OF_ONE_PROCESS = ("name", "renamed_from", "profiles")
"""Fields that no two processes can share, or that decide whether there is one."""


class Items(Struct, frozen=True):
    """The processes that there are with the profiles in use, not yet checked one by one."""

    elsewhere: Mapping[str, str] = field(default_factory=dict)
    """Names of other processes, and the profiles that would bring them."""


def options_document(profiles: Sequence[str], variables: Mapping[str, str]) -> ManifestFile:
    """The document of a choice. No profile and no variable is a choice too."""
    use = {"profiles": list(profiles), "variables": dict(variables)}
    return ManifestFile(OPTIONS, json.dumps({"use": use}, ensure_ascii=False).encode())


def chosen_by_caller(documents: Sequence[ManifestFile]) -> ManifestFile | None:
    """The document that says what the caller chose, if there is one."""
    return next((document for document in documents if document.path == OPTIONS), None)


def chosen_words(document: ManifestFile) -> ProfileChoice:
    """The profiles of a choice, and the names of its variables; their values may be secrets."""
    text = decode(document.content)  # anybody may send one, written in any way
    format = format_of(document.path, text)
    use = read_top(format.load(text).data, format.name).use or Use(())
    return {"profiles": list(use.profiles), "variables": sorted(use.variables)}


def gather(sources: Sequence[Source]) -> Items:
    """Fill in the items of the sources as the profiles in use have them."""
    tops = [(source, source.top) for source in sources if source.top is not None]
    use = in_use(tops)
    _check_use(tops, use)
    items: dict[str, Item] = {}
    elsewhere: dict[str, str] = {}
    for source, top in tops:
        values = values_of(top, tops, use)
        defaults = _defaults(source, top, values)
        for index, value in enumerate(top.processes):
            layer = _layer(source, (top.key, index), value, values)
            # An empty value means "not given" in an entry, as in the Go pmon3; in a change it takes away.
            layer.entry = {key: part for key, part in layer.entry.items() if part is not None}
            source.items.append(item := Item([layer], defaults))
            if _is_there(layer, use, elsewhere):
                items.setdefault(layer.name, item)
    for name in use.profiles:
        for source, top in tops:
            _lay_over(source, top, name, values_of(top, tops, use), items, elsewhere)
    return Items(elsewhere)


def in_use(tops: Sequence[tuple[Source, Top]]) -> Use:
    """The one `use` that counts: the caller's, else that of the documents."""
    found = [(source, top.use) for source, top in tops if top.use is not None]
    for source, use in found:
        if source.document.path == OPTIONS:
            return use
    for source, use in found[1:]:
        related = ((found[0][0].document, found[0][1].path, "first given here"),)
        message = "`use` is given in two files"
        source.findings.append(
            PathDiagnostic("PM002", message, use.path, True, "remove one of them", related=related)
        )
    return found[0][1] if found else Use(())


def values_of(top: Top, tops: Sequence[tuple[Source, Top]], use: Use) -> Values | None:
    """What the variables of one document stand for; None where nothing is to be replaced."""
    if top.variables is None:
        return None
    given: dict[str, str | None] = {}
    for name in use.profiles:
        for _, other in tops:
            if name in other.profiles:
                given |= other.profiles[name].variables
    given |= use.variables
    return {name: given.get(name, default) for name, default in top.variables.items()}


def merged(entry: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """An entry with a change laid over it: RFC 7386, with `env_vars` as text taken for the map it means."""
    first, second = entry.get("env_vars"), change.get("env_vars")
    if first is not None and second is not None:
        entry = {**entry, "env_vars": env_map(first)}
        change = {**change, "env_vars": env_map(second)}
    return _merged(entry, change)


def _merged(entry: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(entry)
    for key, value in change.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            before = result.get(key)
            result[key] = _merged(before if isinstance(before, Mapping) else {}, value)
        else:
            result[key] = value
    return result


def _defaults(source: Source, top: Top, values: Values | None, *, quiet: bool = False) -> Layer | None:
    """What a document lays under its processes; `quiet` where it has been looked at before."""
    if not top.defaults:
        return None
    before = len(source.findings)
    layer = _layer(source, top.defaults_path, top.defaults, values)
    layer.entry = {key: part for key, part in layer.entry.items() if part is not None}
    for key in OF_ONE_PROCESS:
        if layer.entry.pop(key, None) is not None:
            message = f"`{key}` is of one process and means nothing in `defaults`"
            source.findings.append(PathDiagnostic("PM012", message, layer.path(key), True, "remove it"))
    if quiet:
        del source.findings[before:]
    return layer


def _layer(source: Source, at: Path, value: Any, values: Values | None) -> Layer:
    layer = Layer(source, at)
    if not isinstance(value, dict):
        return layer
    assert source.format is not None
    layer.spelling = spelling = Spelling(value, source.format.name)
    for path, name in spelling.twice:
        message = f"duplicate key: `{path[-1]}` is another spelling of `{name}`"
        source.findings.append(PathDiagnostic("PM002", message, (*at, *path), True))
    layer.entry = spelling.plain
    if values is not None:

        def report(code: str, message: str, path: Path, hint: str) -> None:
            source.findings.append(PathDiagnostic(code, message, layer.path(*path), hint=hint))

        if "${" in str(spelling.plain.get("name", "")):
            report("PM012", "a name is not made of variables", ("name",), "everything is known by its name")
        layer.entry = substituted(spelling.plain, values, report)
    return layer


def _is_there(layer: Layer, use: Use, elsewhere: dict[str, str]) -> bool:
    """Whether a process is declared with the profiles in use; its `profiles` have then served."""
    wanted = layer.entry.get("profiles")
    if not isinstance(wanted, list) or not all(isinstance(name, str) for name in wanted):
        return True  # none, or a mistake that is found with the others
    layer.entry = {key: value for key, value in layer.entry.items() if key != "profiles"}
    layer.absent = bool(wanted) and not set(wanted) & set(use.profiles)
    if layer.absent:
        elsewhere[layer.name] = wanted[0]
    return not layer.absent


def _lay_over(
    source: Source,
    top: Top,
    name: str,
    values: Values | None,
    items: dict[str, Item],
    elsewhere: Mapping[str, str],
) -> None:
    """Lay what one document's profile of that name says over the items, and add what it adds."""
    profile = top.profiles.get(name)
    changed: set[str] = set()
    for index, value in enumerate(profile.processes if profile is not None else ()):
        assert profile is not None
        layer = _layer(source, (*profile.processes_path, index), value, values)
        if layer.spelling is None:
            message = f"a process is a mapping, not {type_name(value)}"
            source.findings.append(PathDiagnostic("PM010", message, layer.at))
        elif layer.name in changed:
            message = f"the profile `{name}` changes `{layer.name}` twice"
            source.findings.append(PathDiagnostic("PM022", message, layer.path("name"), hint="join the two"))
        elif layer.name in items:
            items[layer.name].layers.append(layer)
        elif layer.entry.get("file"):
            layer.entry = {key: part for key, part in layer.entry.items() if part is not None}
            added = Item([layer], _defaults(source, top, values, quiet=True))
            source.items.append(items.setdefault(layer.name, added))
        elif layer.name not in elsewhere:
            hint = did_you_mean(layer.name, items) or "a process that the profile adds needs a `file`"
            message = f"the profile `{name}` changes `{layer.name}`, which is not declared"
            source.findings.append(PathDiagnostic("PM023", message, layer.path("name"), hint=hint))
        changed.add(layer.name)
        if "profiles" in layer.entry:
            message, path = "`profiles` means nothing inside a profile", layer.path("profiles")
            source.findings.append(PathDiagnostic("PM012", message, path, True, "remove it"))


def _check_use(tops: Sequence[tuple[Source, Top]], use: Use) -> None:
    # Looking into every entry takes time, and without a choice there is nothing to look for.
    known = {name for _, top in tops for name in _profiles_of(top)} if use.profiles else set()
    variables = {name for _, top in tops for name in top.variables or ()}
    for source, top in tops:
        for profile in top.profiles.values():
            path = (*profile.path, "variables")
            check_known(profile.variables, variables, path, source.findings)
        if top.use is not use:
            continue
        check_known(use.variables, variables, (*use.path, "variables"), source.findings)
        for name in use.profiles:
            if name not in known:
                hint = did_you_mean(name, known) or "`profiles` of a manifest, or of a process, declares it"
                message = f"no file declares the profile `{name}`"
                source.findings.append(PathDiagnostic("PM023", message, (*use.path, "profiles"), hint=hint))


def profile_names(documents: Sequence[ManifestFile]) -> list[str]:
    """Every profile that documents or their processes name, sorted; unreadable documents name none."""
    return sorted({name for document in documents for name in _names_in(document)})


def _names_in(document: ManifestFile) -> Iterator[str]:
    if b"profiles" not in document.content.lower():
        return
    try:
        text = decode(document.content)
        format = format_of(document.path, text)
        yield from _profiles_of(read_top(format.load(text).data, format.name))
    except Unreadable:
        return


def _profiles_of(top: Top) -> Iterator[str]:
    yield from top.profiles
    for entry in top.processes:
        # In any spelling: what is asked for is only which names there are.
        for key, names in entry.items() if isinstance(entry, dict) else ():
            if key.lower() == "profiles" and isinstance(names, list):
                yield from (name for name in names if isinstance(name, str))
