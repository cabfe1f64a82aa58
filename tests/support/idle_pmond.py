"""The parts of a pmond inside the test process, real from the dispatcher down to the state file, and idle.

Nothing is started: the loop that acts is not set going, so what is declared stays as it is. That is enough to
see what requests are refused with, what they change, and who sees what of the answers.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pmon3_schema.paths import own_places
from pmon3_schema.settings import load
from pmond.runtime.access.principal import Principal
from pmond.runtime.base import clock
from pmond.runtime.base.journal import Journal
from pmond.runtime.http.messages import Answer, Pending, Request, Response, Stream, split_target
from pmond.runtime.http.resources.pmond import Services
from pmond.runtime.http.server import Server
from pmond.runtime.program.configuration import Configuration
from pmond.runtime.program.front import server_of
from pmond.runtime.program.parts import Calls, Parts
from pmond.runtime.program.state_folder import StateFolder
from pmond.runtime.supervise.listeners import Exits


class IdlePmond:
    """What a test needs of it. `ended`: what it was told when it was asked to end."""

    def __init__(self, parts: Parts, server: Server, ended: list[bool]) -> None:
        self.parts = parts
        self.server = server
        self.ended = ended

    async def asked(self, uid: int, method: str, target: str, body: Any = None) -> Answer:
        """The answer that a caller of this uid gets; a stream is closed. Raises PmonError."""
        path, query = split_target(target)
        content = b"" if body is None else json.dumps(body).encode()
        request = Request(method, path, query, {}, content, Principal(9, uid, uid))
        answer = await self.server.handle(request)
        if isinstance(answer, Pending):
            answer = await answer.response
        if isinstance(answer, Stream):
            await answer.pieces.aclose()
        return answer

    async def ask(self, uid: int, method: str, target: str, body: Any = None) -> Any:
        """The same of a complete answer, decoded."""
        answer = await self.asked(uid, method, target, body)
        assert isinstance(answer, Response)
        return json.loads(answer.body)

    async def declare(self, *processes: dict[str, Any]) -> None:
        """Apply a manifest of these processes, as root or pmond's own user."""
        text = json.dumps({"processes": list(processes)})
        await self.ask(os.geteuid(), "POST", "/v1/apply", {"documents": [{"path": "/m.json", "text": text}]})


@asynccontextmanager
async def idle_pmond(folder: Path, config: str = "") -> AsyncIterator[IdlePmond]:
    """One in this folder; `config` are more lines of its config.yml."""
    file = folder / "config.yml"
    file.write_text(f"data: {{directory: {folder}/data}}\nlogs: {{directory: {folder}/logs}}\n{config}")
    places = own_places({"HOME": str(folder), "PMON3_CONF": str(file)}, os.geteuid())
    settings, problems = load(str(file), {}, places)
    assert not problems
    null = os.open(os.devnull, os.O_WRONLY)
    journal, ended = Journal(null), list[bool]()
    state = StateFolder(settings.data, clock, journal, None)

    async def upgrade() -> None: ...

    services = Services(ended.append, upgrade, list, lambda: None)
    configuration = Configuration(settings, places, {}, 1024, journal)
    parts = Parts(configuration, state, clock, journal, "", Calls(ended.append, Exits(())))
    server = server_of(parts, configuration, state, services, clock, journal)
    try:
        yield IdlePmond(parts, server, ended)
    finally:
        parts.event_handlers.close()
        parts.cgroups.close()
        parts.memory_kills.close()
        state.close(processes_left=False)
        os.close(null)
        await asyncio.sleep(0)
