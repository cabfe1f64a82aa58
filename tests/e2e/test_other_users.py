"""Callers that are not root, on the socket of a root pmond: their own processes and no others."""

from __future__ import annotations

import json
import os
import pwd

import pytest
from tests.support.other_users import ask_as
from tests.support.pmond import Pmond
from tests.support.waiting import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can ask as somebody else"),
]


@pytest.fixture
def shared(pmond: Pmond) -> Pmond:
    if not os.access("/usr/bin/python3", os.X_OK):
        pytest.skip("needs an interpreter that every user may run")
    for name, user in (("roots", "root"), ("nobodys", "nobody"), ("daemons", "daemon")):
        pmond.ok(
            "exec", "/bin/sleep", "--name", name, "--user", user, "-e", f"TOKEN=secret-{name}", "--", "1000"
        )
    return pmond


def test_secrets(shared: Pmond) -> None:
    assert "secret-nobodys" in str(ask_as("nobody", shared, "GET", "/v1/processes/nobodys"))
    for name in ("roots", "daemons"):
        status, answer = ask_as("nobody", shared, "GET", f"/v1/processes/{name}")
        assert (status, "TOKEN" in str(answer), "secret" in str(answer)) == (200, True, False)
    text = str(ask_as("nobody", shared, "GET", "/v1/export"))
    assert ("secret-nobodys" in text, "secret-roots" in text) == (True, False)
    assert "secret-roots" in shared.ok("export")
    for text in (shared.ok("events", "-o", "json"), shared.journal_file.read_text()):
        assert "secret" not in text


@pytest.mark.parametrize("verb", ["stop", "restart", "delete", "kill", "drop", "reset", "start"])
def test_control(shared: Pmond, verb: str) -> None:
    before = shared.rows()
    for refs in (["roots"], ["nobodys", "daemons"], ["*"]):
        status, answer = ask_as("nobody", shared, "POST", f"/v1/actions/{verb}", {"refs": refs})
        assert (status, "forbidden" in str(answer)) == (403, True), answer
    assert {name: row["pid"] for name, row in shared.rows().items()} == {
        name: row["pid"] for name, row in before.items()
    }
    status, answer = ask_as("nobody", shared, "POST", f"/v1/actions/{verb}", {"refs": ["nobodys"]})
    assert status == 200, answer
    status, _ = ask_as("nobody", shared, "POST", f"/v1/actions/{verb}", {"all": True})
    assert status in (200, 403, 404)
    rows = shared.rows()
    assert (rows["roots"]["pid"], rows["daemons"]["pid"]) == (
        before["roots"]["pid"],
        before["daemons"]["pid"],
    )


def test_submitting(shared: Pmond) -> None:
    spec = {"file": "/bin/sleep", "args": ["1000"]}
    status, answer = ask_as(
        "nobody", shared, "POST", "/v1/processes", {"spec": {**spec, "name": "own"}, "cwd": "/"}
    )
    assert status == 200, answer
    assert shared.until("own", "running")["user"] == "nobody"
    pid = shared.row("own")["pid"]
    assert os.stat(f"/proc/{pid}").st_uid == pwd.getpwnam("nobody").pw_uid  # noqa: PTH116
    for user in ("root", "daemon", "0"):
        body = {"spec": {**spec, "name": f"as-{user}", "user": user}, "cwd": "/"}
        assert ask_as("nobody", shared, "POST", "/v1/processes", body)[0] == 403
    taken = {"spec": {**spec, "name": "roots"}, "cwd": "/", "replace": True}
    assert ask_as("nobody", shared, "POST", "/v1/processes", taken)[0] == 403
    ends = {**spec, "name": "ends", "exit_on_end": True, "restart": {"policy": "never"}}
    assert ask_as("nobody", shared, "POST", "/v1/processes", {"spec": ends, "cwd": "/"})[0] == 403
    ending = {"refs": ["own"], "changes": {"exit_on_end": True, "restart": {"policy": "never"}}}
    assert ask_as("nobody", shared, "POST", "/v1/actions/restart", ending)[0] == 403
    changed = {"refs": ["own"], "changes": {"user": "root"}}
    assert ask_as("nobody", shared, "POST", "/v1/actions/restart", changed)[0] == 403
    assert shared.row("own")["user"] == "nobody"
    assert set(shared.rows()) == {"roots", "nobodys", "daemons", "own"}


