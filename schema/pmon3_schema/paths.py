"""Default places: functions of the environment and the user id.

Theory of operation: there are two kinds of pmond. The *system* one keeps the places of the Go pmon3
(`/etc/pmon3`, `/var/log/pmond`) and its socket in `/run/pmon3`. A user's *own* lives in the XDG
folders. A runtime folder that belongs to somebody else, as `su` hands on, is nobody's here; where there
is no HOME the user database knows one. Nothing heavy is imported: every command needs these places.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Mapping
from typing import NamedTuple

SYSTEM_CONFIG = "/etc/pmon3/config/config.yml"
SYSTEM_DATA = "/etc/pmon3/data"
SYSTEM_LOGS = "/var/log/pmond"
SYSTEM_RUNTIME = "/run/pmon3"
SYSTEM_PROCESS_CONFIG = "/etc/pmon3/config/process.config.json"

MAX_SOCKET_BYTES = 107
"""Bytes of a Unix socket's path: 108 of `sockaddr_un.sun_path` less the final zero."""

SEED_QUEUE_FOLDERS = frozenset({"", "/dev/shm", "/dev/mqueue"})
"""`message_queue.directory` values of the Go pmon3 that mean "the default": no socket can live there."""


class PathError(ValueError):
    """A place cannot be determined or used; the message says what to do."""


class Places(NamedTuple):
    """Where one pmond keeps its things, before its configuration says otherwise."""

    config_file: str
    process_config_file: str
    data: str
    logs: str
    runtime: str


def owner(path: str) -> int | None:
    """The user id that a file or folder belongs to; None where there is none."""
    try:
        return os.stat(path).st_uid  # noqa: PTH116 - a path as text, as all here
    except OSError:
        return None


def system_places() -> Places:
    """The places of the system's pmond, those of the Go pmon3."""
    return Places(SYSTEM_CONFIG, SYSTEM_PROCESS_CONFIG, SYSTEM_DATA, SYSTEM_LOGS, SYSTEM_RUNTIME)


def own_places(environ: Mapping[str, str], uid: int, owner_of: Callable[[str], int | None] = owner) -> Places:
    """The places of a pmond of the caller's own, root's included. Raises PathError without a home."""
    config = _xdg(environ, uid, "XDG_CONFIG_HOME", ".config")
    state = _xdg(environ, uid, "XDG_STATE_HOME", ".local/state")
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    usable = runtime.startswith("/") and owner_of(runtime) in (None, 0, uid)
    return Places(
        config_file=f"{config}/config.yml",
        process_config_file=f"{config}/process.config.json",
        data=state,
        logs=f"{state}/logs",
        runtime=f"{runtime.rstrip('/')}/pmon3" if usable else state,
    )


def places(
    environ: Mapping[str, str],
    uid: int,
    *,
    own: bool = False,
    owner_of: Callable[[str], int | None] = owner,
) -> Places:
    """The places of the pmond that this user starts: the system's for root, unless `own` is asked for."""
    found = system_places() if uid == 0 and not own else own_places(environ, uid, owner_of)
    explicit = environ.get("PMON3_CONF")
    if not explicit:
        return found
    return found._replace(config_file=_absolute(explicit, "PMON3_CONF"))


def config_file(environ: Mapping[str, str], uid: int) -> str:
    """`$PMON3_CONF`, else the system's file for root, else the one in `$XDG_CONFIG_HOME`."""
    return places(environ, uid).config_file


def socket_path(directory: str, name_suffix: str, runtime: str) -> str:
    """The socket for the settings `message_queue.directory` and `name_suffix`.

    The seed's own folders stand for the default one, `runtime`. Raises PathError when it is too long.
    """
    folder = runtime if directory.rstrip("/") in SEED_QUEUE_FOLDERS else directory.rstrip("/")
    path = f"{folder}/pmon3_{name_suffix}.sock" if name_suffix else f"{folder}/pmon3.sock"
    size = len(os.fsencode(path))
    if size > MAX_SOCKET_BYTES:
        raise PathError(
            f"cannot use the socket {path}: it has {size} bytes, the system allows {MAX_SOCKET_BYTES} "
            "(set message_queue.directory.shmem in config.yml to a shorter folder)"
        )
    return path


def _xdg(environ: Mapping[str, str], uid: int, name: str, below_home: str) -> str:
    value = environ.get(name, "")
    if value.startswith("/"):  # the specification has relative values ignored
        return f"{value.rstrip('/')}/pmon3"
    home = environ.get("HOME", "")
    if not home.startswith("/"):
        home = _home_of(uid)
    if not home.startswith("/"):
        raise PathError(f"cannot find your folders: neither {name} nor HOME is set (set HOME)")
    return f"{home.rstrip('/')}/{below_home}/pmon3"


def _home_of(uid: int) -> str:
    """The home of a user in the user database; empty for one who is not there."""
    # Imported here: only cron jobs and `env -i` come without HOME.
    import pwd

    try:
        return pwd.getpwuid(uid).pw_dir
    except KeyError:
        return ""


def _absolute(path: str, variable: str) -> str:
    try:
        return posixpath.abspath(path)
    except FileNotFoundError:
        why = "the current folder does not exist any more"
        raise PathError(f"cannot use {variable}={path}: {why} (write a full path)") from None
