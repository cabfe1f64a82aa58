"""Becomes the program of a process that needs more than `posix_spawn` can set up.

Theory of operation: a user, limits, a umask or a priority must be set between fork and exec, and
forking the daemon for that would cost up to fifteen times a plain start. So the daemon spawns a
Python that does nothing but `launch`, in the new session and under the pid that the process will
have. It sets everything up and replaces itself by the program. A pipe tells the daemon how that
went: it closes by itself when the program takes over; otherwise "STAGE ERRNO" is written to it
and the exit code is 127.

The daemon hands over this module's code together with the orders, instead of naming this file: an
upgrade may have replaced the file under a running daemon, and code needs no compiling.

Start-up time is the cost of every such process, so it imports built-in modules only. `open_log`
is also what the daemon itself opens log files with.
"""

# Pathlib takes longer to import than the rest of this program to run.
# ruff: noqa: PTH101, PTH102, PTH112, PTH120

from __future__ import annotations

import os

TYPE_CHECKING = False  # typing itself is too slow to import here; type checkers know the name
if TYPE_CHECKING:
    from typing import Any

    Orders = dict[str, Any]

O_LOG = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
EXIT_NOT_LAUNCHED = 127


def open_log(
    path: str | bytes, file_mode: int, folder_mode: int, owner: tuple[int, int] | None, follow: bool = True
) -> int:
    """A descriptor that appends to a log file; file and folder are created with these modes.

    An existing file or folder keeps its mode and owner. `owner` (uid, gid) gets a file that is
    created. With `follow` false neither a link as last part of the path nor a file of several
    names is accepted: what opens a file with more rights than its owner must not be led astray.
    Raises OSError; a named pipe without a reader is ENXIO, instead of waiting for one.
    """
    flags = O_LOG if follow else O_LOG | os.O_NOFOLLOW
    try:
        log = os.open(path, flags)
    except FileNotFoundError:
        log = _create_log(path, flags, file_mode, folder_mode, owner)
    try:
        if not follow and os.fstat(log).st_nlink > 1:
            raise PermissionError(1, "the file has several names")
        os.set_blocking(log, True)
    except OSError:
        os.close(log)
        raise
    return log


def _create_log(
    path: str | bytes, flags: int, file_mode: int, folder_mode: int, owner: tuple[int, int] | None
) -> int:
    _create_folders(os.path.dirname(path), folder_mode)
    try:
        return _new_log(path, flags, file_mode, owner)
    except FileExistsError:
        return os.open(path, flags)  # somebody else created it just now


def _new_log(path: str | bytes, flags: int, file_mode: int, owner: tuple[int, int] | None) -> int:
    log = os.open(path, flags | os.O_CREAT | os.O_EXCL, file_mode)
    try:
        os.fchmod(log, file_mode)  # whatever the umask
        if owner is not None:
            os.fchown(log, *owner)
    except OSError:
        os.close(log)
        raise
    return log


def _create_folders(folder: str | bytes, mode: int) -> None:
    if not folder or os.path.isdir(folder):
        return
    _create_folders(os.path.dirname(folder), mode)
    try:
        os.mkdir(folder, mode)
    except FileExistsError:
        return
    os.chmod(folder, mode)


def _open_logs(orders: Orders) -> None:
    if not orders["logs"]:
        return  # its output goes to whoever started it
    stdout = _open_as_user(orders, orders["stdout"])
    stderr = stdout if orders["stderr"] == orders["stdout"] else _open_as_user(orders, orders["stderr"])
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)


def _open_as_user(orders: Orders, path: bytes) -> int:
    """With the rights of the user, so that naming a log gives nobody a file that is not theirs.

    Only where the spec comes from somebody with the daemon's rights may those open it instead:
    a log in a folder of the administrator, say. For everybody else they only make a new file, which
    is the user's from then on, and only at the place that the daemon itself has chosen.
    """
    modes = orders["file_mode"], orders["folder_mode"]
    if orders["user"] is None:
        return open_log(path, *modes, orders["owner"])
    uid, gid, groups = orders["user"]
    own_uid, own_gid, own_groups = os.geteuid(), os.getegid(), os.getgroups()
    os.setgroups(groups)
    os.setegid(gid)
    os.seteuid(uid)
    try:
        return open_log(path, *modes, None)
    except PermissionError:
        if not orders["trusted"] and path != orders["chosen_log"]:
            raise
    finally:
        os.seteuid(own_uid)
        os.setegid(own_gid)
        os.setgroups(own_groups)
    if orders["trusted"]:
        return open_log(path, *modes, orders["owner"], follow=False)
    try:
        log = _new_log(path, O_LOG, modes[0], (uid, gid))
    except FileExistsError:  # an earlier process of that name, of somebody else
        raise PermissionError(13, "the file belongs to somebody else") from None
    os.set_blocking(log, True)
    return log


def _set_priority(orders: Orders) -> None:
    if orders["priority"] is not None:
        os.setpriority(os.PRIO_PROCESS, 0, orders["priority"])


def _set_limits(orders: Orders) -> None:
    """Soft and hard alike, while there is still the right to raise them."""
    if not orders["limits"]:
        return
    import resource  # here, and not once the user may be unable to read the library

    for number, value in orders["limits"]:
        try:
            resource.setrlimit(number, (value, value))
        except ValueError:  # Python's word for EPERM here
            raise PermissionError(1, "limit") from None


def _become_user(orders: Orders) -> None:
    if orders["user"] is not None:
        uid, gid, groups = orders["user"]
        os.setgroups(groups)
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)


def _enter_folder(orders: Orders) -> None:
    if orders["umask"] is not None:
        os.umask(orders["umask"])
    os.chdir(orders["cwd"])


def _execute(orders: Orders) -> None:
    # `signal` would do the same and load `enum`, a third of the start-up time.
    import _signal  # type: ignore[import-not-found]

    for number in (_signal.SIGPIPE, _signal.SIGXFSZ):  # the two that Python ignores
        _signal.signal(number, _signal.SIG_DFL)
    os.execve(orders["file"], orders["argv"], orders["environment"])


STEPS = (
    ("log", _open_logs),
    ("priority", _set_priority),
    ("limits", _set_limits),
    ("user", _become_user),
    ("cwd", _enter_folder),
    ("exec", _execute),
)


def launch(orders: Orders, report_fd: int) -> None:
    """Carry out the orders; never returns."""
    os.set_inheritable(report_fd, False)  # so that it closes when the program takes over
    for stage, step in STEPS:
        try:
            step(orders)
        except OSError as error:
            _fail(report_fd, stage, error.errno or 5)
        except MemoryError:
            _fail(report_fd, stage, 12)
        except Exception:  # whatever it is, it must not pass for an end of the program itself
            _fail(report_fd, stage, 22)


def _fail(report_fd: int, stage: str, number: int) -> None:
    os.write(report_fd, f"{stage} {number}".encode())
    os._exit(EXIT_NOT_LAUNCHED)
