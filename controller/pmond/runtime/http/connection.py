"""One client: its bytes in, its answers out.

Theory of operation: bytes go to the parser until a request is whole (within limits and
deadlines); then one task gets the answer from the handler and writes it, while the connection
reads at most a little ahead. After the answer the next request begins. When the client goes
away, a task that only waits or streams for it is cancelled; one that is changing something is
left to finish, so nothing is left half done.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable
from typing import Protocol, cast

from pmon3_schema.errors import ErrorCode, PmonError
from pmond.runtime.access.principal import Principal
from pmond.runtime.base.failpoints import FailPoint, reached
from pmond.runtime.http.admission import Admission, ServerLimits
from pmond.runtime.http.messages import (
    Answer,
    HttpError,
    Pending,
    Report,
    Request,
    Response,
    Stream,
    error_response,
)
from pmond.runtime.http.parser import RequestParser
from pmond.runtime.http.shortage import shortage


class Host(Protocol):
    """What a connection needs of its server."""

    limits: ServerLimits
    admission: Admission
    report: Report

    @property
    def handle(self) -> Callable[[Request], Awaitable[Answer]]: ...

    def connection_closed(self) -> None: ...


class Connection(asyncio.Protocol):
    """The state of one connection; `closed` is done when its descriptor is free."""

    def __init__(self, host: Host, peer: Principal) -> None:
        self.peer = peer
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._host = host
        self._limits = host.limits
        self._parser = RequestParser(host.admission, self, host.limits.head_bytes)
        self._ahead = 0  # bytes that came while a request was at work
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._idle = False  # between two requests
        self._deaf = False  # what still comes is dropped: an error or a stream was the last answer
        self._client_ended = False
        self._last = False  # close after the answer in progress
        self._cancellable = False
        self._drained: asyncio.Future[None] | None = None

    # What the loop tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=0)  # paused until all is with the kernel
        self._host.admission.connected(self)
        self._deadline(self._limits.head_time)

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        self._parser.receive(data)
        if self._task is not None:
            self._ahead += len(data)
            if self._ahead > self._limits.head_bytes:
                self._transport.pause_reading()
            return
        if self._idle:
            self._idle = False
            self._deadline(self._limits.head_time)
        self._advance()

    def eof_received(self) -> bool:
        self._client_ended = True
        self._cancel_if_waiting()
        return self._task is not None and not self._cancellable  # True: the answer still goes out

    def connection_lost(self, error: Exception | None) -> None:
        self._client_ended = True
        self._stop_timer()
        self.resume_writing()
        self._cancel_if_waiting()
        self._host.admission.disconnected(self)
        if self._task is None:
            self._parser.forget_request()
        self.closed.set_result(None)
        self._host.connection_closed()

    def pause_writing(self) -> None:
        self._drained = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None

    # What the server tells.

    def abort(self) -> None:
        """Hang up at once."""
        self._transport.abort()

    def end_when_answered(self, expect: bool = False) -> None:
        """Hang up as soon as no answer is in progress; waits and streams are not waited for.

        `expect`: a request that has begun to come, or that a new client is about to send, is in
        progress too. Hanging up on unread bytes would reset the connection under the client.
        """
        self._last = True
        if expect and self._task is None and not self._idle:
            return
        if self._task is None or self._cancellable:
            self._cancel_if_waiting()
            self._transport.close()

    # From bytes to a request.

    def _advance(self) -> None:
        in_body = self._parser.in_body
        try:
            request = self._parser.next_request()
            if request is not None:
                self._host.admission.begin_request(self)
                self._stop_timer()
                self._task = asyncio.get_running_loop().create_task(self._serve(request))
                return
        except HttpError as error:
            self._refuse(error)
            return
        if self._parser.in_body and not in_body:
            self._deadline(self._limits.body_time)
        if self._parser.wants_continue:
            self._write(self._parser.go_on())

    def _refuse(self, error: HttpError) -> None:
        """Answer a request that is wrong or incomplete, then close.

        The client may still be sending: closing at once would take from it the answer that
        says why, so the rest is read and dropped for a moment.
        """
        for piece in self._parser.response(error_response(error), close=True):
            self._write(piece)
        self._deaf = True
        self._parser.forget_request()
        self._transport.write_eof()
        self._deadline(self._limits.linger_time)

    # From a request to its answer.

    async def _serve(self, request: Request) -> None:
        try:
            answer = await self._answer(request)
            reached(FailPoint.ANSWER_READY)
            if isinstance(answer, Stream):
                await self._send_stream(answer)
            else:
                await self._send(answer)
            reached(FailPoint.ANSWER_SENT)
        except Exception as error:  # in the middle of an answer: only its missing end can tell the client
            self._internal(request, error)
            self._transport.abort()
        finally:
            self._task, self._cancellable = None, False
            self._host.admission.end_request(self)
            self._parser.forget_request()
        self._next()

    async def _answer(self, request: Request) -> Response | Stream:
        try:
            answer = await self._host.handle(request)
            if not isinstance(answer, Pending):
                return answer
            self._become_cancellable()
            try:
                return await answer.response
            finally:
                self._cancellable = False
        except PmonError as error:
            return error_response(error)
        except Exception as error:
            return self._internal(request, error)

    def _internal(self, request: Request, error: Exception) -> Response:
        if (missing := shortage(error)) is not None:
            return error_response(missing)
        identifier = secrets.token_hex(4)
        self._host.report(identifier, f"{request.method} {request.path}", error)
        why = f"cannot answer: internal error {identifier}"
        return error_response(PmonError(ErrorCode.INTERNAL, why, "the daemon's log has the details"))

    async def _send(self, answer: Response) -> None:
        try:
            async with asyncio.timeout(self._limits.reply_time):
                for piece in self._parser.response(answer, close=self._last or self._client_ended):
                    await self._written(piece)
        except TimeoutError:  # the client does not take its answer
            self._transport.abort()

    async def _send_stream(self, answer: Stream) -> None:
        async with contextlib.aclosing(answer.pieces) as pieces:
            self._become_cancellable()
            self._deaf = True
            self._transport.resume_reading()  # to notice that the client goes away
            self._write(self._parser.head(200, answer.content_type, {}, close=True))
            async for piece in pieces:
                await self._written(self._parser.piece(piece))
            self._write(self._parser.end())

    def _next(self) -> None:
        """The answer is out: make ready for the next request, or close."""
        if self._transport.is_closing():
            return
        if self._last or self._client_ended or not self._parser.next_cycle():
            self._transport.close()
            return
        self._transport.resume_reading()
        self._ahead = 0
        self._idle = not self._parser.started  # else the next request has come already
        self._deadline(self._limits.idle_time if self._idle else self._limits.head_time)
        if not self._idle:
            self._advance()

    # Helpers.

    def _write(self, data: bytes) -> None:
        if data and not self._transport.is_closing():
            self._transport.write(data)

    async def _written(self, data: bytes) -> None:
        """Write it, and return when the kernel has taken it."""
        self._write(data)
        if self._drained is not None:
            await self._drained

    def _become_cancellable(self) -> None:
        self._cancellable = True
        if self._client_ended:
            self._cancel_if_waiting()

    def _cancel_if_waiting(self) -> None:
        if self._task is not None and self._cancellable:
            self._task.cancel()

    def _deadline(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._too_late)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_late(self) -> None:
        if self._deaf or not self._parser.started or self._transport.is_closing():
            self._transport.abort()
        else:
            why = "cannot read the request: it did not arrive in time"
            self._refuse(HttpError(408, ErrorCode.TIMEOUT, why))
