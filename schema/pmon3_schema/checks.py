"""Checks that need more than one process: names, dependencies, and things worth a warning."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise

from pmon3_schema import graph
from pmon3_schema.diagnostics import Severity
from pmon3_schema.field_diagnostics import did_you_mean
from pmon3_schema.sources import Item, Source
from pmon3_schema.without_effect import idle_settings


def check_together(
    sources: Sequence[Source], known_names: Collection[str], elsewhere: Mapping[str, str]
) -> None:
    """Add findings about names and dependencies to the sources.

    `elsewhere`: names that profiles which are not in use would declare, and those profiles.
    """
    items = [item for source in sources for item in source.items]
    for item in items:
        _warn(item)
    first = _check_names(items)
    for item in items:
        _warn_of_earlier_name(item, first)
    # With a document missing, what it declares is unknown: no guesses about dependencies then.
    if all(source.loaded is not None for source in sources):
        _check_known(items, {*first, *known_names}, elsewhere)
    _check_conditions(items, first)
    _check_cycles(first)


def _warn(item: Item) -> None:
    if item.spec is None:
        return
    if item.name.isdecimal():
        message = f"the name `{item.name}` looks like an id: commands take it for one first"
        item.report("PM040", message, item.name_field(), hint="add a letter", severity=Severity.WARNING)
    for idle in idle_settings(item.spec, item.written()):
        item.report("PM041", idle.message, *idle.path, at_key=True, hint=idle.hint, severity=Severity.WARNING)


def _warn_of_earlier_name(item: Item, declared: Mapping[str, Item]) -> None:
    earlier = item.spec.renamed_from if item.spec is not None else ""
    if earlier and earlier != item.name and earlier in declared:
        message = f"`renamed_from` has no effect: `{earlier}` is declared too"
        hint = f"remove it, or the entry of {earlier}"
        item.report("PM041", message, "renamed_from", hint=hint, severity=Severity.WARNING)


def _check_names(items: Sequence[Item]) -> dict[str, Item]:
    first: dict[str, Item] = {}
    for item in items:
        if not item.name:
            continue
        earlier = first.setdefault(item.name, item)
        if earlier is not item:
            related = ((*earlier.written_at(earlier.name_field()), "first declared here"),)
            message = f"two processes have the name `{item.name}`"
            hint = "give one of them another `name`"
            item.report("PM022", message, item.name_field(), hint=hint, related=related)
            item.spec = None
    return first


def _check_known(items: Sequence[Item], known: Collection[str], elsewhere: Mapping[str, str]) -> None:
    for item in items:
        for index, name in enumerate(_dependencies(item)):
            if name not in known:
                hint = did_you_mean(name, known) if len(known) <= 2_000 else ""
                hint = f"it is there only with the profile {elsewhere[name]}" if name in elsewhere else hint
                message = f"`{item.name}` depends on `{name}`, which is not declared"
                required = item.spec is None or item.spec.dependencies[index].required
                severity = Severity.ERROR if required else Severity.WARNING
                item.report("PM020", message, "dependencies", index, hint=hint, severity=severity)


def _check_conditions(items: Sequence[Item], declared: Mapping[str, Item]) -> None:
    """What a dependency is waited for must be able to come."""
    for item in items:
        for index, need in enumerate(item.spec.dependencies if item.spec is not None else ()):
            other = declared.get(need.name)
            if other is None or other.spec is None:
                continue
            if need.condition == "ready" and not other.spec.ready.kind:
                message = f"`{need.name}` has no `ready` probe, so it can never be ready for `{item.name}`"
                hint = f"give {need.name} a `ready`, or wait for it to be started"
                item.report("PM025", message, "dependencies", index, "condition", hint=hint)
            if need.condition == "completed" and other.spec.policy == "always":
                message = f"`{need.name}` is restarted whenever it ends, so it can never complete"
                hint = f"give {need.name} restart.policy: on-failure or never"
                item.report("PM025", message, "dependencies", index, "condition", hint=hint)


def _check_cycles(items: dict[str, Item]) -> None:
    edges = {name: needs for name, item in items.items() if (needs := _dependencies(item))}
    if not edges:
        return
    for cycle in graph.cycles(edges, edges):
        member, need = items[cycle[0]], cycle[1]
        related = tuple(
            (*items[name].written_at(*_dependency(items[name], after)), f"`{name}` depends on `{after}`")
            for name, after in pairwise(cycle[1:])
        )[:20]
        shown = cycle if len(cycle) <= 20 else [*cycle[:10], f"... {len(cycle) - 20} more ...", *cycle[-10:]]
        message = "dependencies form a cycle: " + " -> ".join(shown)
        hint = "remove one of these dependencies"
        member.report("PM021", message, *_dependency(member, need), hint=hint, related=related)


def _dependency(item: Item, need: str) -> tuple[str, int]:
    return "dependencies", _dependencies(item).index(need)


def _dependencies(item: Item) -> Sequence[str]:
    """The dependencies of a process; as written where other things are wrong with it."""
    if item.spec is not None:
        return item.spec.needs
    written = item.layers[-1].entry.get("dependencies") or item.layers[0].entry.get("dependencies")
    if not isinstance(written, list):
        return ()
    named = [one.get("name") if isinstance(one, dict) else one for one in written]
    return [name if isinstance(name, str) else "" for name in named]
