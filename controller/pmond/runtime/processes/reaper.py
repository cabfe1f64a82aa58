"""Notices that children ended: the only place in the daemon that reaps.

Theory of operation: SIGCHLD says that something ended; `waitid` with WNOWAIT says what, without
reaping it. The owner is told first, while the pid still means this process and nothing else, and
then it is reaped. This costs no descriptor per process. Signals coalesce and can be lost, so a
sweep at long intervals looks as if one had come. Strangers (orphans that a subreaper or process 1
is given) are reaped and reported like everything else; the owner knows its own by their pids.
A pid that must go on meaning its process for a moment is `held`. One that ended ends the look, since the
kernel would tell of no other before it is reaped; there is another look when it is let go.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterable
from typing import Protocol

from pmond.core.model import ExitStatus
from pmond.runtime.base.failpoints import FailPoint, reached

OnExit = Callable[[int, ExitStatus], object]
"""Told the pid and how it ended."""

UNKNOWN = ExitStatus()
_BATCH = 200
"""Exits handled before the loop gets a turn; at about 50 µs each the socket waits 10 ms at most."""


class HeldPids(Protocol):
    """Pids that must go on meaning their processes for a moment."""

    def holds(self, pid: int) -> bool: ...

    def when_released(self, call: Callable[[], None]) -> None:
        """Call this, once, when some of them are let go."""


class _Nobody:
    def holds(self, pid: int) -> bool:
        return False

    def when_released(self, call: Callable[[], None]) -> None:
        """That is never."""


NOBODY_HELD = _Nobody()


class Reaper:
    """Reports each exit of a child once, on the event loop, then reaps it."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        on_exit: OnExit,
        held: HeldPids = NOBODY_HELD,
        expected: Callable[[], Iterable[int]] = tuple,
    ) -> None:
        """`expected`: the pids of children of which no exit was reported."""
        self._loop = loop
        self._on_exit = on_exit
        self._held = held
        self._expected = expected
        self._continues = False
        self._listens = False

    def start(self) -> None:
        """Begin to listen, and report what has already ended. Call it in the main thread."""
        self._listens = True
        self._loop.add_signal_handler(signal.SIGCHLD, self._look)
        self._loop.call_soon(self._look)

    def stop(self) -> None:
        """Listen no more; children that end stay zombies until somebody else reaps them."""
        self._listens = False
        self._loop.remove_signal_handler(signal.SIGCHLD)

    def look_again(self) -> None:
        """Look without having been told.

        One that is expected and is no child any more was reaped by somebody else (a library that calls
        waitpid(-1)): its exit status is lost, and said to be unknown rather than 0.
        """
        self._reap()
        for pid in [pid for pid in self._expected() if not _is_child(pid)]:
            self._tell(pid, UNKNOWN)

    def _look(self) -> None:
        # When thousands end at once, hundreds ask for a look in one pass of the event loop.
        if not self._continues:
            self._reap()

    def _reap(self) -> None:
        for _ in range(_BATCH):
            ended = _peek()
            if ended is None:
                return
            if self._held.holds(ended.si_pid):
                self._held.when_released(self._look_if_listening)
                return
            reached(FailPoint.EXIT_SEEN)
            self._tell(ended.si_pid, exit_status(ended))
            reached(FailPoint.EXIT_TOLD)
            _forget(ended.si_pid)
            reached(FailPoint.EXIT_REAPED)
        if not self._continues:
            self._continues = True
            self._loop.call_soon(self._continue)

    def _look_if_listening(self) -> None:
        if self._listens:
            self._look()

    def _continue(self) -> None:
        self._continues = False
        self._reap()

    def _tell(self, pid: int, status: ExitStatus) -> None:
        try:
            self._on_exit(pid, status)
        except Exception as error:  # the next exits must be noticed whatever this one brought about
            self._loop.call_exception_handler(
                {"message": f"cannot handle the exit of process {pid}", "exception": error}
            )


def exit_status(ended: os.waitid_result) -> ExitStatus:
    """The exit code or the signal in a result of waitid."""
    if ended.si_code == os.CLD_EXITED:
        return ExitStatus(code=ended.si_status)
    return ExitStatus(signal=ended.si_status)


def decode_wait_status(status: int) -> ExitStatus:
    """The exit code or the signal in a wait status, as in /proc/PID/stat."""
    if os.WIFSIGNALED(status):
        return ExitStatus(signal=os.WTERMSIG(status))
    return ExitStatus(code=os.WEXITSTATUS(status))


def _peek() -> os.waitid_result | None:
    try:
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None


def peek(pid: int) -> ExitStatus:
    """How a child ended that is not reaped yet; unknown when it has not ended or is no child."""
    try:
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return UNKNOWN
    return exit_status(ended) if ended is not None else UNKNOWN


def _forget(pid: int) -> None:
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG)
    except ChildProcessError:
        return  # somebody else was faster; its status is known, so nothing is lost


def _is_child(pid: int) -> bool:
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True
