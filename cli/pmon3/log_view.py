"""Logs as `log` and `logf` show them: chosen lines of several files, in the order of their times.

Theory of operation: of each file pmond is asked when it was written, then for its bytes from the first that
can matter. Lines are chosen here, so that no regular expression is ever searched for by pmond. What is
followed goes on where that ended: at the position behind the last whole line.
"""

from __future__ import annotations

import heapq
import selectors
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from pmon3 import output
from pmon3.client import Client, Query, ResponseStream, path_segment
from pmon3.follow import prefixes
from pmon3.log_lines import FrameReader, KnownTimes, LineCutter, LineSearch, LogLine, shown_time
from pmon3.output import LogWriter
from pmon3_schema.errors import ErrorCode, PmonError


class WantedLines(Struct, frozen=True):
    """Which lines of each log."""

    pattern: LineSearch
    lines: str = ""
    """`K` the last, `+K` from that on, of those that are wanted otherwise; empty: all."""
    since: float | None = None
    until: float | None = None
    run: str = ""
    everything: bool = False
    """What somebody else has rotated too."""

    def by_number(self, found: Iterable[LogLine]) -> Iterable[LogLine]:
        """Those of the found that are wanted by their number."""
        if not self.lines or self.lines == "all":
            return found
        count = int(self.lines.lstrip("+"))
        if self.lines.startswith("+"):
            return (line for number, line in enumerate(found, 1) if number >= count)
        return deque(found, maxlen=count)


class LogSource:
    """One file of one process."""

    def __init__(self, client: Client, reference: str, stream: str, is_awaited: bool = False) -> None:
        """`stream`: stdout or stderr. `is_awaited`: nothing has to be there yet.

        Raises PmonError when there is no such file, or it is not for us.
        """
        self.stream = stream
        self._is_awaited = is_awaited
        self._client = client
        self._path = f"/v1/logs/{path_segment(reference)}"
        self._stderr = ("stderr", "1" if stream == "stderr" else "0")
        self.times = KnownTimes(client.get(f"{self._path}/times", [self._stderr]))
        self.name = self.times.name
        self._end = 0
        """Behind the last whole line that was read."""

    def lines(self, wanted: WantedLines) -> Iterator[LogLine]:
        """What there is by now, oldest first, before it is counted."""
        begin, end = self.times.run(wanted.run) if wanted.run else (None, None)
        skips = False
        if wanted.since is not None:
            since = self.times.begin_of(wanted.since)
            if begin is None or since > begin:
                # One byte more says whether a line begins there.
                begin, skips = max(0, since - 1), since > 0
        for position, text in self._read(begin, end, skips=skips, everything=wanted.everything):
            line = LogLine(self.times.moment_of(position, time.time()), text, position)
            if wanted.until is not None and line.moment is not None and line.moment > wanted.until:
                return
            if wanted.since is not None and (line.moment is None or line.moment < wanted.since):
                continue
            if wanted.pattern.wants(text):
                yield line

    def _read(
        self, begin: int | None, end: int | None, *, skips: bool, everything: bool
    ) -> Iterator[tuple[int | None, bytes]]:
        """Lines with their positions; `skips`: but for the first, if it is from where it was asked for."""
        lines = "all" if begin is None else f"@{begin}"
        query = [("lines", lines), ("all", "1" if everything else "0"), ("positions", "1"), self._stderr]
        cutter: LineCutter | None = None
        for position, piece in self._frames(query):
            if cutter is None:
                cutter = LineCutter(skips and position == begin)
            if end is not None and position is not None:
                piece = piece[: max(0, end - position)]
            yield from cutter.feed(position, piece)
            if cutter.begins_at is not None:
                self._end = cutter.begins_at
            if end is not None and position is not None and position + len(piece) >= end:
                break
        yield from cutter.end() if cutter is not None else ()

    def _frames(self, query: Query) -> Iterator[tuple[int | None, bytes]]:
        frames = FrameReader()
        try:
            stream = self._client.stream(self._path, query)
        except PmonError as error:
            if self._is_awaited and error.code is ErrorCode.NOT_FOUND:
                return
            raise
        try:
            for data in stream:
                yield from frames.feed(data)
        finally:
            stream.close()

    def follow(self) -> ResponseStream:
        """What comes, from where `lines` has ended."""
        query = [("lines", f"@{self._end}"), ("follow", "1"), ("positions", "1"), self._stderr]
        return self._client.stream(self._path, query)


