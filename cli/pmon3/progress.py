"""What is under way, in one line on stderr that is rewritten while a command waits.

Theory of operation: the command waits for one answer of pmond; whenever that is silent for a while, it
asks on the side how far things are, and shows it. Asking takes at most a small share of the time,
however many processes there are. What the line says is made by pure functions from answers. It is gone
before anything else is printed, and where nobody looks it never comes.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from pmon3 import terminal
from pmon3.client import Client, path_segment
from pmon3.fitting import shortened
from pmon3.table import visible
from pmon3_schema.errors import PmonError
from pmon3_schema.rollout import AWAITS_TURN
from pmon3_schema.scalars import parse_duration

_FIRST = 0.4
"""Seconds after which a person begins to wonder."""
_PAUSE = 0.5
_SHARE = 20.0
"""A look may take one part in so many of the time."""


class ProgressLine:
    """One line that is rewritten; `look(seconds)` says what is to be shown after so many seconds."""

    def __init__(self, look: Callable[[float], str]) -> None:
        self._look = look
        self._began = time.monotonic()
        self.shown = False

    def __call__(self) -> float:
        """Show how it goes; the seconds until the next time."""
        began = time.monotonic()
        if began - self._began < _FIRST:
            return _FIRST
        try:
            text = self._look(began - self._began)
        except PmonError:
            return _PAUSE  # the answer that is waited for will say more
        self._draw(text)
        return max(_PAUSE, _SHARE * (time.monotonic() - began))

    @property
    def seconds(self) -> float:
        """How long it has been going on."""
        return time.monotonic() - self._began

    def clear(self) -> None:
        """Leave the line as it was before."""
        if self.shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def _draw(self, text: str) -> None:
        # The last column is left free: a cursor behind it makes some terminals begin a new line.
        line = shortened(visible(text), terminal.size(sys.stderr)[0] - 1)
        line = terminal.in_ascii(line) if terminal.only_ascii(os.environ) else line
        sys.stderr.write(f"\r\x1b[K{line}")
        sys.stderr.flush()
        self.shown = True


def is_wanted() -> bool:
    """Whether somebody looks who can see a line being rewritten."""
    return terminal.is_terminal(sys.stderr) and not terminal.is_dumb(os.environ)


class TargetsLook:
    """How far targets are, by the same judgement as the wait for them."""

    def __init__(
        self, client: Client, targets: Sequence[dict[str, Any]], until: str, set_name: str = ""
    ) -> None:
        self._client = client
        self._all = len(targets)
        self._pending = list(targets)
        self._until = until
        self._set = set_name

    def __call__(self, seconds: float) -> str:
        body: dict[str, Any] = {"targets": self._pending, "until": self._until, "timeout": 0}
        if self._set:
            body["set"] = self._set
        answer = self._client.post("/v1/wait", body)
        missing = answer["failures"]
        names = {failure["name"] for failure in missing}
        # What is there once may leave again; only a rollout of thousands makes asking for all expensive.
        self._pending = [target for target in self._pending if target["name"] in names] or self._pending
        first = next_of(missing)
        ending = self._ending_of(first["name"]) if first and first["reason"] == "asked to end" else ""
        return sentence(self._until, self._all, missing, ending, seconds)

    def _ending_of(self, name: str) -> str:
        process = self._client.get(f"/v1/processes/{path_segment(name)}")
        return ending_words(process, time.time())


def next_of(missing: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The first that something is being done to, if there is one, rather than one that waits for its turn."""
    moving = (failure for failure in missing if failure["reason"] != AWAITS_TURN)
    return next(moving, missing[0] if missing else None)


def sentence(until: str, count: int, missing: Sequence[dict[str, Any]], ending: str, seconds: float) -> str:
    """``14 of 300 ready, db: exited with code 1 (12 s)``."""
    first = next_of(missing)
    of = f"{count - len(missing)} of {count} {until}" if count > 1 else f"waiting until {until}"
    now = f", {first['name']}: {ending or first['reason']}" if first else ""
    return f"{of}{now} ({seconds:.0f} s)"


def ending_words(process: dict[str, Any], now: float) -> str:
    """``SIGTERM 4 s ago, SIGKILL in 6 s``, of a process that was asked to end. `now`: epoch seconds."""
    stop = process.get("spec", {}).get("stop") or {}
    asked = [e["time"] for e in process.get("events", []) if e["reason"] == "Stopping"]
    if not asked:
        return ""
    ago = max(0.0, now - datetime.fromisoformat(asked[-1]).timestamp())
    left = parse_duration(str(stop.get("timeout", "10s"))) - ago
    words = f"{stop.get('signal', 'SIGTERM')} {ago:.0f} s ago"
    return f"{words}, SIGKILL in {left:.0f} s" if left > 0 else f"{words}, SIGKILL now"


def shutdown_look(client: Client) -> Callable[[float], str]:
    """How far the end of pmond is: who still lives."""

    def look(seconds: float) -> str:
        living = [process for process in client.get("/v1/processes") if process["pid"]]
        if not living:
            return f"pmond is ending ({seconds:.0f} s)"
        first = client.get(f"/v1/processes/{path_segment(living[0]['name'])}")
        count = "1 process" if len(living) == 1 else f"{len(living)} processes"
        words = ending_words(first, time.time()) or first["reason"]
        return f"stopping {count}, {first['name']}: {words} ({seconds:.0f} s)"

    return look
