"""Starts one child: what it is given, where its output goes, why it could not be started.

Theory of operation: `prepare` (in `launch`) turns a spec into a `Launch`, a value that holds everything
a start needs; `spawn` performs it. The common case is one `os.posix_spawn`, which costs about
what vfork and execve cost in C; a fork of the Python process would cost two to fifteen times as much, so
there is none. What posix_spawn cannot set up (user, limits, umask, priority, a sandbox, a control group
before the first instruction) is done by a small program, a launcher, that then becomes the child: a
compiled one where there is one (`compiled_launcher`), else a Python (`launcher`), as for every sandbox.
The child gets /dev/null, its log twice, a session of its own, no blocked or ignored signals, and no other
descriptor: all of the daemon's are closed on execve. It holds its log itself, so output survives the daemon.

Descriptors 0, 1 and 2 of the daemon must be open. Nothing else in the daemon may rely on its
working folder, which changes for the moment of a start. Only one thread starts anything, and it is
the one that lives as long as the process: to the kernel it is the parent of what it starts.
"""

# Descriptors are the subject here.
# ruff: noqa: PTH208

from __future__ import annotations

import errno
import fcntl
import marshal
import os
import resource
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from importlib.abc import InspectLoader
from pathlib import Path
from types import CodeType, ModuleType

from msgspec import Struct

from pmon3_schema import capability_names, kernel_calls, sandbox_mounts, sandbox_setup, trust
from pmond.runtime.base import guarded, path_access
from pmond.runtime.base.guarded import StrangerError
from pmond.runtime.base.log_opening import open_log
from pmond.runtime.processes import compiled_launcher, launcher
from pmond.runtime.processes.environment import MARKER
from pmond.runtime.processes.failures import Attempt, SpawnError, explain
from pmond.runtime.processes.identity import start_ticks
from pmond.runtime.processes.launch import Launch, SpawnContext, acting_for, prepare

__all__ = [
    "Child",
    "Launch",
    "SpawnContext",
    "SpawnError",
    "prepare",
    "read_report",
    "seal_descriptors",
    "spawn",
]


def _code_of(module: ModuleType) -> tuple[str, CodeType]:
    """The name and the compiled code of a module, as it was when this program was started."""
    loader = module.__spec__.loader if module.__spec__ else None
    assert isinstance(loader, InspectLoader)
    code = loader.get_code(module.__name__)
    assert code is not None
    return module.__name__, code


MODULES = (_code_of(launcher),)
"""Of the launcher."""
_FOR_SANDBOXES = (
    trust, guarded, path_access, capability_names, kernel_calls, sandbox_mounts, sandbox_setup,
)  # fmt: skip
_OF_A_SANDBOX = (*map(_code_of, _FOR_SANDBOXES), *MODULES)
"""Of a launcher that has one to set up, in the order in which they import each other."""
_BOOTSTRAP = (
    "import marshal, posix, sys\n"
    "os = sys.modules['os'] = type(sys)('os'); os.__dict__.update(posix.__dict__)\n"
    "how = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()\n"
    "os.fsencode = lambda path: path if isinstance(path, bytes) else path.encode(*how)\n"
    "os.fsdecode = lambda path: path.decode(*how) if isinstance(path, bytes) else path\n"
    "import posixpath; os.path, os.name = posixpath, 'posix'\n"
    "modules, orders = marshal.load(open(int(sys.argv[1]), 'rb'))\n"
    "for name, code in modules: sys.modules[name] = module = type(sys)(name); exec(code, module.__dict__)\n"
    "module.launch(orders, int(sys.argv[2]))"
)
"""marshal, not JSON: it is built in, takes bytes and code, and writer and reader are the same Python. What
`os` adds to `posix` takes a tenth of the start-up to load, and the launcher needs four functions of it.
"""
_RUN_LAUNCHER = ("-I", "-S", "-c", _BOOTSTRAP)
_LAUNCHER_DESCRIPTORS = (3, 4)
"""Its orders, and its end of the pipe for reports."""
_RESTORED_SIGNALS = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
"""To their default action: Python ignores SIGPIPE, and ignored signals would be inherited."""
_STDIN = (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0)


class Child(Struct, frozen=True):
    """A started child. It is unreaped, so its pid means it and nothing else."""

    pid: int
    start_ticks: int
    launch: Launch
    report_fd: int | None = None
    """Not None: it is still the launcher. Watch this descriptor and call `read_report`."""


