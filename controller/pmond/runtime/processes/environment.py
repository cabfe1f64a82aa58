"""The environment of a child: what it inherits, whose it is, what its manifest adds.

Later wins: pmond's own variables (unless `env_inherit` is false), HOME USER LOGNAME SHELL of
another user, the files of `env_file` in order, `env_vars`, the instance marker.
"""

# Path objects would cost as much as the look-ups.
# ruff: noqa: PTH113, PTH115, PTH116, PTH118

from __future__ import annotations

import errno
import os
import re
import shlex
import stat
from collections.abc import Iterable, Mapping

from msgspec import Struct

from pmond.runtime.access import users
from pmond.runtime.processes.failures import SpawnError

MARKER = "PMON3_INSTANCE"
"""The variable by which every process of an instance is found again: STATE-UUID:NAME:NUMBER."""
REVISION = "PMON3_REVISION"
"""The variable that tells with which values of its spec an instance was started, should the state be lost."""

_MESSAGES_OF_PARENT = re.compile(
    rf"{MARKER}|{REVISION}|PMON3_UPGRADE_.*|PMON3_FAILPOINT|NOTIFY_SOCKET|WATCHDOG_(PID|USEC)|LISTEN_(FDS|PID|PIDFDID|FDNAMES)|FDSTORE"
    r"|MAINPID|MANAGERPID|INVOCATION_ID|JOURNAL_STREAM|SYSTEMD_EXEC_PID|MEMORY_PRESSURE_(WATCH|WRITE)"
)
"""Variables by which whoever started pmond speaks to pmond, and not to its children."""

_NUMBER = re.compile(r"(0|[1-9][0-9]{0,17})\Z")
"""As pmond writes it; it never counts as far as that."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\Z")
_ENV_FILE_MAXIMUM = 1 << 20


class User(Struct, frozen=True):
    """The user that a process runs as."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str
    shell: str


def marker(state: str, name: str, number: int) -> str:
    """The value of `MARKER`: `state` is the identity of the daemon's state and has no colon."""
    return f"{state}:{name}:{number}"


def parse_marker(text: str) -> tuple[str, str, int] | None:
    """State, name and number of a marker; None for text that is none. A name may have colons.

    Anybody can put anything into the environment of his processes, so this raises for no text.
    """
    state, _, rest = text.partition(":")
    name, _, number = rest.rpartition(":")
    return (state, name, int(number)) if state and name and _NUMBER.match(number) else None


def inheritable(environment: Mapping[str, str]) -> dict[str, str]:
    """What children get of pmond's own environment. Computed once, when pmond starts."""
    return {name: value for name, value in environment.items() if not _MESSAGES_OF_PARENT.fullmatch(name)}


def find_user(process: str, name: str) -> User:
    """A user by name or number. Raises SpawnError (UnknownUser) when the system has none such."""
    entry = users.account_of(name)
    if entry is None:
        raise SpawnError(
            "UnknownUser", f"cannot start {process}: there is no user {name} (create it or correct user)"
        )
    groups = tuple(os.getgrouplist(entry.pw_name, entry.pw_gid))
    return User(entry.pw_name, entry.pw_uid, entry.pw_gid, groups, entry.pw_dir, entry.pw_shell)


def variables_of(user: User) -> dict[str, str]:
    """What a login sets, and programs look for their own files by."""
    return {"HOME": user.home, "USER": user.name, "LOGNAME": user.name, "SHELL": user.shell or "/bin/sh"}


def find_program(process: str, file: str, path: str | None, cwd: str) -> str:
    """The path of a program: a bare name is looked up in `path`, like a shell does it.

    A name that is only found as a file that is not executable is answered with that file:
    executing it then tells what is wrong. Raises SpawnError (FileMissing) for one found nowhere.
    """
    if "/" in file:
        return os.path.join(cwd or "/", file)
    path = path or os.defpath
    candidates = [os.path.join(cwd or "/", folder, file) for folder in path.split(":")]
    existing = [candidate for candidate in candidates if os.path.isfile(candidate)]
    if not existing:
        raise SpawnError(
            "FileMissing",
            f"cannot start {process}: there is no program {file} on PATH ({path}) "
            "(install it or write its path)",
            errno=errno.ENOENT,
        )
    return next((candidate for candidate in existing if os.access(candidate, os.X_OK)), existing[0])


def read_env_files(process: str, paths: Iterable[str], reader: User | None) -> dict[str, str]:
    """The variables of some env files, later ones winning.

    `reader`: the user who must have the right to read them; None: pmond's own rights do.
    Raises SpawnError: EnvFileNotReadable, EnvFileInvalid (with the line).
    """
    variables: dict[str, str] = {}
    for path in paths:
        try:
            text = _read(path, reader)
        except OSError as error:
            why = error.strerror or str(error)
            raise SpawnError(
                "EnvFileNotReadable",
                f"cannot start {process}: env_file {path} cannot be read: {why} "
                "(correct env_file or its permissions)",
                errno=error.errno or 0,
            ) from None
        except ValueError as error:
            raise _invalid(process, path, str(error)) from None
        try:
            variables.update(parse_env_file(text))
        except ValueError as error:
            raise _invalid(process, path, str(error)) from None
    return variables


def _invalid(process: str, path: str, why: str) -> SpawnError:
    return SpawnError("EnvFileInvalid", f"cannot start {process}: env_file {path}: {why} (write NAME=value)")


def parse_env_file(text: str) -> dict[str, str]:
    """NAME=value lines: '#' comments, an optional `export`, values bare or in shell quotes.

    Raises ValueError with the number of the line that is none of these; never quotes its text,
    which may be a secret.
    """
    variables = {}
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        line = line.strip().removeprefix("export ").lstrip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not _NAME.match(name.rstrip()) or "\0" in value:
            raise ValueError(f"line {number} is not NAME=value")
        try:
            variables[name.rstrip()] = _unquote(value.strip())
        except ValueError:
            raise ValueError(f"line {number} has a quote that is not closed, or text after it") from None
    return variables


def _unquote(value: str) -> str:
    if value[:1] not in {'"', "'"}:
        return re.split(r"(?:^|\s)#", value, maxsplit=1)[0].rstrip()
    words = shlex.split(value, comments=True)
    if len(words) != 1:
        raise ValueError("text after the quote")
    return words[0]


def _read(path: str, reader: User | None) -> str:
    # Not blocking: a named pipe must not hold up the daemon.
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        if status.st_size > _ENV_FILE_MAXIMUM:
            raise OSError(errno.EFBIG, "it is larger than 1 MiB")
        if reader is not None and not may_read(file, reader):
            raise PermissionError(errno.EACCES, f"user {reader.name} may not read it")
        content = os.read(file, _ENV_FILE_MAXIMUM)
    finally:
        os.close(file)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None


def may_read(file: int, user: User) -> bool:
    """Whether the permission bits let a user read an open file, and reach it through its folders.

    The daemon opens the file with its own rights, so it asks what the user's would have allowed.
    """
    path = os.readlink(f"/proc/self/fd/{file}")
    folders = path.split("/")[:-1]
    reachable = all(
        _allows(os.stat("/".join(folders[: depth + 1]) or "/"), user, 0o1) for depth in range(len(folders))
    )
    return reachable and _allows(os.fstat(file), user, 0o4)


def _allows(status: os.stat_result, user: User, right: int) -> bool:
    if user.uid == 0:
        return True
    if status.st_uid == user.uid:
        return bool(status.st_mode & right << 6)
    if status.st_gid in user.groups:
        return bool(status.st_mode & right << 3)
    return bool(status.st_mode & right)
