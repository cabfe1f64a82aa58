"""What a running program was started with, as far as the machine says.

Theory of operation: when the state is lost, what was submitted by command is declared nowhere but in
what runs. The kernel keeps the arguments and the environment as they were at the start, the program's
file, and the user; folder, output, umask, nice value and limits are those of now, which most programs
leave alone. A script is run by its interpreter, which the first line of the script names: that is taken
back, so that the script is the program again. Whoever wrote over its arguments or its environment, as
servers do that show a title, cannot be started again as it was, and that is said.
"""

# Paths here are text, as the kernel says them.
# ruff: noqa: PTH110, PTH112, PTH115, PTH116, PTH117, PTH118, PTH119, PTH120, PTH121

from __future__ import annotations

import os
import resource
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from msgspec import Struct

from pmon3_schema.bounds import SandboxSpec
from pmon3_schema.process import ProcessSpec
from pmon3_schema.process_parts import LimitsSpec
from pmond.runtime.access import users
from pmond.runtime.base.path_access import Rights
from pmond.runtime.base.thread_rights import acting_as
from pmond.runtime.processes.environment import MARKER, REPLICA, REPLICAS, REVISION, SANDBOX
from pmond.runtime.processes.identity import read_whole, real_uid
from pmond.runtime.processes.launch import LIMIT_NUMBERS

_OF_PMOND = frozenset({MARKER, REVISION, REPLICA, REPLICAS, "NOTIFY_SOCKET", "WATCHDOG_USEC"})
"""Variables that each start sets anew."""
_DELETED = " (deleted)"
_LONGEST_LINE = 256
"""Bytes of the first line of a script that the kernel looks at."""


class CannotTell(Exception):
    """The machine does not say with what a program was started; the text says why."""


class _ProgramWords(Struct, frozen=True):
    """What is executed, with which words."""

    file: str
    args: tuple[str, ...]
    argv0: str = ""


def environment_of(pid: int) -> dict[str, str]:
    """The environment that a program was started with; empty when it is not to be had."""
    try:
        content = read_whole(f"/proc/{pid}/environ")
    except OSError:
        return {}
    pairs = (os.fsdecode(word).partition("=") for word in content.split(b"\0") if b"=" in word)
    return {name: value for name, _, value in pairs if name}


def program_file(pid: int) -> str:
    """The file that is executed, or was when it started; empty when it is not to be had."""
    return _target(pid, "exe")


def sandbox_in_place(pid: int) -> SandboxSpec:
    """Of a program in a sandbox, one that stands for it: what it has is not to be seen. Else none."""
    inside = SANDBOX in environment_of(pid)
    return SandboxSpec(no_new_privileges=True, capabilities=()) if inside else SandboxSpec()


def spec_of(pid: int, name: str, marker: str, log_dir: str) -> ProcessSpec:
    """The spec that would start it again as it was, with what no running program tells left out.

    `log_dir`: where logs go whose place no spec says. Raises CannotTell.
    """
    environment, uid = environment_of(pid), real_uid(pid)
    if uid is None:
        raise CannotTell("it has ended")
    if environment.get(MARKER) != marker:
        raise CannotTell("it has written over its environment")
    argv = tuple(os.fsdecode(word) for word in _arguments(pid).split(b"\0")[:-1])
    if SANDBOX in environment:
        raise CannotTell("it runs in a sandbox, and what that keeps it from is not to be seen")
    file, folder = program_file(pid), _target(pid, "cwd")
    with _acting_as(uid):  # what it says of files is looked up as by its user
        program = _program(file, argv, environment)
        cwd = folder if os.path.isdir(folder) and folder != os.path.dirname(program.file) else ""
    stdout, stderr = _output(pid, 1), _output(pid, 2)
    try:
        return ProcessSpec(
            file=program.file,
            name=name,
            args=program.args,
            argv0=program.argv0,
            cwd=cwd,
            env_inherit=False,
            env_vars={key: value for key, value in environment.items() if key not in _OF_PMOND},
            user=users.name_of(uid),
            log="" if stdout == os.path.join(log_dir, f"{name}.log") else stdout,
            stderr_log="" if stderr == stdout else stderr,
            umask=_unlike_ours(_umask(pid), _umask(os.getpid())),
            priority=_unlike_ours(os.getpriority(os.PRIO_PROCESS, pid), os.getpriority(os.PRIO_PROCESS, 0)),
            limits=_limits(pid),
        )
    except OSError:
        raise CannotTell("it has ended, or may not be looked at") from None


