"""A command line for other hosts: for one it runs here and asks there, for several it runs once for each.

Theory of operation: what is about the machine itself (pmond's start, its service, a shell) is run there, by
ssh; everything else is a matter of requests, and runs here. `validate` asks nobody.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence

from pmon3 import exit_codes
from pmon3.host_variable import HOST
from pmon3.hosts.choosing import chosen, taken_out
from pmon3.hosts.hosts_file import RemoteHost
from pmon3.hosts.ssh import ssh_command
from pmon3.verbs import VERB_OF
from pmon3_schema.errors import ErrorCode, PmonError

_OF_NOBODY = frozenset({"validate", "explain", "schema", "convert", "completion", "dial-stdio", "help"})
"""Verbs that ask no pmond, or that of this machine."""
_OF_THE_MACHINE = frozenset({"up", "down", "shell", "service", "topn"})


def run(words: list[str], here: Callable[[list[str]], int]) -> int:
    """Run one command line and give its exit code; `here` runs one without hosts. Raises PmonError."""
    verb = VERB_OF.get(words[0], words[0]) if words else ""
    if verb in _OF_NOBODY or verb.startswith("-"):
        os.environ.pop(HOST, None)
        return here(words)
    left, flags = taken_out(words)
    hosts = chosen(flags, os.environ)
    if len(hosts) > 1:
        # Imported here: one is what most ask.
        from pmon3.hosts import several

        return several.run(hosts, left)
    if verb in _OF_THE_MACHINE:
        return _there(hosts[0], verb, left)
    os.environ[HOST] = str(hosts[0].address)
    return here(left)


def _there(host: RemoteHost, verb: str, words: Sequence[str]) -> int:
    if any(word == "-f" or word.startswith(("-f", "--file")) for word in words):
        why = f"cannot {verb} with a file on {host.name}: the file is on this host"
        raise PmonError(ErrorCode.BAD_REQUEST, why, f"pmon3 up --host {host.name}, then pmon3 apply -f FILE")
    terminal = os.isatty(0) and os.isatty(1)
    command = [*ssh_command(host, terminal=terminal), f"pmon3 {shlex.join(words)}"]
    process = os.spawnvp(os.P_WAIT, command[0], command)
    if process == 255:  # ssh's own
        return exit_codes.exit_code(ErrorCode.UNREACHABLE)
    return process
