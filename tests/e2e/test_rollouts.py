"""How a change of many goes: how many at once, for how long, and what happens when one fails."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.e2e.test_declarative import failing, manifest, pids, sleeper, the_set
from tests.support.pmond import Pmond

pytestmark = pytest.mark.slow


def messages(pmond: Pmond, reason: str) -> list[str]:
    return [event["message"] for event in pmond.events() if event["reason"] == reason]


def history(pmond: Pmond, file: str) -> list[dict[str, Any]]:
    """The revisions of its set, newest first."""
    return [dict(one) for one in pmond.ask("GET", f"/v1/history?set=file:{file}").body]


def test_what_was_not_reached_is_started_by_the_next_apply_or_by_a_person(pmond: Pmond) -> None:
    file = manifest(pmond, sleeper("db"))
    pmond.ok("apply", "-f", file)
    whole = (sleeper("web", dependencies=["db"]), sleeper("zoo", dependencies=["db"]))
    manifest(pmond, failing("db"), *whole)
    assert pmond.run("apply", "-f", file).returncode == 7
    assert "not reached: web, zoo" in messages(pmond, "RolloutEnded")[-1]
    assert "not ready: db" in messages(pmond, "RolloutEnded")[-1]
    assert {name for name, pid in pids(pmond).items() if pid} == set()
    actions = json.loads(pmond.run("diff", "-f", file, "-o", "json").stdout)["actions"]
    assert [(one["action"], one["name"]) for one in actions] == [("start", "web"), ("start", "zoo")]
    manifest(pmond, sleeper("db", 7), *whole)
    pmond.ok("apply", "-f", file)
    assert all(pids(pmond).values())
    assert pmond.run("diff", "-f", file).returncode == 0


def test_a_person_may_start_what_was_not_reached(pmond: Pmond) -> None:
    file = manifest(pmond, sleeper("db"))
    pmond.ok("apply", "-f", file)
    manifest(pmond, failing("db"), sleeper("web"), sleeper("zoo", dependencies=["db"]))
    assert pmond.run("apply", "-f", file).returncode == 7
    assert not pmond.row("zoo")["pid"]
    manifest(pmond, failing("db"), sleeper("zoo"))
    pmond.ok("start", "zoo", "--no-wait")
    assert "turn in a rollout" not in pmond.row("zoo")["reason"]


def test_a_failed_rollout_goes_back_by_itself_to_the_last_that_was_whole(pmond: Pmond) -> None:
    file = manifest(pmond, sleeper("db", 1001), sleeper("web", dependencies=["db"]))
    pmond.ok("apply", "-f", file)
    manifest(pmond, failing("db"), sleeper("web", dependencies=["db"]))
    assert pmond.run("apply", "-f", file).returncode == 7, "one that fails, and stays"
    manifest(pmond, failing("db", argv0="again"), sleeper("web", dependencies=["db"]), sleeper("new"))
    failed = pmond.run("apply", "-f", file, "--on-failure", "rollback")
    assert failed.returncode == 7
    row = pmond.row("db")
    assert (row["status"], row["args"]) == ("running", ["1001"]), "not the one before, which had failed too"
    assert "new" not in pmond.rows(), "it was waited for"
    numbers = [(one["outcome"], one["by"]) for one in history(pmond, file)]
    assert numbers == [("done", "pmond"), ("rolled_back", numbers[1][1]), ("failed", numbers[2][1]),
                       ("done", numbers[3][1])]  # fmt: skip
    newest, undone, _, whole = (one["revision"] for one in history(pmond, file))
    assert history(pmond, file)[0]["message"] == f"rollback of {undone}, which failed, to {whole}"
    assert (
        f"revision {newest} of file:{file} is in force: rollback of {undone}, which failed" in failed.stderr
    )
    (said,) = messages(pmond, "RolledBack")
    assert said == f"file:{file}: revision {undone} failed; back to {whole}"
    assert newest == undone + 1
    found = the_set(pmond, f"file:{file}")
    assert (found["sync"], found["suspended"]["reason"]) == ("Suspended", f"RolledBack to {whole}")


def test_what_cannot_go_back_says_so_and_stays(pmond: Pmond) -> None:
    file = manifest(pmond, failing("db"), sleeper("web"))
    failed = pmond.run("apply", "-f", file, "--on-failure", "rollback")
    assert failed.returncode == 7 and "could not be rolled back" in failed.stderr
    assert "there is no revision before" in messages(pmond, "RollbackFailed")[0]
    assert pmond.row("web")["pid"]


def test_a_change_of_hundreds_has_a_limit_of_progress_and_not_of_the_whole(pmond: Pmond) -> None:
    """Thirty times ten restarts, each of 0.2 s until it counts as running, take longer than the limit."""

    def declared(seconds: int) -> str:
        return manifest(pmond, *(sleeper(f"p{number:03}", seconds) for number in range(300)))

    pmond.ok("apply", "-f", declared(1000))
    before = pids(pmond)
    ran = pmond.run("apply", "-f", declared(1001), "--timeout", "5s")
    assert ran.returncode == 0, ran.stderr
    took = float(ran.stderr.rpartition(" in ")[2].split()[0])
    assert "300 restarted in" in ran.stderr and took > 5.0, "else this shows nothing"
    after = pids(pmond)
    assert not {pid for name, pid in after.items() if pid == before[name]}


def test_what_gets_no_further_is_not_waited_for_any_longer(pmond: Pmond) -> None:
    stuck = sleeper("web") | {"ready": {"log": "never said", "deadline": "10m"}}
    file = manifest(pmond, stuck, sleeper("db"))
    ran = pmond.run("apply", "-f", file, "--timeout", "2s")
    assert ran.returncode == 4
    assert "cannot see all ready: 1 of 2 ready, now web: " in ran.stderr
    assert "nothing got further for 2 s, it goes on" in ran.stderr