def seal_descriptors() -> None:
    """Keep what pmond itself was started with from its children: call it once, when pmond starts.

    Everything that Python opens is closed on execve anyway; what a shell or a service manager
    left open for pmond is not.
    """
    for number in map(int, os.listdir("/proc/self/fd")):
        if number > 2:
            with suppress(OSError):  # the one that listed the others is closed by now
                os.set_inheritable(number, False)


def spawn(launch: Launch, *, hand_over: bool = True) -> Child:
    """Start it. Raises SpawnError, with nothing left behind but a new log file.

    `hand_over`: let the child run before this returns; on a busy machine it is on our processor.

    A child with a `report_fd` is started but not yet the program: the caller watches the
    descriptor in its event loop and calls `read_report` when it is readable, or when the child's
    exit is noticed first. Until then a failure can still come; it exits with 127 in that case.
    """
    child = _spawn_directly(launch, hand_over) if launch.direct else _spawn_launcher(launch)
    if launch.direct and launch.context.oom_score_adj is not None:
        _set_oom_score(child.pid, launch.context.oom_score_adj)
    return child


def read_report(child: Child) -> SpawnError | None:
    """How the launcher of a child fared, and close `report_fd`: None when the program runs.

    Raises BlockingIOError, and leaves it open, while that is undecided.
    """
    assert child.report_fd is not None
    report = os.read(child.report_fd, 4096)
    os.close(child.report_fd)
    if not report:
        return None
    stage, number, why = report.decode("utf-8", "replace").split(" ", 2)
    try:
        with acting_for(child.launch.user):
            return explain(child.launch.attempt, stage, int(number), why)
    except PermissionError:  # nobody can be acted for; then nobody's process was started either
        return explain(child.launch.attempt, "user", errno.EPERM)


def _spawn_directly(launch: Launch, hand_over: bool) -> Child:
    with _outputs(launch) as (stdout, stderr):
        to = ((stdout, 1), (stderr, 2))
        pid = _posix_spawn(launch, launch.file, launch.argv, launch.environment, to, launch.cwd)
    if hand_over and launch.output is None:
        os.sched_yield()
    return Child(pid, _birth(pid, launch), launch)


@contextmanager
def _outputs(launch: Launch) -> Iterator[tuple[int, int]]:
    """What its output goes to, and its errors."""
    if launch.output is not None:
        yield launch.output, launch.output
        return
    stdout, stderr = _open_logs(launch)
    try:
        yield stdout, stderr
    finally:
        for log in {stdout, stderr}:
            os.close(log)


def _open_logs(launch: Launch) -> tuple[int, int]:
    stdout = _open_log(launch, launch.stdout, "log")
    if launch.stderr == launch.stdout:
        return stdout, stdout
    try:
        return stdout, _open_log(launch, launch.stderr, "stderr_log")
    except SpawnError:
        os.close(stdout)
        raise


def _open_log(launch: Launch, path: str, stage: str) -> int:
    try:
        return open_log(path, launch.new_log, launch.access_to(path))
    except StrangerError as error:
        raise explain(launch.attempt, stage, errno.EPERM, error.strerror or "") from None
    except OSError as error:
        raise explain(launch.attempt, stage, error.errno or errno.EIO) from None


def _spawn_launcher(launch: Launch) -> Child:
    compiled = None if launch.sandbox.wanted else compiled_launcher.program()
    with ExitStack() as opened:
        stdout, stderr = opened.enter_context(_outputs(launch))
        try:
            orders = _in_memory(
                _orders_of(launch) if compiled is None else compiled_launcher.orders_of(launch)
            )
            opened.callback(os.close, orders)
            report, pipe_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            on_failure = opened.enter_context(ExitStack())
            on_failure.callback(os.close, report)
            write_end = _moved_up(pipe_end)
            opened.callback(os.close, write_end)
        except OSError as error:
            raise explain(launch.attempt, "exec", error.errno or errno.EIO) from None
        except ValueError:  # a NUL, or half a surrogate pair
            raise explain(launch.attempt, "exec", errno.EINVAL) from None
        file = compiled or sys.executable
        argv = (file, *(() if compiled else _RUN_LAUNCHER), *map(str, _LAUNCHER_DESCRIPTORS))
        # With the marker at once, so that it is never an unknown process; no other word of its owner's.
        environment = {MARKER: launch.environment[MARKER]}
        handed = tuple(zip((stdout, stderr, orders, write_end), (1, 2, *_LAUNCHER_DESCRIPTORS), strict=True))
        pid = _posix_spawn(launch, file, argv, environment, handed, "/")
        birth = _birth(pid, launch)
        on_failure.pop_all()
    return Child(pid, birth, launch, report)


