"""The daemon's own log, for maintainers: constant event names, everything variable in fields.

``journal.event("instance.started", name="web", pid=4711)`` writes one line to standard error:
``key=value`` pairs on a terminal, one JSON object otherwise. Logging never raises and never
blocks: a line that cannot be written at once is dropped and counted, and the count is told with
the next line that can. Values that may hold secrets (environments, passwords) are left out.
"""

from __future__ import annotations

import json
import os
import select
import traceback
from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Literal

from pmond.runtime.base import clock

_SECRET = frozenset({"env", "env_vars", "environment", "authorization", "password", "secret", "credentials"})
_LONGEST = 8000
"""Characters of one value; the middle of a longer one is left out."""
_PIPE_BUF = 4096
"""A pipe that is ready takes this many bytes without blocking (pipe(7))."""


class Level(IntEnum):
    DEBUG = 10
    INFO = 20
    WARN = 30
    ERROR = 40


class Journal:
    """Writes lines to a descriptor. `form` is ``text``, ``json`` or ``auto``: text on a terminal."""

    def __init__(
        self,
        descriptor: int = 2,
        *,
        level: Level = Level.INFO,
        form: Literal["auto", "text", "json"] = "auto",
        clock: clock.Clock = clock,
    ) -> None:
        self.level = level
        self._descriptor = descriptor
        self._clock = clock
        self._text = form == "text" or (form == "auto" and _is_terminal(descriptor))
        self._dropped = 0
        self._torn = False

    def debug(self, event: str, /, **fields: Any) -> None:
        """What only helps to understand a defect."""
        self._log(Level.DEBUG, event, fields)

    def event(self, event: str, /, **fields: Any) -> None:
        """Something happened, as it should (level info)."""
        self._log(Level.INFO, event, fields)

    def warn(self, event: str, /, **fields: Any) -> None:
        """Something is not as it should be; pmond copes."""
        self._log(Level.WARN, event, fields)

    def error(self, event: str, /, error: BaseException | str | None = None, **fields: Any) -> None:
        """Something failed; an exception is written with its traceback."""
        self._log(Level.ERROR, event, {"error": error, **fields} if error is not None else fields)

    def _log(self, level: Level, event: str, fields: dict[str, Any]) -> None:
        if level < self.level:
            return
        if self._dropped and self._write(self._line(Level.WARN, "journal.dropped", {"count": self._dropped})):
            self._dropped = 0
        if not self._write(self._line(level, event, fields)):
            self._dropped += 1

    def _line(self, level: Level, event: str, fields: dict[str, Any]) -> str:
        line = {"at": self._clock.wall(), "level": level.name.lower(), "event": event}
        line.update({key: value for key, value in _clean(fields).items() if key not in line})
        return _as_text(line) if self._text else _as_json(line)

    def _write(self, line: str) -> bool:
        data = ("\n" if self._torn else "").encode() + line.encode("utf-8", "backslashreplace") + b"\n"
        sent = 0
        try:
            while sent < len(data):
                if not _is_ready(self._descriptor):
                    break
                sent += os.write(self._descriptor, data[sent : sent + _PIPE_BUF])
        except (OSError, ValueError):
            # Closed, broken, full: there is nowhere left to say so; the count is told later.
            pass
        self._torn = (self._torn and sent == 0) or 0 < sent < len(data)
        return sent == len(data)


def _clean(fields: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        str(key): _hidden(value) if str(key) in _SECRET else _value(value) for key, value in fields.items()
    }


def _hidden(value: Any) -> Any:
    return {str(key): "***" for key in value} if isinstance(value, Mapping) else "***"


def _value(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return _clean(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_value(item) for item in value]
    return _shortened(_words(value))


def _words(value: Any) -> str:
    if isinstance(value, BaseException):
        return "".join(traceback.format_exception(value)).rstrip()
    try:
        return str(value)
    except Exception as error:  # a log line must not fail for a defect of what it tells about
        return f"<{type(value).__name__} without a text: {type(error).__name__}>"


def _shortened(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 2 :]}"


def _as_json(line: dict[str, Any]) -> str:
    return json.dumps(line, separators=(",", ":"))


def _as_text(line: dict[str, Any]) -> str:
    return " ".join(f"{_bare_or_quoted(key)}={_bare_or_quoted(value)}" for key, value in line.items())


def _bare_or_quoted(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    plain = text.isascii() and text.isprintable() and not any(c in text for c in ' "=')
    return text if plain and text else json.dumps(text)


def _is_terminal(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor)
    except OSError:
        return False


def _is_ready(descriptor: int) -> bool:
    poller = select.poll()
    poller.register(descriptor, select.POLLOUT)
    return any(mask & select.POLLOUT for _, mask in poller.poll(0))
