"""A program in a pseudo-terminal: keys typed into it, and what it wrote as lines of a screen.

Theory of operation: the screen is only as clever as our programs need: home, line feeds, erasing,
and the alternate screen. Everything written is kept too, for what a screen does not show.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

PATIENCE = 20.0
_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """One program in a terminal of its own while the `with` block runs."""

    def __init__(
        self, words: Sequence[str], environment: Mapping[str, str], columns: int = 80, lines: int = 24
    ) -> None:
        self.written = ""
        self._words, self._environment = words, environment
        self._size = columns, lines

    def __enter__(self) -> Self:
        self._master, self._terminal = pty.openpty()
        self.resize(*self._size)
        self.before = termios.tcgetattr(self._terminal)
        self.process = subprocess.Popen(
            self._words, stdin=self._terminal, stdout=self._terminal, stderr=self._terminal,
            env=dict(self._environment) | {"TERM": "xterm-256color"}, start_new_session=True,
            # Without a controlling terminal Ctrl-C would be nobody's.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)
        os.close(self._terminal)

    def resize(self, columns: int, lines: int) -> None:
        """Another size, which the kernel tells the program."""
        self._size = columns, lines
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def until(self, text: str, timeout: float = PATIENCE) -> str:
        """Read until the present screen has this text; the screen."""
        deadline = time.monotonic() + timeout
        while text not in (screen := self.screen()):
            left = deadline - time.monotonic()
            assert left > 0, f"waited in vain for {text!r} on the screen:\n{screen}"
            self.read(left)
        return screen

    def ended(self) -> int:
        """Wait until it has ended; its exit code."""
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it has not ended:\n{self.screen()}"
            self.read(0.01)
        self.read(0.0)
        return self.process.returncode

    def modes(self) -> list[object]:
        """The settings of the terminal now (termios)."""
        return termios.tcgetattr(self._terminal)

    def screen(self) -> str:
        """What the latest picture shows, without colours."""
        latest = self.written.rsplit("\x1b[H", 1)[-1]
        return _SEQUENCE.sub("", latest).replace("\r", "")

    def read(self, seconds: float) -> None:
        """Take in what it writes, waiting at most so many seconds for the first of it."""
        while select.select([self._master], [], [], seconds)[0]:
            self.written += os.read(self._master, 65536).decode("utf-8", "replace")
            seconds = 0.0
