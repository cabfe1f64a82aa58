"""HTTP responses in pieces of any size."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmon3.wire import MalformedResponse, ResponseParser, request_bytes

BODY = b'{"a": 1}\r\n0\r\n\r\nx'
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n" + BODY
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"8;note=1\r\n" + BODY[:8] + b"\r\n8\r\n" + BODY[8:] + b"\r\n0\r\nTrailer: 1\r\n\r\n"
)
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\n\r\n" + BODY


@given(st.sampled_from([PLAIN, CHUNKED, UNTIL_CLOSE]), st.lists(st.integers(1, 12), min_size=1, max_size=30))
def test_the_body_does_not_depend_on_how_it_arrives(response: bytes, sizes: list[int]) -> None:
    parser, body, place = ResponseParser(), b"", 0
    for size in [*sizes, len(response)]:
        body += parser.feed(response[place : place + size])
        place += size
    parser.end()
    assert (parser.status, body, parser.complete) == (200, BODY, True)


@pytest.mark.parametrize("response", [PLAIN, CHUNKED])
def test_an_answer_that_ends_early_is_an_error(response: bytes) -> None:
    parser = ResponseParser()
    parser.feed(response[:-1])
    with pytest.raises(MalformedResponse):
        parser.end()


@pytest.mark.parametrize(
    "response",
    [
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 two OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-8\r\n",
        b"x" * 70000,
    ],
)
def test_what_is_not_http_is_refused(response: bytes) -> None:
    with pytest.raises(MalformedResponse):
        ResponseParser().feed(response)


def test_a_request_says_how_long_its_body_is_and_closes() -> None:
    request = request_bytes("POST", "/v1/wait", b"{}")
    assert request.startswith(b"POST /v1/wait HTTP/1.1\r\n") and request.endswith(b"\r\n\r\n{}")
    assert b"Content-Length: 2\r\n" in request and b"Connection: close\r\n" in request
