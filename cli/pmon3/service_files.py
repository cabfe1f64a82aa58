"""The files of the system service: what is in them, where they belong, and whose they are.

Theory of operation: a file of ours carries the SHA-256 of its text in its first line. As long as
that is right the file is as we wrote it, and may be replaced or removed; otherwise somebody has
changed it, it is theirs, and nothing here touches it. A configuration is only ever created.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping
from enum import StrEnum
from importlib.resources import files
from pathlib import Path

from msgspec import Struct

_MARK = "# Written by pmon3 service install, sha256:"
SYSTEM_CONFIG = "/etc/pmon3/config"
_SYSTEM_LOGS = "/var/log/pmond"


class FileState(StrEnum):
    """What is at the place of a file."""

    ABSENT = "absent"
    OURS = "installed"
    OLD = "outdated"
    """As an earlier version of ours wrote it."""
    CHANGED = "changed by somebody"


class ServiceFile(Struct, frozen=True):
    """One file: where it belongs, and what is to be in it."""

    path: Path
    text: str
    kept: bool = False
    """Whether it is a configuration, which is created once and then left alone."""

    @property
    def marked(self) -> str:
        """The text as it is written: a configuration as it is, anything else below its mark."""
        return self.text if self.kept else f"{_MARK}{_digest(self.text)}\n{self.text}"

    def state(self) -> FileState:
        """What is there now. Raises OSError when it cannot be read."""
        try:
            found = self.path.read_text("utf-8", "surrogateescape")
        except FileNotFoundError:
            return FileState.ABSENT
        if found == self.marked:
            return FileState.OURS
        mark, _, text = found.partition("\n")
        return FileState.OLD if mark == f"{_MARK}{_digest(text)}" else FileState.CHANGED

    def write(self) -> None:
        """Put it there, whole at once. Raises OSError."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_name(f".{self.path.name}.new")
        new.write_text(self.marked, "utf-8")
        new.chmod(0o644)
        new.replace(self.path)


def system(root: Path, logs: str = _SYSTEM_LOGS) -> list[ServiceFile]:
    """The files of the machine's service, below `root`."""
    return [
        ServiceFile(root / "etc/systemd/system/pmond.service", _text("pmond.service", PMOND=pmond())),
        ServiceFile(root / "etc/logrotate.d/pmond", _text("pmond.logrotate", LOGS=logs)),
        ServiceFile(
            root / SYSTEM_CONFIG.lstrip("/") / "config.yml",
            _text("config.yml", CONFIG=SYSTEM_CONFIG),
            kept=True,
        ),
    ]


def of_user(root: Path, environ: Mapping[str, str]) -> list[ServiceFile]:
    """The file of the caller's own service, below `root`. Without HOME: in `/root`."""
    config = environ.get("XDG_CONFIG_HOME", "") or f"{environ.get('HOME', '/root')}/.config"
    place = root / config.lstrip("/") / "systemd/user/pmond.service"
    return [ServiceFile(place, _text("pmond.user.service", PMOND=pmond()))]


def pmond() -> str:
    """The command line of the pmond beside this pmon3, as systemd reads it (systemd.service(5))."""
    beside = Path(sys.executable).parent / "pmond"
    words = [str(beside)] if os.access(beside, os.X_OK) else [sys.executable, "-P", "-m", "pmond"]
    return " ".join(_word(word) for word in words)


def is_fleeting(command: str) -> bool:
    """Whether a program is in a folder that a machine empties by itself."""
    return command.lstrip('"').startswith(("/tmp/", "/var/tmp/", "/dev/shm/", "/run/"))


def _word(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if set(escaped) & set(" \t'\"\\;") else escaped


def _text(name: str, **values: str) -> str:
    text = files("pmon3").joinpath("service", name).read_text("utf-8")
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    return text


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
