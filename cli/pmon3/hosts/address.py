"""Where a host is: `ssh://[USER@]HOST[:PORT]`."""

from __future__ import annotations

import re
from typing import NamedTuple

from pmon3_schema.errors import ErrorCode, PmonError

_ADDRESS = re.compile(
    r"ssh://(?:(?P<user>[A-Za-z0-9_.][A-Za-z0-9_.-]*)@)?"
    r"(?P<host>[A-Za-z0-9_.][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9_.-]+)?\])(?::(?P<port>[0-9]{1,5}))?/?\Z"
)
"""No part can be taken for an option of ssh, or be read by a shell."""


class SshAddress(NamedTuple):
    """Where to log in; empty and None: as ssh's own configuration says."""

    host: str
    user: str = ""
    port: int | None = None

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"ssh://{user}{host}" + (f":{self.port}" if self.port is not None else "")


def parse(text: str) -> SshAddress:
    """Raises PmonError `bad_request` for anything else."""
    found = _ADDRESS.match(text)
    port = int(found["port"]) if found and found["port"] else None
    if not found or (port is not None and not 0 < port < 65536):
        why = f"cannot use {text!r} as a host: it is no address"
        raise PmonError(ErrorCode.BAD_REQUEST, why, "write ssh://user@host, or a name of the hosts file")
    return SshAddress(found["host"].strip("[]"), found["user"] or "", port)
