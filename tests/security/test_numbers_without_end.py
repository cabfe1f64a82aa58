"""H7, L4, L6: what the clock cannot hold is refused where it is read; what is kept spoils its row only."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.pmond import Pmond

from pmon3_schema.errors import PmonError
from pmon3_schema.fields import FieldStruct
from pmon3_schema.manifest import ManifestFile, read
from pmon3_schema.process import ProcessSpec
from pmon3_schema.protocol import LayHold, Selection, Suspend, read_body
from pmon3_schema.scalars import LONGEST_DURATION, parse_duration
from pmond.core.model import Instance, Intent, Phase, Policy, State
from pmond.runtime.base import clock
from pmond.runtime.base.clock import wall_after
from pmond.runtime.base.journal import Journal, Level
from pmond.runtime.intent.registry import Registry
from pmond.runtime.intent.sets import Sets
from pmond.runtime.processes.instances import Instances
from pmond.runtime.processes.spawn import SpawnContext
from pmond.runtime.state.store import Store
from pmond.runtime.supervise.bus import Bus
from pmond.runtime.supervise.loop import Loop
from pmond.runtime.views.change_times import ChangeTimes
from pmond.runtime.views.publishing import Publisher
from pmond.runtime.views.runs import RunList

HUGE = [10**30, 2**63, 2**62, 1e300, 1e12, 10**400, -(10**30)]
SLOW = {"file": "/bin/false", "name": "slow", "restart": {"delay": 1e12, "max_delay": 1e13}}
NUMBERS_OF_A_PROBE = {"live": {"tcp": "80"}, "ready": {"tcp": "80"}}
"""What a probe must have besides, to be one."""
_LIMITS = ("nofile", "memory", "cpu_seconds", "core", "nproc")
_RESOURCES = ("memory_max", "memory_high", "tasks_max")
TAKEN = {
    *(("limits", one) for one in _LIMITS), *(("resources", one) for one in _RESOURCES),
    ("log_rotate", "size"), ("restart", "above_memory"),
}  # fmt: skip
"""They go to the kernel as they are, which keeps 63 bits."""


def numbers(declared: type[FieldStruct], above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The paths of all fields without fields of their own."""
    found = []
    for name, one in declared.declared.items():
        found += numbers(one.inner, (*above, name)) if one.inner else [(*above, name)]
    return found


@pytest.mark.parametrize("path", numbers(ProcessSpec), ids=".".join)
def test_no_field_takes_what_nothing_can_hold(path: tuple[str, ...]) -> None:
    for huge in HUGE:
        value: Any = huge
        for key in reversed(path):
            value = {**NUMBERS_OF_A_PROBE.get(path[0], {}), key: value} if key != path[0] else {key: value}
        text = json.dumps({"processes": [{"file": "/bin/x", **value}]})
        taken = read([ManifestFile("/p.json", text.encode())]).ok
        assert not taken or (path in TAKEN and huge == 2**62)


@pytest.mark.parametrize("codes", [[256], [-1], [10**30]])
def test_nor_does_a_list_of_exit_codes(codes: list[int]) -> None:
    text = json.dumps({"processes": [{"file": "/bin/x", "restart": {"success_exit_codes": codes}}]})
    (found,) = read([ManifestFile("/p.json", text.encode())]).diagnostics
    assert "from 0 to 255" in found.message


@pytest.mark.parametrize("body", [LayHold, Suspend])
@pytest.mark.parametrize("seconds", ["1e12", "1e300", "99999999999999999999", "9" * 5000])
def test_a_hold_or_a_suspension_ends_within_the_calendar(body: type[LayHold | Suspend], seconds: str) -> None:
    """L6."""
    given = f'{{"set": "s", "seconds": {seconds}}}' if body is Suspend else f'{{"seconds": {seconds}}}'
    with pytest.raises(PmonError) as refused:
        read_body(body, given.encode())
    assert refused.value.code == "bad_request"


@given(st.one_of(st.integers(), st.floats(), st.text("0123456789.smhde", max_size=400)))
def test_whatever_is_read_as_a_duration_has_a_date(value: int | float | str) -> None:
    try:
        seconds = parse_duration(value)
    except ValueError:
        return
    assert 0 <= seconds <= LONGEST_DURATION and wall_after(seconds) < "2300"


@given(st.floats())
def test_every_moment_has_a_text(seconds: float) -> None:
    assert "0001-" <= wall_after(seconds) <= "9999-12-31T23:59:59.999Z"


