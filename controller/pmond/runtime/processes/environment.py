"""The environment of a child: what it inherits, whose it is, what its manifest adds.

Later wins: pmond's own variables (`inherited` says which; none if `env_inherit` is false), HOME USER LOGNAME
SHELL of another user, the files of `env_file` in order, `env_vars`, the instance marker.
"""

# Path objects would cost as much as the look-ups.
# ruff: noqa: PTH113, PTH118

from __future__ import annotations

import errno
import os
import re
import shlex
from collections.abc import Iterable, Mapping
from functools import cache

from msgspec import Struct

from pmond.runtime.access import users
from pmond.runtime.base.guarded import StrangerError
from pmond.runtime.base.path_access import PathAccess, Rights
from pmond.runtime.base.regular_files import open_regular
from pmond.runtime.processes.failures import SpawnError

MARKER = "PMON3_INSTANCE"
"""The variable by which every process of an instance is found again: STATE-UUID:NAME:NUMBER."""
REPLICA, REPLICAS = "PMON3_REPLICA", "PMON3_REPLICAS"
"""Which one of several it is, counted from 0, and how many there were when it was started."""
REVISION = "PMON3_REVISION"
SANDBOX = "PMON3_SANDBOX"
"""Is there for a program in a sandbox; without its state pmond does not start such a one outside of it."""
"""The variable that tells with which values of its spec an instance was started, and proves it (`seal`)."""

_MESSAGES_OF_PARENT = re.compile(
    rf"{MARKER}|{REVISION}|{SANDBOX}|PMON3_UPGRADE_.*|PMON3_FAILPOINT|NOTIFY_SOCKET|WATCHDOG_(PID|USEC)|LISTEN_(FDS|PID|PIDFDID|FDNAMES)|FDSTORE"
    r"|MAINPID|MANAGERPID|INVOCATION_ID|JOURNAL_STREAM|SYSTEMD_EXEC_PID|MEMORY_PRESSURE_(WATCH|WRITE)"
)
"""Variables by which whoever started pmond speaks to pmond, and not to its children."""

_OF_THE_MACHINE = re.compile(r"PATH|LANG|LC_[A-Z_]+|TZ")
"""Variables that say nothing of a user."""

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

    @property
    def rights(self) -> Rights:
        """What the kernel asks for of it."""
        return Rights(self.uid, self.gid, self.groups)


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


def inherited(environment: Mapping[str, str], user: User | None) -> dict[str, str]:
    """What a child gets of `environment`. `user`: as whom it runs, if not as pmond.

    pmond's variables may be secrets of whom it runs as, so others get what concerns the whole machine.
    """
    if user is None:
        return dict(environment)
    return {name: value for name, value in environment.items() if _OF_THE_MACHINE.fullmatch(name)}


def find_user(process: str, name: str) -> User:
    """A user by name or number. Raises SpawnError (UnknownUser) when the system has none such."""
    entry = users.account_of(name)
    if entry is None:
        raise SpawnError(
            "UnknownUser", f"cannot start {process}: there is no user {name} (create it or correct user)"
        )
    groups = tuple(os.getgrouplist(entry.pw_name, entry.pw_gid))
    return User(entry.pw_name, entry.pw_uid, entry.pw_gid, groups, entry.pw_dir, entry.pw_shell)


def other_user(process: str, name: str) -> User | None:
    """The user that a spec names, unless it is pmond's own. Raises SpawnError (UnknownUser)."""
    if is_own(name) or users.uid_of(name) == os.geteuid():
        return None
    return find_user(process, name)


def is_own(name: str) -> bool:
    """Whether that is how pmond's own user is called, or nobody; the user database is asked once for all."""
    # Most run as pmond does. In a container that may be a number that the user database does not know.
    return not name or name == _name_of(os.geteuid())


@cache
def _name_of(uid: int) -> str:
    return users.name_of(uid)


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
    return next((candidate for candidate in existing if _is_executable(candidate)), existing[0])


def _is_executable(file: str) -> bool:
    return os.access(file, os.X_OK, effective_ids=True)


def read_env_files(process: str, paths: Iterable[str], access: PathAccess, user: str) -> dict[str, str]:
    """The variables of some env files, later ones winning. `user`: the name of whoever has this access.

    Raises SpawnError: EnvFileNotReadable, EnvFileInvalid (with the line).
    """
    variables: dict[str, str] = {}
    for path in paths:
        try:
            text = _read(path, access)
        except OSError as error:
            why = error.strerror or str(error)
            if user and isinstance(error, PermissionError) and not isinstance(error, StrangerError):
                why = f"user {user} may not read it"
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


def _read(path: str, access: PathAccess) -> str:
    file = open_regular(path, access)
    try:
        if os.fstat(file).st_size > _ENV_FILE_MAXIMUM:
            raise OSError(errno.EFBIG, "it is larger than 1 MiB")
        content = os.read(file, _ENV_FILE_MAXIMUM)
    finally:
        os.close(file)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None
