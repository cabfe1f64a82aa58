"""The workers' reports: who began, and when.

A FIFO rather than a socket: a report of 24 bytes is written in one piece, and a full mebibyte of them
waits there without the reader, so that taking the time costs the measured start-up no processor time.
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
from pathlib import Path

from msgspec import Struct

_LAYOUT = struct.Struct("=qqq")
_PIPE_SIZE = 1 << 20


class WorkerReport(Struct, frozen=True):
    """One run of a worker: its pid, its number, and CLOCK_MONOTONIC at its first instruction (ns)."""

    pid: int
    index: int
    began: int


class ReportReader:
    """The reading end of the FIFO. It also holds the writing end, so that no worker waits for a reader."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path, 0o600)
        self._fifo = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.fcntl(self._fifo, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)

    def read(self, timeout: float, also: int) -> list[WorkerReport]:
        """What has arrived; waits up to `timeout` seconds, or until descriptor `also` is readable."""
        select.select([self._fifo, also], [], [], max(timeout, 0))
        try:
            data = os.read(self._fifo, _PIPE_SIZE // _LAYOUT.size * _LAYOUT.size)
        except BlockingIOError:
            return []
        return [WorkerReport(*fields) for fields in _LAYOUT.iter_unpack(data)]

    def close(self) -> None:
        os.close(self._fifo)
