"""Logs as text, and when they were written."""

from __future__ import annotations

from collections.abc import Callable

from pmon3_schema.answers import LogTimes
from pmon3_schema.errors import ErrorCode, PmonError
from pmond.core.model import Intent
from pmond.runtime.base.clock import wall_at
from pmond.runtime.files.log_files import LogFile, parse_lines, unreadable
from pmond.runtime.files.log_index import LogIndex
from pmond.runtime.http import log_stream
from pmond.runtime.http.call import Call
from pmond.runtime.http.log_stream import WantedLog
from pmond.runtime.http.messages import Stream
from pmond.runtime.intent.registry import Registry
from pmond.runtime.observers.timekeeper import Timekeeper
from pmond.runtime.views.readable_logs import ReadableLogs


class LogResource:
    """Shows the log of a process to those who may read it."""

    def __init__(
        self, registry: Registry, logs: ReadableLogs, timekeeper: Timekeeper, runs: Callable[[str], bool]
    ) -> None:
        """`runs`: whether a process has an instance now."""
        self._registry = registry
        self._runs = runs
        self._logs = logs
        self._timekeeper = timekeeper

    async def logs(self, call: Call[None]) -> Stream:
        one, file = self._asked(call)
        query = call.query
        wanted = WantedLog(
            parse_lines(query.text("lines")), query.flag("all"), query.flag("follow"), query.flag("positions")
        )
        try:
            return Stream(log_stream.stream(file, wanted))
        except PmonError as error:
            if error.code is not ErrorCode.NOT_FOUND or not self._runs(one.name):
                raise
            why = (
                f"cannot read {file.path}: it was removed or moved, and {one.name} writes on to what is gone"
            )
            raise PmonError(error.code, why, f"pmon3 restart {one.name} begins a new one") from None

    async def times(self, call: Call[None]) -> LogTimes:
        one, file = self._asked(call)
        try:
            times = self._timekeeper.times(one.name, file)
        except FileNotFoundError:
            times = LogIndex()  # it was never written to
        except OSError as error:
            raise unreadable(file.path, error) from error
        return {
            "name": one.name,
            "path": str(file.path),
            "marks": [{"position": at, "time": wall_at(moment)} for at, moment in times.marks],
            "runs": [{"name": name, "number": number, "position": at} for name, number, at in times.runs],
        }

    def _asked(self, call: Call[None]) -> tuple[Intent, LogFile]:
        one = self._registry.one(call.path["ref"])
        files = self._logs.checked(one, call.peer)
        which = 1 if call.query.flag("stderr") else 0
        if which >= len(files):
            why = "cannot show a separate standard error: it goes to the log"
            raise PmonError(ErrorCode.NOT_FOUND, why, "leave out stderr, or set stderr_log")
        return one, files[which]