class LinePrinter:
    """Prints lines in one of the forms."""

    def __init__(self, sources: Sequence[LogSource], as_json: bool, timestamps: bool, raw: bool) -> None:
        names = list(dict.fromkeys(source.name for source in sources))
        several = len(names) > 1
        self._prefixes = prefixes(names, output.coloured()) if several else dict.fromkeys(names, b"")
        self._json, self._timestamps = as_json, timestamps
        self._writer = LogWriter(raw)

    def show(self, source: LogSource, line: LogLine) -> None:
        if self._json:
            found = {
                "name": source.name, "time": shown_time(line.moment, utc=True),
                "text": line.text.decode("utf-8", "backslashreplace"), "stream": source.stream,
            }  # fmt: skip
            output.write_now(output.json_line(found))
            return
        at = f"{shown_time(line.moment) or '-'} ".encode() if self._timestamps else b""
        self._writer.feed(self._prefixes[source.name] + at + line.text + b"\n")

    def end(self) -> None:
        """Nothing follows."""
        self._writer.end()


def open_sources(
    client: Client, names: Sequence[str], streams: Sequence[str], are_awaited: bool
) -> list[LogSource]:
    """The logs of these processes; of several, also where some have no such file."""
    found = []
    for name in names:
        for stream in streams:
            try:
                found.append(LogSource(client, name, stream, are_awaited or len(names) > 1))
            except PmonError as error:
                if error.code is not ErrorCode.NOT_FOUND or len(names) * len(streams) == 1:
                    raise
    if not found:
        raise PmonError(ErrorCode.NOT_FOUND, "cannot show the logs: there are none")
    return found


def show(sources: Sequence[LogSource], wanted: WantedLines, screen: LinePrinter) -> None:
    """Print what there is of all logs, in the order of the times."""
    chosen = [wanted.by_number(source.lines(wanted)) for source in sources]
    merged = heapq.merge(*map(_numbered, range(len(sources)), chosen), key=lambda one: one[0])
    for _, place, line in merged:
        screen.show(sources[place], line)


def _numbered(place: int, lines: Iterable[LogLine]) -> Iterator[tuple[float, int, LogLine]]:
    latest = 0.0
    for line in lines:
        latest = max(latest, line.moment or 0.0)
        yield latest, place, line


def follow(sources: Sequence[LogSource], wanted: WantedLines, screen: LinePrinter) -> None:
    """Print what comes, until the last of the logs or the time that is wanted has ended."""
    with selectors.DefaultSelector() as selector:
        for source in sources:
            stream = source.follow()
            reader = _Followed(source, wanted, screen)
            if not stream.is_ahead or reader.read(stream):
                selector.register(stream, selectors.EVENT_READ, reader)
        while selector.get_map():
            left = None if wanted.until is None else wanted.until - time.time()
            if left is not None and left <= 0:
                return
            for key, _ in selector.select(left):
                if not key.data.read(key.fileobj):
                    selector.unregister(key.fileobj)


class _Followed:
    """One log that is followed."""

    def __init__(self, source: LogSource, wanted: WantedLines, screen: LinePrinter) -> None:
        self._source, self._wanted, self._screen = source, wanted, screen
        self._frames, self._cutter = FrameReader(), LineCutter()

    def read(self, stream: ResponseStream) -> bool:
        """Print what is there now; False: there will be no more."""
        data = stream.receive()
        found = self._frames.feed(data) if data is not None else iter(())
        lines = [line for position, piece in found for line in self._cutter.feed(position, piece)]
        lines += list(self._cutter.end()) if data is None else []
        for _, text in lines:
            if self._wanted.pattern.wants(text):
                self._screen.show(self._source, LogLine(time.time(), text))
        return data is not None
