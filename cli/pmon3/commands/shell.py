"""`shell`: a command beside a process, in what that is started in.

The command is this program's own child of the terminal: it becomes the user of the process with the rights
of whoever has typed it, so nobody gets any that he has not.
"""

from __future__ import annotations

import errno
import os
from typing import Annotated, Any, NoReturn

import typer

from pmon3.address import connect
from pmon3.client import path_segment
from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.sandbox_setup import confine, isolate

_LIMITS = {
    "nofile": "RLIMIT_NOFILE", "memory": "RLIMIT_AS", "cpu_seconds": "RLIMIT_CPU", "core": "RLIMIT_CORE",
    "nproc": "RLIMIT_NPROC",
}  # fmt: skip


def command(
    reference: Annotated[str, typer.Argument(metavar="PROCESS", help="The process: its id or name.")],
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="COMMAND", help="What to run, after --; the user's shell by default."),
    ] = None,
) -> None:
    """Run a shell, or a command, in the surroundings of a process.

    As its user, in its folder, with its environment, umask and limits, in a sandbox of the same kind, as its
    program is started. Nothing of it is pmond's afterwards.
    """
    found: dict[str, Any] = connect().get(f"/v1/processes/{path_segment(reference)}/surroundings")
    environment = found["environment"]
    for name in ("TERM", "COLORTERM"):  # of this terminal, not of the process
        if name in os.environ:
            environment.setdefault(name, os.environ[name])
    _become(found)
    _execute(found["name"], words or [environment.get("SHELL") or "/bin/sh"], environment)


def _become(found: dict[str, Any]) -> None:
    name, own = found["name"], os.geteuid()
    if own not in (0, found["uid"]):
        why = f"cannot enter the surroundings of {name}: it runs as {found['user']}"
        raise PmonError(ErrorCode.FORBIDDEN, why, "ask as root")
    sandbox = found["sandbox"]
    try:
        if sandbox is not None:
            isolate(sandbox)
        _limit(found)
        if own == 0 and found["uid"] != 0:
            os.setgroups(found["groups"])
            os.setgid(found["gid"])
            os.setuid(found["uid"])
        if sandbox is not None:
            confine(sandbox)
        os.chdir(found["cwd"])
    except OSError as error:
        why = f"cannot enter the surroundings of {name}: {error.strerror or error}"
        at = f" ({error.filename})" if error.filename else ""
        raise PmonError(ErrorCode.REFUSED, why + at) from None


def _limit(found: dict[str, Any]) -> None:
    import resource

    for name, value in found["limits"].items():
        try:
            resource.setrlimit(getattr(resource, _LIMITS[name]), (value, value))
        except ValueError:
            raise OSError(errno.EPERM, f"limits.{name} is above your own, ask as root") from None
    if found["umask"] is not None:
        os.umask(found["umask"])
    if found["priority"] is not None:
        os.setpriority(os.PRIO_PROCESS, 0, found["priority"])


def _execute(name: str, words: list[str], environment: dict[str, str]) -> NoReturn:
    try:
        os.execvpe(words[0], words, environment)
    except OSError as error:
        why = f"cannot run {words[0]} beside {name}: {error.strerror}"
        raise PmonError(ErrorCode.INVALID, why, "it is looked for on the PATH of the process") from None
