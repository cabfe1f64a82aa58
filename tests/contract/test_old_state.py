"""State files of every version that ever was load for ever."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from pmon3_schema.process import ProcessSpec
from pmond.runtime.base import clock
from pmond.runtime.state import migrations
from pmond.runtime.state.records import GroupRecord, HistoryRecord
from pmond.runtime.state.store import Store

FILES = sorted((Path(__file__).parent / "state").glob("v*.db.sql"))


def test_there_is_a_file_of_every_version() -> None:
    assert [file.name for file in FILES] == [f"v{n}.db.sql" for n in range(1, len(migrations.STEPS) + 1)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_an_old_state_file_loads(tmp_path: Path, file: Path) -> None:
    connection = sqlite3.connect(tmp_path / "data.db")
    connection.executescript(file.read_text())
    connection.close()
    store = Store.open(tmp_path / "data.db", clock=clock)
    snapshot = store.load()
    assert store.notices == [] and store.degraded is None
    assert store.uuid == "6f1d0c1e-0000-4000-8000-000000000001"
    (process,) = snapshot.processes
    assert (process.id, process.name, process.owner) == (1, "web", "file:/srv/web.yaml")
    assert process.spec == ProcessSpec(name="web", file="/srv/w\udcffb", env_vars={"A": "ä"})
    assert process.hold is not None and process.hold.reason == "maintenance"
    (instance,) = snapshot.instances
    assert (instance.number, instance.pid, instance.start_ticks, instance.boot_id) == (
        7,
        4711,
        123456,
        "boot",
    )
    assert snapshot.histories == (HistoryRecord("web", {"streak": 2}),)
    assert snapshot.groups == (GroupRecord(1, "front"),) and snapshot.memberships == {(1, 1)}
    assert snapshot.sources[0].content == b"\0\xff" and snapshot.sources[0].version == 2
    assert store.events("web")[0].fields == {"pid": 4711}
    assert store.revisions("/srv", 1)[0].content == b"text"
    runs = [(run.name, run.number, run.exit_code, run.by) for run in store.runs("web", 9)]
    assert runs == ([] if file.name == "v1.db.sql" else [("web", 6, 3, "ana")])