def _birth(pid: int, launch: Launch) -> int:
    """When a child was started. Raises SpawnError when that cannot be read; then there is none."""
    try:
        return start_ticks(pid) or 0
    except OSError as error:
        # Nobody would know it again, and the next one would run beside it. Unreaped, it has its number alone.
        os.kill(pid, signal.SIGKILL)
        raise explain(launch.attempt, "exec", error.errno or errno.EIO) from None


def _orders_of(launch: Launch) -> bytes:
    """What `launcher.py` is told, and its code."""
    user = launch.user
    orders = {
        "file": os.fsencode(launch.file),
        "argv": [os.fsencode(word) for word in launch.argv],
        "cwd": os.fsencode(launch.cwd),
        "environment": {os.fsencode(name): os.fsencode(value) for name, value in launch.environment.items()},
        "user": (user.uid, user.gid, user.groups) if user else None,
        "umask": launch.umask,
        "trusted": launch.trusted,
        "oom_score_adj": launch.context.oom_score_adj,
        "priority": launch.priority,
        "limits": launch.limits,
        "group": os.fsencode(launch.group),
        "sandbox": launch.sandbox_orders,
    }
    return marshal.dumps((_OF_A_SANDBOX if launch.sandbox.wanted else MODULES, orders))


def _in_memory(content: bytes) -> int:
    """A file in memory: unlike a pipe it takes an environment of any size without waiting."""
    descriptor = os.memfd_create("orders", os.MFD_CLOEXEC)
    with open(descriptor, "wb", closefd=False) as file:
        file.write(content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return _moved_up(descriptor)


def _moved_up(descriptor: int) -> int:
    """The same under a number that no child gets something else under."""
    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, compiled_launcher.LOWEST)
    finally:
        os.close(descriptor)


def _posix_spawn(
    launch: Launch,
    file: str,
    argv: tuple[str, ...],
    environment: Mapping[str, str],
    descriptors: tuple[tuple[int, int], ...],
    folder: str,
) -> int:
    """The pid of a child with `descriptors`, each (ours, its)."""
    with _surroundings(launch, folder):
        try:
            return os.posix_spawn(
                file,
                argv,
                environment,
                file_actions=[_STDIN, *((os.POSIX_SPAWN_DUP2, ours, its) for ours, its in descriptors)],
                setsid=True,
                setsigmask=[],
                setsigdef=_RESTORED_SIGNALS,
            )
        except OSError as error:
            attempt = Attempt(launch.name, file, launch.cwd, "", launch.stdout)
            raise explain(attempt, "exec", error.errno or errno.EIO) from None
        except ValueError:  # a NUL, or half a surrogate pair
            raise explain(launch.attempt, "exec", errno.EINVAL) from None


@contextmanager
def _surroundings(launch: Launch, folder: str) -> Iterator[None]:
    """Lends the daemon what the child is to inherit: its working folder, its limit of open files.

    posix_spawn can set neither (its chdir action is not in Python), and forking for it would cost
    more than everything else together. Nothing uses relative paths, and what other threads open
    meanwhile has a low number (see `adopted_exits`), so nobody sees the change.
    """
    try:
        home = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise explain(launch.attempt, "cwd", error.errno or errno.EIO) from None
    own = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        try:
            os.chdir(folder)
        except (OSError, ValueError) as error:
            number = getattr(error, "errno", None) or errno.EINVAL
            raise explain(launch.attempt, "cwd", number) from None
        if launch.context.open_files is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (launch.context.open_files, own[1]))
        yield
    finally:
        if launch.context.open_files is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, own)
        os.fchdir(home)
        os.close(home)


def _set_oom_score(pid: int, value: int) -> None:
    # From outside and a moment late: it matters when memory runs out, not at the first instruction.
    try:
        Path(f"/proc/{pid}/oom_score_adj").write_text(str(value), "ascii")
    except (ProcessLookupError, FileNotFoundError, PermissionError):
        return  # it has ended, or the daemon was never allowed to change its own
