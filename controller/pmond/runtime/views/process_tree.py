"""The processes of an instance as a tree: who has started whom, under what name, with how much memory."""

from __future__ import annotations

import resource
from collections.abc import Collection

from pmon3_schema.answers import TreeMember
from pmond.runtime.processes.identity import Identity, read_stat, read_whole

_PAGE = resource.getpagesize()
MOST = 100
"""Shown of one tree."""


def process_tree(main: int, members: Collection[Identity]) -> list[TreeMember]:
    """Each after the one that has started it, the main program first, at most `MOST` of them.

    `depth` 0: the main program, or one whose parent is not of the tree any more.
    """
    found = {pid: one for pid in sorted(one.pid for one in members) if (one := _member(pid)) is not None}
    below: dict[int, list[int]] = {}
    for pid, one in found.items():
        parent = one["parent"] if one["parent"] in found and pid != main else 0
        below.setdefault(parent, []).append(pid)
    listed: list[TreeMember] = []
    waiting = [(pid, 0) for pid in sorted(below.get(0, ()), key=lambda pid: (pid != main, pid), reverse=True)]
    while waiting and len(listed) < MOST:
        pid, depth = waiting.pop()
        listed.append({**found[pid], "depth": depth})
        waiting += [(child, depth + 1) for child in reversed(below.get(pid, ()))]
    return listed


def _member(pid: int) -> TreeMember | None:
    try:
        stat = read_stat(pid)
        name = read_whole(f"/proc/{pid}/comm").decode("utf-8", "backslashreplace").rstrip("\n")
    except OSError:
        return None
    if stat is None:
        return None
    memory = stat.resident_pages * _PAGE
    return {"pid": pid, "parent": stat.parent, "depth": 0, "name": name, "memory_bytes": memory}
