"""A pmond that was started before a newer version was installed: waits go on, the rest says why not."""

from __future__ import annotations

import pytest
from tests.support.command_line import Run
from tests.support.fake_daemon import CannedAnswer, FakeDaemon, ReceivedRequest, process

from pmon3.older_pmond import OlderPmond, refused
from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.protocol import Shutdown, read_body
from pmond.runtime.http.routes import match

UPGRADE = "pmon3 upgrade"


def error(message: str, status: int = 400) -> CannedAnswer:
    return CannedAnswer({"error": {"code": "bad_request", "message": message, "hint": ""}}, status)


def older_wait(request: ReceivedRequest) -> CannedAnswer:
    if "progress" in request.body:
        return error("cannot read the request: progress: Extra inputs are not permitted")
    return CannedAnswer({"outcome": "met", "processes": [process(1, "web")], "failures": []})


def test_a_wait_is_asked_for_again_without_what_it_does_not_know(daemon: FakeDaemon, run: Run) -> None:
    daemon.answers["POST", "/v1/wait"] = older_wait
    done = run("restart", "web")
    assert done.code == 0 and "web" in done.out
    assert (
        "pmond is older than this pmon3: --timeout is for the whole wait" in done.err and UPGRADE in done.err
    )
    asked = [request.body for request in daemon.requests if request.path == "/v1/wait"]
    assert [("progress" in body, body["timeout"]) for body in asked] == [(True, 60.0), (False, 60.0)]


def test_what_it_does_not_know_at_all_is_not_called_a_mistake_in_pmon3(daemon: FakeDaemon, run: Run) -> None:
    with pytest.raises(PmonError) as unknown:
        match("GET", "/v1/of-a-later-version")
    daemon.answers["GET", "/v1/graph"] = error(unknown.value.message, 404)
    gone = run("dgraph")
    why = "cannot ask that of pmond: it is older than this pmon3"
    assert (gone.code, gone.err) == (2, f"pmon3: {why} (pmon3 upgrade makes it the installed one)\n")
    daemon.answers["GET", "/v1/graph"] = CannedAnswer(
        {"order": [], "dependents": [], "edges": [], "cycles": []}
    )
    assert "it is older than this pmon3" in run("dgraph").err


def test_pmond_says_it_in_the_words_that_are_looked_for() -> None:
    with pytest.raises(PmonError) as said:
        read_body(Shutdown, b'{"of_a_later_version": true}')
    found = refused(said.value)
    assert isinstance(found, OlderPmond) and found.field == "of_a_later_version"


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ("cannot read the request: grace: Extra inputs are not permitted (and 1 more)", "grace"),
        ("cannot read the request: options.whole: Extra inputs are not permitted", "options.whole"),
        ("cannot read the request: grace: Input should be a valid number", None),
        ("cannot find process 'a': there is none", None),
    ],
)
def test_only_what_was_not_understood_is_taken_for_that(message: str, field: str | None) -> None:
    said = PmonError(ErrorCode.BAD_REQUEST, message)
    found = refused(said)
    assert (found.field if isinstance(found, OlderPmond) else None) == field
    assert found is said or UPGRADE in found.hint
