"""The system's `top` in batch mode: its pictures, reduced to the processes that pmond looks after.

Theory of operation: one `top -b` runs as long as the view and writes a picture every so many
seconds, whose processor figures are those since the one before. Its own filter (`-p`) takes only 20
processes, so it lists all and `page` keeps the lines of ours; the totals above them are the machine's.
"""

from __future__ import annotations

import os
import select
import subprocess
from types import TracebackType
from typing import Self

from pmon3.client import Client
from pmon3.screen import fit
from pmon3.table import RED
from pmon3_schema.errors import ErrorCode, PmonError

_BLOCK = 65536
_FIRST_LINE = b"top - "


def pids(client: Client) -> set[int]:
    """pmond itself and the processes that run now. Raises PmonError."""
    found = {process["pid"] for process in client.get("/v1/processes") if process["pid"]}
    return found | {client.get("/v1/version")["pid"]}


class NativeTop:
    """`top` while its `with` block runs. Raises PmonError on entering where it cannot be run."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._buffer = b""
        self.picture: list[str] = []

    def __enter__(self) -> Self:
        try:
            self._process = subprocess.Popen(
                ["top", "-b", "-w", "512", "-d", str(self._seconds)],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                env=os.environ | {"LC_ALL": "C"},
            )  # fmt: skip
        except FileNotFoundError:
            message = "cannot show topn: there is no program top on PATH"
            raise PmonError(ErrorCode.BAD_REQUEST, message, "install procps, or use pmon3 top") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def fileno(self) -> int:
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def read(self, silence: float) -> bool:
        """Take in what is written until it is silent for so many seconds; False when `top` has ended."""
        while select.select([self], [], [], silence)[0]:
            data = os.read(self.fileno(), _BLOCK)
            if not data:
                return False
            self._buffer += data
        start = max(self._buffer.rfind(_FIRST_LINE), 0)
        self._buffer = self._buffer[start:]
        self.picture = self._buffer.decode("utf-8", "replace").splitlines()
        return True


def page(picture: list[str], pids: set[int], by_cpu: bool, columns: int, lines: int) -> list[str]:
    """The screen: the seed's line of keys, the totals, and our processes, the largest first."""
    keys = f"Press ESC to quit, (s) to sort by {'Memory' if by_cpu else 'CPU'} utilization"
    shown = [f"\x1b[4;38;5;{RED}m{fit(keys, columns)}\x1b[0m"]
    titles = next((n for n, line in enumerate(picture) if line.split()[:1] == ["PID"]), None)
    if titles is None:
        return shown
    words = picture[titles].split()
    place = words.index("%CPU" if by_cpu else "%MEM")
    rows = [line.split() for line in picture[titles + 1 :]]
    ours = [
        (float(row[place]), line)
        for row, line in zip(rows, picture[titles + 1 :], strict=True)
        if len(row) >= len(words) and row[0].isdecimal() and int(row[0]) in pids
    ]
    ours.sort(key=lambda pair: -pair[0])
    shown += [fit(line.rstrip(), columns) for line in picture[: titles + 1]]
    return (shown + [fit(line.rstrip(), columns) for _, line in ours])[:lines]
