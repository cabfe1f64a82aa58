"""Starting a pmond of the caller's own, and seeing one end; neither asks twice.

Theory of operation: pmond inherits the write end of a pipe (`PMON3_READY_FD`) and writes `ready`
there once its socket answers, or why it cannot; its death closes the pipe. The end of a pmond is
seen through a pidfd, which becomes readable when that very process is gone (pidfd_open(2)).
"""

from __future__ import annotations

import os
import select
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from pmon3 import address, output, peer
from pmon3.client import Client
from pmon3_schema.errors import ErrorCode, PmonError

_LONGEST_REASON = 4096
_BETWEEN_TRIES = 0.02
_STATE_IN_USE = 5
"""Exit code of a pmond that found another one in its state folder."""


def ensure_running(seconds: float) -> tuple[Client, str]:
    """A client of a pmond that answers, and when it was started if that was here. Raises PmonError."""
    daemon = address.daemon()
    client = address.client_of(daemon)
    try:
        client.get("/v1/version")
    except PmonError as error:
        if error.code is not ErrorCode.UNREACHABLE or not nobody_listens(client.path):
            raise
        if not daemon.own and os.getuid() != 0:
            raise  # the system's pmond is for root to start
        _start_or_join(seconds, daemon.own)
        client = address.connect()
        version = client.get("/v1/version")
        output.note(f"started pmond (pid {version['pid']}), {client.path}")
        return client, version["started_at"]
    return client, ""


def _start_or_join(seconds: float, own: bool) -> None:
    deadline = time.monotonic() + seconds
    try:
        start(seconds, own)
    except PmonError as error:
        # Somebody else has started the same pmond in the meantime; it may not answer yet.
        while nobody_listens(address.daemon().socket):
            if error.code is not ErrorCode.CONFLICT or time.monotonic() >= deadline:
                raise
            time.sleep(_BETWEEN_TRIES)


def nobody_listens(path: str) -> bool:
    """Whether there is no socket of a living pmond: absent, or left behind by a dead one."""
    import socket

    try:
        if not stat.S_ISSOCK(Path(path).stat().st_mode):
            return False
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(path)
    except (FileNotFoundError, ConnectionRefusedError):
        return True
    except OSError:
        return False
    return False


def start(seconds: float, own: bool) -> None:
    """Start pmond, detached from this terminal, and wait until it is ready. Raises PmonError.

    `own`: with its places in the caller's folders, root's included.
    """
    log = address.daemon_log()
    peer.check_way(log)
    Path(log).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    peer.check_way(log)  # again: where everybody may add things, somebody may have been faster
    ready, write_end = os.pipe()
    try:
        with open(log, "ab", opener=_opened_for_log) as written:
            started = subprocess.Popen(
                # -P: nothing in the folder of the caller may be imported instead of a library.
                [sys.executable, "-P", "-m", "pmond", *(["--own"] if own else [])],
                stdin=subprocess.DEVNULL, stdout=written, stderr=written, cwd="/",
                start_new_session=True, pass_fds=(write_end,),
                env=os.environ | {"PMON3_READY_FD": str(write_end)},
            )  # fmt: skip
        os.close(write_end)
        _await_ready(started, ready, seconds, log)
    finally:
        os.close(ready)


def _opened_for_log(path: str, flags: int) -> int:
    """Opened as `open` does, but no link is followed and nobody else may read it."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _await_ready(started: subprocess.Popen[bytes], ready: int, seconds: float, log: str) -> None:
    if not select.select([ready], [], [], seconds)[0]:
        raise PmonError(
            ErrorCode.TIMEOUT, f"cannot start pmond: it is not ready after {seconds:g} s", f"see {log}"
        )
    said = os.read(ready, _LONGEST_REASON).decode("utf-8", "replace").strip()
    if said != "ready":
        why = said.removeprefix("pmond: ") or "it ended at once"
        if started.wait(seconds) == _STATE_IN_USE:
            hint = "it was started with another PMON3_CONF or XDG_RUNTIME_DIR: commands need the same"
            raise PmonError(ErrorCode.CONFLICT, f"cannot start pmond: {why}", hint)
        raise PmonError(ErrorCode.UNREACHABLE, f"cannot start pmond: {why}", f"see {log}")


class ExitWatch:
    """Watches one process for its end, from before it is asked to end."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._pidfd: int | None = None

    def __enter__(self) -> Self:
        try:
            self._pidfd = os.pidfd_open(self._pid)
        except ProcessLookupError:
            self._pidfd = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if self._pidfd is not None:
            os.close(self._pidfd)

    def wait(self, seconds: float, meanwhile: Callable[[], float] | None = None) -> None:
        """Return when it has ended. Raises PmonError `timeout`.

        `meanwhile` is called until then, and gives the seconds until it wants to be again.
        """
        deadline = time.monotonic() + seconds
        while self._pidfd is not None:
            left = max(0.0, deadline - time.monotonic())
            pause = min(left, meanwhile()) if meanwhile else left
            if select.select([self._pidfd], [], [], pause)[0]:
                return
            if time.monotonic() >= deadline:
                message = f"cannot see pmond (pid {self._pid}) end: {seconds:g} s have passed"
                raise PmonError(
                    ErrorCode.TIMEOUT, message, "it goes on ending; its log says what it waits for"
                )
