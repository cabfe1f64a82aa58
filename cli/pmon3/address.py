"""Which pmond a command talks to, and where one that `up` starts writes its own log.

Theory of operation: `pmon3_schema.paths` and `which_daemon` know the rules, which the daemon follows
too; this module gives them the environment and turns what they refuse into an error for the caller.
"""

from __future__ import annotations

import os

from pmon3.client import Client
from pmon3.host_variable import HOST
from pmon3_schema import paths
from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.which_daemon import DaemonAddress, which_daemon


def connect() -> Client:
    """A client of the pmond that this caller means; nothing is sent yet. Raises PmonError."""
    if os.environ.get(HOST):
        # Imported here: most pmonds are on this machine.
        from pmon3.hosts.connecting import client_elsewhere

        return client_elsewhere()
    return client_of(daemon())


def client_of(which: DaemonAddress) -> Client:
    """A client of this pmond."""
    return Client(which.socket, config_file=which.config_file)


def daemon() -> DaemonAddress:
    """The pmond that this caller means. Raises PmonError."""
    try:
        return which_daemon(os.environ, os.geteuid())
    except paths.PathError as error:
        raise PmonError(ErrorCode.BAD_REQUEST, str(error)) from None


def daemon_log() -> str:
    """Where a pmond that `up` starts writes what it has to say: the caller's own state folder."""
    try:
        return f"{paths.own_places(os.environ, os.geteuid()).data}/pmond.log"
    except paths.PathError as error:
        raise PmonError(ErrorCode.BAD_REQUEST, str(error)) from None
