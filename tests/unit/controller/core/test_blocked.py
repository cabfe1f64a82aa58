"""Who is in the way of a process that waits, near and far."""

from __future__ import annotations

from tests.support.factories import desired, wanted

from pmond.core.blocked import Blocked, blocked
from pmond.core.model import Ending, ExitStatus, History, Instance, Intent, Observed, Phase, Policy, State

NOW = 200.0
FAILED = State(
    None,
    History(number=1, attempts=1, revision="r1", ending=Ending.ITSELF, exit=ExitStatus(3), ended_at=NOW),
)
RUNS = State(Instance(1, 7, "r1", 0, NOW - 60, Phase.RUNNING))
ONCE = {"policy": "never"}


def way(*intents: Intent, seen: Observed) -> Blocked:
    """Who is in the way of `web`."""
    return blocked("web", desired(*intents), seen, NOW, Policy())


def test_one_that_failed_for_good_is_named_with_its_reason() -> None:
    found = way(wanted(dependencies=["db"]), wanted("db", restart=ONCE), seen={"db": FAILED})
    assert found.by == "db"
    assert found.reason == "waits for db, which failed: exited with code 3; it is not restarted"
    assert found.seen == {"db"}


def test_it_is_found_through_others_that_wait() -> None:
    intents = (
        wanted(dependencies=["cache", "api"]), wanted("cache"), wanted("api", dependencies=["db"]),
        wanted("db", restart=ONCE),
    )  # fmt: skip
    found = way(*intents, seen={"db": FAILED, "cache": RUNS})
    assert found.by == "db"
    assert found.reason.startswith("waits for api, which waits for db, which failed: exited with code 3")
    assert found.seen == {"api", "db"}


def test_what_nobody_starts_is_in_the_way_too() -> None:
    found = way(wanted(dependencies=["db"]), wanted("db", autostart=False), seen={})
    assert (found.by, "which is stopped" in found.reason) == ("db", True)
    assert way(wanted(dependencies=["db"]), wanted("db", held=False), seen={}).by == "db"


def test_what_is_on_its_way_or_may_be_restarted_is_not_in_the_way() -> None:
    assert way(wanted(dependencies=["db"]), wanted("db"), seen={}) == Blocked(seen=frozenset({"db"}))
    again = way(wanted(dependencies=["db"]), wanted("db"), seen={"db": FAILED})
    assert (again.by, {*again.seen}) == ("", {"db"}), "it is restarted after a while"
    asked = way(wanted(dependencies=["db"]), wanted("db", restart=ONCE, token=1), seen={"db": FAILED})
    assert asked.by == "", "somebody asked for another start"
    going = way(wanted(dependencies=["db"]), wanted("db", deleting=True), seen={"db": RUNS})
    assert going.by == "", "once it is gone nobody waits for it"


def test_who_does_not_wait_is_kept_by_nobody() -> None:
    optional = wanted(dependencies=[{"name": "db", "required": False}])
    assert way(optional, wanted("db", restart=ONCE), seen={"db": FAILED}) == Blocked()
    assert way(wanted(dependencies=["db"]), wanted("db"), seen={"web": RUNS, "db": RUNS}) == Blocked()
