"""Bytes to requests and answers to bytes, for one connection; no sockets, no clock.

Theory of operation: h11 knows the protocol; this collects its events into a whole `Request`
and enforces the sizes, asking `Admission` for the room that a body takes while it is held.
"""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus

import h11

from pmon3_schema.errors import ErrorCode
from pmond.runtime.http.admission import Admission, Admitted
from pmond.runtime.http.messages import HttpError, Request, Response, split_target

_PIECE = 128 * 1024
"""Bytes of a long answer that are written in one turn of the loop."""


class RequestParser:
    """The protocol state of the connection of `client`."""

    def __init__(self, admission: Admission, client: Admitted, head_bytes: int) -> None:
        self._admission = admission
        self._client = client
        self._head_bytes = head_bytes
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=head_bytes)
        self._head: h11.Request | None = None
        self._body = bytearray()
        self._held = 0  # bytes of the body that are counted by admission

    @property
    def in_body(self) -> bool:
        """Whether the head of a request has been read."""
        return self._head is not None

    @property
    def started(self) -> bool:
        """Whether any byte of a request has come."""
        return self._head is not None or bool(self._h11.trailing_data[0])

    @property
    def wants_continue(self) -> bool:
        """Whether the client waits to be told that it may send its body (RFC 9110 §10.1.1)."""
        return self._h11.they_are_waiting_for_100_continue

    def receive(self, data: bytes) -> None:
        """Take what arrived."""
        self._h11.receive_data(data)

    def next_request(self) -> Request | None:
        """The next whole request; None when more bytes are needed. Raises HttpError."""
        try:
            while True:
                event = self._h11.next_event()
                if isinstance(event, h11.Request):
                    self._begin(event)
                elif isinstance(event, h11.Data):
                    self._collect(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    return self._complete()
                else:
                    return None
        except h11.RemoteProtocolError as error:
            raise _unreadable(error.error_status_hint, str(error)) from None

    def forget_request(self) -> None:
        """The request has been answered or given up: free what it held."""
        self._admission.release_body(self._client, self._held)
        self._head, self._body, self._held = None, bytearray(), 0

    def next_cycle(self) -> bool:
        """Make ready for another request; False when the connection must close instead."""
        if self._h11.our_state is not h11.DONE or self._h11.their_state is not h11.DONE:
            return False
        self._h11.start_next_cycle()
        return True

    def go_on(self) -> bytes:
        """Tell the client to send its body."""
        return self._h11.send(h11.InformationalResponse(status_code=100, headers=[])) or b""

    def response(self, answer: Response, close: bool) -> Iterator[bytes]:
        """A complete answer, in pieces."""
        headers = {"content-length": str(len(answer.body))} | answer.headers
        head = self.head(answer.status, answer.content_type, headers, close)
        if len(answer.body) <= _PIECE:
            yield head + self.piece(bytes(answer.body)) + self.end()
            return
        yield head
        for start in range(0, len(answer.body), _PIECE):
            yield self.piece(bytes(memoryview(answer.body)[start : start + _PIECE]))
        yield self.end()

    def head(self, status: int, content_type: str, headers: dict[str, str], close: bool) -> bytes:
        """The head of an answer; without a content-length its body is chunked."""
        fields = [("content-type", content_type), ("cache-control", "no-store"), *headers.items()]
        if close:
            fields.append(("connection", "close"))
        reason = HTTPStatus(status).phrase.encode("ascii")
        return self._h11.send(h11.Response(status_code=status, reason=reason, headers=fields)) or b""

    def piece(self, data: bytes) -> bytes:
        """A piece of the body of an answer; nothing when HEAD asked for none."""
        if not data or (self._head is not None and self._head.method == b"HEAD"):
            return b""
        return self._h11.send(h11.Data(data)) or b""

    def end(self) -> bytes:
        """The end of an answer."""
        return self._h11.send(h11.EndOfMessage()) or b""

    def _begin(self, head: h11.Request) -> None:
        size = len(head.target) + sum(len(name) + len(value) + 4 for name, value in head.headers)
        if size > self._head_bytes:  # it came in one piece, which h11 lets pass
            raise _unreadable(431, "its head is too long")
        self._head = head
        declared = dict(head.headers).get(b"content-length")
        if declared is not None:
            self._check_size(int(declared))

    def _collect(self, data: bytes | bytearray) -> None:
        self._check_size(self._held + len(data))
        self._admission.take_body(self._client, len(data))
        self._held += len(data)
        self._body += data

    def _check_size(self, size: int) -> None:
        most = self._admission.largest_body(self._client)
        if size > most:
            raise _unreadable(413, f"its body exceeds {most} bytes")

    def _complete(self) -> Request:
        assert self._head is not None
        try:
            path, query = split_target(self._head.target.decode("ascii"))
        except ValueError:
            raise _unreadable(400, "its target is not a path") from None
        headers = {name.decode("ascii"): value.decode("latin-1") for name, value in self._head.headers}
        body, self._body = bytes(self._body), bytearray()
        return Request(self._head.method.decode("ascii"), path, query, headers, body, self._client.peer)


def _unreadable(status: int, why: str) -> HttpError:
    return HttpError(status, ErrorCode.BAD_REQUEST, f"cannot read the request: {why}")
