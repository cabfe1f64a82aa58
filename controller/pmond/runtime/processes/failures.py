"""Why a process could not be started, in one word and one sentence.

Theory of operation: starting fails at a stage (opening the log, becoming the user, entering the
folder, executing ...) with an errno. One errno means several things, so `explain` looks at the
files once more: "no such file" for a program that is there means that its interpreter is not.
"""

# Paths here are text, as the manifest wrote them.
# ruff: noqa: PTH110, PTH116, PTH123

from __future__ import annotations

import codecs
import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from pmond.runtime.base.path_access import PathAccess
from pmond.runtime.base.regular_files import open_regular


class SpawnError(Exception):
    """A process that could not be started.

    `reason` is for programs (CamelCase), `message` for people: "cannot start X: why (what to do)".
    `transient`: the system had no resources for it, which time may heal; the program is not at fault.
    `errno` is 0 where no system call failed.
    """

    def __init__(self, reason: str, message: str, *, transient: bool = False, errno: int = 0) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.transient = transient
        self.errno = errno


class Attempt(Struct, frozen=True):
    """What was tried: the names that an explanation needs."""

    name: str
    file: str
    cwd: str
    user: str
    log: str
    stderr_log: str = ""


_Reason = tuple[str, str]
"""The word, and "why (what to do)"."""

_RESOURCES: dict[int, _Reason] = {
    errno.EAGAIN: (
        "ProcessLimit",
        "the system refuses one more process "
        "(raise the process limit of the user, of the control group or kernel.pid_max)",
    ),
    errno.ENOMEM: ("OutOfMemory", "the system has no memory for it (free memory or raise the memory limit)"),
    errno.EMFILE: ("OpenFileLimit", "too many open files (raise the open file limit of pmond)"),
    errno.ENFILE: ("SystemFileLimit", "the system has too many open files (raise fs.file-max)"),
}


def explain(attempt: Attempt, stage: str, number: int, why: str = "") -> SpawnError:
    """The error for `number` (an errno) at a stage: log, stderr_log, group, sandbox, priority, limits, user,
    cwd or exec.

    `why`: in other words than those of the errno.
    """
    if stage == "sandbox":
        why = f"its sandbox cannot be had: {why or _text(number)}"
        return _error(attempt, "SandboxNotAvailable", why, number, transient=number in _RESOURCES)
    if why:
        path = attempt.stderr_log if stage == "stderr_log" else attempt.log
        return _error(attempt, "LogNotWritable", _log_refused(path, why), number, transient=False)
    # A log on a full disk, or a folder of a thousand links, is not the system's lack of processes.
    if number in _RESOURCES:
        reason, why = _RESOURCES[number]
        return _error(attempt, reason, why, number, transient=True)
    reason, why = _EXPLAIN[stage](attempt, number)
    is_full = stage in {"log", "stderr_log"} and number in {errno.ENOSPC, errno.EDQUOT}
    transient = number == errno.ETXTBSY or is_full
    return _error(attempt, reason, why, number, transient=transient)


def _error(attempt: Attempt, reason: str, why: str, number: int, transient: bool) -> SpawnError:
    return SpawnError(reason, f"cannot start {attempt.name}: {why}", transient=transient, errno=number)


def _text(number: int) -> str:
    # The system's sentences start with a capital letter, ours do not.
    text = os.strerror(number)
    return text[:1].lower() + text[1:]


def _explain_log(attempt: Attempt, number: int) -> _Reason:
    return "LogNotWritable", _not_writable(attempt.log, number)


def _explain_stderr_log(attempt: Attempt, number: int) -> _Reason:
    return "LogNotWritable", _not_writable(attempt.stderr_log, number)


def _not_writable(path: str, number: int) -> str:
    return (
        f"its log {path} cannot be opened for writing: {_text(number)} "
        "(change log or log_dir, or the permissions of the file and its folder)"
    )


def _log_refused(path: str, why: str) -> str:
    return (
        f"its log {path} is not opened: {why} "
        "(log where only root and the user of the process may change things)"
    )


def _explain_priority(attempt: Attempt, number: int) -> _Reason:
    return "PriorityNotPermitted", (
        f"its priority cannot be set: {_text(number)} (use 0 to 19, or have root declare it)"
    )


def _explain_limits(attempt: Attempt, number: int) -> _Reason:
    return "LimitNotPermitted", (
        f"its limits cannot be set: {_text(number)} (lower them to the hard limits of pmond, or raise those)"
    )


def _explain_group(attempt: Attempt, number: int) -> _Reason:
    return "GroupNotJoined", (
        f"it cannot be started in its control group: {_text(number)} (see pmon3 doctor)"
    )


def _explain_user(attempt: Attempt, number: int) -> _Reason:
    return "UserNotPermitted", (
        f"pmond may not switch to user {attempt.user}: {_text(number)} (run pmond as root, or remove user)"
    )


