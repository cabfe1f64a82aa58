"""Another caller of a pmond: `python benchmarks/prober.py SOCKET`.

Asks for the version every two milliseconds until its standard input ends, then prints the seconds that
each answer took, as a JSON list. A program of its own, so that nothing else in the benchmark delays it.
"""

from __future__ import annotations

import json
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pmon3.client import Client

_PAUSE = 0.002
_TIMEOUT = 300.0


def probe(path: str) -> list[float]:
    """Until standard input ends; the first answer, at which everything is imported, does not count."""
    client, waits = Client(path, _TIMEOUT), []
    client.get("/v1/version")
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], _PAUSE)[0]:
        before = time.monotonic()
        client.get("/v1/version")
        waits.append(time.monotonic() - before)
    return waits


@contextmanager
def probing(path: str) -> Iterator[list[float]]:
    """Somebody else asks while the block is at work; afterwards the list has the seconds of each answer."""
    waits: list[float] = []
    with subprocess.Popen(
        [sys.executable, __file__, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as prober:
        assert prober.stdout is not None
        prober.stdout.readline()
        yield waits
        found, _ = prober.communicate()
    waits.extend(json.loads(found))


if __name__ == "__main__":
    json.dump(probe(sys.argv[1]), sys.stdout)
