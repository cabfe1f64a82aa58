"""Lines of logs with the times that pmond knows for them.

Theory of operation: pmond sends bytes in frames that say where they are in the log; here they become lines.
pmond also knows how long the log was at some moments (marks). A line was written by the first moment at
which the log went beyond its first byte: that is its time, never too early, and late by the distance of two
marks at most. What comes while it is followed has the time at which it came. Pure.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from pmon3_schema.errors import ErrorCode, PmonError

_HEAD = re.compile(rb"(-|\d+) (\d+)\n")
_LONGEST_HEAD = 64
_DAYS = {"today": 0, "yesterday": 1}
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;:?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))")


class LogLine(NamedTuple):
    """One line, without what ends it."""

    moment: float | None
    """Seconds since 1970; None: of a file that somebody else has rotated."""
    text: bytes
    position: int | None = None


class FrameReader:
    """From the bytes of an answer to pieces with their positions."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[int | None, bytes]]:
        """What is whole by now. Raises PmonError when it is no frame."""
        self._rest += data
        while self._rest:
            head = _HEAD.match(self._rest)
            if head is None:
                if len(self._rest) >= _LONGEST_HEAD:
                    raise PmonError(ErrorCode.UNREACHABLE, "cannot understand pmond: no frame of a log")
                return
            end = head.end() + int(head[2])
            if len(self._rest) < end:
                return
            piece = self._rest[head.end() : end]
            self._rest = self._rest[end:]
            yield (None if head[1] == b"-" else int(head[1])), piece


class LineCutter:
    """From pieces to lines."""

    def __init__(self, skip_first: bool = False) -> None:
        """`skip_first`: what comes first is the end of a line that began earlier."""
        self._skips = skip_first
        self._begin: int | None = None
        self._next: int | None = None
        self._parts: list[bytes] = []

    @property
    def begins_at(self) -> int | None:
        """Where the line that is not whole yet begins; with none of them, where the next will."""
        return self._begin

    def feed(self, position: int | None, data: bytes) -> Iterator[tuple[int | None, bytes]]:
        """The lines that are whole now, each with the position of its first byte."""
        if position != self._next or self._next is None:
            yield from self.end()
            self._begin = position
        self._next = None if position is None else position + len(data)
        *whole, rest = data.split(b"\n")
        for line in whole:
            text = b"".join([*self._parts, line])
            begin, self._parts = self._begin, []
            if begin is not None:
                self._begin = begin + len(text) + 1
            if self._skips:
                self._skips = False
            else:
                yield begin, text
        if rest:
            self._parts.append(rest)

    def end(self) -> Iterator[tuple[int | None, bytes]]:
        """The last line, if nothing has ended it."""
        text, self._parts = b"".join(self._parts), []
        if text and not self._skips:
            yield self._begin, text


class KnownTimes:
    """What pmond knows of one log, as it has answered."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.name: str = answer["name"]
        self._positions = [mark["position"] for mark in answer["marks"]]
        self._moments = [_seconds(mark["time"]) for mark in answer["marks"]]
        self._runs = [(run["number"], run["position"]) for run in answer["runs"] if run["name"] == self.name]

    def moment_of(self, position: int | None, now: float) -> float | None:
        """When what begins here was written; what is newer than all that is known, `now`."""
        if position is None:
            return None
        index = bisect_right(self._positions, position)
        return self._moments[index] if index < len(self._moments) else now

    def begin_of(self, since: float) -> int:
        """A position before which everything was written earlier than that."""
        index = bisect_left(self._moments, since)
        return self._positions[index - 1] if index else 0

    def run(self, which: str) -> tuple[int, int | None]:
        """Where a run begins, and where it ends if another one follows. Raises PmonError."""
        numbers = [number for number, _ in self._runs]
        wanted = (numbers[-1] if numbers else None) if which == "last" else int(which)
        if wanted not in numbers:
            known = f"runs {numbers[0]} to {numbers[-1]} are" if numbers else "none is"
            why = f"cannot show run {which} of {self.name}: {known} known in its log"
            raise PmonError(ErrorCode.NOT_FOUND, why, "pmon3 runs NAME lists them")
        place = len(numbers) - 1 - numbers[::-1].index(wanted)
        begins = [position for _, position in self._runs]
        return begins[place], begins[place + 1] if place + 1 < len(begins) else None


class LineSearch:
    """Which lines are wanted by what is in them; the colours in them do not count."""

    def __init__(self, patterns: Sequence[str], ignore_case: bool, invert: bool) -> None:
        """Raises PmonError."""
        flags = re.IGNORECASE if ignore_case else 0
        self._invert = invert
        try:
            self._patterns = [re.compile(pattern, flags) for pattern in patterns]
        except (re.error, RecursionError, OverflowError) as error:
            raise PmonError(
                ErrorCode.BAD_REQUEST, f"cannot search: {error}", "--grep takes a regular expression"
            ) from None

    def wants(self, line: bytes) -> bool:
        if not self._patterns:
            return True
        text = line.decode("utf-8", "replace")
        text = _ESCAPES.sub("", text) if "\x1b" in text else text
        return any(pattern.search(text) for pattern in self._patterns) != self._invert


def shown_time(moment: float | None, utc: bool = False) -> str | None:
    """RFC 3339 with milliseconds, in the caller's zone."""
    if moment is None:
        return None
    at = datetime.fromtimestamp(moment, UTC)
    text = (at if utc else at.astimezone()).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def parse_moment(text: str, now: float) -> float:
    """A time, in the caller's zone where it says none, or how long ago: `10m`. Raises PmonError."""
    from pmon3_schema.scalars import parse_duration

    local = datetime.fromtimestamp(now).astimezone()
    if text in _DAYS:
        text = str(local.date() - timedelta(days=_DAYS[text]))
    if re.fullmatch(r"\d\d?:\d\d(:\d\d)?", text):
        text = f"{local.date()} {text.zfill(5) if len(text) < 6 else text.zfill(8)}"
    try:
        if re.fullmatch(r"(\d+(\.\d+)?(ms|s|m|h|d))+", text):
            return now - parse_duration(text)
        return datetime.fromisoformat(text).astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        raise PmonError(
            ErrorCode.BAD_REQUEST,
            f"cannot read {text!r} as a time",
            "write 10m, 14:30 or 2026-12-31T14:30:00",
        ) from None


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
