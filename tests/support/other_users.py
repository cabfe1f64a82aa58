"""What other users of the machine do: ask a root pmond, and start processes beside it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tests.support.pmond import Pmond

ASK = """
import http.client, json, socket, sys
class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(sys.argv[1])
connection = Unix("pmond", timeout=30)
connection.request(sys.argv[2], sys.argv[3], sys.argv[4] or None)
answer = connection.getresponse()
print(json.dumps([answer.status, answer.read().decode()]))
"""
"""A program that makes the request of its arguments: socket, method, path, body."""


def ask_as(
    user: str, pmond: Pmond, method: str, target: str, body: object = None, *, decoded: bool = True
) -> tuple[int, object]:
    """One request made by a process of that user."""
    text = "" if body is None else json.dumps(body)
    done = subprocess.run(
        ["/usr/bin/python3", "-I", "-S", "-c", ASK, str(pmond.socket), method, target, text],
        user=user, group="nogroup", extra_groups=[], capture_output=True, text=True, timeout=60, check=False,
        cwd="/", env={},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    status, text = json.loads(done.stdout)
    return status, json.loads(text or "null") if decoded else text


@contextmanager
def process_of(
    user: str, *words: str, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A process of that user that pmond has nothing to do with."""
    with subprocess.Popen(
        words, user=user, group="nogroup", extra_groups=[], cwd="/", env=dict(environment or {}),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()
