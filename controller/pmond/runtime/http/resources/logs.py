"""Logs as text."""

from __future__ import annotations

from collections.abc import Callable

from pmon3_schema.errors import ErrorCode, PmonError
from pmond.runtime.http import log_stream
from pmond.runtime.http.call import Call
from pmond.runtime.http.messages import Stream
from pmond.runtime.intent.registry import Registry
from pmond.runtime.views.readable_logs import ReadableLogs


class LogResource:
    """Streams the log of a process to those who may read it."""

    def __init__(self, registry: Registry, logs: ReadableLogs, runs: Callable[[str], bool]) -> None:
        """`runs`: whether a process has an instance now."""
        self._registry = registry
        self._runs = runs
        self._logs = logs

    async def logs(self, call: Call[None]) -> Stream:
        one = self._registry.one(call.path["ref"])
        files = self._logs.checked(one, call.peer)
        which = 1 if call.query.flag("stderr") else 0
        if which >= len(files):
            why = "cannot show a separate standard error: it goes to the log"
            raise PmonError(ErrorCode.NOT_FOUND, why, "leave out stderr, or set stderr_log")
        lines, everything = call.query.text("lines"), call.query.flag("all")
        try:
            return Stream(log_stream.stream(files[which], lines, everything, call.query.flag("follow")))
        except PmonError as error:
            if error.code is not ErrorCode.NOT_FOUND or not self._runs(one.name):
                raise
            path = files[which].path
            why = f"cannot read {path}: it was removed or moved, and {one.name} writes on to what is gone"
            raise PmonError(error.code, why, f"pmon3 restart {one.name} begins a new one") from None
