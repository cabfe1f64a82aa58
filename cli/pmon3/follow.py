"""Several followed logs on one screen: whole lines, each with its process in front.

Theory of operation: one connection per process and one selector over them. A line is printed
when it is whole, so that two processes never share one; what is left at the end of a log is
printed then.
"""

from __future__ import annotations

import selectors
from collections.abc import Mapping

from pmon3 import output
from pmon3.client import ResponseStream
from pmon3.fitting import width
from pmon3.output import LogWriter
from pmon3.table import visible

_COLOURS = (51, 142, 46, 214, 177, 75, 203, 228)


class Prefixed:
    """The text of one log, cut into lines, each behind the same prefix."""

    def __init__(self, prefix: bytes) -> None:
        self._prefix = prefix
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """The lines that are whole now."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        return b"".join(self._prefix + line + b"\n" for line in lines)

    def end(self) -> bytes:
        """The last line, if it had no end."""
        return self.feed(b"\n") if self._rest else b""


def prefixes(names: list[str], coloured: bool) -> dict[str, bytes]:
    """`name | ` for each, aligned; each in its own colour."""
    shown = {name: visible(name) for name in names}
    widest = max(map(width, shown.values()), default=0)
    made = {}
    for place, name in enumerate(names):
        text = f"{shown[name]}{' ' * (widest - width(shown[name]))} | "
        if coloured:
            text = f"\x1b[38;5;{_COLOURS[place % len(_COLOURS)]}m{text}\x1b[0m"
        made[name] = text.encode()
    return made


def interleave(streams: Mapping[str, ResponseStream], coloured: bool, raw: bool = False) -> None:
    """Print the lines of all streams as they come, until every one has ended."""
    labels = prefixes(list(streams), coloured)
    screen = output.LogWriter(raw)
    try:
        _forward_all(streams, labels, screen)
    finally:
        screen.end()


def _forward_all(
    streams: Mapping[str, ResponseStream], labels: Mapping[str, bytes], screen: LogWriter
) -> None:
    with selectors.DefaultSelector() as selector:
        for name, stream in streams.items():
            log = Prefixed(labels[name])
            if not stream.is_ahead or _forward(stream, log, screen):
                selector.register(stream, selectors.EVENT_READ, log)
        while selector.get_map():
            for key, _ in selector.select():
                stream = key.fileobj  # type: ignore[assignment]
                if not _forward(stream, key.data, screen):
                    selector.unregister(stream)


def _forward(stream: ResponseStream, log: Prefixed, screen: LogWriter) -> bool:
    data = stream.receive()
    screen.feed(log.end() if data is None else log.feed(data))
    return data is not None