def test_manifests(shared: Pmond) -> None:
    def apply(target: str, *processes: dict[str, object]) -> tuple[int, object]:
        text = json.dumps({"processes": list(processes)})
        return ask_as(
            "nobody", shared, "POST", target, {"documents": [{"path": "/tmp/x.yaml", "text": text}]}
        )

    sleep = {"file": "/bin/sleep", "args": ["1000"]}
    assert apply("/v1/apply", {**sleep, "name": "r", "user": "root"})[0] == 403
    _, answer = apply("/v1/plan", {**sleep, "name": "roots", "env_vars": {"TOKEN": "guess"}})
    assert "secret" not in str(answer)
    assert apply("/v1/apply", {**sleep, "name": "roots"})[0] in (403, 409)
    assert apply("/v1/apply", {**sleep, "name": "e", "exit_on_end": True, "no_auto_restart": True})[0] == 403
    assert apply("/v1/apply", {**sleep, "name": "n"})[0] == 200
    assert shared.until("n", "running")["user"] == "nobody"


def test_values_that_somebody_else_chose_are_not_told(shared: Pmond) -> None:
    """A document of one's own could have them said: in arguments, or as a user that there is not."""
    file = shared.folder / "s.yaml"
    hidden = {"name": "hidden", "file": "/bin/sleep", "args": ["1000"], "env_vars": {"TOKEN": "${SECRET}"}}
    file.write_text(json.dumps({"variables": {"SECRET": None}, "processes": [hidden]}))
    shared.ok("apply", "-f", str(file), "--var", "SECRET=hunter2")
    asking = {"name": "nobodys", "file": "/bin/sleep", "args": ["${SECRET}"], "user": "${SECRET}"}
    text = json.dumps({"variables": {"SECRET": None}, "processes": [asking]})
    body = {"set": f"file:{file}", "take_ownership": True, "documents": [{"path": str(file), "text": text}]}
    for target, more in (("/v1/plan", {}), ("/v1/apply", {"dry_run": True}), ("/v1/apply", {})):
        status, answer = ask_as("nobody", shared, "POST", target, {**body, **more})
        assert status == 403
        assert "hunter2" not in str(answer)
    for target in ("/v1/sets", f"/v1/history?set=file:{file}", "/v1/events", "/v1/processes/hidden"):
        status, answer = ask_as("nobody", shared, "GET", target)
        assert status == 200
        assert "hunter2" not in str(answer)


def test_of_a_wrong_manifest_the_place_and_the_kind_are_told_and_no_more(shared: Pmond) -> None:
    shared.write(
        "processes:\n  - {name: web, file: /bin/sleep, umask: hunter2, hunter3: 1}\n"
        '  - {name: "hunter/4", file: /bin/sleep}\n'
    )
    until(lambda: "ManifestRejected" in shared.reasons(), "the manifest to be looked at")
    assert "hunter2" in shared.run("status").stdout + shared.run("status", "-o", "json").stdout
    waiting = {
        "targets": [],
        "set": f"file:{shared.manifest_file}",
        "until": "condition=Accepted",
        "timeout": 1,
    }
    asked: list[tuple[str, str, object]] = [
        ("GET", "/v1/sets", None), ("GET", "/v1/events", None), ("POST", "/v1/wait", waiting),
    ]  # fmt: skip
    for method, target, body in asked:
        status, answer = ask_as("nobody", shared, method, target, body)
        assert (status, "hunter" in str(answer)) == (200, False), answer
        assert f"{shared.manifest_file}:2:" in str(answer)
    _, sets = ask_as("nobody", shared, "GET", "/v1/sets")
    assert isinstance(sets, list)
    (one,) = (one for one in sets if one["name"] == f"file:{shared.manifest_file}")
    kinds = {diagnostic["code"]: diagnostic["message"] for diagnostic in one["diagnostics"]}
    assert (one["accepted"], kinds["PM014"]) == (False, "an unknown field")


