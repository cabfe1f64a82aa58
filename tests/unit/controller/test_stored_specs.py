"""What an older pmond stored without a user gets the user that it must have meant, and nothing restarts."""

from __future__ import annotations

from pmon3_schema.process import ProcessSpec
from pmon3_schema.revision import revision
from pmond.core.model import Intent
from pmond.runtime.intent.stored_specs import with_users
from pmond.runtime.state.records import HistoryRecord, InstanceRecord, Snapshot, SourceRecord

SPEC = ProcessSpec(file="/bin/web", name="web")


def snapshot(one: Intent, *sources: SourceRecord) -> Snapshot:
    instance = InstanceRecord("web", 1, 77, 5, "boot", 0, one.revision, 1, 1.0, "", "", {})
    history = HistoryRecord("web", {"revision": one.revision, "number": 1})
    return Snapshot((one,), (instance,), (history,), (), frozenset(), sources)


def test_what_somebody_with_its_rights_wrote_runs_as_pmond() -> None:
    found = with_users(snapshot(Intent(SPEC)), 0, "now")
    one = found.processes[0]
    assert (one.spec.user, one.hold) == ("root", None)
    assert found.instances[0].revision == found.histories[0].data["revision"] == one.revision
    assert one.revision == revision(one.spec) != revision(SPEC)


def test_what_stands_in_a_set_runs_as_who_made_the_set() -> None:
    source = SourceRecord(
        path="/tmp/al.yaml", set_name="al", digest="", content=b"", accepted=True, diagnostics=[],
        checked_at="", version=1, uid=3_999_999_999,
    )  # fmt: skip
    found = with_users(snapshot(Intent(SPEC, owner="al", trusted=False), source), 0, "now")
    assert found.processes[0].spec.user == "3999999999"
    assert found.processes[0].hold is None


def test_what_nobody_knows_the_author_of_is_nobodys_and_held_with_the_reason() -> None:
    one = with_users(snapshot(Intent(SPEC, trusted=False)), 0, "now").processes[0]
    assert one.spec.user == "nobody"
    assert one.hold is not None and not one.hold.up and "--user" in one.hold.reason


def test_what_names_its_user_is_left_as_it_is() -> None:
    named = snapshot(Intent(ProcessSpec(file="/bin/web", name="web", user="daemon"), trusted=False))
    assert with_users(named, 0, "now") is named
