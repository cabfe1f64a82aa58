"""Serving the page: where it listens, and how long it waits for who is slow."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from pmon3.address import connect
from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_web import application
from pmon3_web.asking import PATIENCE, Page
from pmon3_web.hub import MOST_STREAMS, Hub
from pmon3_web.sessions import Attempts, Sessions
from pmon3_web.tokens import Token, TokenFile

_FAREWELL = 2
"""Seconds that open answers have when the page ends."""


@dataclass(frozen=True)
class Listening:
    """What the command line says of it."""

    host: str
    port: int
    certificate: str = ""
    key: str = ""
    metrics_open: bool = False

    @property
    def address(self) -> str:
        """As a browser is given it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.certificate else 'http'}://{host}:{self.port}"


class PatientProtocol(H11Protocol):
    """Of uvicorn, but with an end to waiting for a request that does not go on."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        self._wait()
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._wait_no_more()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_more()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._deadline is None and (self.cycle is None or self.cycle.response_complete):
            self._deadline = self.loop.call_later(PATIENCE, self.transport.abort)

    def _wait_no_more(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises PmonError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(1024)
    except OSError as error:
        made.close()
        why = (error.strerror or str(error)).lower()
        raise PmonError(
            ErrorCode.CONFLICT, f"cannot listen at {host}:{port}: {why}", "choose another: --listen"
        ) from None
    return made


def serve(
    listening: Listening, listener: socket.socket, file: TokenFile, fleeting: tuple[Token, ...]
) -> None:
    """Serve until a signal ends it. Raises PmonError."""
    page = Page(
        connect, file, Hub(connect), Sessions(), Attempts(),
        secure=bool(listening.certificate), metrics_open=listening.metrics_open, fleeting=fleeting,
    )  # fmt: skip
    try:
        config = uvicorn.Config(
            application.create(page), http=PatientProtocol, ws="none", log_level="error", access_log=False,
            server_header=False, proxy_headers=False, timeout_keep_alive=30,
            limit_concurrency=MOST_STREAMS + 200, timeout_graceful_shutdown=_FAREWELL,
            ssl_certfile=listening.certificate or None, ssl_keyfile=listening.key or None,
        )  # fmt: skip
        config.load()
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise PmonError(
            ErrorCode.INVALID, f"cannot serve with this certificate: {why}", "--cert and --key"
        ) from None
    Serving(config, page.hub).run([listener])


class Serving(uvicorn.Server):
    """Of uvicorn, which waits for open answers when it is to end: those that would not end are ended."""

    def __init__(self, config: uvicorn.Config, hub: Hub) -> None:
        super().__init__(config)
        self._hub = hub

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._hub.close()
        await super().shutdown(sockets)
