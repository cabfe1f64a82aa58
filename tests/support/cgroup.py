"""The control groups of this machine, where there are any: for tests that need real ones."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest
from tests.support.waiting import until

from pmond.runtime.processes.cgroup_root import CgroupRoot, NoCgroups, find_place
from pmond.runtime.processes.cgroups import Cgroups


def place_or_skip(state: str) -> CgroupRoot:
    """Where the groups of a state are; without control groups the test is skipped."""
    try:
        return find_place(state)
    except NoCgroups as error:
        pytest.skip(str(error))


def uuid_in(database: Path) -> str:
    """The name of a state, by which its groups are called; empty when the file cannot be read."""
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as state:
            (uuid,) = state.execute("SELECT value FROM meta WHERE key = 'uuid'").fetchone()
    except (sqlite3.Error, TypeError):
        return ""
    return str(uuid)


def end_groups(uuid: str) -> None:
    """Kill what a killed pmond with this state has left in its groups, and remove them."""
    if not uuid:
        return
    with suppress(NoCgroups, OSError):
        place = find_place(uuid)
        cgroups = Cgroups(place)
        cgroups.kill(place.folder)
        until(lambda: not cgroups.members(place.folder), "the groups to be empty", 10.0)
        cgroups.close()
