"""Answers about thousands of processes, encoded a bit at a time so that the loop goes on meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from pmond.runtime.base.long_work import MANY, cooperative_map, drained
from pmond.runtime.http.messages import Response, as_json

_AT_ONCE = 32


async def long_answer(value: Any) -> Response:
    """`value` as compact JSON. It is used up: its long lists are empty afterwards."""
    body = bytearray()
    await cooperative_map(_parts(value), body.extend)
    body += b"\n"
    return Response(body=body)


def _parts(value: Any) -> Iterator[bytes]:
    if isinstance(value, dict) and value:
        before = b"{"
        for key, held in value.items():
            yield before + as_json(key) + b":"
            yield from _parts(held)
            before = b","
        yield b"}"
    elif isinstance(value, list) and len(value) >= MANY:
        yield from _elements(value)
    else:
        yield as_json(value)


def _elements(values: list[Any]) -> Iterator[bytes]:
    before, rest = b"[", drained(values)
    while some := list(islice(rest, _AT_ONCE)):
        yield before + as_json(some)[1:-1]
        before = b","
    yield b"]"
