"""The state file: what is written comes back, whatever happens to the file in between."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from pmon3_schema.process import ProcessSpec
from pmond.core.model import Hold, Intent, SourceLocation
from pmond.runtime.base import clock
from pmond.runtime.state.event_rows import KEEP_EVENTS_PER_PROCESS
from pmond.runtime.state.intent_rows import decode_intent, encode_intent
from pmond.runtime.state.records import (
    Batch,
    EventRecord,
    GroupRecord,
    HistoryRecord,
    InstanceRecord,
    RevisionRecord,
    SourceRecord,
    decode,
    encode,
)
from pmond.runtime.state.store import Store
from pmond.runtime.state.store_error import StoreError

NOW = "2026-01-31T00:00:00.000Z"
PROCESS = Intent(
    ProcessSpec(name="web", file="/srv/w\udcffb", env_vars={"A": "ä"}),
    id=1,
    owner="file:/srv/web.yaml",
    place=SourceLocation("/srv/web.yaml", 4, 5),
    generation=3,
    hold=Hold(False, "root", NOW, "maintenance"),
    deferred=True,
    created_at=NOW,
    updated_at=NOW,
)
INSTANCE = InstanceRecord(
    "web", 7, 4711, 123456, "boot", 99, "abc", 1, 12.5, NOW, "/var/log/web.log", {"file": "/srv/web"}
)
SOURCE = SourceRecord("/srv/w\udcffb.yaml", "/srv", "digest", b"\0\xff", False, [{"line": 3}], NOW, 2)


def another(number: int, name: str, file: str = "/srv/web") -> Intent:
    """A process that differs from `PROCESS` in these."""
    return replace(PROCESS.with_spec(ProcessSpec(name=name, file=file)), id=number)


class StillClock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        return self.seconds

    def wall(self) -> str:
        return NOW


def opened(folder: Path) -> Store:
    return Store.open(folder / "data.db", clock=clock)


def filled(folder: Path) -> Path:
    """A closed state file with one record of each kind."""
    store = opened(folder)
    with store.transaction() as change:
        change.put_process(PROCESS)
        change.put_group(GroupRecord(1, "front"))
        change.add_member(1, 1)
        change.put_source(SOURCE)
        change.add_revision(RevisionRecord(1, "/srv", NOW, "root", {"added": 1}, b"text"))
    event = EventRecord(store.next_event_id(), NOW, "web", "Normal", "Started", "pid 4711", {"pid": 4711})
    store.flush(Batch({("web", 7): INSTANCE}, {"web": HistoryRecord("web", {"streak": 2})}, [event]))
    store.close()
    return folder / "data.db"


def test_everything_comes_back(tmp_path: Path) -> None:
    filled(tmp_path)
    store = opened(tmp_path)
    snapshot = store.load()
    assert snapshot.processes == (PROCESS,)
    assert snapshot.instances == (INSTANCE,)
    assert snapshot.histories == (HistoryRecord("web", {"streak": 2}),)
    assert snapshot.groups == (GroupRecord(1, "front"),)
    assert snapshot.memberships == {(1, 1)}
    assert snapshot.sources == (SOURCE,)
    assert [event.reason for event in store.events("web")] == ["Started"]
    assert store.revisions("/srv", 5)[0].content == b"text"
    assert store.notices == [] and store.degraded is None


def test_the_file_is_for_its_owner_only_and_keeps_its_identity(tmp_path: Path) -> None:
    first = opened(tmp_path / "state")
    identity = first.uuid
    first.close()
    assert opened(tmp_path / "state").uuid == identity
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "state" / "data.db").stat().st_mode & 0o777 == 0o600


def test_a_transaction_is_whole_or_nothing(tmp_path: Path) -> None:
    store = opened(tmp_path)

    def interrupted() -> None:
        with store.transaction() as change:
            change.put_process(PROCESS)
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        interrupted()
    with store.transaction() as change:
        change.put_group(GroupRecord(1, "front"))
    snapshot = store.load()
    assert snapshot.processes == () and snapshot.groups == (GroupRecord(1, "front"),)


def test_ids_count_up_and_start_anew_when_all_are_gone(tmp_path: Path) -> None:
    store = opened(tmp_path)
    with store.transaction() as change:
        assert change.next_process_id() == 1
        change.put_process(another(1, "a"))
        change.put_process(another(2, "b"))
        change.delete_processes([1])
        assert change.next_process_id() == 3
        change.delete_processes([2])
        assert change.next_process_id() == 1


def test_a_new_group_does_not_inherit_members(tmp_path: Path) -> None:
    store = opened(tmp_path)
    with store.transaction() as change:
        change.put_group(GroupRecord(1, "old"))
        change.put_process(PROCESS)
        change.add_member(1, 1)
        change.delete_group(1)
        change.put_group(GroupRecord(change.next_group_id(), "new"))
    assert store.load().memberships == frozenset()


def test_a_name_that_is_not_utf8_spoils_nothing(tmp_path: Path) -> None:
    store = opened(tmp_path)
    odd = replace(INSTANCE, name="w\udcffb")
    event = EventRecord(store.next_event_id(), NOW, odd.name, "Normal", "R", "m")
    store.flush(Batch({(odd.name, 7): odd}, {odd.name: HistoryRecord(odd.name, {})}, [event]))
    assert store.degraded is None
    assert store.load().instances == (odd,) and store.events(odd.name) == [event]
    store.flush(Batch({(odd.name, 7): None}, {odd.name: None}))
    assert store.load().instances == () and store.load().histories == ()


def test_why_an_instance_was_asked_to_end_is_added_to_its_record(tmp_path: Path) -> None:
    filled(tmp_path)
    store = opened(tmp_path)
    store.flush(Batch(changes={("web", 7): {"ending": "shutdown"}, ("web", 8): {"ending": "unwanted"}}))
    assert [(one.number, one.ending) for one in store.load().instances] == [(7, "shutdown")]


def test_forgetting_and_deleting(tmp_path: Path) -> None:
    filled(tmp_path)
    store = opened(tmp_path)
    store.flush(Batch({("web", 7): None}, {"web": None}))
    with store.transaction() as change:
        change.delete_source(SOURCE.path)
        change.remove_member(1, 1)
    snapshot = store.load()
    assert (snapshot.instances, snapshot.histories, snapshot.sources) == ((), (), ())
    assert snapshot.memberships == frozenset()


def test_runtime_facts_that_waited_for_a_large_change_are_saved_when_it_is_given_up(tmp_path: Path) -> None:
    """As before an upgrade, whose new code reads the file."""
    store = opened(tmp_path)
    staging = store.stage("many processes")
    store.flush(Batch(events=[EventRecord(store.next_event_id(), NOW, "web", "Normal", "Exited", "code 3")]))
    store.come_to_rest()
    assert not staging.open
    later = opened(tmp_path)
    assert [event.message for event in later.events("web")] == ["code 3"]
    later.close()
    store.close()


def test_events_are_bounded(tmp_path: Path) -> None:
    store = opened(tmp_path)
    for _ in range(3):
        numbers = [store.next_event_id() for _ in range(KEEP_EVENTS_PER_PROCESS)]
        store.flush(Batch(events=[EventRecord(n, NOW, "web", "Normal", "R", "m") for n in numbers]))
    kept = store.events("web", 1000)
    assert [event.id for event in kept] == list(range(401, 601))
    assert store.events("web", 1)[0].id == 600
    assert store.events("other") == []


@pytest.mark.slow
def test_events_are_bounded_in_all(tmp_path: Path) -> None:
    store = opened(tmp_path)
    for name in range(150):
        numbers = [store.next_event_id() for _ in range(100)]
        store.flush(Batch(events=[EventRecord(n, NOW, f"p{name}", "Normal", "R", "m") for n in numbers]))
    assert 10_000 <= len(store.events(limit=20_000)) <= 12_500
    assert store.events(limit=1)[0].id == 15_000
    store.close()
    assert opened(tmp_path).next_event_id() == 15_001


def test_state_of_a_newer_pmond_is_read(tmp_path: Path) -> None:
    path = filled(tmp_path)
    change_by_hand(path, "UPDATE processes SET data = json_set(data, '$.invented', 1)")
    change_by_hand(path, "PRAGMA user_version = 99")
    store = opened(tmp_path)
    assert store.load().processes == (PROCESS,)
    assert "newer pmond" in store.notices[0]


def test_a_damaged_row_costs_only_itself(tmp_path: Path) -> None:
    path = filled(tmp_path)
    change_by_hand(path, "INSERT INTO processes VALUES (2, 'x', '{\"id\": 2'), (3, 'y', CAST(x'ff' AS TEXT))")
    store = opened(tmp_path)
    assert store.load().processes == (PROCESS,)
    assert len(store.notices) == 2
    with store.transaction() as change:  # its name is free again
        change.put_process(another(2, "x"))
    assert len(store.load().processes) == 2


def change_by_hand(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


class Opened(Struct):
    notices: list[str]
    processes: tuple[Intent, ...]


def must_open(folder: Path, content: bytes) -> Opened:
    """Opening any content works, and the store can be written afterwards."""
    for old in folder.iterdir():
        old.unlink()
    (folder / "data.db").write_bytes(content)
    store = opened(folder)
    found = Opened(store.notices, store.load().processes)
    store.flush(Batch({("new", 1): replace(INSTANCE, name="new", number=1)}))
    with store.transaction() as change:
        change.put_process(another(change.next_process_id(), "new"))
    store.events()
    assert "new" in {process.name for process in store.load().processes}
    store.close()
    return found


@pytest.mark.slow
def test_a_truncated_file_never_keeps_pmond_from_starting(tmp_path: Path) -> None:
    content = filled(tmp_path).read_bytes()
    work = tmp_path / "work"
    work.mkdir()
    for length in [*range(0, 120, 7), *range(120, len(content), 4001), len(content) - 1]:
        store = must_open(work, content[:length])
        aside = list(work.glob("data.db.corrupt-*"))
        assert bool(aside) == bool(store.notices)
        # Begun anew and told so, or nothing was lost (the end of the last page may be empty).
        assert aside or length == 0 or PROCESS in store.processes


@pytest.mark.slow
def test_flipped_bits_never_keep_pmond_from_starting(tmp_path: Path) -> None:
    content = filled(tmp_path).read_bytes()
    work = tmp_path / "work"
    work.mkdir()
    chance = random.Random(20260131)
    used = [place for place, byte in enumerate(content) if byte]
    for _ in range(150):
        damaged = bytearray(content)
        for _ in range(chance.choice([1, 1, 8])):
            # Half of them in the parts of the file that hold something.
            place = chance.choice(used if chance.random() < 0.5 else range(len(content)))
            damaged[place] ^= 1 << chance.randrange(8)
        must_open(work, bytes(damaged))


@pytest.mark.parametrize("content", [b"\0" * 8192, b"not a database", b"SQLite format 3\0" + b"\xff" * 5000])
def test_other_content_is_moved_aside_and_kept(tmp_path: Path, content: bytes) -> None:
    store = must_open(tmp_path, content)
    (aside,) = tmp_path.glob("data.db.corrupt-*")
    assert aside.read_bytes() == content
    assert str(aside) in store.notices[0]


def test_a_zero_filled_tail_never_keeps_pmond_from_starting(tmp_path: Path) -> None:
    content = filled(tmp_path).read_bytes()
    work = tmp_path / "work"
    work.mkdir()
    for start in range(4096, len(content), 8192):
        must_open(work, content[:start] + b"\0" * (len(content) - start))


@pytest.mark.slow
def test_a_damaged_log_of_changes_never_keeps_pmond_from_starting(tmp_path: Path) -> None:
    store = opened(tmp_path)
    with store.transaction() as change:
        change.put_process(PROCESS)
    content, wal = (tmp_path / "data.db").read_bytes(), (tmp_path / "data.db-wal").read_bytes()
    assert wal
    for length in range(0, len(wal), len(wal) // 25):
        work = tmp_path / f"work{length}"
        work.mkdir()
        (work / "data.db").write_bytes(content)
        (work / "data.db-wal").write_bytes(wal[:length] + b"\xff" * 100)
        found = opened(work)
        assert found.load().processes in ((), (PROCESS,))


def test_what_was_committed_outlives_a_killed_daemon(tmp_path: Path) -> None:
    store = opened(tmp_path)
    with store.transaction() as change:
        change.put_process(PROCESS)
    store.flush(Batch({("web", 7): INSTANCE}))
    work = tmp_path / "as left"
    work.mkdir()
    for file in tmp_path.glob("data.db*"):
        shutil.copy(file, work)
    snapshot = opened(work).load()
    assert snapshot.processes == (PROCESS,) and snapshot.instances == (INSTANCE,)


def test_a_database_of_another_program_is_moved_aside(tmp_path: Path) -> None:
    change_by_hand(tmp_path / "data.db", "CREATE TABLE processes (id INTEGER, pid INTEGER)")
    store = opened(tmp_path)
    assert "another program" in store.notices[0]
    assert store.load().processes == ()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_is_not_believed(tmp_path: Path) -> None:
    os.chown(filled(tmp_path), 65534, -1)
    store = opened(tmp_path)
    assert "belongs to user id 65534" in store.notices[0]
    assert store.load().processes == ()


def test_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "else").mkdir()
    target = filled(tmp_path / "else")
    (tmp_path / "data.db").symlink_to(target)
    assert opened(tmp_path).load().processes == ()
    assert opened(tmp_path / "else").load().processes == (PROCESS,)


def test_a_removed_folder_is_made_again_with_everything(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    filled(folder)
    store = opened(folder)
    shutil.rmtree(folder)
    store.flush(Batch({("api", 1): replace(INSTANCE, name="api", number=1)}))
    assert store.degraded is None
    store.close()
    snapshot = opened(folder).load()
    assert snapshot.processes == (PROCESS,) and len(snapshot.instances) == 2


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    still = StillClock()
    store = Store.open(tmp_path / "file" / "data.db", clock=still)
    assert store.degraded is not None and store.notices
    store.flush(Batch({("web", 7): INSTANCE}))
    with (
        pytest.raises(StoreError, match="cannot save the stop of web: "),
        store.transaction("the stop of web"),
    ):
        pass
    (tmp_path / "file").unlink()
    still.seconds += 60
    store.flush(Batch())
    assert store.degraded is None
    store.close()
    assert opened(tmp_path / "file").load().instances == (INSTANCE,)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("cannot mount here")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk: Path) -> Path:
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return filler


def test_a_full_disk_loses_nothing_and_stops_nothing(small_disk: Path) -> None:
    still = StillClock()
    store = Store.open(small_disk / "data.db", clock=still)
    with store.transaction() as change:
        change.put_process(PROCESS)
    filler = fill(small_disk)
    large = replace(INSTANCE, spec={"file": "x" * 50_000})
    store.flush(Batch({("web", 7): large}, events=[EventRecord(1, NOW, "web", "Normal", "R", "m")]))
    assert store.degraded is not None and "disk full" in store.degraded
    assert [event.id for event in store.events("web")] == [1]

    def save() -> None:
        with store.transaction("process api") as change:
            change.put_process(another(2, "api", "x" * 50_000))

    with pytest.raises(StoreError, match="cannot save process api: disk full") as refusal:
        save()
    assert refusal.value.hint
    assert store.load().processes == (PROCESS,)
    filler.unlink()
    still.seconds += 60
    store.flush(Batch())
    assert store.degraded is None
    save()
    store.close()
    snapshot = opened(small_disk).load()
    assert len(snapshot.processes) == 2 and snapshot.instances == (large,)


def test_starting_on_a_full_disk_reads_what_is_there(small_disk: Path) -> None:
    path = filled(small_disk)
    filler = fill(small_disk)
    still = StillClock()
    store = Store.open(path, clock=still)
    assert store.load().processes == (PROCESS,)
    filler.unlink()
    still.seconds += 60
    with store.transaction() as change:
        change.put_process(another(2, "api"))
    store.close()
    assert len(opened(small_disk).load().processes) == 2


def test_a_read_only_folder_is_read_and_written_once_it_can_be(small_disk: Path) -> None:
    path = filled(small_disk)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    still = StillClock()
    store = Store.open(path, clock=still)
    assert store.load().processes == (PROCESS,)
    store.flush(Batch({("api", 1): replace(INSTANCE, name="api", number=1)}))
    assert store.degraded is not None
    with pytest.raises(StoreError, match="cannot save"), store.transaction() as change:
        change.put_group(GroupRecord(2, "back"))
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    still.seconds += 60
    store.flush(Batch())
    assert store.degraded is None
    store.close()
    assert len(opened(small_disk).load().instances) == 2


texts = st.text(max_size=20)
plain = st.dictionaries(texts, texts, max_size=4)


ROW = (
    r'{"id":1,"owner":"file:/srv/web.yaml","generation":3,"token":1,"hold":{"up":false,"by":"root",'
    r'"at":"2026-01-31T00:00:00.000Z","reason":"maintenance","until":null},"deferred":true,"staged":false,'
    r'"deleting":false,"forced":false,"trusted":true,"asked_by":"","undeclared":false,'
    r'"created_at":"2026-01-31T00:00:00.000Z","updated_at":"2026-01-31T00:00:00.000Z","name":"web",'
    r'"spec":{"file":"/srv/w\udcffb","name":"web","env_vars":{"A":"\u00e4"}},"file":"/srv/web.yaml",'
    r'"line":4,"column":5}'
)


def test_the_row_of_an_intent_keeps_its_shape() -> None:
    """Earlier and later versions read it; a new field may be added, with a default."""
    assert json.loads(encode_intent(PROCESS)) == json.loads(ROW)
    assert decode_intent(ROW) == PROCESS


@given(plain, texts, st.none() | st.builds(Hold, st.booleans(), texts, texts, texts, st.none() | texts))
def test_an_intent_comes_back_from_its_row(variables: dict[str, str], text: str, hold: Hold | None) -> None:
    spec = ProcessSpec(name="web", file=text, env_vars=variables)
    intent = replace(PROCESS.with_spec(spec), place=SourceLocation(text, 4, 5), hold=hold)
    assert decode_intent(encode_intent(intent)) == intent


@given(
    st.dictionaries(texts, st.none() | st.booleans() | st.integers() | texts | st.lists(texts), max_size=4)
)
def test_a_record_comes_back_from_its_row(data: dict[str, object]) -> None:
    record = HistoryRecord("web", data)
    assert decode(HistoryRecord, encode(record)) == record


@given(st.binary(max_size=60) | plain.map(lambda value: str(value).encode()))
def test_a_row_of_anything_is_refused_with_a_value_error(data: bytes) -> None:
    with pytest.raises((ValueError, TypeError)):
        decode_intent(data)
