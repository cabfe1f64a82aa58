"""pmond itself: which one it is, what it stands on, its end and its renewal."""

from __future__ import annotations

import os
import platform
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct

from pmon3_schema._version import __version__
from pmon3_schema.answers import Check, Doctor, Nothing, Version
from pmon3_schema.protocol import Shutdown, Upgrade
from pmond.runtime.access.authority import Role
from pmond.runtime.access.principal import Principal
from pmond.runtime.http.call import Call

_API = 1


class Services(Struct, frozen=True):
    """What is asked of pmond as a whole."""

    shutdown: Callable[[bool], None]
    """Begin to end; told whether to stop the processes too."""
    upgrade: Callable[[], Awaitable[None]]
    """Begin to become the installed code, if that can be used."""
    doctor: Callable[[], list[Check]]
    """What this host offers and what of it is in use."""
    look_again: Callable[[], None]


class Identification(Struct, frozen=True):
    """What of pmond never changes while it runs."""

    started_at: str
    socket: str
    config_file: str
    state_dir: str


class Circumstances(Struct, frozen=True):
    """What of it a reload of config.yml, or a full disk, may change."""

    process_config_file: str
    log_dir: str
    degraded: str | None


class DaemonResource:
    """Answers for the whole. `role`: what a caller is to it; `description`: the document of `openapi`."""

    def __init__(
        self,
        identification: Identification,
        circumstances: Callable[[], Circumstances],
        services: Services,
        role: Callable[[Principal], Role],
        description: Callable[[], dict[str, Any]],
    ) -> None:
        self._identification = identification
        self._circumstances = circumstances
        self._services = services
        self._role = role
        self._description = description

    async def openapi(self, call: Call[None]) -> dict[str, Any]:
        return self._description()

    async def version(self, call: Call[None]) -> Version:
        always, now = self._identification, self._circumstances()
        return {
            "version": __version__,
            "api": _API,
            "pid": os.getpid(),
            "started_at": always.started_at,
            "socket": always.socket,
            "config_file": always.config_file,
            "process_config_file": now.process_config_file,
            "state_dir": always.state_dir,
            "log_dir": now.log_dir,
            "host": platform.node(),
            "degraded": now.degraded,
            "user": call.peer.user,
            "you_are": self._role(call.peer).value,
        }

    async def doctor(self, call: Call[None]) -> Doctor:
        return {"checks": self._services.doctor()}

    async def upgrade(self, call: Call[Upgrade]) -> Nothing:
        await self._services.upgrade()
        return {}

    async def shutdown(self, call: Call[Shutdown]) -> Nothing:
        self._services.shutdown(call.body.stop_processes)
        return {}
