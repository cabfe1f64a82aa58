"""Who asks: the process at the other end of a Unix socket, by the word of the kernel.

The credentials are those that the caller had when it connected (SO_PEERCRED, SO_PEERGROUPS of unix(7));
nothing that a client sends is believed.
"""

from __future__ import annotations

import socket
import struct
from functools import cached_property

from msgspec import Struct

from pmond.runtime.access import users

_CREDENTIALS = struct.Struct("iII")  # struct ucred of unix(7): pid, uid, gid
_SO_PEERGROUPS = 59  # asm-generic/socket.h; the socket module has no name for it
_MOST_BYTES = 1024
"""What `getsockopt` of Python takes at most: 256 groups of four bytes."""


class Principal(Struct, frozen=True, dict=True):  # the dict keeps `user`
    """A caller. `groups` are its supplementary groups."""

    pid: int
    uid: int
    gid: int
    groups: frozenset[int] = frozenset()

    @cached_property
    def user(self) -> str:
        """Its user name; the number as text when the system has no name for it."""
        return users.name_of(self.uid)

    def is_in(self, group: int) -> bool:
        """Whether it has the rights of a group."""
        return group == self.gid or group in self.groups


def principal_of(connection: socket.socket) -> Principal:
    """Who connected this Unix socket. Raises OSError when the kernel does not say."""
    pid, uid, gid = _CREDENTIALS.unpack(
        connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    )
    return Principal(pid, uid, gid, _groups_of(connection, uid))


def _groups_of(connection: socket.socket, uid: int) -> frozenset[int]:
    """Its groups by the kernel; by the user database where it has more than can be asked for."""
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _MOST_BYTES)
    except OSError:  # more groups than that (ERANGE), or a kernel before 4.13
        return users.groups_of(uid)
    return frozenset(struct.unpack(f"{len(raw) // 4}I", raw))
