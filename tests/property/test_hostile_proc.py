"""Whatever stands in /proc, nothing of it stops those who look: at start, at each sweep, for `ls`.

The kernel is replaced by a folder of hostile files, in the middle of which our own process is.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmond.runtime.processes import descendants, environment, process_table, tree
from pmond.runtime.processes.identity import (
    Identity,
    boot_id,
    identify,
    is_alive,
    read_stat,
    real_uid,
    start_ticks,
)
from pmond.runtime.processes.instances import Instances, Running
from pmond.runtime.processes.usage import UsageSampler
from pmond.runtime.supervise.probes.sender import SenderLookup
from pmond.runtime.supervise.survivors import survivors

UUID = "6f0c"
PIDS = [2, 7, 4_194_303]
OWN = os.getpid()

Files = dict[str, bytes | int]
"""What /proc/PID/... holds, or the errno of opening it."""

junk = st.binary(max_size=40)
numbers = st.one_of(
    st.integers(-(2**65), 2**65).map(lambda n: b"%d" % n),
    st.just(b"9" * 5000),
    st.just("\u0663".encode()),
    junk,
)


@st.composite
def stats(draw: st.DrawFn) -> bytes:
    name = draw(st.sampled_from([b"web", b") R 1 1 1", b"a b (c", b"\n", b"\xff", b""]))
    fields = [
        draw(st.sampled_from([b"S", b"R", b"Z", b"X", b"\xff"])),
        *(draw(numbers) for _ in range(draw(st.integers(0, 52)))),
    ]
    usual = [b"S", b"%d" % OWN, b"7", b"7"] + [b"1"] * 48
    return b"7 (" + name + b") " + b" ".join(draw(st.sampled_from([fields, usual])))


@st.composite
def environments(draw: st.DrawFn) -> bytes:
    names = st.sampled_from([b"web", b"a:b", b"", b"\xff\xfe", b"x" * 300])
    state = draw(st.sampled_from([UUID.encode(), b"another", b""]))
    marker = state + b":" + draw(names) + b":" + draw(numbers)
    return (
        draw(junk)
        + b"\0"
        + environment.MARKER.encode()
        + b"="
        + marker
        + draw(st.sampled_from([b"\0", b"", b"\0\0="]))
    )


failures = st.sampled_from([errno.ENOENT, errno.ESRCH, errno.EACCES, errno.EPERM])
users = st.sampled_from(
    [b"Name:\tx\nUid:\t0\t0\t0\t0\n", b"Uid:\t99999999999\t0\n", b"", b"Uid:", b"Name:\tUid:\t1\t"]
)
children = st.lists(numbers, max_size=4).map(b" ".join)
CONTENTS: dict[str, st.SearchStrategy[bytes]] = {
    "stat": stats() | junk, "environ": environments() | junk, "status": users | junk, "children": children,
    "cmdline": junk,
}  # fmt: skip
processes = st.fixed_dictionaries({name: content | failures for name, content in CONTENTS.items()})
machines = st.fixed_dictionaries(dict.fromkeys(PIDS, processes))


@contextmanager
def looking_at(machine: dict[int, dict[str, Any]]) -> Iterator[None]:
    """What the kernel says of these, and of us that they are our children."""
    truly_open, truly_list = os.open, os.listdir

    def open_instead(path: Any, flags: int, *more: Any, **named: Any) -> int:
        parts = str(path).split("/")
        if parts[:2] != ["", "proc"] or not parts[2].isdigit():
            return truly_open(path, flags, *more, **named)
        pid, name = int(parts[2]), parts[-1]
        if pid == OWN and name == "children":
            return _holding(b" ".join(b"%d" % one for one in PIDS))
        if pid == OWN:
            return truly_open(path, flags, *more, **named)
        content = machine[pid][name] if pid in machine else errno.ENOENT
        if isinstance(content, int):
            raise OSError(content, os.strerror(content))
        return _holding(content)

    def list_instead(path: Any = ".") -> list[str]:
        if path == "/proc":
            return [*map(str, PIDS), str(OWN), "self", "\u0663", "fs"]
        if str(path).startswith("/proc/") and str(path).endswith("/task"):
            return [str(path).split("/")[2]]
        return list(truly_list(path))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", open_instead)
        patch.setattr(os, "listdir", list_instead)
        patch.setattr("psutil.pids", lambda: PIDS)
        yield


def _holding(content: bytes) -> int:
    file = os.memfd_create("proc")
    os.write(file, content)
    os.lseek(file, 0, os.SEEK_SET)
    return file


@given(machines)
def test_whoever_looks_comes_back_with_an_answer(machine: dict[int, dict[str, Any]]) -> None:
    root = tree.Root(7, 1, f"{UUID}:web:1", frozenset({0}))
    instances = Instances()
    instances.add(Running("web", 1, Identity(7, 1, boot_id()), root.marker, own=True))
    sampler, lookup = UsageSampler(), SenderLookup(instances, UUID)
    with looking_at(machine):
        found = survivors(UUID)
        process_table.ProcessTable().members(root)
        process_table.ProcessTable().may_live(root)
        for known in ({7}, set[int]()):
            for marker in descendants.orphans(known).by_marker:
                environment.parse_marker(marker)
            trees = descendants.Descendants(lambda known=known: known, set)  # type: ignore[misc]
            trees.members(root)
            trees.may_live(root)
        roots: dict[str, Identity | tuple[int, int]] = {"web": (7, 1), "other": Identity(2, 1, boot_id())}
        for now in (1.0, 2.0):
            sampler.sample(roots, now)
        for pid in PIDS:
            lookup.find(pid, 0)
            for look in (identify, is_alive_now, start_ticks, real_uid, read_stat):
                look(pid)
    for survivor in found:
        assert survivor.number < 10**18
        assert survivor.identity.pid in PIDS


def is_alive_now(pid: int) -> bool:
    return is_alive(Identity(pid, 1, boot_id()))


@given(st.binary(max_size=200), st.binary(max_size=60))
def test_no_text_is_too_much_for_those_who_read_it(text: bytes, digits: bytes) -> None:
    for marker in (os.fsdecode(text), f"{UUID}:web:{os.fsdecode(digits)}"):
        parsed = environment.parse_marker(marker)
        assert parsed is None or environment.marker(*parsed) == marker
