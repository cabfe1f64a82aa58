"""One run of an event handler: a child in a session of its own, with the end of its output kept."""

# Descriptors are the subject here.
from __future__ import annotations

import asyncio
import errno
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from pmond.core.case import describe_exit
from pmond.core.model import ExitStatus
from pmond.runtime.processes import tree

_OUTPUT_KEPT = 2000
"""Bytes of the end of a handler's output that are kept for the journal."""
_CHUNK = 65536
_DEFAULT_SIGNALS = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
_SHELLS = ("/bin/bash", "/bin/sh")


class ShortCommandError(Exception):
    """It cannot be started; the text says why and what to do."""


class ShortCommand:
    """Starts `command` with `text` for its last argument. Raises HandlerError."""

    def __init__(self, command: tuple[str, ...], text: str, environment: Mapping[str, str]) -> None:
        self._status: ExitStatus | None = None
        self._over = asyncio.Event()
        self._kept = b""
        read_end, write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(write_end, True)
        try:
            self.pid = _start((*command, text), environment, write_end)
        except BaseException:
            os.close(read_end)
            raise
        finally:
            os.close(write_end)
        self._pipe = read_end
        asyncio.get_running_loop().add_reader(read_end, self._read)

    @property
    def problem(self) -> str:
        """How it failed; empty when it did not."""
        return "" if self._status == ExitStatus(code=0) else describe_exit(self._status)

    @property
    def output(self) -> str:
        """The end of what it wrote."""
        return self._kept.decode("utf-8", "backslashreplace")

    def ended(self, status: ExitStatus) -> None:
        """The reaper saw its end."""
        self._status = status
        self._read()
        self._over.set()

    async def wait(self, seconds: float | None) -> bool:
        """Whether it ended within that time; None: however long that takes."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), seconds)
        return self._over.is_set()

    def signal(self, number: int) -> None:
        """Signal it and what it started, unless it has ended."""
        if self._status is None:
            tree.signal_group(self.pid, number, resume=number != signal.SIGKILL)

    def _read(self) -> None:
        """Take what was written. Read to its end, so that what a handler leaves running can write on."""
        if self._pipe < 0:
            return
        try:
            while chunk := os.read(self._pipe, _CHUNK):
                self._kept = (self._kept + chunk)[-_OUTPUT_KEPT:]
        except BlockingIOError:
            return
        asyncio.get_running_loop().remove_reader(self._pipe)
        os.close(self._pipe)
        self._pipe = -1


def _start(words: tuple[str, ...], environment: Mapping[str, str], output: int) -> int:
    file = words[0]
    try:
        try:
            return _spawn(file, words, environment, output)
        except OSError as error:
            if not _is_bare_script(file, error):
                raise
        # A script without "#!" is the shell's, whether it is marked executable or not.
        shell = next((path for path in _SHELLS if Path(path).exists()), _SHELLS[-1])
        return _spawn(shell, (shell, *words), environment, output)
    except OSError as error:
        what = "chmod +x it" if error.errno == errno.EACCES else "correct event_handling in config.yml"
        raise ShortCommandError(f"cannot run {file}: {error.strerror} ({what})") from None


def _spawn(file: str, words: tuple[str, ...], environment: Mapping[str, str], output: int) -> int:
    run = os.posix_spawn if "/" in file else os.posix_spawnp
    return run(
        file,
        words,
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, output, 1),
            (os.POSIX_SPAWN_DUP2, output, 2),
        ],
        setsid=True,
        setsigmask=[],
        setsigdef=_DEFAULT_SIGNALS,
    )


def _is_bare_script(file: str, error: OSError) -> bool:
    if error.errno == errno.ENOEXEC:
        return True
    if error.errno != errno.EACCES:
        return False
    try:
        with Path(file).open("rb") as script:
            begins = script.read(4)
    except OSError:
        return False
    return not begins.startswith((b"#!", b"\x7fELF"))
