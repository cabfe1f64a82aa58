"""System calls that Python has no names for: namespaces, mounts, capabilities, Landlock.

Theory of operation: each is called through the C library and raises OSError as Python's own do. Numbers of
calls since Linux 5.2 are the same on all processors (asm-generic/unistd.h); older ones are called by name.
It is a part of a program that loads nothing else (the launcher of pmond), so it needs built-in modules
only, and loads `ctypes` when the first call is made.
"""

from __future__ import annotations

import errno
import os

TYPE_CHECKING = False  # typing itself is too slow to import here; type checkers know the name
if TYPE_CHECKING:
    from typing import Any

NEW_MOUNTS, NEW_USER, NEW_NETWORK = 0x00020000, 0x10000000, 0x40000000  # CLONE_NEW* of sched.h
_OPEN_TREE, _MOVE_MOUNT, _FSOPEN, _FSCONFIG, _FSMOUNT = 428, 429, 430, 431, 432
_MOUNT_SETATTR, _LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 442, 444, 445, 446
_HERE = -100  # AT_FDCWD
_EMPTY_PATH, _RECURSIVE, _CLONE = 0x1000, 0x8000, 1
_CLOSE_ON_EXEC = os.O_CLOEXEC
_FROM_DESCRIPTOR, _TO_DESCRIPTOR = 0x4, 0x40  # MOVE_MOUNT_F_EMPTY_PATH, MOVE_MOUNT_T_EMPTY_PATH
_PRIVATE_EVERYWHERE = 0x40000 | 0x4000  # MS_PRIVATE | MS_REC
READ_ONLY, NO_SETUID, NO_DEVICES, NO_EXECUTION = 1, 2, 4, 8
"""MOUNT_ATTR_*: what a mount can be."""
_SET_TEXT, _CREATE = 1, 6  # FSCONFIG_SET_STRING, FSCONFIG_CMD_CREATE
_BOUNDING_READ, _BOUNDING_DROP, _KEEP_CAPABILITIES, _NO_NEW_PRIVILEGES = 23, 24, 8, 38  # PR_* of prctl(2)
_AMBIENT, _AMBIENT_RAISE = 47, 2
_CAPABILITIES_VERSION = 0x20080522
_MAKE_BLOCK_DEVICE, _REFER = 1 << 11, 1 << 13  # LANDLOCK_ACCESS_FS_*
_BENEATH = 1  # LANDLOCK_RULE_PATH_BENEATH


