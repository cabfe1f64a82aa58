"""What the answer of a web server means to a probe: bytes in, and a result as soon as they tell.

Most probes judge the status alone. Then the head of the answer is awaited to its end, its first line is
read, by the strict form of it, and nothing of the rest is looked at. Whatever needs more than that (text,
an answer before the answer) goes to h11, with all that has come so far.
"""

from __future__ import annotations

import re

import h11

from pmon3_schema.patterns import compiled
from pmond.runtime.supervise.probes.result import ProbeResult, said

_MOST_BODY = 65536
"""Bytes of an answer that are looked at."""
_MOST_HEAD = 65536
_NO_ANSWER = ProbeResult(False, "the connection was closed without an answer")
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([2-5][0-9]{2})(?: [^\x00\r\n]*)?\r?\n")
_HEAD_ENDS = (b"\n\r\n", b"\n\n")
_LONGEST_END = 3


class HttpAnswer:
    """The answer to one request."""

    def __init__(self, expected: str, ranges: tuple[tuple[int, int], ...], body: str, method: str) -> None:
        """`expected`: the status codes as declared, which `ranges` are; `body`: the text to be found."""
        self._expected = expected
        self._ranges = ranges
        self._body = body
        self._method = method
        self._head = bytearray()
        self._parser: h11.Connection | None = None
        self._status = 0
        self._text = bytearray()

    def add(self, data: bytes) -> ProbeResult | None:
        """What has come; nothing is the end. None: more is needed to tell."""
        try:
            return self._parsed(data) if self._parser is not None else self._by_status_line(data)
        except h11.ProtocolError as error:
            return _not_http(str(error))

    def _by_status_line(self, data: bytes) -> ProbeResult | None:
        head, before = self._head, len(self._head)
        head += data
        ended = any(head.find(end, max(0, before - _LONGEST_END)) >= 0 for end in _HEAD_ENDS)
        if data and not ended and len(head) <= _MOST_HEAD:
            return None
        if not head:
            return _NO_ANSWER
        found = _STATUS_LINE.match(head)
        if found is None or self._body:
            return self._begin_to_parse(bytes(head), ended=not data)
        if not ended:
            return _not_http("its head is too long" if data else "it ends within its head")
        return self._judged(int(found[1]))

    def _begin_to_parse(self, head: bytes, *, ended: bool) -> ProbeResult | None:
        self._parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MOST_HEAD)
        self._parser.send(h11.Request(method=self._method, target="/", headers=[("Host", "localhost")]))
        self._parser.send(h11.EndOfMessage())
        result = self._parsed(head)
        return self._parsed(b"") if result is None and ended else result

    def _parsed(self, data: bytes) -> ProbeResult | None:
        assert self._parser is not None
        if not data and not self._status:
            return _NO_ANSWER  # to h11 that is a mistake of the protocol
        self._parser.receive_data(data)
        while (event := self._parser.next_event()) is not h11.NEED_DATA:
            if isinstance(event, h11.InformationalResponse):
                continue
            if isinstance(event, h11.Response):
                self._status = event.status_code
                if not self._body or not self._passes(self._status):
                    return self._judged(self._status)
            elif isinstance(event, h11.Data) and len(self._text) + len(event.data) < _MOST_BODY:
                self._text += event.data
            else:  # its end, or as much of it as is looked at
                self._text += event.data if isinstance(event, h11.Data) else b""
                return self._judged_by_text(bytes(self._text[:_MOST_BODY]))
        return None

    def _judged_by_text(self, text: bytes) -> ProbeResult:
        if compiled(self._body).search(text) is not None:
            return self._judged(self._status)
        why = f"HTTP {self._status}, but its text does not match {self._body}: {said(text[:200])}"
        return ProbeResult(False, why)

    def _judged(self, status: int) -> ProbeResult:
        if self._passes(status):
            return ProbeResult(True, f"HTTP {status}")
        return ProbeResult(False, f"HTTP {status}, not {self._expected}")

    def _passes(self, status: int) -> bool:
        return any(low <= status <= high for low, high in self._ranges)


def _not_http(why: str) -> ProbeResult:
    return ProbeResult(False, f"the answer is not HTTP: {why}")
