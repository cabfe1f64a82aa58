"""What one start is given: a spec, its surroundings, and the value that holds both.

Theory of operation: `prepare` looks up whatever a start depends on (the user, the env files, the
program on PATH) and answers with a `Launch`; `spawn` performs it without another decision.
"""

# A start happens in the event loop, and Path objects would be a third of its cost.
# ruff: noqa: PTH120

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Mapping
from functools import cache

from msgspec import Struct

from pmon3_schema.equivalence import log_paths
from pmon3_schema.process import ProcessSpec
from pmon3_schema.process_parts import LimitsSpec
from pmond.runtime.access import users
from pmond.runtime.processes.environment import (
    MARKER,
    REVISION,
    User,
    find_program,
    find_user,
    read_env_files,
    variables_of,
)
from pmond.runtime.processes.failures import Attempt, explain

LIMIT_NUMBERS = {
    "nofile": resource.RLIMIT_NOFILE,
    "memory": resource.RLIMIT_AS,
    "cpu_seconds": resource.RLIMIT_CPU,
    "core": resource.RLIMIT_CORE,
    "nproc": resource.RLIMIT_NPROC,
}


class SpawnContext(Struct, frozen=True):
    """What every start of this daemon has in common."""

    environment: Mapping[str, str]
    """What children inherit: `environment.inheritable` of the daemon's own."""
    log_dir: str
    """Where logs go whose place the spec does not say."""
    file_mode: int = 0o660
    folder_mode: int = 0o770
    log_owner: tuple[int, int] | None = None
    """uid and gid of log files of processes that run as the daemon's user; None: its own."""
    open_files: int | None = None
    """The soft limit that children get back, where the daemon raised its own."""
    oom_score_adj: int | None = None
    """What children get back, where the daemon changed its own."""
    notify_socket: str = ""
    """Where programs say of themselves that they are ready; empty: nobody listens."""


class Launch(Struct, frozen=True):
    """One start, completely described. Its `environment` may hold secrets: never log it."""

    name: str
    file: str
    argv: tuple[str, ...]
    cwd: str
    environment: Mapping[str, str]
    stdout: str
    stderr: str
    context: SpawnContext
    user: User | None = None
    trusted: bool = True
    """The spec comes from somebody with the daemon's rights, which may be used to open its log."""
    output: int | None = None
    """A descriptor that its output goes to, instead of logs."""
    chosen_log: str = ""
    """The log file whose place the daemon chose, as the spec says nothing about it."""
    umask: int | None = None
    priority: int | None = None
    limits: tuple[tuple[int, int], ...] = ()

    @property
    def direct(self) -> bool:
        """Whether posix_spawn alone can do it."""
        return self.user is None and self.umask is None and self.priority is None and not self.limits

    @property
    def log_owner(self) -> tuple[int, int] | None:
        """uid and gid that a new log file is given to; None: it stays the daemon's."""
        if self.user is None or self.user.uid == 0:
            return self.context.log_owner
        return self.user.uid, self.user.gid

    @property
    def attempt(self) -> Attempt:
        """The names that an error message needs."""
        return Attempt(self.name, self.file, self.cwd, self.user.name if self.user else "", self.stdout)


def prepare(
    spec: ProcessSpec, *, context: SpawnContext, marker: str, revision: str = "", trusted: bool = True
) -> Launch:
    """Everything that a start of `spec` needs. Reads the user database and env files, writes nothing.

    `marker` is STATE-UUID:NAME:NUMBER, `revision` that of the spec, for an instance. `trusted`: see
    `Launch.trusted`; false for specs of callers with fewer rights than the daemon. Raises SpawnError:
    FileMissing, UnknownUser,
    UserNotPermitted, EnvFileNotReadable, EnvFileInvalid.
    """
    user = _other_user(spec)
    environment = dict(context.environment) if spec.env_inherit else {}
    if user is not None:
        environment.update(variables_of(user))
    if spec.env_file:
        environment.update(read_env_files(spec.name, spec.env_file, None if trusted else user))
    environment.update(_notification(spec, context))
    environment.update(spec.env_vars)
    environment[MARKER] = marker
    if revision:
        environment[REVISION] = revision
    file = find_program(spec.name, spec.file, environment.get("PATH"), spec.cwd)
    stdout, stderr = log_paths(spec, context.log_dir)
    return Launch(
        name=spec.name,
        file=file,
        argv=(spec.argv0 or spec.file, *spec.args),
        cwd=spec.cwd or os.path.dirname(file) or "/",
        environment=environment,
        stdout=stdout,
        stderr=stderr,
        context=context,
        user=user,
        trusted=trusted,
        chosen_log="" if spec.log or spec.log_dir else stdout,
        umask=spec.umask,
        priority=spec.priority,
        limits=_limits(spec.limits),
    )


def _notification(spec: ProcessSpec, context: SpawnContext) -> dict[str, str]:
    """What a program that notifies looks for, as systemd would say it."""
    if not context.notify_socket or not (spec.ready.notify or spec.live.notify):
        return {}
    found = {"NOTIFY_SOCKET": context.notify_socket}
    if spec.live.notify:
        found["WATCHDOG_USEC"] = str(round(spec.live.interval * 1_000_000))
    return found


def _other_user(spec: ProcessSpec) -> User | None:
    """The user of the spec, if it is not the daemon's own."""
    own = os.geteuid()
    # Most run as pmond does. In a container that may be a number that the user database does not know.
    if not spec.user or spec.user == _name_of(own) or users.uid_of(spec.user) == own:
        return None
    user = find_user(spec.name, spec.user)
    if own != 0:
        raise explain(Attempt(spec.name, spec.file, spec.cwd, user.name, spec.log), "user", errno.EPERM)
    return user


@cache
def _name_of(uid: int) -> str:
    return users.name_of(uid)


def _limits(limits: LimitsSpec) -> tuple[tuple[int, int], ...]:
    values = ((number, getattr(limits, name)) for name, number in LIMIT_NUMBERS.items())
    return tuple((number, value) for number, value in values if value is not None)
