"""Where values of a YAML text are that come by an alias or a merge key: in the anchor that is referred to.

Theory of operation: the places of `yaml_places` end where an alias stands. What is wanted beyond is looked
for in the anchored value, which stands before it, in one more scan; a merge key's fields are those that the
mapping itself does not have. Editing does without this: what is written elsewhere is not the entry's to
change.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Any

import yaml
from msgspec import Struct
from yaml import events

from pmon3_schema.formats.source import MAX_DEPTH, Path, Position, Span, Tree, tree
from pmon3_schema.formats.yaml_places import Locator


class Reference(Struct, frozen=True):
    """A use of an anchor, and what is wanted of the value that it stands for."""

    anchor: str
    before: int
    """Where it is used; the last anchor of that name before it is meant."""
    path: Path
    wanted: Tree


def trace(text: str, paths: Iterable[Path]) -> dict[Path, Position]:
    """Places of those of the paths, and of the values on the way to them, that the text has anywhere."""
    found: dict[Path, Position] = {}
    locator = TracingLocator(text, found)
    try:
        locator.node((), tree(paths), None)
        references = locator.references
        for _ in range(2 * MAX_DEPTH):  # an anchor may lie in another one, or refer to one before it
            if not references:
                break
            references = _followed(text, references, found)
    except (yaml.YAMLError, StopIteration):
        return found  # the text is broken further down; what was found stands
    return found


class TracingLocator(Locator):
    """Remembers the aliases that it meets on the wanted paths."""

    def __init__(self, text: str, found: dict[Path, Position]) -> None:
        super().__init__(text, found)
        self.references: list[Reference] = []

    def node(self, path: Path, wanted: Tree, key: Span | None, event: Any = None) -> None:
        event = event or self.next_event()
        if wanted and _is_alias(event):
            self.references.append(Reference(event.anchor, event.start_mark.index, path, wanted))
        super().node(path, wanted, key, event)

    def mapping(self, path: Path, wanted: Tree) -> None:
        """As without anchors; the fields that the mapping lacks are looked for in what it merges."""
        own: set[str] = set()
        merged: list[Any] = []
        while type(event := self.next_event()) is not events.MappingEndEvent:
            name = getattr(event, "value", None)
            key = Span(event.start_mark.index, event.end_mark.index)
            if name == "<<" and event.implicit[0]:
                merged = self._merged(path, wanted)
                continue
            self.skip(event)
            if name in wanted:
                own.add(str(name))
                self.node((*path, str(name)), wanted[str(name)], key)
            else:
                self.skip(self.next_event())
        lacking = {name: inner for name, inner in wanted.items() if name not in own}
        for anchor, before in merged:
            if lacking:
                self.references.append(Reference(anchor, before, path, lacking))

    def _merged(self, path: Path, wanted: Tree) -> list[tuple[str, int]]:
        """The anchors that a merge key names; what it has in braces is not looked into."""
        event: Any = self.next_event()
        if _is_alias(event):
            return [(event.anchor, event.start_mark.index)]
        if type(event) is not events.SequenceStartEvent:
            self.skip(event)
            return []
        found = []
        while type(event := self.next_event()) is not events.SequenceEndEvent:
            if _is_alias(event):
                found.append((event.anchor, event.start_mark.index))
            else:
                self.skip(event)
        return found

    def value_at(self, event: Any, wanted: Tree) -> tuple[dict[Path, Position], list[Reference]]:
        """What is wanted in the value that begins with the event, by paths from there,
        and what lies further on."""
        self._found, self.references = {}, []
        super().node((), wanted, None, event)
        return self._found, self.references


def _followed(text: str, references: Sequence[Reference], found: dict[Path, Position]) -> list[Reference]:
    """Look into the anchored values in one scan; gives the references that are still to be followed."""
    meant = _by_start(text, references)
    scan = TracingLocator(text, {})
    rest: list[Reference] = []
    event: Any = None
    while meant and type(event) is not events.StreamEndEvent:
        event = scan.any_event()
        here = meant.pop(event.start_mark.index, []) if _begins(event) else []
        if not here:
            continue
        places, further = scan.value_at(event, _union([one.wanted for one in here]))
        for one in here:
            for path, place in places.items():
                if path and _below(one.wanted, path) is not None:
                    found.setdefault((*one.path, *path), place)
            for inner in further:
                wanted = _narrowed(_below(one.wanted, inner.path), inner.wanted)
                if wanted:
                    rest.append(Reference(inner.anchor, inner.before, (*one.path, *inner.path), wanted))
    # Those whose anchor lies in a value that has been gone through come next.
    return rest + [one for left in meant.values() for one in left]


def _is_alias(event: Any) -> bool:
    return type(event) is events.AliasEvent


def _begins(event: Any) -> bool:
    return getattr(event, "anchor", None) is not None and not _is_alias(event)


def _by_start(text: str, references: Sequence[Reference]) -> dict[int, list[Reference]]:
    """The references by the start of the value that each means, the first wanted first."""
    starts: dict[str, list[int]] = {}
    scan = Locator(text, {})
    while type(event := scan.any_event()) is not events.StreamEndEvent:
        if _begins(event):
            starts.setdefault(event.anchor, []).append(event.start_mark.index)
    found: dict[int, list[Reference]] = {}
    for reference in references:
        known = starts.get(reference.anchor, [])
        place = bisect_left(known, reference.before) - 1
        if place >= 0:
            found.setdefault(known[place], []).append(reference)
    return found


def _union(trees: Sequence[Tree]) -> Tree:
    result: Tree = {}
    for one in trees:
        for name, inner in one.items():
            result[name] = _union([result[name], inner]) if name in result else inner
    return result


def _below(wanted: Tree, path: Path) -> Tree | None:
    node: Tree | None = wanted
    for part in path:
        node = node.get(part) if node is not None else None
    return node


def _narrowed(wanted: Tree | None, to: Tree) -> Tree:
    return {name: inner for name, inner in (wanted or {}).items() if name in to}
