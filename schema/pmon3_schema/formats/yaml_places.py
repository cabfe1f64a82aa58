"""Where values of a YAML text are: one scan over the events, only when there is an error to show.

Theory of operation: the wanted paths form a tree; the scan follows the events, goes down where the
tree does and skips everything else without building anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import yaml
from yaml import events

from pmon3_schema.formats.source import Path, Position, Span, Tree, tree
from pmon3_schema.formats.yaml import EventLoader


def locate(text: str, paths: Iterable[Path]) -> dict[Path, Position]:
    """Places of those of the paths, and of the values on the way to them, that the text has."""
    found: dict[Path, Position] = {}
    try:
        Locator(text, found).node((), tree(paths), None)
    except (yaml.YAMLError, StopIteration):
        return found  # the text is broken further down; what was found stands
    return found


class Locator:
    """Walks the events along the wanted paths and skips everything else."""

    def __init__(self, text: str, found: dict[Path, Position]) -> None:
        self._text = text
        self._get: Callable[[], Any] = EventLoader(text).get_event
        self._found = found
        self._end = 0

    def node(self, path: Path, wanted: Tree, key: Span | None, event: Any = None) -> None:
        event = event or self.next_event()
        start = event.start_mark.index
        if wanted and type(event) is events.MappingStartEvent:
            self.mapping(path, wanted)
        elif wanted and type(event) is events.SequenceStartEvent:
            self._sequence(path, wanted)
        else:
            self.skip(event)
        self._found.setdefault(path, Position(key, Span(start, max(start, self._end))))

    def mapping(self, path: Path, wanted: Tree) -> None:
        while type(event := self.next_event()) is not events.MappingEndEvent:
            name = getattr(event, "value", None)
            key = Span(event.start_mark.index, event.end_mark.index)
            self.skip(event)
            if name in wanted:
                self.node((*path, name), wanted[name], key)
            else:
                self.skip(self.next_event())

    def _sequence(self, path: Path, wanted: Tree) -> None:
        index = 0
        while type(event := self.next_event()) is not events.SequenceEndEvent:
            if index in wanted:
                self.node((*path, index), wanted[index], None, event)
            else:
                self.skip(event)
            index += 1

    def skip(self, event: Any) -> None:
        depth = 0
        while True:
            kind = type(event)
            if kind is events.MappingStartEvent or kind is events.SequenceStartEvent:
                depth += 1
            elif kind is events.MappingEndEvent or kind is events.SequenceEndEvent:
                depth -= 1
            if depth == 0:
                return
            event = self.next_event()

    def any_event(self) -> Any:
        """The next event of all, those around the document too."""
        return self._get()

    def next_event(self) -> Any:
        """The next event of the document; StopIteration when it is over."""
        event = self.any_event()
        while isinstance(event, events.StreamStartEvent | events.DocumentStartEvent):
            event = self.any_event()
        if isinstance(event, events.StreamEndEvent | events.DocumentEndEvent):
            raise StopIteration
        # The end of a block collection lies at the next token; its last scalar is where it ends to the eye.
        if isinstance(event, events.ScalarEvent | events.AliasEvent):
            self._end = _trimmed(self._text, event)
        elif isinstance(event, events.CollectionEndEvent):
            start, end = _marks(event)
            self._end = end if start < end else self._end
        return event


def _trimmed(text: str, event: Any) -> int:
    start, end = _marks(event)
    while end > start and text[end - 1].isspace():
        end -= 1
    return end


def _marks(event: Any) -> tuple[int, int]:
    return event.start_mark.index, event.end_mark.index
