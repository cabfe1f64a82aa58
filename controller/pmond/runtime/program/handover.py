"""What the code before an upgrade hands to the code after it, and what the preflight leaves for that one.

Theory of operation: descriptors stay open through `execve`; variables of the environment say which
they are. Besides the listening socket and the lock of the state folder there may be one with the
settings. The preflight is the new code too: it has read and checked config.yml, so it leaves
what it has read beside its copy of the state, and the code after the upgrade need not load all that
reads configurations while clients wait. It reads the file itself when that is no longer the same one.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from pmon3_schema.settings import Settings

PREFIX = "PMON3_UPGRADE_"
_SOCKET, _LOCK, _SETTINGS, _NOTIFY = (f"{PREFIX}{what}" for what in ("SOCKET", "LOCK", "SETTINGS", "NOTIFY"))


class Handover(Struct, frozen=True):
    """Descriptors, if there are any."""

    socket: int | None = None
    lock: int | None = None
    settings: int | None = None
    notify: int | None = None
    """The socket on which programs say of themselves that they are ready."""

    def variables(self) -> dict[str, str]:
        """What tells the next code of them; they become inheritable."""
        found = {
            _SOCKET: self.socket,
            _LOCK: self.lock,
            _SETTINGS: self.settings,
            _NOTIFY: self.notify,
        }
        present = {name: number for name, number in found.items() if number is not None}
        for number in present.values():
            os.set_inheritable(number, True)
        return {name: str(number) for name, number in present.items()}

    def refused(self) -> None:
        """There is no next code: children must not get them."""
        for number in (self.socket, self.lock, self.notify):
            if number is not None:
                os.set_inheritable(number, False)
        if self.settings is not None:
            os.close(self.settings)


def taken_from(environ: MutableMapping[str, str]) -> Handover:
    """What earlier code handed over to this one; no child is told of it."""
    return Handover(*(_descriptor(environ.pop(name, "")) for name in (_SOCKET, _LOCK, _SETTINGS, _NOTIFY)))


def _descriptor(text: str) -> int | None:
    if not text.isdecimal():
        return None
    with suppress(OSError):
        os.set_inheritable(int(text), False)
        return int(text)
    return None


class _Read(Struct, frozen=True):
    """Settings, and the file that they were read from."""

    settings: Settings
    file: tuple[int, ...]


def leave_settings(folder: Path, settings: Settings, file: tuple[int, ...]) -> None:
    """In the preflight: what it has read, for the code after it. `file`: see `version_of`."""
    (folder / "settings.json").write_bytes(msgspec.json.encode(_Read(settings, file)))


def left_settings(folder: Path) -> bytes:
    """What the preflight has left; other code may leave nothing."""
    with suppress(OSError):
        return (folder / "settings.json").read_bytes()
    return b""


def in_memory(left: bytes) -> int | None:
    """A descriptor with what was left, for the next code; None where nothing was, or no descriptor is."""
    if not left:
        return None
    with suppress(OSError):
        number = os.memfd_create("pmond-settings")
        with open(number, "wb", closefd=False) as file:
            file.write(left)
        return number
    return None


def settings_in(descriptor: int | None, config_file: str) -> Settings | None:
    """The settings that were handed over, if those of `config_file` still are the same."""
    if descriptor is None:
        return None
    with os.fdopen(descriptor, "rb") as file:
        file.seek(0)
        try:
            read = msgspec.json.decode(file.read(), type=_Read)
        except msgspec.MsgspecError:
            return None
    return read.settings if read.file == version_of(config_file) else None


def version_of(path: str) -> tuple[int, ...]:
    """What differs when another file is there, or another content; nothing where there is none."""
    try:
        found = Path(path).stat()
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