class Kernel:
    """What can be asked of it."""

    def __init__(self) -> None:
        import ctypes

        self._ctypes = ctypes
        self._library = ctypes.CDLL(None, use_errno=True)

    def unshare(self, what: int) -> None:
        self._call("unshare", what)

    def keep_mounts_apart(self) -> None:
        """No mount of others appears among ours any more, nor ours among theirs."""
        self._call("mount", None, b"/", None, _PRIVATE_EVERYWHERE, None)

    def tree(self, place: int) -> int:
        """A copy of what is at an open place, with all below it, that is nowhere yet: its descriptor."""
        return self._system(_OPEN_TREE, place, b"", _CLONE | _CLOSE_ON_EXEC | _RECURSIVE | _EMPTY_PATH)

    def restrict(self, tree: int, attributes: int) -> None:
        """Take something from a tree and all that is mounted in it."""
        self._set_attributes(tree, b"", _EMPTY_PATH | _RECURSIVE, attributes)

    def restricts_mounts(self) -> bool:
        """Whether there is such a call at all."""
        try:
            self._set_attributes(-1, b"", _EMPTY_PATH, 0)
        except OSError as error:
            return error.errno == errno.EBADF
        return True

    def restrict_all(self, attributes: int) -> None:
        """The same, of all that is mounted."""
        self._set_attributes(_HERE, b"/", _RECURSIVE, attributes)

    def attach(self, tree: int, place: int) -> None:
        """Let a tree appear at an open place, above what is there."""
        self._system(_MOVE_MOUNT, tree, b"", place, b"", _FROM_DESCRIPTOR | _TO_DESCRIPTOR)

    def memory_folder(self, attributes: int, **options: str) -> int:
        """A new file system in memory (tmpfs), mounted nowhere yet; answers its descriptor."""
        made = self._system(_FSOPEN, b"tmpfs", 1)
        try:
            for name, value in options.items():
                self._system(_FSCONFIG, made, _SET_TEXT, name.encode(), value.encode(), 0)
            self._system(_FSCONFIG, made, _CREATE, None, None, 0)
            return self._system(_FSMOUNT, made, 1, attributes)
        finally:
            os.close(made)

    def may_ever_have(self, capability: int) -> bool | None:
        """Whether a capability is in the bounding set; None: this kernel does not know it."""
        try:
            return bool(self._call("prctl", _BOUNDING_READ, capability, 0, 0, 0))
        except OSError:
            return None

    def drop_for_good(self, capability: int) -> None:
        self._call("prctl", _BOUNDING_DROP, capability, 0, 0, 0)

    def keep_capabilities(self) -> None:
        """Another user does not lose them; execve(2) ends that."""
        self._call("prctl", _KEEP_CAPABILITIES, 1, 0, 0, 0)

    def set_capabilities(self, mask: int, inheritable: int) -> None:
        """The permitted ones, all of them in effect, and the inheritable ones."""
        ctypes = self._ctypes
        header = (ctypes.c_uint32 * 2)(_CAPABILITIES_VERSION, 0)
        halves = [part >> shift & 0xFFFFFFFF for shift in (0, 32) for part in (mask, mask, inheritable)]
        self._call("capset", header, (ctypes.c_uint32 * 6)(*halves))

    def pass_on(self, capability: int) -> None:
        """A program that is executed has it, without anything said of it in its file."""
        self._call("prctl", _AMBIENT, _AMBIENT_RAISE, capability, 0, 0)

    def allow_no_new_privileges(self) -> None:
        self._call("prctl", _NO_NEW_PRIVILEGES, 1, 0, 0, 0)

    def landlock_version(self) -> int:
        """Which version of Landlock there is; 0: none."""
        try:
            return self._system(_LANDLOCK_CREATE, None, 0, 1)
        except OSError:
            return 0

    def keep_off_neighbours(self) -> None:
        """A Landlock domain: its members look into no process outside of it, and mount nothing.

        Of files it takes away nothing but the making of block devices.
        """
        ctypes = self._ctypes
        handled = (ctypes.c_uint64 * 1)(_MAKE_BLOCK_DEVICE | _REFER)
        rules = self._system(_LANDLOCK_CREATE, handled, 8, 0)
        root = os.open("/", os.O_PATH | os.O_CLOEXEC)
        try:
            # struct landlock_path_beneath_attr is packed: an access mask and a descriptor.
            beneath = _REFER.to_bytes(8, _byte_order()) + root.to_bytes(4, _byte_order())
            self._system(_LANDLOCK_ADD, rules, _BENEATH, beneath, 0)
            self._system(_LANDLOCK_RESTRICT, rules, 0)
        finally:
            os.close(root)
            os.close(rules)

    def _set_attributes(self, at: int, path: bytes, flags: int, attributes: int) -> None:
        wanted = (self._ctypes.c_uint64 * 4)(attributes, 0, 0, 0)
        self._system(_MOUNT_SETATTR, at, path, flags, wanted, 32)

    def _system(self, number: int, *arguments: Any) -> int:
        return self._call("syscall", number, *arguments)

    def _call(self, name: str, *arguments: Any) -> int:
        ctypes = self._ctypes
        function = self._library[name]
        function.restype = ctypes.c_long if name == "syscall" else ctypes.c_int
        # Whole registers: what the kernel reads of a shorter one would be left over from before.
        words = (ctypes.c_long(one) if isinstance(one, int) else one for one in arguments)
        answer: int = function(*words)
        if answer < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return answer


def _byte_order() -> Any:
    import sys

    return sys.byteorder
