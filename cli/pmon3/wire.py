"""HTTP/1.1 as bytes: requests out, responses in. No sockets here.

Theory of operation: a `ResponseParser` is fed whatever arrived and gives back the part of the
body that is in it, so one parser serves short answers, followed logs and several logs at once.
One request per connection; the body ends by its length, by its last chunk (RFC 9112 §7.1), or,
with neither, at the end of the connection.
"""

from __future__ import annotations

_LONGEST_LINE = 65536


class MalformedResponse(Exception):
    """What arrived is not an HTTP/1.1 response, or ends in the middle of one."""


def request_bytes(method: str, target: str, body: bytes | None = None) -> bytes:
    """One request that asks for the connection to be closed after its answer."""
    lines = [f"{method} {target} HTTP/1.1", "Host: pmond", "Connection: close"]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + (body or b"")


class ResponseParser:
    """Reads one response from pieces of any size."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.complete = False
        self._pending = b""
        self._left: int | None = None
        """Bytes left of the body, or of a chunk and its line end; None: until the connection ends."""
        self._chunked = False
        self._trailer = False

    def feed(self, data: bytes) -> bytes:
        """Take what arrived; give the bytes of the body in it. Raises MalformedResponse."""
        self._pending += data
        if not self.status and not self._read_head():
            return b""
        return self._read_chunks() if self._chunked else self._read_plain()

    def end(self) -> None:
        """The connection has ended. Raises MalformedResponse when the response had not."""
        if not self.complete and (not self.status or self._chunked or self._left):
            raise MalformedResponse("the connection ended in the middle of the answer")
        self.complete = True

    def _read_head(self) -> bool:
        head, found, rest = self._pending.partition(b"\r\n\r\n")
        if not found:
            if len(self._pending) > _LONGEST_LINE:
                raise MalformedResponse("the head of the answer is too long")
            return False
        first, *lines = head.decode("latin-1").split("\r\n")
        words = first.split(" ", 2)
        if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdecimal():
            raise MalformedResponse("the answer is not HTTP")
        self.status = int(words[1])
        fields = (line.partition(":") for line in lines)
        self.headers = {name.strip().lower(): value.strip() for name, _, value in fields}
        self._pending = rest
        self._expect_body()
        return True

    def _expect_body(self) -> None:
        self._chunked = "chunked" in self.headers.get("transfer-encoding", "").lower()
        length = self.headers.get("content-length")
        if self._chunked:
            self._left = 0
        elif self.status == 204:
            self._left, self.complete = 0, True
        elif length is not None:
            if not length.isdecimal():
                raise MalformedResponse("the length of the answer is not a number")
            self._left = int(length)
            self.complete = self._left == 0

    def _read_plain(self) -> bytes:
        body, self._pending = self._pending, b""
        if self._left is None:
            return body
        body = body[: self._left]
        self._left -= len(body)
        self.complete = self._left == 0
        return body

    def _read_chunks(self) -> bytes:
        body = []
        while not self.complete:
            if self._left:
                piece = self._pending[: self._left]
                # The last two bytes counted are the line end that follows the data.
                body.append(piece[: max(self._left - 2, 0)])
                self._left -= len(piece)
                self._pending = self._pending[len(piece) :]
            if self._left or not self._read_chunk_size():
                break
        return b"".join(body)

    def _read_chunk_size(self) -> bool:
        line, found, rest = self._pending.partition(b"\r\n")
        if not found:
            if len(line) > _LONGEST_LINE:
                raise MalformedResponse("a chunk of the answer has no size")
            return False
        self._pending = rest
        if self._trailer:
            self.complete = not line
            return True
        digits = line.split(b";")[0].strip()
        if not digits or digits.strip(b"0123456789abcdefABCDEF"):
            raise MalformedResponse("a chunk of the answer has no size")
        size = int(digits, 16)
        self._trailer = size == 0
        self._left = size + 2 if size else 0
        return True
