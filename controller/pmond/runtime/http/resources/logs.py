"""Logs as text."""

from __future__ import annotations

from pmon3_schema.errors import ErrorCode, PmonError
from pmond.runtime.http import log_stream
from pmond.runtime.http.call import Call
from pmond.runtime.http.messages import Stream
from pmond.runtime.intent.registry import Registry
from pmond.runtime.views.readable_logs import ReadableLogs


class LogResource:
    """Streams the log of a process to those who may read it."""

    def __init__(self, registry: Registry, logs: ReadableLogs) -> None:
        self._registry = registry
        self._logs = logs

    async def logs(self, call: Call[None]) -> Stream:
        files = self._logs.checked(self._registry.one(call.path["ref"]), call.peer)
        which = 1 if call.query.flag("stderr") else 0
        if which >= len(files):
            why = "cannot show a separate standard error: it goes to the log"
            raise PmonError(ErrorCode.NOT_FOUND, why, "leave out stderr, or set stderr_log")
        lines, everything = call.query.text("lines"), call.query.flag("all")
        return Stream(log_stream.stream(files[which], lines, everything, call.query.flag("follow")))
