"""What a compared system has to tell the benchmarks.

An adapter writes the system's configuration and names its commands. It starts nothing itself: the
fleet starts the daemon in the foreground, learns from the workers' own reports that they are up, and
ends everything, so that all systems are treated alike.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from msgspec import Struct

PEERS = Path(__file__).resolve().parents[1] / ".peers" / "bin"
"""Where install_peers.sh puts the programs that come from PyPI."""


class Declaration(Struct, frozen=True):
    """What is to be kept running, and the folder that the system may write in."""

    folder: Path
    worker: tuple[str, ...]
    reports: Path
    count: int

    def command(self, index: int) -> list[str]:
        """The command line of one worker."""
        return [*self.worker, str(self.reports), str(index)]

    def name(self, index: int) -> str:
        return f"worker-{index:05d}"


class System(Protocol):
    """One process manager."""

    name: str
    settings: str
    """What was chosen in its favour, and what is peculiar; printed below the tables."""

    def missing(self) -> str | None:
        """Why it cannot take part here, or None."""

    def version(self) -> str:
        """Its version, as it says itself."""

    def write(self, declaration: Declaration) -> None:
        """Write the configuration of all workers."""

    def environment(self, declaration: Declaration) -> Mapping[str, str]:
        """Variables for its commands, on top of the caller's."""

    def start_command(self, declaration: Declaration) -> list[str]:
        """The daemon, in the foreground; it brings up the workers by itself."""

    def list_command(self, declaration: Declaration) -> list[str] | None:
        """The command that shows the state of all workers; None: it has none."""

    def write_empty(self, declaration: Declaration) -> list[str] | None:
        """Configure no workers; return the command that then loads them (None: not measured)."""


class Defaults:
    """The answers that most systems share."""

    def environment(self, declaration: Declaration) -> Mapping[str, str]:
        return {}

    def write_empty(self, declaration: Declaration) -> list[str] | None:
        return None


def missing_program(program: str, install: str) -> str | None:
    """`not installed (how to install)` if the program is neither an executable path nor on PATH."""
    return None if shutil.which(program) else f"not installed ({install})"


def write_script(path: Path, line: str) -> None:
    """An executable shell script of one line."""
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def package_version(package: str) -> str:
    """The version of a Debian package; these programs do not say their own."""
    if shutil.which("dpkg-query") is None:
        return "unknown"
    query = ["dpkg-query", "--show", "--showformat", "${Version}", package]
    return subprocess.run(query, capture_output=True, text=True, check=False).stdout.strip() or "unknown"
