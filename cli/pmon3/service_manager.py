"""systemd, asked through systemctl; every call is said before it is made, and only said in a dry run."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from pmon3 import output
from pmon3_schema.errors import ErrorCode, PmonError

_PATIENCE = 400.0
"""Seconds; more than the unit's TimeoutStopSec, after which systemd itself gives up."""


class ServiceManager:
    """The machine's systemd, or the caller's own."""

    def __init__(self, user: bool, dry_run: bool = False) -> None:
        self._words = ["systemctl", *(["--user"] if user else [])]
        self._dry_run = dry_run

    def runs(self) -> bool:
        """Whether there is a systemd to ask (sd_booted(3))."""
        return Path("/run/systemd/system").is_dir() and shutil.which("systemctl") is not None

    def do(self, *words: str) -> None:
        """One command. Raises PmonError `unmet` with what systemctl says when it fails."""
        command = " ".join([*self._words, *words])
        output.note(f"{'would run' if self._dry_run else 'running'} {command}")
        if self._dry_run:
            return
        done = self._call(*words)
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip().splitlines() or [f"it ended with {done.returncode}"]
            message = f"cannot run {command}: {said[0]}"
            raise PmonError(ErrorCode.UNMET, message, "the files are in place; see journalctl -u pmond")

    def ask(self, *words: str) -> str:
        """The word that `is-active` or `is-enabled` answers; `unknown` where there is no systemd."""
        return self._call(*words).stdout.strip() or "unknown" if self.runs() else "unknown"

    def _call(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._words, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False, timeout=_PATIENCE,
        )  # fmt: skip
