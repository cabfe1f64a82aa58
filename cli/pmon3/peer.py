"""Whether a socket may be spoken to: pmond has the rights of root or of the caller, and so do its folders.

Theory of operation: what a command sends may hold secrets, and what it is answered is believed. So the way
to the socket is walked before it is opened (`pmon3_schema.trust`): nobody else may be able to put another
one in its place. Then the kernel says who listens behind it (SO_PEERCRED, unix(7)), and only then the
first byte is sent. Whom config.yml makes the owner of the socket (`message_queue.user`) is trusted with
its folder, but never as the one who listens.
"""

from __future__ import annotations

import os
import socket
import struct

from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.trust import owner_name, stranger

_CREDENTIALS = struct.Struct("3i")
"""`struct ucred` of unix(7): process id, user id, group id."""


def check_way(path: str, config_file: str = "") -> None:
    """Raises PmonError `refused` where somebody else could decide what is at this path."""
    caller = os.geteuid()
    why = stranger(path, caller)
    if why and config_file:
        why = stranger(path, caller, _named_owner(config_file, caller))
    if why:
        hint = "correct XDG_RUNTIME_DIR, HOME or PMON3_CONF, or become the one whose pmond it is"
        raise PmonError(ErrorCode.REFUSED, f"cannot trust {path}: {why}", hint)


def check_listener(connection: socket.socket, path: str) -> None:
    """Raises PmonError `refused` where it is neither root nor the caller who listens at this path."""
    answer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    uid = _CREDENTIALS.unpack(answer)[1]
    if uid not in (0, os.geteuid()):
        why = f"cannot trust {path}: who listens there is {owner_name(uid)}, neither root nor you"
        hint = f"nothing was sent; {owner_name(uid)} can speak to it"
        raise PmonError(ErrorCode.REFUSED, why, hint)


def _named_owner(config_file: str, caller: int) -> list[int]:
    """The user that a configuration of root or of the caller makes the owner of the socket."""
    # Imported here: an owner is named on few machines.
    import pwd
    from pathlib import Path

    from pmon3_schema.socket_settings import UnreadableSettings, read

    try:
        if stranger(config_file, caller) or Path(config_file).stat().st_uid not in (0, caller):
            return []
        return [pwd.getpwnam(read(Path(config_file).read_bytes()).user).pw_uid]
    except (OSError, UnreadableSettings, KeyError):
        return []
