"""`dial-stdio`: the pmond of this host, for who has come here by ssh."""

from __future__ import annotations

import os
import select
import socket
from typing import Annotated

import typer

from pmon3.address import client_of, daemon
from pmon3.hosts.ssh import API
from pmon3_schema.errors import ErrorCode, PmonError

_BLOCK = 262144
_STDIN, _STDOUT = 0, 1


def command(
    api: Annotated[int, typer.Option("--api", help="What the caller speaks; another is refused.")] = API,
) -> None:
    """Join standard input and output to pmond's socket, for pmon3 --host.

    Whoever runs it has the rights of the account here, as with any other verb.
    """
    if api != API:
        why = f"cannot speak with this caller: its API is {api}, that of {os.uname().nodename} is {API}"
        raise PmonError(ErrorCode.REFUSED, why, "install the same version on both")
    with client_of(daemon()).connection(None) as connection:
        _join(connection)


def _join(connection: socket.socket) -> None:
    """Until pmond has said all, or nobody is there to hear it."""
    reading = [connection.fileno(), _STDIN]
    while True:
        ready, _, _ = select.select(reading, [], [])
        if connection.fileno() in ready:
            data = connection.recv(_BLOCK)
            if not data:
                return
            _write(data)
        if _STDIN in ready:
            data = os.read(_STDIN, _BLOCK)
            if data:
                connection.sendall(data)
            else:  # the caller is gone, and pmond is to know
                return


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(_STDOUT, data) :]
