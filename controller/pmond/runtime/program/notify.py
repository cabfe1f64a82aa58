"""What the service manager is told of pmond itself: ready, reloading, stopping (sd_notify(3)).

Theory of operation: one datagram of `NAME=value` lines to the socket named in NOTIFY_SOCKET, a path
or, with a leading @, a name of the abstract namespace. Without the variable nobody is told. Telling
never waits, and what cannot be told is no reason to end: it is noted in pmond's log.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping

from pmond.runtime.base.journal import Journal


class ServiceNotifier:
    """Tells the service manager that started this pmond."""

    def __init__(self, environ: Mapping[str, str], journal: Journal) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        self._journal = journal

    def ready(self, status: str) -> None:
        """pmond is up, or done with reloading; `status` is shown by `systemctl status`."""
        self._tell("READY=1", f"STATUS={status}", f"MAINPID={os.getpid()}")

    def reloading(self) -> None:
        """The configuration is being read again; `ready` ends that."""
        # The time lets the service manager tell this reload from an earlier one (CLOCK_MONOTONIC).
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, status: str) -> None:
        """pmond has begun to end."""
        self._tell("STOPPING=1", f"STATUS={status}")

    def _tell(self, *lines: str) -> None:
        if not self._address.startswith(("/", "@")):
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.setblocking(False)
                channel.sendto("\n".join(lines).encode(), address)
        except OSError as error:
            self._journal.warn("notify.failed", socket=self._address, error=str(error))
