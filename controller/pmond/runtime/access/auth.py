"""Who asks, and what they may do.

Theory of operation: the kernel says who is at the other end of a Unix socket (SO_PEERCRED,
taken when it connected); nothing that the client sends is believed. The policy functions are
pure. They know three kinds of caller:

- an *owner*: root, or the user pmond runs as. An owner may do everything.
- a member of the *control group* of the settings, if there is one: sees and controls every
  process, but has programs run only as itself.
- anybody else: controls, and sees the secrets of, the processes that run as itself. When pmond
  is not root every process runs as pmond's user, so anybody else is not admitted at all.
"""

from __future__ import annotations

import pwd
import socket
import struct
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from msgspec import Struct

_CREDENTIALS = struct.Struct("iII")  # struct ucred of unix(7): pid, uid, gid
_SO_PEERGROUPS = 59  # asm-generic/socket.h; the socket module has no name for it
_MOST_GROUPS = 1024
_MASK = "***"


class Peer(Struct, frozen=True, dict=True):  # the dict keeps `user`
    """The process at the other end; `groups` are its supplementary groups."""

    pid: int
    uid: int
    gid: int
    groups: frozenset[int] = frozenset()

    @cached_property
    def user(self) -> str:
        """Its user name; the number as text when the system has no name for it."""
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return str(self.uid)


def peer_of(connection: socket.socket) -> Peer:
    """Who connected this Unix socket. Raises OSError when the kernel does not say."""
    pid, uid, gid = _CREDENTIALS.unpack(
        connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    )
    return Peer(pid, uid, gid, _groups_of(connection))


def _groups_of(connection: socket.socket) -> frozenset[int]:
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, 4 * _MOST_GROUPS)
    except OSError:  # before Linux 4.13, or more groups than that: only the main group counts
        return frozenset()
    return frozenset(struct.unpack(f"{len(raw) // 4}I", raw))


def uid_of(user: str, default: int) -> int | None:
    """The uid of a user given by name or number; `default` for "", None when there is none."""
    if not user:
        return default
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        return int(user) if user.isascii() and user.isdigit() else None


def is_owner(peer: Peer, daemon_uid: int) -> bool:
    """Whether the peer is root or the user that pmond runs as."""
    return peer.uid in (0, daemon_uid)


def is_administrator(peer: Peer, daemon_uid: int, control_group: int | None = None) -> bool:
    """Whether the peer may control all processes: an owner or a member of the control group."""
    return is_owner(peer, daemon_uid) or (
        control_group is not None and (control_group == peer.gid or control_group in peer.groups)
    )


def may_connect(peer: Peer, daemon_uid: int, control_group: int | None = None) -> bool:
    """Whether the peer is answered at all: a pmond that is not root serves administrators only."""
    return daemon_uid == 0 or is_administrator(peer, daemon_uid, control_group)


def may_control(
    peer: Peer, process_uid: int | None, daemon_uid: int, control_group: int | None = None
) -> bool:
    """Whether the peer may signal, change or delete a process that runs as `process_uid`.

    None stands for a user that does not exist: administrators only.
    """
    if is_administrator(peer, daemon_uid, control_group):
        return True
    return daemon_uid == 0 and process_uid == peer.uid


def may_read_secrets(
    peer: Peer, process_uid: int | None, daemon_uid: int, control_group: int | None = None
) -> bool:
    """Whether the peer may see environment values of a process: whoever may control it may."""
    return may_control(peer, process_uid, daemon_uid, control_group)


def may_submit(peer: Peer, spec_user: str, daemon_uid: int) -> bool:
    """Whether the peer may have a program run as `spec_user` ("" stands for `default_user`).

    The control group plays no part: running a program as somebody is being them.
    """
    if daemon_uid != 0:
        return is_owner(peer, daemon_uid) and uid_of(spec_user, daemon_uid) == daemon_uid
    return peer.uid == 0 or uid_of(spec_user, peer.uid) == peer.uid


def default_user(peer: Peer, daemon_uid: int) -> str:
    """The user of a submitted spec that names none: the caller; pmond's own when pmond is not root."""
    return peer.user if daemon_uid == 0 else Peer(0, daemon_uid, 0).user


def masked(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of manifest data in which the names of variables are visible and the values are not."""
    variables = spec.get("env_vars")
    if isinstance(variables, Mapping):
        return {**spec, "env_vars": dict.fromkeys(variables, _MASK)}
    return {**spec, "env_vars": _MASK} if variables else dict(spec)


def masked_action(action: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of one action of a plan without the old and new values of variables."""
    return {**action, "changes": [_masked_change(change) for change in action.get("changes", ())]}


def _masked_change(change: Mapping[str, Any]) -> dict[str, Any]:
    if not str(change.get("path", "")).startswith("/env_vars"):
        return dict(change)
    return {**change, "before": _hidden(change.get("before")), "after": _hidden(change.get("after"))}


def _hidden(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict.fromkeys(value, _MASK)
    return None if value is None else _MASK
