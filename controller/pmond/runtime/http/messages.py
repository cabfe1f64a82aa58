"""Requests and answers as values, and the HTTP status of each error.

Theory of operation: a handler gets a `Request` whose body has arrived in full and gives back
one of three answers: a `Response`, complete; a `Pending`, which waits for something and is
cancelled when the client goes away; a `Stream`, sent piece by piece until it or the client ends.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec
from msgspec import Struct, field

from pmon3_schema.errors import ErrorCode, PmonError
from pmond.runtime.access.principal import Principal

JSON = "application/json"

STATUS_OF = {
    ErrorCode.BAD_REQUEST: 400,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.REFUSED: 403,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.CONFLICT: 409,
    ErrorCode.INVALID: 422,
    ErrorCode.UNMET: 422,
    ErrorCode.INTERNAL: 500,
    ErrorCode.UNREACHABLE: 503,
    ErrorCode.TIMEOUT: 504,
}


class Request(Struct, frozen=True):
    """One request. `path` is still percent-encoded; names of `headers` are in lower case."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    peer: Principal


class Response(Struct, frozen=True):
    """A complete answer."""

    status: int = 200
    body: bytes | bytearray = b""
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)


class Exposition(Response, frozen=True):
    """A complete answer that is metrics as text."""


class Stream(Struct, frozen=True):
    """An answer without a known end. `pieces` is closed when the client goes away."""

    pieces: AsyncGenerator[bytes, None]
    content_type: str = "text/plain; charset=utf-8"


class Pending(Struct, frozen=True):
    """An answer that has to be waited for; the wait is cancelled when the client goes away."""

    response: Awaitable[Response]


Answer = Response | Stream | Pending
Report = Callable[[str, str, BaseException], None]


class HttpError(PmonError):
    """An error of the transport, with an HTTP status that its code does not imply."""

    def __init__(self, status: int, code: ErrorCode, message: str, hint: str = "") -> None:
        super().__init__(code, message, hint)
        self.status = status


def split_target(target: str) -> tuple[str, dict[str, list[str]]]:
    """The path and the query of a request target. Raises ValueError when it is neither."""
    parts = urlsplit(target)
    if not parts.path.startswith("/"):
        raise ValueError("the target is not a path")
    return parts.path, parse_qs(parts.query, keep_blank_values=True)


def segments_of(path: str) -> list[str]:
    """The decoded parts of a path between its slashes."""
    return [unquote(part) for part in path.split("/")[1:]]


def json_response(value: Any, status: int = 200) -> Response:
    """`value` as compact JSON."""
    return Response(status, as_json(value) + b"\n")


def as_json(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value)  # several times as fast as `json`
    except UnicodeEncodeError:  # a file name that is no valid text, which only an escape can carry
        return json.dumps(value, separators=(",", ":")).encode("ascii")


def error_response(error: PmonError) -> Response:
    """The answer to a request that cannot be done."""
    status = error.status if isinstance(error, HttpError) else STATUS_OF[error.code]
    return json_response(error.to_json(), status)
