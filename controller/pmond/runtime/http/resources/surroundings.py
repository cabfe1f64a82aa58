"""What a program is started in, for who wants to run something else there."""

from __future__ import annotations

import os
from collections.abc import Callable

from pmon3_schema.answers import ProcessSurroundings
from pmon3_schema.errors import ErrorCode, PmonError
from pmond.core.model import Intent
from pmond.runtime.access import users
from pmond.runtime.access.authority import Authority, Right
from pmond.runtime.http.call import Call
from pmond.runtime.intent.process_rights import check_process
from pmond.runtime.intent.registry import Registry
from pmond.runtime.processes.environment import MARKER
from pmond.runtime.processes.failures import SpawnError
from pmond.runtime.processes.launch import Launch, SpawnContext, prepare

_OF_THE_INSTANCE = (MARKER, "NOTIFY_SOCKET", "WATCHDOG_USEC")
"""Variables that make a process part of what pmond watches; a shell beside it is none."""


class SurroundingsResource:
    """Answers who may run programs as the user of a process; pmond itself runs nothing for it."""

    def __init__(
        self, registry: Registry, context: Callable[[], SpawnContext], authority: Callable[[], Authority]
    ) -> None:
        self._registry = registry
        self._context = context
        self._authority = authority

    async def surroundings(self, call: Call[None]) -> ProcessSurroundings:
        one = self._registry.one(call.path["ref"])
        check_process("enter the surroundings of", Right.CHANGE, one, call.peer, self._authority())
        try:
            launch = prepare(
                one.spec,
                context=self._context(),
                marker="-",
                trusted=one.trusted,
                replica=one.replica,
            )
        except SpawnError as error:
            said = error.message.removeprefix(f"cannot start {one.name}: ")
            why = f"cannot enter the surroundings of {one.name}: {said}"
            raise PmonError(ErrorCode.INVALID, why) from None
        return _answer(one, launch)


def _answer(one: Intent, launch: Launch) -> ProcessSurroundings:
    user = launch.user
    return {
        "name": one.name,
        "user": user.name if user else users.name_of(os.geteuid()),
        "uid": user.uid if user else os.geteuid(),
        "gid": user.gid if user else os.getegid(),
        "groups": list(user.groups) if user else os.getgroups(),
        "cwd": launch.cwd,
        "environment": {
            name: value for name, value in launch.environment.items() if name not in _OF_THE_INSTANCE
        },
        "umask": launch.umask,
        "priority": launch.priority,
        "limits": one.spec.limits.to_record(),
        "sandbox": launch.sandbox_orders,
    }