@pytest.mark.slow
def test_a_far_restart_is_refused_by_whatever_door(pmond: Pmond) -> None:
    """H7."""
    answer = pmond.ask("POST", "/v1/processes", {"spec": SLOW, "cwd": "/"})
    assert answer.status == 422 and "too long a duration" in str(answer.body), answer
    pmond.ok("exec", "/bin/sleep", "--name", "web", "--", "1000")
    changes = {"refs": ["web"], "changes": {"restart": {"delay": 1e12}}}
    assert pmond.ask("POST", "/v1/actions/restart", changes).status == 422
    documents = [{"path": "/tmp/x.json", "text": json.dumps({"processes": [SLOW]})}]
    assert pmond.ask("POST", "/v1/apply", {"documents": documents}).status == 422
    assert list(pmond.rows()) == ["web"]


@pytest.mark.slow
def test_one_that_an_older_pmond_took_spoils_no_answer(pmond: Pmond) -> None:
    """H7: the state file outlives the mending."""
    spec = {**SLOW, "restart": {"delay": "90d", "max_delay": "90d"}}
    assert pmond.ask("POST", "/v1/processes", {"spec": spec, "cwd": "/"}).status == 200
    pmond.ok("exec", "/bin/sleep", "--name", "web", "--", "1000")
    pmond.until("slow", "backoff")
    pmond.kill()
    with sqlite3.connect(pmond.folder / "data" / "data.db") as db:
        ((text,),) = db.execute("SELECT data FROM processes WHERE name = 'slow'").fetchall()
        row = json.loads(text)
        row["spec"]["restart"] = {"delay": 1e12, "max_delay": 1e13}
        assert db.execute("UPDATE processes SET data = ? WHERE name = 'slow'", [json.dumps(row)]).rowcount
    db.close()
    pmond.start()
    rows = pmond.rows()
    assert rows["web"]["status"] == "running"
    assert rows["slow"]["status"] == "backoff" and rows["slow"]["next_start_at"].startswith("9999-12-31")
    assert "slow" in pmond.ok("ls") and "slow" in pmond.ok("desc", "slow")
    assert "slow" in pmond.ok("export")


def test_one_that_cannot_be_shown_says_so_in_its_own_row(tmp_path: Path) -> None:
    loop = Loop(clock, Journal(level=Level.ERROR), Policy())
    store = Store.open(tmp_path / "d.db", clock=clock)
    bus = Bus()
    registry = Registry(store, loop, bus, clock)
    registry.load(store.load())
    with registry.edit("two processes") as edit:
        for name in ("bad", "good"):
            edit.put(Intent(ProcessSpec(file="/bin/x", name=name, args=("a",))))
    loop.observed["bad"] = State(
        Instance(1, 77, "", 0, started_at=cast(float, "yesterday"), phase=Phase.RUNNING)
    )
    told = tmp_path / "journal"
    with told.open("w") as file:
        journal = Journal(file.fileno(), level=Level.ERROR)
        context = SpawnContext(environment={}, log_dir="/log")
        sets = Sets(store, bus, clock, 0, followed=lambda: "")
        publisher = Publisher(
            registry,
            loop,
            Instances(),
            store,
            RunList(store, lambda: registry.processes, clock),
            sets,
            ChangeTimes(clock),
            lambda: context,
            clock,
            journal,
            "root",
            lambda resources: "",
            lambda running: frozenset(),
        )
        bad, good = asyncio.run(publisher.rows(registry.select(Selection()), usage=False))
    store.close()
    assert (good["name"], good["status"]) == ("good", "queued")
    assert (bad["name"], bad["status"]) == ("bad", "failed") and "cannot be shown: TypeError" in bad["reason"]
    assert set(bad) == set(good) and "row.failed" in told.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("reference", ["9" * 250, "9" * 5000, "\u0661", "9" * 19])
def test_a_reference_of_digits_is_an_id_or_nothing(pmond: Pmond, reference: str) -> None:
    """L4."""
    from urllib.parse import quote

    for target in (f"/v1/processes/{quote(reference)}", f"/v1/groups/{quote(reference)}"):
        assert pmond.ask("GET", target).status in (400, 404)
    for verb in ("stop", "restart"):
        assert pmond.ask("POST", f"/v1/actions/{verb}", {"refs": [reference]}).status in (400, 404)
    assert pmond.ask("GET", f"/v1/logs/{quote(reference)}").status in (400, 404)
