"""Found later: what others run may be slow, and root's processes are looked at and restarted all the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.people import ALICE, BOB, Machine, machine, needs_people
from tests.support.waiting import until

pytestmark = [pytest.mark.slow, needs_people]


@pytest.fixture
def people() -> Iterator[Machine]:
    with machine("probes: {parallel: 8}\n") as made:
        made.pmond.start()
        yield made


def test_slow_commands_of_others_take_no_place_from_roots_probes(people: Machine) -> None:
    """They took all places, and root's own process was given up as not ready."""
    slow = {"exec": ["/bin/sleep", "3600"], "timeout": "1h", "start_period": "0s"}
    for person in (ALICE, BOB):
        for number in range(8):
            answer = people.by(person).submit(f"{person.name}{number}", live=slow)
            assert answer.status == 200, answer

    def places() -> dict[str, int]:
        rows = people.pmond.rows()
        probing = [name for name in rows if _probes_of(rows[name]["pid"])]
        return {one.name: sum(name.startswith(one.name) for name in probing) for one in (ALICE, BOB)}

    until(lambda: places() == {"alice": 2, "bob": 2}, "each to have a part of the places")
    people.pmond.declare({
        "name": "roots", "file": "/bin/sleep", "args": ["1000"],
        "ready": {"exec": ["/bin/true"], "interval": "100ms", "deadline": "20s"},
    })  # fmt: skip
    people.pmond.ok("init")
    assert people.pmond.row("roots")["ready"]
    assert places() == {"alice": 2, "bob": 2}


def _probes_of(pid: int) -> bool:
    """Whether a probe's command runs: it bears the pid of its process in its environment."""
    from pathlib import Path

    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if f"MAINPID={pid}\0".encode() in (entry / "environ").read_bytes():
                    return True
            except OSError:
                continue
    return False
