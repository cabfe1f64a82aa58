"""Default places, and which pmond a command talks to: functions of the environment and the user id.

Theory of operation: there are two kinds of pmond. The *system* one keeps the places of the Go pmon3
(`/etc/pmon3`, `/var/log/pmond`) and its socket in `/run/pmon3`. A user's *own* lives in the XDG
folders. The command line needs the socket's path at every start, so this module imports nothing
heavy, and reads the two settings that move the socket with a line scanner; only a config.yml that
spells them unusually is read in full.
"""

from __future__ import annotations

import os
import posixpath
import re
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


class Daemon(NamedTuple):
    """A pmond as a command sees it: its socket, its configuration, whether it is the caller's own."""

    socket: str
    config_file: str
    own: bool


def system_places() -> Places:
    """The places of the system's pmond, those of the Go pmon3."""
    return Places(SYSTEM_CONFIG, SYSTEM_PROCESS_CONFIG, SYSTEM_DATA, SYSTEM_LOGS, SYSTEM_RUNTIME)


def own_places(environ: Mapping[str, str]) -> Places:
    """The places of a pmond of the caller's own, root's included. Raises PathError without a home."""
    config = _xdg(environ, "XDG_CONFIG_HOME", ".config")
    state = _xdg(environ, "XDG_STATE_HOME", ".local/state")
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    return Places(
        config_file=f"{config}/config.yml",
        process_config_file=f"{config}/process.config.json",
        data=state,
        logs=f"{state}/logs",
        runtime=f"{runtime.rstrip('/')}/pmon3" if runtime.startswith("/") else state,
    )


def places(environ: Mapping[str, str], uid: int, *, own: bool = False) -> Places:
    """The places of the pmond that this user starts: the system's for root, unless `own` is asked for."""
    found = system_places() if uid == 0 and not own else own_places(environ)
    explicit = environ.get("PMON3_CONF")
    if not explicit:
        return found
    return found._replace(config_file=posixpath.abspath(explicit))


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


def which_daemon(
    environ: Mapping[str, str],
    uid: int,
    exists: Callable[[str], bool] = os.path.exists,
    read: Callable[[str], str | None] | None = None,
) -> Daemon:
    """The pmond that a command of this user talks to.

    That of `$PMON3_CONF`; else the system's, if its socket exists; else the caller's own. Root's own
    is the system's where that has a configuration. Raises PathError.
    """
    read = read or read_text
    if environ.get("PMON3_CONF"):
        return _daemon(places(environ, uid), environ, read, own=uid != 0)
    system = _daemon(system_places(), environ, read, own=False)
    if exists(system.socket):
        return system
    own = own_daemon(environ, uid, exists, read)
    return system if uid == 0 and not exists(own.socket) and exists(SYSTEM_CONFIG) else own


def own_daemon(
    environ: Mapping[str, str],
    uid: int,
    exists: Callable[[str], bool] = os.path.exists,
    read: Callable[[str], str | None] | None = None,
) -> Daemon:
    """The caller's own pmond, the one that `pmon3 up` starts. Raises PathError.

    A session has a runtime folder and a cron job has none; both must meet the same pmond. So where
    the expected socket does not exist, the others that this user's pmond may have made are tried.
    """
    home = own_places(environ)
    expected = _daemon(home, environ, read or read_text, own=True)
    if exists(expected.socket):
        return expected
    for runtime in (f"/run/user/{uid}/pmon3", home.data):
        found = _daemon(home._replace(runtime=runtime), environ, read or read_text, own=True)
        if exists(found.socket):
            return found
    return expected


def read_text(path: str) -> str | None:
    """The text of a file; None where there is none that can be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            return file.read()
    except OSError:
        return None


def _daemon(
    where: Places, environ: Mapping[str, str], read: Callable[[str], str | None], *, own: bool
) -> Daemon:
    directory, suffix = queue_settings(read(where.config_file) or "")
    for prefix in ("CONFIGOR_MESSAGEQUEUE_", "PMON3_MESSAGEQUEUE_"):  # the later wins, as in `settings`
        directory = environ.get(prefix + "DIRECTORY_SHMEM") or environ.get(prefix + "DIRECTORY") or directory
        suffix = environ.get(prefix + "NAMESUFFIX") or suffix
    return Daemon(socket_path(directory, suffix, where.runtime), where.config_file, own)


_SECTION = re.compile(r"^message_queue:[ \t]*(?:#.*)?$", re.M)
_VALUE = r"""(?:"([\w./+@-]*)"|'([\w./+@-]*)'|([\w./+@][\w./+@-]*))"""
_PLAIN_LINE = re.compile(rf"[ ]+([a-z_]+):(?:[ \t]+{_VALUE})?[ \t]*(?:[ \t]#.*)?")
_NULLS = frozenset({"null", "Null", "NULL"})


def queue_settings(text: str) -> tuple[str, str]:
    """`message_queue.directory` and `message_queue.name_suffix` of a config.yml; empty where not given."""
    if "message_queue" not in text:
        return "", ""
    found = _SECTION.search(text)
    if not found or text.count("message_queue") != 1:
        return _queue_settings_in_full(text)
    values: dict[str, str] = {}
    indent, parent = 0, ""
    for line in text[found.end() + 1 :].splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not line.startswith(" "):
            break
        match = _PLAIN_LINE.fullmatch(line)
        if not match:
            return _queue_settings_in_full(text)
        depth = len(line) - len(line.lstrip(" "))
        indent = indent or depth
        parent = match[1] if depth == indent else parent
        key = match[1] if depth == indent else f"{parent}.{match[1]}"
        plain = "" if match[4] in _NULLS else match[4]
        values[key] = match[2] or match[3] or plain or ""
    return values.get("directory.shmem") or values.get("directory", ""), values.get("name_suffix", "")


def _queue_settings_in_full(text: str) -> tuple[str, str]:
    from pmon3_schema.formats import yaml
    from pmon3_schema.formats.source import Unreadable

    try:
        data = yaml.load(text, typed=False).data
    except Unreadable:
        return "", ""  # pmond says what is wrong with its configuration; here the default place stands
    section = data.get("message_queue") if isinstance(data, dict) else None
    if not isinstance(section, dict):
        return "", ""
    directory = section.get("directory")
    if isinstance(directory, dict):
        directory = directory.get("shmem")
    suffix = section.get("name_suffix")
    return directory if isinstance(directory, str) else "", suffix if isinstance(suffix, str) else ""


def _xdg(environ: Mapping[str, str], name: str, below_home: str) -> str:
    value = environ.get(name, "")
    if value.startswith("/"):  # the specification has relative values ignored
        return f"{value.rstrip('/')}/pmon3"
    home = environ.get("HOME", "")
    if not home.startswith("/"):
        raise PathError(f"cannot find your folders: neither {name} nor HOME is set (set HOME)")
    return f"{home.rstrip('/')}/{below_home}/pmon3"
