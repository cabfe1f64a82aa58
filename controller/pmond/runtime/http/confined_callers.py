"""Callers that are programs in a sandbox: they are answered nothing.

Theory of operation: pmond would start for them, outside of their sandbox, whatever they ask for. All that
their kind has in common is a mount namespace that is neither pmond's nor that of the machine: they cannot
leave it, whatever they execute and however they call themselves. Containers of others have theirs too and may
be let in, so only callers that run as the user of a process with a sandbox are refused.
"""

from __future__ import annotations

import os

from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.process import ProcessSpec
from pmond.runtime.access import users
from pmond.runtime.access.principal import Principal
from pmond.runtime.intent.registry import Registry
from pmond.runtime.processes.instances import Instances


class ConfinedCallers:
    """Tells them from others."""

    def __init__(self, registry: Registry, instances: Instances) -> None:
        self._registry = registry
        self._instances = instances
        self._outside = {_mounts_of("self"), _mounts_of(1)} - {""}

    def check(self, peer: Principal) -> None:
        """Raises PmonError `forbidden` for a caller that may be in a sandbox."""
        if _mounts_of(peer.pid) in self._outside:
            return
        # It may also have ended meanwhile, with a child of it asking, or be closed to us.
        name = self._confined_as(peer.uid)
        if name:
            why = f"cannot do that: the caller seems to be in the sandbox of a process such as {name}"
            raise PmonError(ErrorCode.FORBIDDEN, why, "ask from outside of it")

    def _confined_as(self, uid: int) -> str:
        """A process with a sandbox that runs as this user; empty when there is none."""
        for running in self._instances:
            one = self._registry.processes.get(running.name)
            specs = (running.spec, one.spec if one is not None else None)
            if any(spec is not None and _is_confined_as(uid, spec) for spec in specs):
                return running.name
        return ""


def _is_confined_as(uid: int, spec: ProcessSpec) -> bool:
    if not spec.sandbox.keeps_from_pmond:
        return False
    return uid == (users.uid_of(spec.user) if spec.user else os.geteuid())


def _mounts_of(pid: int | str) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/mnt")  # noqa: PTH115 - a link of the kernel, no path
    except OSError:
        return ""
