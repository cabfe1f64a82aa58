"""The listening Unix socket: made, taken over, and given back.

Theory of operation: the file gets its owner and mode before it listens, so nobody can connect
to a socket that is more open than configured. A file left by a dead daemon is known by
refusing connections. What somebody else has put there, in a folder where everybody may, is moved aside.
The file is deleted at the end only if it is still the one made here.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Collection
from pathlib import Path

from msgspec import Struct

from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.trust import trusts
from pmond.runtime.base.failpoints import FailPoint, reached
from pmond.runtime.files.moving_aside import move_aside

_BACKLOG = 512
_TRIES = 100
"""Times that the path is cleared for somebody who is faster at putting things there."""
_LONGEST_PATH = 107  # sun_path of unix(7) is 108 bytes with its NUL


class ListeningSocket(Struct, frozen=True):
    """A socket and the file that leads to it; `identity` is None when the file is not ours to delete."""

    socket: socket.socket
    path: str
    identity: tuple[int, int] | None
    trusted: frozenset[int] = frozenset()
    """Whose thing at the path may stand for another pmond."""
    displaced: tuple[str, ...] = ()
    """Where things of others are now that were in the way."""

    @property
    def lost_its_file(self) -> bool:
        """Whether nothing of pmond's is at the path any more, so that nobody new can ask."""
        if self.identity is None or _identity(self.path) == self.identity:
            return False
        try:
            return not trusts(os.lstat(self.path).st_uid, self.trusted)
        except OSError:
            return True

    def close(self, keep_file: bool = False) -> None:
        """Stop listening and delete the file, unless it is to be kept or is not ours any more."""
        if self.identity is not None and not keep_file and _identity(self.path) == self.identity:
            Path(self.path).unlink(missing_ok=True)
        self.socket.close()


def listen(path: str, mode: int, uid: int = -1, gid: int = -1) -> ListeningSocket:
    """A socket listening at `path` with this mode and owner (-1: unchanged).

    Raises PmonError: `conflict` when another daemon answers there, `refused` when the path
    cannot be used.
    """
    if len(os.fsencode(path)) > _LONGEST_PATH:
        hint = "set a shorter message_queue.directory"
        raise _refused(path, f"the path is longer than {_LONGEST_PATH} bytes", hint)
    trusted = frozenset({0, os.geteuid(), uid})
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        displaced = _bind(listening, path, trusted)
        _open_up(listening, path, mode, uid, gid)
    except OSError as error:
        listening.close()
        raise _refused(path, error.strerror or str(error)) from error
    except PmonError:
        listening.close()
        raise
    return ListeningSocket(listening, path, _identity(path), trusted, displaced)


def inherited(fd: int, own_file: bool = False) -> ListeningSocket:
    """The listening socket left open as `fd` by a service manager, or by pmond before it re-executed itself.

    Its file is deleted at the end only in the second case (`own_file`). Raises PmonError
    `refused` when the descriptor is not a listening Unix socket.
    """
    try:
        listening = socket.socket(fileno=fd)
    except OSError as error:
        raise _refused(f"descriptor {fd}", error.strerror or str(error)) from error
    kind = (listening.family, listening.type)
    if kind != (socket.AF_UNIX, socket.SOCK_STREAM) or not _accepts(listening):
        listening.detach()
        raise _refused(f"descriptor {fd}", "it is not a listening Unix socket")
    listening.setblocking(False)
    listening.set_inheritable(False)
    path = os.fsdecode(listening.getsockname())
    trusted = frozenset({0, os.geteuid()})
    return ListeningSocket(listening, path, _identity(path) if own_file else None, trusted)


def socket_name(fd: int) -> str:
    """The path that a socket is bound to; empty for a descriptor that is no socket."""
    try:
        with socket.socket(fileno=os.dup(fd)) as bound:
            return os.fsdecode(bound.getsockname())
    except (OSError, TypeError):
        return ""


def _bind(listening: socket.socket, path: str, trusted: Collection[int]) -> tuple[str, ...]:
    """Answers where things of others are now that were in the way."""
    displaced: list[str] = []
    for _ in range(_TRIES):
        if aside := _clear(path, trusted):
            displaced.append(aside)
        try:
            listening.bind(path)  # which follows no link
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            reached(FailPoint.SOCKET_BOUND)
            return tuple(displaced)
    raise _refused(path, "somebody puts things there again and again", "set another message_queue.directory")


def _clear(path: str, trusted: Collection[int]) -> str:
    try:
        if aside := move_aside(path, trusted):
            return aside
        kind = os.lstat(path).st_mode
    except FileNotFoundError:
        return ""
    except PermissionError as error:
        raise _refused(path, "it belongs to somebody else", "set another message_queue.directory") from error
    except OSError as error:
        raise _refused(path, error.strerror or str(error)) from error
    if not stat.S_ISSOCK(kind):
        hint = "remove it, or set another message_queue.directory"
        raise _refused(path, "it exists and is not a socket", hint)
    if _is_alive(path):
        why = f"cannot start: another pmond answers on {path}"
        raise PmonError(ErrorCode.CONFLICT, why, "stop that one first")
    Path(path).unlink(missing_ok=True)
    return ""


def _is_alive(path: str) -> bool:
    """Whether a daemon is behind the socket file; only a refusal is proof that none is."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except BlockingIOError:  # its backlog is full: busy, but alive
            return True
        except OSError as error:
            raise _refused(path, f"it is in use or not ours ({error.strerror})") from error
        return True


def _open_up(listening: socket.socket, path: str, mode: int, uid: int, gid: int) -> None:
    # Bound but not listening, the socket refuses connections: nobody gets in before the mode is right.
    try:
        os.chown(path, uid, gid, follow_symlinks=False)
        Path(path).chmod(mode)
        listening.listen(_BACKLOG)
        listening.setblocking(False)
    except OSError:
        Path(path).unlink(missing_ok=True)
        raise


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _accepts(listening: socket.socket) -> bool:
    return bool(listening.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _refused(path: str, why: str, hint: str = "") -> PmonError:
    return PmonError(ErrorCode.REFUSED, f"cannot listen on {path}: {why}", hint)