def _explain_cwd(attempt: Attempt, number: int) -> _Reason:
    if number == errno.ENOENT and attempt.cwd == str(Path(attempt.file).parent):
        return _explain_exec(attempt, number)  # nobody named a folder, somebody named the file
    if number == errno.ENOENT:
        return "CwdMissing", f"its working folder {attempt.cwd} does not exist (create it or change cwd)"
    return "CwdNotUsable", (
        f"its working folder {attempt.cwd} cannot be entered: {_text(number)} "
        "(change cwd or the folder's permissions)"
    )


def _explain_exec(attempt: Attempt, number: int) -> _Reason:
    file = attempt.file
    if number == errno.ENOENT:
        return _explain_missing(file)
    if number == errno.EACCES:
        return _explain_denied(file, attempt.user)
    if number == errno.ENOEXEC and _first_line(file).startswith(codecs.BOM_UTF8):
        return (
            "NotAProgram",
            f"{file} begins with a byte order mark, which hides its '#!' line (save it without)",
        )
    reason, why = _EXEC.get(number, ("ExecFailed", "{file} cannot be executed: {text} (check the file)"))
    return reason, why.replace("{file}", file).replace("{text}", _text(number))


_EXEC: dict[int, _Reason] = {
    errno.ETXTBSY: ("FileBusy", "{file} is open for writing (wait until it has been written)"),
    errno.ELOOP: ("LinkLoop", "{file} has too many symbolic links in its path (remove the loop)"),
    errno.ENOTDIR: ("FileMissing", "{file} does not exist: part of its path is not a folder (correct file)"),
    errno.ENAMETOOLONG: ("NameTooLong", "the path {file} is too long (shorten it)"),
    errno.E2BIG: (
        "ArgumentsTooLong",
        "its arguments and environment are too long (shorten args or env_vars)",
    ),
    errno.ENOEXEC: (
        "NotAProgram",
        "{file} is neither a program for this machine nor a script with a '#!' line "
        "(add one, such as #!/bin/sh)",
    ),
    errno.EINVAL: (
        "InvalidArgument",
        "its arguments or environment hold a character that no program can be given (remove it)",
    ),
}


def _explain_missing(file: str) -> _Reason:
    if not os.path.exists(file):
        return "FileMissing", f"{file} does not exist (correct file, or install the program)"
    interpreter = shebang(file)
    if interpreter and _first_line(file).endswith(b"\r\n"):
        return "InterpreterMissing", (
            f"{file} has line ends of Windows: the carriage return behind #!{interpreter} is taken for a part"
            " of that name (remove them: sed -i 's/\\r$//' on the file)"
        )
    if interpreter:
        return "InterpreterMissing", (
            f"{file} starts with #!{interpreter}, which does not exist (install it or correct the line)"
        )
    return "InterpreterMissing", (
        f"{file} needs a program loader that does not exist (install the libraries it was built for)"
    )


def _explain_denied(file: str, user: str) -> _Reason:
    whom = f"user {user}" if user else "pmond"
    not_permitted = (
        "NotPermitted",
        (f"{whom} may not execute {file} (change its permissions, its folders' or the mount option noexec)"),
    )
    try:
        mode = os.stat(file).st_mode
    except PermissionError:
        return not_permitted
    except OSError as error:
        return "FileNotReachable", (
            f"{file} cannot be reached: {_text(error.errno or 0)} (open its folders to the user)"
        )
    if stat.S_ISDIR(mode):
        return "IsFolder", f"{file} is a folder (name the program in it)"
    if not stat.S_ISREG(mode):
        return "NotAProgram", f"{file} is not a regular file (name a program)"
    if not mode & 0o111:
        return "NotExecutable", f"{file} is not executable (run chmod +x on it)"
    interpreter = shebang(file)
    if interpreter and not os.access(interpreter, os.X_OK, effective_ids=True):
        return "InterpreterNotExecutable", (
            f"{file} starts with #!{interpreter}, which is not executable (correct the line)"
        )
    return not_permitted


def _first_line(file: str) -> bytes:
    """The beginning of a file, up to its first line feed; nothing where it cannot be read."""
    try:
        with open(open_regular(file, PathAccess()), "rb") as script:
            return script.readline(256)
    except OSError:
        return b""


def shebang(file: str) -> str:
    """The interpreter that a script names on its first line; empty when it names none."""
    line = _first_line(file)
    words = line[2:].split() if line.startswith(b"#!") else []
    return os.fsdecode(words[0]) if words else ""


_EXPLAIN: dict[str, Callable[[Attempt, int], _Reason]] = {
    "log": _explain_log,
    "stderr_log": _explain_stderr_log,
    "group": _explain_group,
    "priority": _explain_priority,
    "limits": _explain_limits,
    "user": _explain_user,
    "cwd": _explain_cwd,
    "exec": _explain_exec,
}