def _arguments(pid: int) -> bytes:
    try:
        return read_whole(f"/proc/{pid}/cmdline")
    except OSError:
        raise CannotTell("its arguments cannot be read") from None


@contextmanager
def _acting_as(uid: int) -> Iterator[None]:
    if os.geteuid() != 0 or uid == 0:
        yield
        return
    account = users.account_of(str(uid))
    gid = account.pw_gid if account is not None else uid
    groups = tuple(os.getgrouplist(account.pw_name, gid)) if account is not None else ()
    try:
        with acting_as(Rights(uid, gid, groups)):
            yield
    except PermissionError as error:
        raise CannotTell(f"it runs as another user, and {error.strerror}") from None


def _program(file: str, argv: tuple[str, ...], environment: Mapping[str, str]) -> _ProgramWords:
    if not argv or not file:
        raise CannotTell("its arguments cannot be read")
    if not os.path.exists(file):
        raise CannotTell(f"its program {file} does not exist any more")
    return _script(argv) or _binary(file, argv, environment.get("PATH", os.defpath))


def _script(argv: tuple[str, ...]) -> _ProgramWords | None:
    """The script among the arguments of its interpreter; None where there is none."""
    for place, word in enumerate(argv[1:3], start=1):
        if (
            os.path.isabs(word)
            and os.access(word, os.X_OK, effective_ids=True)
            and _is_run_by(word, argv[:place])
        ):
            return _ProgramWords(word, argv[place + 1 :])
    return None


def _is_run_by(script: str, words: tuple[str, ...]) -> bool:
    """Whether these words, whose first may be found on PATH or by a shim, are those of its first line."""
    named = _interpreter(script)
    return bool(named) and os.path.basename(named[0]) == os.path.basename(words[0]) and named[1:] == words[1:]


def _interpreter(script: str) -> tuple[str, ...]:
    """The words by which a script is run, without those that `env` takes for itself."""
    line = _first_line(script)
    if not line.startswith(b"#!"):
        return ()
    words = tuple(os.fsdecode(word) for word in line[2:].strip().split(None, 1))
    if words and os.path.basename(words[0]) == "env":
        return tuple(word for word in " ".join(words[1:]).split() if word != "-S")
    return words


def _first_line(file: str) -> bytes:
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # it may be a pipe by now
        try:
            return os.read(descriptor, _LONGEST_LINE).partition(b"\n")[0]
        finally:
            os.close(descriptor)
    except OSError:
        return b""


def _binary(file: str, argv: tuple[str, ...], path: str) -> _ProgramWords:
    called = argv[0]
    if os.path.isabs(called) and _is_same(called, file):
        return _ProgramWords(called, argv[1:])
    found = shutil.which(called, path=path) if "/" not in called else None
    plain = os.path.basename(called).removeprefix("-")  # as a login shell is called
    if (found and _is_same(found, file)) or plain == os.path.basename(file):
        return _ProgramWords(file, argv[1:], called)
    raise CannotTell("it has written over its arguments")


def _is_same(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def _target(pid: int, link: str) -> str:
    """Where a link in /proc leads; of what was deleted, where it was. Empty when it is not to be had."""
    try:
        return os.readlink(f"/proc/{pid}/{link}").removesuffix(_DELETED)
    except OSError:
        return ""


def _output(pid: int, number: int) -> str:
    """The file that it writes to, or that it writes nowhere; empty for what no log can be."""
    try:
        kind = os.stat(f"/proc/{pid}/fd/{number}").st_mode
    except OSError:
        return ""
    path = _target(pid, f"fd/{number}")
    return path if stat.S_ISREG(kind) or path == os.devnull else ""


def _umask(pid: int) -> int | None:
    for line in read_whole(f"/proc/{pid}/status").splitlines():
        if line.startswith(b"Umask:"):
            return int(line.split()[1], 8)
    return None


def _limits(pid: int) -> LimitsSpec:
    """Those that a start had set: soft and hard alike, and not as pmond's own."""
    found = {}
    for name, number in LIMIT_NUMBERS.items():
        soft, hard = resource.prlimit(pid, number)
        if soft == hard != resource.RLIM_INFINITY and hard != resource.getrlimit(number)[1]:
            found[name] = hard
    return LimitsSpec(**found)


def _unlike_ours(value: int | None, ours: int | None) -> int | None:
    return value if value != ours else None
