"""posix_spawn of the C library, without what `os.posix_spawn` of Python does not let go of.

Theory of operation: the calling thread waits in the kernel until the child has become its program,
longer than all our own work for a start takes. ctypes lets go of the interpreter meanwhile, so threads
start several at a time on as many processors. And each child gets its own working folder, which without
that would have to be lent to it by the whole of pmond.

The numbers are those of glibc and musl; the opaque structures are given more room than either needs.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ctypes

_SETSIGDEF, _SETSIGMASK, _SETSID = 0x04, 0x08, 0x80
_ATTRIBUTES_SIZE, _ACTIONS_SIZE, _SIGNALS_SIZE = 1024, 512, 256


class NativeSpawn:
    """Raises OSError where the C library lacks something (glibc before 2.29, a Python without ctypes)."""

    def __init__(self, restored_signals: Sequence[int]) -> None:
        """`restored_signals` get their default action in children; none is blocked."""
        try:
            import ctypes

            libc = ctypes.CDLL(None)
            self._add_folder = libc.posix_spawn_file_actions_addfchdir_np
        except (ImportError, AttributeError) as error:
            raise OSError(str(error)) from None
        self._ctypes: Any = ctypes
        self._libc = libc
        self._spawn = libc.posix_spawn
        self._spawn.argtypes = (
            ctypes.c_void_p,
            ctypes.c_char_p,
            *(ctypes.c_void_p for _ in ("actions", "attributes", "argv", "environment")),
        )
        self._attributes = self._make_attributes(restored_signals)

    def spawn(
        self,
        file: str,
        argv: Sequence[str],
        environment: Mapping[str, str],
        descriptors: Sequence[tuple[int, int]],
        folder: int,
    ) -> int:
        """Start a program in a session of its own; its pid.

        It has /dev/null for its standard input, each first of `descriptors` as the second, and
        `folder`, a descriptor too, for its working folder. Any thread may call this. Raises OSError, and
        ValueError for words that have a NUL in them or cannot be encoded.
        """
        libc, ctypes = self._libc, self._ctypes
        words = self._words([os.fsencode(word) for word in argv])
        pairs = self._words(
            [os.fsencode(name) + b"=" + os.fsencode(value) for name, value in environment.items()]
        )
        program = os.fsencode(file)
        if b"\0" in program:
            raise ValueError("embedded null byte")
        actions = ctypes.create_string_buffer(_ACTIONS_SIZE)
        _done(libc.posix_spawn_file_actions_init(actions))
        try:
            _done(libc.posix_spawn_file_actions_addopen(actions, 0, b"/dev/null", os.O_RDONLY, 0))
            _done(self._add_folder(actions, folder))  # first: it may have a number that is wanted
            for present, wanted in descriptors:
                _done(libc.posix_spawn_file_actions_adddup2(actions, present, wanted))
            pid = ctypes.c_int()
            _done(self._spawn(ctypes.byref(pid), program, actions, self._attributes, words, pairs))
        finally:
            libc.posix_spawn_file_actions_destroy(actions)
        return int(pid.value)

    def _words(self, words: Sequence[bytes]) -> ctypes.Array[Any]:
        if any(b"\0" in word for word in words):
            raise ValueError("embedded null byte")
        array: ctypes.Array[Any] = (self._ctypes.c_char_p * (len(words) + 1))(*words, None)
        return array

    def _make_attributes(self, restored: Sequence[int]) -> Any:
        libc, ctypes = self._libc, self._ctypes
        attributes = ctypes.create_string_buffer(_ATTRIBUTES_SIZE)
        signals = ctypes.create_string_buffer(_SIGNALS_SIZE)
        _done(libc.posix_spawnattr_init(attributes))
        _done(libc.posix_spawnattr_setflags(attributes, ctypes.c_short(_SETSIGDEF | _SETSIGMASK | _SETSID)))
        libc.sigemptyset(signals)
        _done(libc.posix_spawnattr_setsigmask(attributes, signals))
        for number in restored:
            libc.sigaddset(signals, int(number))
        _done(libc.posix_spawnattr_setsigdefault(attributes, signals))
        return attributes


def _done(number: int) -> None:
    if number != 0:
        raise OSError(number, os.strerror(number))