def test_logs_and_administration(shared: Pmond) -> None:
    assert ask_as("nobody", shared, "GET", "/v1/logs/roots")[0] == 403
    for method, target, body in (
        ("POST", "/v1/shutdown", {"stop_processes": True}),
        ("POST", "/v1/groups", {"name": "g"}),
        ("POST", "/v1/init", {}),
    ):
        assert ask_as("nobody", shared, method, target, body)[0] == 403
    assert len(shared.rows()) == 3


def test_a_log_is_opened_with_the_rights_of_its_user(shared: Pmond) -> None:
    """Otherwise root's files could be written to, or read, by naming them as a log."""
    secret = shared.folder / "secret"
    secret.write_text("for root only\n")
    secret.chmod(0o600)
    spec = {"file": "/bin/sh", "args": ["-c", "echo overwritten"], "name": "evil", "log": str(secret)}
    ask_as("nobody", shared, "POST", "/v1/processes", {"spec": spec, "cwd": "/"})
    shared.until("evil", "backoff")
    assert secret.read_text() == "for root only\n"
    assert "for root only" not in str(ask_as("nobody", shared, "GET", "/v1/logs/evil"))


def test_logs_of_others_cannot_be_read_by_naming_them(shared: Pmond) -> None:
    """Not as the log of one's own process, and not under a name that somebody else had before."""
    shared.ok("exec", "/bin/sh", "--name", "talker", "--", "-c", "echo for root only; exec sleep 1000")
    log = shared.row("talker")["log"]
    until(lambda: "root" in shared.ok("log", "talker"), "it to write")
    spec = {"file": "/bin/sleep", "args": ["1000"], "name": "spy", "log": log}
    ask_as("nobody", shared, "POST", "/v1/processes", {"spec": spec, "cwd": "/"})
    status, answer = ask_as("nobody", shared, "GET", "/v1/logs/spy")
    assert (status, "for root only" in str(answer)) == (403, False)
    shared.ok("del", "talker")
    ask_as(
        "nobody", shared, "POST", "/v1/processes", {"spec": {**spec, "name": "talker", "log": ""}, "cwd": "/"}
    )
    shared.until("talker", "running")
    status, text = ask_as("nobody", shared, "GET", "/v1/logs/talker", decoded=False)
    assert (status, "for root only" in str(text)) == (200, False)


def test_their_own_logs(shared: Pmond) -> None:
    spec = {"file": "/bin/sh", "args": ["-c", "echo hello; exec sleep 1000"], "name": "mine"}
    assert ask_as("nobody", shared, "POST", "/v1/processes", {"spec": spec, "cwd": "/"})[0] == 200
    shared.until("mine", "running")
    until(lambda: "hello" in shared.ok("log", "mine"), "it to write")
    assert ask_as("nobody", shared, "GET", "/v1/logs/mine", decoded=False) == (200, "hello\n")
    assert ask_as("daemon", shared, "GET", "/v1/logs/mine")[0] == 403
    assert os.stat(shared.row("mine")["log"]).st_uid == pwd.getpwnam("nobody").pw_uid  # noqa: PTH116


def test_what_its_user_may_not_execute_is_told_as_a_start_that_failed(pmond: Pmond) -> None:
    closed = pmond.folder / "closed"
    closed.mkdir(mode=0o700)
    program = closed / "program"
    program.write_text("#!/bin/sh\nexec sleep 1000\n")
    program.chmod(0o755)
    pmond.declare(
        {"name": "np", "file": str(program), "user": "nobody", "cwd": "/", "restart": {"policy": "never"}}
    )
    why = pmond.until("np", "failed")["reason"]
    assert "nobody" in why
    told = {event["reason"]: event["message"] for event in pmond.events("np")}
    assert told.keys() == {"Started", "StartFailed"}
    assert told["StartFailed"] == why
