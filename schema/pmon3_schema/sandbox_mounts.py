"""What a program sees of the files of the host: mounts in a namespace of its own.

Theory of operation: places are opened first, with the rights of whoever has named them, and mounts are
attached to what was opened: so no path is gone twice, and nobody has anything mounted where he would not
come himself. It is a part of a program that loads nothing else, as `sandbox_setup`.
"""

# Path objects are too slow to import here.
# ruff: noqa: PTH112, PTH114, PTH115, PTH116

from __future__ import annotations

import os

from pmon3_schema.kernel_calls import NO_DEVICES, NO_EXECUTION, NO_SETUID, READ_ONLY, Kernel

TYPE_CHECKING = False  # typing itself is too slow to import here; type checkers know the name
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from pmon3_schema.answers import SandboxOrders

    Done = TypeVar("Done")
    AsUser = Callable[[Callable[[], None]], None]

_PLAIN = NO_SETUID | NO_DEVICES
_TEMPORARY = {"mode": "1777", "size": "10%"}
"""Of a private /tmp: it may take that share of the memory, as systemd gives."""
_NODES = ("null", "zero", "full", "random", "urandom", "tty")
_SHARED = ("pts", "shm", "mqueue")
_LINKS = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1",
          "stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx"}  # fmt: skip
_SWITCHES = ("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs", "/proc/acpi", "/sys")
"""Through which root changes the kernel without any capability."""


class SandboxError(OSError):
    """It cannot be had; `strerror` says why and what to do."""

    def __init__(self, number: int, why: str) -> None:
        super().__init__(number or 1, why)


def arrange(kernel: Kernel, orders: SandboxOrders, as_user: AsUser) -> None:
    """Mount what the orders say, in a namespace that has just been made. Raises SandboxError.

    `as_user` runs what it is given with the rights of whoever has named the paths.
    """
    try_to("have mounts of its own", kernel.keep_mounts_apart)
    rules = [(path, -1) for path in orders["read_only"]]
    rules += [(path, _copy(kernel, path, as_user)) for path in orders["writable"]]
    for path, tree in sorted(rules, key=lambda rule: len(rule[0])):  # what lies deeper counts more
        if tree < 0:
            _make_read_only(kernel, path, as_user)
        else:
            _attach(kernel, tree, path, as_user)
    if orders["uid"] == 0:
        try_to("keep root off devices", lambda: _private_devices(kernel))
        try_to("keep root off the switches of the kernel", lambda: _shut_switches(kernel))
    for path in ("/tmp", "/var/tmp") if orders["private_tmp"] else ():
        if os.path.isdir(path):
            folder = try_to("have a /tmp of its own", lambda: kernel.memory_folder(_PLAIN, **_TEMPORARY))
            _attach(kernel, folder, path, at_once)
    for path in sorted(orders["hidden"], key=len, reverse=True):  # inner ones first: then they are to be seen
        _hide(kernel, path, as_user)


def _copy(kernel: Kernel, path: str, as_user: AsUser) -> int:
    place = _open(path, as_user)
    try:
        return try_to(f"copy the mount at {path}", lambda: kernel.tree(place))
    finally:
        os.close(place)


def _make_read_only(kernel: Kernel, path: str, as_user: AsUser) -> None:
    what = f"make {path} read-only (before Linux 5.12 none can)"
    place = _open(path, as_user)
    is_root = os.path.samestat(os.fstat(place), os.stat("/"))
    os.close(place)
    if is_root:  # what is mounted above the root folder nobody comes to
        try_to(what, lambda: kernel.restrict_all(READ_ONLY))
        return
    tree = _copy(kernel, path, as_user)
    try_to(what, lambda: kernel.restrict(tree, READ_ONLY))
    _attach(kernel, tree, path, as_user)


def _attach(kernel: Kernel, tree: int, path: str, as_user: AsUser) -> None:
    place = _open(path, as_user)
    try_to(f"mount at {path}", lambda: kernel.attach(tree, place))
    os.close(place)
    os.close(tree)


def _hide(kernel: Kernel, path: str, as_user: AsUser) -> None:
    place = _open(path, as_user)
    is_folder = os.fstat(place).st_mode & 0o170000 == 0o040000
    os.close(place)
    cover = try_to(f"hide {path}", lambda: _empty_folder(kernel) if is_folder else _shut_file(kernel))
    _attach(kernel, cover, path, as_user)


def _empty_folder(kernel: Kernel) -> int:
    return kernel.memory_folder(_PLAIN | NO_EXECUTION | READ_ONLY, mode="000", size="4096")


def _shut_file(kernel: Kernel) -> int:
    nothing = _copy(kernel, "/dev/null", at_once)
    kernel.restrict(nothing, _PLAIN | READ_ONLY)  # a device that may not be used is opened by nobody
    return nothing


def _private_devices(kernel: Kernel) -> None:
    """A /dev with what every program needs, and no disk."""
    paths = [f"/dev/{name}" for name in (*_NODES, *_SHARED) if os.path.lexists(f"/dev/{name}")]
    trees = [(path, _copy(kernel, path, at_once)) for path in paths]
    folder = kernel.memory_folder(NO_SETUID | NO_EXECUTION, mode="755", size="65536")
    for path in paths:
        name = path.rpartition("/")[2]
        if os.path.isdir(path):
            os.mkdir(name, dir_fd=folder)
        else:
            os.close(os.open(name, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600, dir_fd=folder))
    for name, target in _LINKS.items():
        os.symlink(target, name, dir_fd=folder)
    if os.path.islink("/dev/log"):
        os.symlink(os.readlink("/dev/log"), "log", dir_fd=folder)
    _attach(kernel, folder, "/dev", at_once)
    for path, tree in trees:
        _attach(kernel, tree, path, at_once)


def _shut_switches(kernel: Kernel) -> None:
    for path in _SWITCHES:
        if os.path.lexists(path):
            _make_read_only(kernel, path, at_once)


def _open(path: str, as_user: AsUser) -> int:
    """A place by its path, which somebody has named who comes there by his own rights alone."""
    found: list[int] = []
    try:
        as_user(lambda: found.append(os.open(path, os.O_PATH | os.O_CLOEXEC)))
    except OSError as error:
        why = (
            f"{path}: {os.strerror(error.errno or 0)} (what is shut in or out must exist; or name its folder)"
        )
        raise SandboxError(error.errno or 0, why) from None
    return found[0]


def at_once(act: Callable[[], None]) -> None:
    """Run it with the rights that there are."""
    act()


def try_to(what: str, act: Callable[..., Done], *arguments: object) -> Done:
    """What `act` answers; where the kernel refuses, the error says in words what it was for."""
    try:
        return act(*arguments)
    except OSError as error:
        why = error.strerror or ""
        raise SandboxError(error.errno or 0, f"this host does not let it {what}: {why}") from None
