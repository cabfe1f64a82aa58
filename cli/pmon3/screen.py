"""A terminal borrowed for a live view, and given back as it was.

Theory of operation: the alternate screen (xterm's 1049) keeps what was there; keys come one by one
without echo (cbreak). A change of size (SIGWINCH) and whatever ends a program (SIGTERM, SIGHUP) wake
the same `select` that waits for keys and for the next refresh, so nothing is polled and the terminal
is restored however the view ends. Ctrl-Z gives the terminal back for the time being.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import sys
import termios
import tty
from types import FrameType, TracebackType
from typing import Any, Self

from pmon3 import terminal
from pmon3.fitting import cut
from pmon3.table import visible
from pmon3_schema.errors import ErrorCode, PmonError

ESCAPE, UP, DOWN, PAGE_UP, PAGE_DOWN, QUIT, RESIZED = "esc", "up", "down", "page-up", "page-down", "quit", ""
"""Keys with a name; every other key is its character. RESIZED is no key: draw again."""

_SEQUENCES = {
    b"\x1b[A": UP, b"\x1bOA": UP, b"\x1b[B": DOWN, b"\x1bOB": DOWN,
    b"\x1b[5~": PAGE_UP, b"\x1b[6~": PAGE_DOWN,
    b"\x1b": ESCAPE, b"\x03": QUIT, b"\x04": QUIT,
}  # fmt: skip
_KEY = re.compile(rb"\x1b\[[0-9;]*[A-Za-z~]|\x1bO[A-Z]|.", re.DOTALL)
"""One key: a sequence of a special key (ECMA-48 CSI, or SS3), or one character."""
_ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l"  # alternate screen, no cursor, no wrapping at the right edge
_LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l"
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Screen:
    """The terminal while its `with` block runs. Raises PmonError on entering where there is none."""

    def __init__(self, what: str, instead: str) -> None:
        self._what, self._instead = what, instead
        self._ended = False
        self._typed: list[str] = []
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            message = f"cannot show {self._what}: this is not a terminal"
            raise PmonError(ErrorCode.BAD_REQUEST, message, self._instead)
        self._keys = sys.stdin.fileno()
        self._before = termios.tcgetattr(self._keys)
        self._wakes, self._waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._wakeup = signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        for number in (signal.SIGWINCH, *_ENDING):
            self._handlers[number] = signal.signal(number, self._signalled)
        self._handlers[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, self._suspended)
        self._borrow()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._give_back()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        os.close(self._wakes)
        os.close(self._waker)

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines now."""
        return terminal.size(sys.stdout)

    def draw(self, lines: list[str]) -> None:
        """Show these lines from the top; they may have colours, and must fit."""
        # Erased before, not after: behind the last column of a full line there is nothing to erase.
        text = "\r\n".join(f"\x1b[2K{line}" for line in lines)
        text = terminal.in_ascii(text) if terminal.only_ascii(os.environ) else text
        sys.stdout.write(f"\x1b[H{text}\x1b[J" if len(lines) < self.size[1] else f"\x1b[H{text}")
        sys.stdout.flush()

    def key(self, seconds: float, *others: int) -> str | int | None:
        """The next key; RESIZED after a change of size; None after that many seconds.

        `others`: descriptors to watch too; one that became readable is the answer.
        """
        if self._typed:
            return self._typed.pop(0)
        ready = select.select([self._keys, self._wakes, *others], [], [], max(0.0, seconds))[0]
        if self._wakes in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wakes, 4096)
            return QUIT if self._ended else RESIZED
        if self._keys in ready:
            first, *self._typed = keys(os.read(self._keys, 256))
            return first
        return ready[0] if ready else None

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        # Waking `select` is all that a change of size needs.
        self._ended = self._ended or number in _ENDING

    def _suspended(self, number: int, frame: FrameType | None) -> None:
        self._give_back()
        os.kill(os.getpid(), signal.SIGSTOP)
        self._borrow()

    def _borrow(self) -> None:
        tty.setcbreak(self._keys, termios.TCSADRAIN)
        sys.stdout.write(_ENTER)
        sys.stdout.flush()

    def _give_back(self) -> None:
        # After SIGHUP there may be no terminal any more to give back.
        with contextlib.suppress(OSError, termios.error):
            sys.stdout.write(_LEAVE)
            sys.stdout.flush()
            termios.tcsetattr(self._keys, termios.TCSADRAIN, self._before)


def fit(text: str, columns: int) -> str:
    """`text` without control characters, cut to that many columns."""
    return cut(visible(text), columns)


def keys(typed: bytes) -> list[str]:
    """The keys that these bytes stand for, at least one; nothing at all means that the terminal is gone."""
    found = [_SEQUENCES.get(key, RESIZED if key[:1] == b"\x1b" else key.decode("latin-1"))
             for key in _KEY.findall(typed)]  # fmt: skip
    return found or [QUIT]
