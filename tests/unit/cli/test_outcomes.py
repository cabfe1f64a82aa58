"""How commands end: exit codes, errors on stderr, missed goals."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from tests.support.command_line import Run, assert_screen
from tests.support.fake_daemon import PLAN, CannedAnswer, Chunks, FakeDaemon, detailed, graph_need, process

from pmon3.exit_codes import exit_code
from pmon3.output import wants_json
from pmon3_schema.errors import ErrorCode


def test_every_error_has_its_exit_code() -> None:
    expected = {
        "not_found": 1, "invalid": 1, "bad_request": 2, "internal": 2, "unreachable": 3, "timeout": 4,
        "conflict": 5, "refused": 6, "forbidden": 6, "unmet": 7,
    }  # fmt: skip
    assert {code.value: exit_code(code) for code in ErrorCode} == expected


@pytest.mark.parametrize("words", [["ls"], ["ls", "-g", "x"], ["stop", "web"], ["desc", "web"], ["diff"]])
def test_without_a_daemon_the_hint_says_how_to_start_one(run: Run, words: list[str]) -> None:
    ran = run(*words)
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("pmon3: cannot reach pmond: nothing answers on ")
    assert "(start it with pmon3 up, or systemctl start pmond)" in ran.err


def test_a_socket_without_permission_is_exit_code_3(
    folders: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: socket.socket, address: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    ran = run("ls")
    assert ran.code == 3 and "no permission on" in ran.err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["lss"], 2, "did you mean ls?"),
        (["ls", "--lable", "a=b"], 2, "cannot run ls: no such option: --lable"),
        (["stop"], 2, "cannot tell which process is meant"),
        (["stop", "web", "--timeout", "soon"], 2, "cannot read --timeout: 'soon' is not a duration"),
        (["ls", "-l", "tier"], 2, "cannot read the label 'tier': it is not KEY=VALUE"),
        (["ls", "-o", "xml"], 2, "cannot run ls: invalid value for '--output'"),
        (["exec"], 2, "cannot run exec: missing argument 'FILE'"),
        (["exec", "/bin/x", "-a", "1", "--", "2"], 2, "cannot use both --args and arguments after FILE"),
        (["apply"], 2, "name it with -f PATH"),
        (["apply", "-f", "/nowhere/x.yaml"], 2, "cannot use /nowhere/x.yaml: no such file or directory"),
        (
            ["apply", "-f", "x.yaml", "--prune-limit", "most"],
            2,
            "'most' is not a number or a share such as 80%",
        ),
        (["wait", "web", "--for", "exited=256"], 2, "exit codes end at 255"),
        (["wait", "web", "--for", "condition=Accepted"], 2, "a condition of sets, and no set is named"),
        (["wait", "--set", "s", "--for", "condition=Acepted"], 2, "one of Accepted, Synced, Progressing, "),
        (["desc", "nope"], 1, "cannot find process 'nope'"),
    ],
)
def test_mistakes_are_told_in_one_line(
    daemon: FakeDaemon, run: Run, words: list[str], code: int, message: str
) -> None:
    ran = run(*words)
    assert (ran.code, ran.out) == (code, "")
    assert ran.err.startswith("pmon3: cannot ") and message in ran.err and ran.err.count("\n") == 1


def test_errors_are_json_on_stderr_when_json_was_asked_for(daemon: FakeDaemon, run: Run) -> None:
    ran = run("desc", "nope", "-o", "json")
    assert (ran.code, ran.out) == (1, "")
    assert json.loads(ran.err)["error"]["code"] == "not_found"
    assert wants_json(["ls", "--output=json"]) and wants_json(["stop", "-ojson", "x"])
    assert not wants_json(["export", "-o", "json"]) and not wants_json(["ls", "-o"])


def failures(outcome: str) -> CannedAnswer:
    failed = [{"name": "web", "reason": "exited 1 at once, next restart in 3 s", "log_tail": "one\ntwo\n"}]
    return CannedAnswer({"outcome": outcome, "processes": [process(1, "web", "backoff")], "failures": failed})


@pytest.mark.parametrize(("outcome", "code", "word"), [("failed", 7, "unmet"), ("timeout", 4, "timeout")])
def test_a_missed_goal_prints_the_table_and_says_why(
    daemon: FakeDaemon, run: Run, outcome: str, code: int, word: str
) -> None:
    daemon.answers["POST", "/v1/wait"] = failures(outcome)
    ran = run("restart", "web", "--timeout", "3s")
    assert ran.code == code and "│1 ║web" in ran.out
    assert_screen(f"missed_goal_{outcome}", ran.err)
    error = json.loads(run("restart", "web", "-o", "json").err)["error"]
    assert error["code"] == word and error["failures"][0]["name"] == "web"


def test_the_log_of_who_is_in_the_way_is_shown_once_and_called_its_own(daemon: FakeDaemon, run: Run) -> None:
    def one(name: str, tail: str, blocker: str) -> dict[str, str]:
        return {"name": name, "reason": f"waits for {blocker}", "log_tail": tail, "blocker": blocker}

    failed = [one("api", "no disk\n", "db"), one("web", "no disk\n", "db"), one("zoo", "", "cat")]
    daemon.answers["POST", "/v1/wait"] = CannedAnswer(
        {"outcome": "failed", "processes": [], "failures": failed}
    )
    ran = run("restart", "web")
    assert ran.err.count("    | no disk") == 1
    assert (
        "  api: waits for db\n    the end of the log of db:\n    | no disk\n  web: waits for db\n" in ran.err
    )
    assert "log of cat" not in ran.err
    failed.append(one("db", "no disk\n", ""))
    assert "the end of the log" not in run("restart", "web").err, "it stands under its own name"


@pytest.mark.parametrize(("outcome", "code"), [("met", 0), ("failed", 1), ("timeout", 4)])
def test_wait_answers_no_with_1_and_too_late_with_4(
    daemon: FakeDaemon, run: Run, outcome: str, code: int
) -> None:
    daemon.answers["POST", "/v1/wait"] = failures(outcome)
    assert run("wait", "web").code == code


def test_waiting_for_the_end_of_what_is_not_there_is_met(daemon: FakeDaemon, run: Run) -> None:
    missing = {
        "error": {"code": "not_found", "message": "cannot find web: there is no such process", "hint": ""}
    }
    daemon.answers["GET", "/v1/processes"] = CannedAnswer(missing, 404)
    assert run("wait", "web", "--for", "deleted").code == 0
    assert run("wait", "web", "--for", "ready").code == 1


SET = {
    "conditions": [],
    "name": "file:/srv/app",
    "accepted": False,
    "message": "/srv/app/a.yaml:3:1: wrong",
    "diagnostics": [],
}


def test_a_set_that_is_not_there_is_not_waited_for(daemon: FakeDaemon, run: Run) -> None:
    daemon.answers["GET", "/v1/sets"] = CannedAnswer([SET])
    ran = run("wait", "--set", "nope")
    assert (ran.code, ran.out) == (1, "") and "cannot find set 'nope'" in ran.err


def test_a_set_is_not_synced_while_its_source_is_not_accepted(daemon: FakeDaemon, run: Run) -> None:
    daemon.answers["GET", "/v1/sets"] = CannedAnswer([SET])
    ran = run("wait", "--set", "file:/srv/app", "--for", "synced")
    assert ran.code == 1 and "not accepted: /srv/app/a.yaml:3:1: wrong" in ran.err
    daemon.answers["GET", "/v1/sets"] = CannedAnswer([SET | {"accepted": True}])
    assert run("wait", "--set", "file:/srv/app", "--for", "synced").code == 0


def test_the_names_of_revisions_are_their_numbers(daemon: FakeDaemon, run: Run) -> None:
    daemon.answers["GET", "/v1/history"] = CannedAnswer([{"revision": 7}, {"revision": 5}])
    assert run("history", "-o", "name").out == "7\n5\n"


@pytest.mark.parametrize("words", [["/srv/app.yaml"], ["--set", "file:/srv/app.yaml"]])
def test_a_set_is_named_in_either_way(daemon: FakeDaemon, run: Run, folders: Path, words: list[str]) -> None:
    (folders / "app.yaml").touch()
    named = [word.replace("/srv", str(folders)) for word in words]
    daemon.answers["GET", "/v1/history"] = CannedAnswer([])
    daemon.answers["POST", "/v1/rollback"] = CannedAnswer({"plan": PLAN, "targets": [], "revision": 0})
    assert run("history", *named).code == run("rollback", *named).code == 0
    asked, sent = (
        next(one for one in daemon.requests if one.path.endswith(verb)) for verb in ("history", "rollback")
    )
    assert ("set", f"file:{folders}/app.yaml") in asked.query
    assert sent.body["set"] == f"file:{folders}/app.yaml"


def test_the_history_of_what_never_was_is_a_slip(daemon: FakeDaemon, run: Run) -> None:
    daemon.answers["GET", "/v1/events"] = CannedAnswer([])
    assert run("events", "web").code == run("events").code == 0
    missing = {"error": {"code": "not_found", "message": "cannot find process 'wbe'", "hint": ""}}
    daemon.answers["GET", "/v1/processes"] = CannedAnswer(missing, 404)
    ran = run("events", "wbe")
    assert (ran.code, ran.out) == (1, "") and "cannot find process 'wbe'" in ran.err


def test_nothing_to_lift_is_said_and_what_was_approved_too(daemon: FakeDaemon, run: Run) -> None:
    daemon.answers["POST", "/v1/unhold"] = CannedAnswer({"targets": []})
    assert run("unhold", "web").err == "pmon3: nothing to do: none of them is held\n"
    daemon.answers["POST", "/v1/approve"] = daemon.answers["POST", "/v1/actions/stop"]
    assert run("approve", "web").out == "web approved\n"


def test_a_condition_is_known_whatever_its_case(daemon: FakeDaemon, run: Run) -> None:
    assert run("wait", "web", "--for", "condition=ready=false").code == 0
    ran = run("wait", "web", "--for", "condition=Redy")
    assert ran.code == 2 and "there is no condition Redy (one of Ready, " in ran.err


def test_diff_says_1_for_differences_0_for_none_and_2_for_errors(
    daemon: FakeDaemon, run: Run, manifest: str
) -> None:
    assert run("diff", "-f", manifest).code == 1
    assert run("diff", "-f", manifest, "--exit-zero").code == 0
    quiet = PLAN | {"actions": [], "summary": {"unchanged": 3}}
    daemon.answers["POST", "/v1/plan"] = CannedAnswer(quiet)
    ran = run("plan", "-f", manifest)
    assert ran.code == 0 and "Plan: no changes; 3 unchanged." in ran.out
    finding = {
        "severity": "error", "code": "PM014", "message": "unknown field `flie`", "file": "/srv/a.yaml",
        "range": {"start": {"line": 3, "column": 5}}, "hint": "did you mean `file`?",
    }  # fmt: skip
    error = {"code": "invalid", "message": "cannot use /srv/a.yaml", "hint": "", "diagnostics": [finding]}
    daemon.answers["POST", "/v1/plan"] = CannedAnswer({"error": error}, 422)
    ran = run("diff", "-f", manifest)
    assert ran.code == 2
    assert "/srv/a.yaml:3:5: error[PM014] unknown field `flie` (did you mean `file`?)" in ran.err


def test_the_plan_is_drawn(daemon: FakeDaemon, run: Run, manifest: str) -> None:
    assert_screen("plan", run("plan", "-f", manifest).out)
    assert json.loads(run("plan", "-f", manifest, "-o", "json").out) == PLAN


def test_desc_says_why_a_process_does_not_run(
    daemon: FakeDaemon, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.fromisoformat("2025-03-04T07:13:07Z").timestamp()
    monkeypatch.setattr("pmon3.commands.desc.time.time", lambda: now)
    assert_screen("desc_running", run("desc", "web").out)
    stopped = detailed(1, "web", "backoff", reason="exited 1 after 3 s", next_start_at="2025-03-04T05:06:10Z")
    daemon.answers["GET", "/v1/processes/web"] = CannedAnswer(stopped | {"exit_code": 1, "spec": {}})
    assert_screen("desc_backoff", run("desc", "web").out)
    assert json.loads(run("show", "web", "-o", "json").out)["name"] == "web"


def test_the_graph_is_drawn_in_every_shape(daemon: FakeDaemon, run: Run) -> None:
    for shape in ("table", "mermaid", "dot", "name"):
        assert_screen(f"dgraph_{shape}", run("order", "-o", shape).out)
    cyclic = {
        "order": [],
        "dependents": [],
        "edges": [["a", "b"], ["b", "a"]],
        "cycles": [["a", "b"]],
        "dependencies": [graph_need("a", "b", "started"), graph_need("b", "a", "started")],
    }
    daemon.answers["GET", "/v1/graph"] = CannedAnswer(cyclic)
    ran = run("dgraph")
    assert ran.code == 1 and "cannot order a cycle: a -> b -> a" in ran.err


def test_groups_are_shown(daemon: FakeDaemon, run: Run) -> None:
    assert_screen("group_ls", run("group", "ls").out)
    assert_screen("group_desc", run("groups", "show", "front").out)


def test_overview_lists_every_verb(run: Run) -> None:
    ran = run("help")
    assert ran.code == 0
    assert_screen("help", ran.out)
    assert run("--help").out == run().out == ran.out
    assert "--no-autorestart" in run("help", "exec").out


def test_versions(daemon: FakeDaemon, run: Run) -> None:
    assert run("version").out.splitlines()[1].startswith("pmond version 9.9 (pid 1, ")
    assert run("version").out.splitlines()[2] == "you are: operator (oscar)"
    assert json.loads(run("version", "-o", "json").out)["pmond"]["you_are"] == "operator"
    assert run("--version").out.startswith("pmon3 version ")


def test_doctor_says_to_everybody_what_he_is(daemon: FakeDaemon, run: Run) -> None:
    check = {"name": "privileges", "status": "ok", "in_use": "root", "message": ""}
    daemon.answers["GET", "/v1/doctor"] = CannedAnswer({"checks": [check]})
    told = json.loads(run("doctor", "-o", "json").out)
    assert [one["name"] for one in told] == ["privileges", "access"]
    assert told[-1]["in_use"] == "you are: operator"
    why = {"error": {"code": "forbidden", "message": "cannot do that", "hint": ""}}
    daemon.answers["GET", "/v1/doctor"] = CannedAnswer(why, 403)
    ran = run("doctor")
    assert ran.code == 0
    assert "you are: operator" in ran.out
    assert "is told to its administrators" in " ".join(ran.out.replace("║", " ").split())


def test_logs_are_printed_as_they_are(daemon: FakeDaemon, run: Run) -> None:
    daemon.answers["GET", "/v1/logs/web"] = CannedAnswer(Chunks([b"one\n", "zwei \u00e9\n".encode()]))
    assert run("log", "web", "-n", "+3", "-a").out == "one\nzwei \u00e9\n"
    assert daemon.requests[-1].query == [("lines", "+3"), ("follow", "0"), ("all", "1")]


def test_several_logs_are_followed_line_by_line(daemon: FakeDaemon, run: Run) -> None:
    out = run("logf", "web", "db").out
    assert sorted(out.splitlines()) == ["db  | four", "db  | three", "web | one", "web | two"]


def test_events_are_followed(daemon: FakeDaemon, run: Run) -> None:
    event = {
        "id": 4,
        "time": "2025-03-04T05:06:07Z",
        "name": "web",
        "reason": "Started",
        "message": "pid 4001",
    }
    text = f": hello\n\nid: 4\ndata: {json.dumps(event)}\n\n".encode()
    daemon.answers["GET", "/v1/events"] = CannedAnswer(Chunks([text[:30], text[30:]]))
    assert run("events", "-w").out == "2025-03-04 05:06:07+00:00  web         Started       pid 4001\n"
    assert json.loads(run("events", "-w", "-o", "json").out) == event


def test_validate_needs_no_daemon(run: Run, tmp_path: Path) -> None:
    good, bad, empty = tmp_path / "good.yaml", tmp_path / "bad.yaml", tmp_path / "empty"
    good.write_text("processes:\n  - file: /bin/true\n")
    bad.write_text("processes:\n  - flie: /bin/true\n")
    empty.mkdir()
    assert run("validate", str(good)).code == 0
    ran = run("validate", str(tmp_path), "--format", "concise")
    assert ran.code == 1 and f"{bad}:2:5: error[PM014]" in ran.out
    assert json.loads(run("validate", str(bad), "--format", "json").out)[0]["range"]["start"]["line"] == 2
    assert run("validate", str(empty)).code == 2
    assert run("validate", str(tmp_path / "none.yaml")).code == 2


@pytest.mark.parametrize("words", [["ls", "-o", "json"], ["log", "web"], ["desc", "web"]])
def test_a_reader_that_goes_away_is_no_error(daemon: FakeDaemon, words: list[str]) -> None:
    many = [process(n, f"p{n}") for n in range(2000)]
    daemon.answers["GET", "/v1/processes"] = CannedAnswer(many if words[0] == "ls" else [process(1, "web")])
    read, write = os.pipe()
    os.close(read)
    ran = subprocess.run(
        [sys.executable, "-m", "pmon3", *words], stdout=write, stderr=subprocess.PIPE, timeout=30, check=False
    )
    os.close(write)
    assert (ran.returncode, ran.stderr) == (141, b"")


def test_ctrl_c_ends_with_130(daemon: FakeDaemon, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pmon3.client.Client.get", interrupt)
    assert (run("ls").code, run("desc", "web").code) == (130, 130)


def test_colours_follow_the_environment(
    daemon: FakeDaemon, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "\x1b" not in run("ls").out
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[1;38;5;46mrunning" in run("ls").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in run("ls").out


def test_messages_cannot_move_the_cursor(daemon: FakeDaemon, run: Run) -> None:
    error = {"code": "conflict", "message": "cannot stop \x1b[2Jweb: it is busy", "hint": "wait"}
    daemon.answers["POST", "/v1/actions/stop"] = CannedAnswer({"error": error}, 409)
    ran = run("stop", "web")
    assert (ran.code, ran.err) == (5, "pmon3: cannot stop \\x1b[2Jweb: it is busy (wait)\n")


def test_a_mistake_of_ours_is_no_traceback(
    daemon: FakeDaemon, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon.answers["GET", "/v1/processes"] = CannedAnswer([{"id": 1}])
    ran = run("ls")
    assert (
        ran.code == 2 and ran.err.startswith("pmon3: cannot go on: KeyError") and "Traceback" not in ran.err
    )
    monkeypatch.setenv("PMON3_DEBUG", "true")
    assert "Traceback" in run("ls").err
