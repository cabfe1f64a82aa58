"""What is done to logs, by outsiders and by what programs write: faults 43, 45 and 46."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from pathlib import Path

import pytest
from tests.chaos.machine import ChaosMachine
from tests.chaos.pair import PATIENCE, checks, fleet, pids, recovers, submit
from tests.support.pmond import alive
from tests.support.waiting import until

pytestmark = pytest.mark.slow

COUNTS = "import os, time\nn = 0\nwhile True: os.write(1, b'%08d\\n' % n); n += 1; time.sleep(0.001)"
# Bytes of every kind, without one newline in ten million; a few of them one by one.
BINARY = """
import os, time
block = (bytes(range(256)) * 4096).replace(b"\\n", b"\\0")
for _ in range(10): os.write(1, block)
for byte in b"\\0\\xff\\xfe one by one": os.write(1, bytes([byte]))
os.write(1, b"\\nend\\n")
time.sleep(1000)
"""
MOST_MEMORY = 16 << 20
"""By which pmond may grow while somebody reads ten million bytes without a newline."""


def counting(machine: ChaosMachine) -> Path:
    """The log of a program that writes a number each millisecond."""
    machine.write_manifest({})
    machine.start()
    log = machine.log("count")
    submit(machine, name="count", file=sys.executable, args=["-I", "-S", "-c", COUNTS], log=str(log))
    until(lambda: log.exists() and log.stat().st_size > 0, "it writes", PATIENCE)
    until(lambda: "count" in pids(machine), "it runs", PATIENCE)
    return log


def numbers(text: str) -> list[int]:
    return [int(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def lines(machine: ChaosMachine, name: str, last: int) -> list[bytes]:
    """The last lines as pmond tells them."""
    return b"".join(machine.client.stream(f"/v1/logs/{name}", [("lines", str(last))])).splitlines()


def test_43_a_log_folder_that_is_deleted(machine: ChaosMachine) -> None:
    before = fleet(machine)
    shutil.rmtree(machine.log("one").parent)
    assert pids(machine) == before, "they write to a file without a name"
    os.kill(before["one"], 9)
    recovers(machine, before)
    assert machine.log("one").exists() and not machine.log("two").exists()


def test_43_a_log_that_another_program_moves_away(machine: ChaosMachine) -> None:
    log = counting(machine)
    before = pids(machine)["count"]
    moved = log.rename(log.with_name("count.log.1"))
    size = moved.stat().st_size
    until(lambda: moved.stat().st_size > size, "it goes on where it was")
    assert pids(machine)["count"] == before
    machine.act("restart", "count")
    until(
        lambda: log.exists() and log.stat().st_size > 0, "the next one has a log of the right name", PATIENCE
    )
    whole = numbers(moved.read_text())
    assert whole == list(range(len(whole)))
    assert numbers(log.read_text())[0] == 0


def test_43_a_log_that_another_program_copies_and_cuts(machine: ChaosMachine) -> None:
    log = counting(machine)
    until(lambda: log.stat().st_size > 1000, "there is something to cut")
    os.truncate(log, 0)
    until(lambda: log.stat().st_size > 0, "it goes on")
    text = log.read_text()
    assert "\0" not in text, "no hole: it appends"
    after = numbers(text)
    assert after == list(range(after[0], after[0] + len(after))) and after[0] > 0
    assert lines(machine, "count", 3)


def memory(pid: int) -> int:
    """Most that a process had in memory at a time, in bytes."""
    (line,) = [text for text in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmHWM" in text]
    return int(line.split()[1]) * 1024


def test_45_bytes_of_any_kind_without_a_newline(machine: ChaosMachine) -> None:
    machine.write_manifest({})
    machine.start()
    machine.rows()
    before, log = memory(machine.pid), machine.log("binary")
    submit(machine, name="binary", file=sys.executable, args=["-I", "-S", "-c", BINARY], log=str(log))
    until(lambda: log.exists() and log.read_bytes().endswith(b"\nend\n"), "it has written", PATIENCE)
    content = log.read_bytes()
    block = (bytes(range(256)) * 4096).replace(b"\n", b"\0")
    expected = block * 10 + b"\0\xff\xfe one by one\nend\n"
    assert hashlib.sha256(content).digest() == hashlib.sha256(expected).digest()
    assert lines(machine, "binary", 1) == [b"end"]
    told = hashlib.sha256()
    for chunk in machine.client.stream("/v1/logs/binary", [("lines", "2")]):
        told.update(chunk)
    assert told.digest() == hashlib.sha256(expected).digest()
    followed, seen = machine.client.stream("/v1/logs/binary", [("lines", "2"), ("follow", "1")]), 0
    for chunk in followed:
        seen += len(chunk)
        if seen == len(expected):
            break
    followed.close()
    assert memory(machine.pid) - before < MOST_MEMORY
    assert checks(machine)["state"]["status"] == "ok"


def test_46_an_end_is_noticed_though_others_hold_its_output(machine: ChaosMachine) -> None:
    machine.write_manifest({})
    machine.start()
    kept = machine.folder / "kept"
    code = f"sleep 1000 & echo $! > {kept}; exec >&- 2>&-; exit 7"
    spec = {"name": "one", "file": "/bin/sh", "args": ["-c", code], "restart": {"policy": "never"}}
    submit(machine, **spec, stop={"kill_group": False})
    until(lambda: machine.rows()["one"]["status"] == "failed", "its end is noticed", PATIENCE)
    assert machine.rows()["one"]["exit_code"] == 7
    assert alive(int(kept.read_text())), "the one that holds the log is not waited for"
    machine.act("delete", "one")
    os.kill(int(kept.read_text()), 9)


def test_46_a_program_without_output_is_a_program(machine: ChaosMachine) -> None:
    machine.write_manifest({})
    machine.start()
    submit(machine, name="one", file="/bin/sh", args=["-c", "exec sleep 1000 >&- 2>&-"])
    until(lambda: machine.rows()["one"]["status"] == "running", "it runs", PATIENCE)
    pid = machine.rows()["one"]["pid"]
    until(lambda: not Path(f"/proc/{pid}/fd/1").exists(), "it has closed its output")
    os.kill(pid, 9)
    until(lambda: machine.rows()["one"]["pid"] not in {0, pid}, "its end is noticed", PATIENCE)
