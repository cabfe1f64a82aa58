"""Becomes the program of a process that needs more than `posix_spawn` can set up.

Theory of operation: a user, limits, a umask or a priority must be set between fork and exec, and
forking the daemon for that would cost up to fifteen times a plain start. So the daemon spawns a
program that does nothing but `launch`, in the new session and under the pid that the process will
have. It sets everything up and replaces itself by the program. A pipe tells the daemon how that
went: it closes by itself when the program takes over; otherwise "STAGE ERRNO WHY" is written to it
and the exit code is 127. This is the program for sandboxes, and where `launcher.c` could not be compiled.

The daemon hands over this module's code together with the orders, instead of naming this file: an
upgrade may have replaced the file under a running daemon, and code needs no compiling.

Start-up time is the cost of every such process, so it imports built-in modules only, and those of ours
whose code it is handed too (`MODULES` in `spawn`).
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # typing itself is too slow to import here; type checkers know the name
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from pmond.runtime.base.path_access import Rights

    Orders = dict[str, Any]

EXIT_NOT_LAUNCHED = 127
_LONGEST_REPORT = 4000
"""Bytes, which a pipe takes in one piece (PIPE_BUF of pipe(7))."""


def _set_priority(orders: Orders) -> None:
    if orders["priority"] is not None:
        os.setpriority(os.PRIO_PROCESS, 0, orders["priority"])


def _set_limits(orders: Orders) -> None:
    """Soft and hard alike."""
    if not orders["limits"]:
        return
    import resource

    for number, value in orders["limits"]:
        try:
            resource.setrlimit(number, (value, value))
        except ValueError:  # Python's word for EPERM here
            raise PermissionError(1, "limit") from None


def _join_group(orders: Orders) -> None:
    """Before anything of the program runs, so that whatever it forks is in there too."""
    if orders["group"]:
        file = os.open(orders["group"] + b"/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)
        os.write(file, b"0")
        os.close(file)


def _isolate(orders: Orders) -> None:
    if orders["sandbox"] is not None:
        from pmon3_schema.sandbox_setup import isolate
        from pmond.runtime.base.path_access import Rights

        user = orders["user"]
        his = Rights(*user) if user is not None and not orders["trusted"] else None
        isolate(orders["sandbox"], None if his is None else lambda act: _as_user(his, act))


def _as_user(rights: Rights, act: Callable[[], None]) -> None:
    from pmond.runtime.base.path_access import ActingAs

    with ActingAs(rights):
        act()


def _confine(orders: Orders) -> None:
    if orders["sandbox"] is not None:
        from pmon3_schema.sandbox_setup import confine

        confine(orders["sandbox"])


def _spend(orders: Orders) -> None:
    """Give back what memory pmond itself is worth more, which the user could not be made to do later."""
    if orders["oom_score_adj"] is not None:
        try:
            file = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
            os.write(file, b"%d" % orders["oom_score_adj"])
            os.close(file)
        except PermissionError:
            return  # pmond was never allowed to change its own


def _become_user(orders: Orders) -> None:
    if orders["limits"]:
        import resource  # noqa: F401 - now, while the library may be read
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


_TUNE = (("priority", _set_priority), ("limits", _set_limits))


def steps(orders: Orders) -> Iterable[tuple[str, Callable[[Orders], None]]]:
    """What is to be done, in order. Values are raised with pmond's rights for those who have them anyway."""
    before, after = (_TUNE, ()) if orders["trusted"] else ((), _TUNE)
    return (
        ("exec", _spend),
        ("group", _join_group),
        ("sandbox", _isolate),
        *before,
        ("user", _become_user),
        ("sandbox", _confine),
        *after,
        ("cwd", _enter_folder),
        ("exec", _execute),
    )


def launch(orders: Orders, report_fd: int) -> None:
    """Carry out the orders; never returns."""
    os.set_inheritable(report_fd, False)  # so that it closes when the program takes over
    for stage, step in steps(orders):
        try:
            step(orders)
        except OSError as error:
            why = error.strerror if stage == "sandbox" else None
            _fail(report_fd, stage, error.errno or 5, why or "")
        except MemoryError:
            _fail(report_fd, stage, 12)
        except Exception as error:  # whatever it is, it must not pass for an end of the program itself
            _fail(report_fd, stage, 22, str(error) if stage == "sandbox" else "")


def _fail(report_fd: int, stage: str, number: int, why: str = "") -> None:
    os.write(report_fd, f"{stage} {number} {why}".encode("utf-8", "backslashreplace")[:_LONGEST_REPORT])
    os._exit(EXIT_NOT_LAUNCHED)
