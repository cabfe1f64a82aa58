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
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from msgspec import Struct

from pmon3_schema.bounds import SandboxSpec
from pmon3_schema.equivalence import log_paths
from pmon3_schema.process import ProcessSpec
from pmon3_schema.process_parts import LimitsSpec
from pmon3_schema.sandbox_setup import orders_of
from pmond.core.model import Replica
from pmond.runtime.base.log_opening import NewLog
from pmond.runtime.base.path_access import PathAccess
from pmond.runtime.base.thread_rights import acting_as
from pmond.runtime.processes.environment import (
    MARKER,
    REPLICA,
    REPLICAS,
    REVISION,
    SANDBOX,
    User,
    find_program,
    inherited,
    other_user,
    read_env_files,
    variables_of,
)
from pmond.runtime.processes.failures import Attempt, SpawnError, explain

if TYPE_CHECKING:
    from pmon3_schema.answers import SandboxOrders

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
    group: str = ""
    """The control group that it is started in; empty: it is moved into its own afterwards."""
    sandbox: SandboxSpec = SandboxSpec()

    @property
    def direct(self) -> bool:
        """Whether posix_spawn alone can do it."""
        plain = self.user is None and self.umask is None and self.priority is None and not self.limits
        return plain and not self.group and not self.sandbox.wanted

    @property
    def new_log(self) -> NewLog:
        """What a log gets that is made."""
        owner = (self.user.uid, self.user.gid) if self.user is not None else self.context.log_owner
        return NewLog(self.context.file_mode, self.context.folder_mode, owner)

    @property
    def attempt(self) -> Attempt:
        """The names that an error message needs."""
        user = self.user.name if self.user else ""
        return Attempt(self.name, self.file, self.cwd, user, self.stdout, self.stderr)

    @property
    def sandbox_orders(self) -> SandboxOrders | None:
        """What the launcher is told of the sandbox; None where there is none."""
        return orders_of(self.sandbox, self.user.uid if self.user is not None else os.geteuid())

    def access_to(self, log: str) -> PathAccess:
        """With whose rights one of its logs is opened."""
        return _log_access(log, self.user, self.context, self.trusted, log == self.chosen_log)


def log_access(
    path: str, spec: ProcessSpec, user: User | None, context: SpawnContext, *, trusted: bool
) -> PathAccess:
    """With whose rights a log of a process is read and rotated. `user`, `trusted`: as in `Launch`."""
    return _log_access(path, user, context, trusted, path == _chosen_log(spec, context.log_dir))


def _log_access(
    path: str, user: User | None, context: SpawnContext, trusted: bool, chosen: bool
) -> PathAccess:
    if os.geteuid() != 0:
        return PathAccess()
    given = {context.log_owner[0]} if context.log_owner is not None else set()
    owners = None
    if os.path.dirname(path) == os.path.normpath(context.log_dir):
        # Names there are for everybody to choose, and nobody's file is taken for that of somebody else.
        owners = frozenset({0, *given} if user is None else {user.uid})
    rights = user.rights if user is not None else None
    return PathAccess(rights, frozenset({0, *given}), owners, lends=trusted or chosen, strict=trusted)


def _chosen_log(spec: ProcessSpec, log_dir: str) -> str:
    """The log whose place is pmond's choice; empty where the spec says where it is."""
    return "" if spec.log or spec.log_dir else log_paths(spec, log_dir)[0]


def prepare(
    spec: ProcessSpec,
    *,
    context: SpawnContext,
    marker: str,
    sealed: str = "",
    trusted: bool = True,
    replica: Replica | None = None,
) -> Launch:
    """Everything that a start of `spec` needs. Reads the user database and env files, writes nothing.

    `marker` is STATE-UUID:NAME:NUMBER, `sealed` what an instance has beside it (`Seal`). `trusted`: see
    `Launch.trusted`; false for specs of callers with fewer rights than the daemon. Raises SpawnError:
    FileMissing, UnknownUser, UserNotPermitted, EnvFileNotReadable, EnvFileInvalid.
    """
    user = _other_user(spec)
    if spec.sandbox.capabilities and not (trusted and os.geteuid() == 0):
        why = "capabilities are for root to give (write `capabilities: []` for none)"
        raise explain(
            Attempt(spec.name, spec.file, spec.cwd, spec.user, spec.log), "sandbox", errno.EPERM, why
        )
    environment = inherited(context.environment, user) if spec.env_inherit else {}
    if user is not None:
        environment.update(variables_of(user))
    if spec.env_file:
        access, reader = _access_to_env_files(user, trusted), user.name if user is not None else ""
        environment.update(read_env_files(spec.name, spec.env_file, access, reader))
    environment.update(_notification(spec, context))
    if replica is not None:
        environment.update({REPLICA: str(replica.index), REPLICAS: str(replica.count)})
    environment.update(spec.env_vars)
    environment.pop(SANDBOX, None)
    if spec.sandbox.wanted:
        environment[SANDBOX] = "1"
    environment[MARKER] = marker
    if sealed:
        environment[REVISION] = sealed
    try:
        with acting_for(user):
            file = find_program(spec.name, spec.file, environment.get("PATH"), spec.cwd)
    except PermissionError as error:
        raise _user_refused(spec, error.errno or errno.EPERM) from None
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
        chosen_log=_chosen_log(spec, context.log_dir),
        umask=spec.umask,
        priority=spec.priority,
        limits=_limits(spec.limits),
        sandbox=spec.sandbox,
    )


def acting_for(user: User | None) -> AbstractContextManager[None]:
    """A few system calls with the rights of a user: nobody learns by them of what is closed to him."""
    return acting_as(user.rights) if user is not None else nullcontext()


def _access_to_env_files(user: User | None, trusted: bool) -> PathAccess:
    """Secrets for a process may be root's to read alone, as systemd's EnvironmentFile= are."""
    if user is None:
        return PathAccess()
    return PathAccess(user.rights, frozenset({0}), lends=trusted)


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
    user = other_user(spec.name, spec.user)
    if user is not None and os.geteuid() != 0:
        raise _user_refused(spec, errno.EPERM)
    return user


def _user_refused(spec: ProcessSpec, number: int) -> SpawnError:
    return explain(Attempt(spec.name, spec.file, spec.cwd, spec.user, spec.log), "user", number)


def _limits(limits: LimitsSpec) -> tuple[tuple[int, int], ...]:
    values = ((number, getattr(limits, name)) for name, number in LIMIT_NUMBERS.items())
    return tuple((number, value) for number, value in values if value is not None)
