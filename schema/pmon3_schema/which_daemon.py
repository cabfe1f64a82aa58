"""Which pmond a command talks to: a function of the environment, the user id and what is on the disk.

Theory of operation: that of `$PMON3_CONF`; else the system's, if its socket exists; else the caller's own.
A configuration that is named, or that would move the socket, and cannot be read is an error: the
place is not known then, and a command must never reach another pmond than the one that is meant.

A session has a runtime folder; a cron job, `su` and `docker exec` have none, or somebody else's. All must
meet the same pmond. So a pmond writes where its socket is into its state folder, which does not
depend on the session, and where the expected socket does not exist that file says the place.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pmon3_schema import socket_settings
from pmon3_schema.paths import PathError, Places, own_places, owner, places, socket_path, system_places
from pmon3_schema.socket_settings import SocketSettings

SOCKET_FILE = "socket"
"""In the state folder: the path of the socket of the pmond that uses it."""

_SETTINGS = {"DIRECTORY": "directory", "DIRECTORY_SHMEM": "directory", "NAMESUFFIX": "name_suffix"}


class DaemonAddress(NamedTuple):
    """A pmond as a command sees it: its socket, its configuration, whether it is the caller's own."""

    socket: str
    config_file: str
    own: bool


class Disk:
    """What has to be looked at; tests put their own in its place."""

    def exists(self, path: str) -> bool:
        return os.path.exists(path)  # noqa: PTH110 - pathlib takes as long as all the rest

    def read(self, path: str) -> bytes:
        """Raises OSError."""
        with open(path, "rb") as file:  # noqa: PTH123
            return file.read()

    def owner(self, path: str) -> int | None:
        return owner(path)


_DISK = Disk()


def which_daemon(environ: Mapping[str, str], uid: int, disk: Disk = _DISK) -> DaemonAddress:
    """The pmond that a command of this user talks to. Raises PathError.

    Root's own is the system's where that has a configuration.
    """
    if environ.get("PMON3_CONF"):
        where = places(environ, uid, owner_of=disk.owner)
        return _first_there(where, environ, uid, disk) if uid else _at(where, environ, disk, own=False)
    system = _at(system_places(), environ, disk, own=False)
    if disk.exists(system.socket):
        return system
    own = own_daemon(environ, uid, disk)
    return system if uid == 0 and not disk.exists(own.socket) and disk.exists(system.config_file) else own


def own_daemon(environ: Mapping[str, str], uid: int, disk: Disk = _DISK) -> DaemonAddress:
    """The caller's own pmond, the one that `pmon3 up` starts. Raises PathError."""
    return _first_there(own_places(environ, uid, disk.owner), environ, uid, disk)


def _first_there(where: Places, environ: Mapping[str, str], uid: int, disk: Disk) -> DaemonAddress:
    """The first socket that exists of those that this user's pmond may have made; else the expected one."""
    settings = _settings(where.config_file, environ, disk)
    made = _candidates(where, settings, uid, disk)
    expected = next(made)
    found = expected if disk.exists(expected) else next(filter(disk.exists, made), expected)
    return DaemonAddress(found, where.config_file, own=True)


def _candidates(where: Places, settings: SocketSettings, uid: int, disk: Disk) -> Iterator[str]:
    yield _socket(settings, where.runtime)
    yield from _written_down(where, settings, uid, disk)
    for runtime in (f"/run/user/{uid}/pmon3", where.data):
        yield _socket(settings, runtime)


def _written_down(where: Places, settings: SocketSettings, uid: int, disk: Disk) -> Iterator[str]:
    """Where a pmond of this user has said its socket is, if it has."""
    folder = posixpath.join(posixpath.dirname(where.config_file), settings.data or where.data)
    file = f"{folder}/{SOCKET_FILE}"
    if disk.owner(file) not in (0, uid):
        return
    try:
        path = os.fsdecode(disk.read(file)).rstrip("\n")
    except OSError:
        return
    if path.startswith("/") and "\n" not in path:
        yield path


def _at(where: Places, environ: Mapping[str, str], disk: Disk, *, own: bool) -> DaemonAddress:
    return DaemonAddress(
        _socket(_settings(where.config_file, environ, disk), where.runtime), where.config_file, own
    )


def _socket(settings: SocketSettings, runtime: str) -> str:
    return socket_path(settings.directory, settings.name_suffix, runtime)


def _settings(path: str, environ: Mapping[str, str], disk: Disk) -> SocketSettings:
    """What the file and the variables over it say. Raises PathError."""
    found = _in_file(path, bool(environ.get("PMON3_CONF")), disk)
    for prefix in ("CONFIGOR_", "PMON3_"):  # the later wins, as in `settings`
        for name, key in _SETTINGS.items():
            value = environ.get(f"{prefix}MESSAGEQUEUE_{name}")
            found = found._replace(**{key: value}) if value else found
        found = found._replace(data=environ.get(f"{prefix}DATA_DIRECTORY") or found.data)
    return found


def _in_file(path: str, named: bool, disk: Disk) -> SocketSettings:
    try:
        content = disk.read(path)
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        if not named:
            return SocketSettings()
        raise _unusable(path, named, (error.strerror or str(error)).lower()) from None
    except OSError as error:
        raise _unusable(path, named, (error.strerror or str(error)).lower()) from None
    if not named and b"message_queue" not in content and b"data" not in content:
        return SocketSettings()
    try:
        return socket_settings.read(content)
    except socket_settings.UnreadableSettings as error:
        raise _unusable(f"{path}:{error.line}:{error.column}", named, str(error)) from None


def _unusable(place: str, named: bool, why: str) -> PathError:
    which = "it, or PMON3_CONF, which names it" if named else "it: it says where pmond's socket is"
    return PathError(f"cannot read {place}: {why} (correct {which})")
