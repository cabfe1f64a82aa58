"""What a person sees while a command waits, and what a pipe does not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest
from tests.support.command_line import Run
from tests.support.fake_daemon import CannedAnswer, FakeDaemon, ReceivedRequest, detailed, process
from tests.support.terminal import Terminal

from pmon3.progress import ending_words, next_of, sentence
from pmon3.render_plan import done

STOPPING = {"name": "web", "reason": "asked to end", "log_tail": ""}
NOW = 1_741_064_767.0
"""2025-03-04T05:06:07Z."""


def failing(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "reason": reason, "log_tail": ""} for name, reason in pairs]


def test_a_sentence_says_how_far_it_is_and_what_is_next() -> None:
    turn = "waits for its turn in a rollout"
    missing = failing(("p3", turn), ("p2", "exited with code 1"), ("p1", turn))
    assert sentence("ready", 300, missing, "", 12.4) == "297 of 300 ready, p2: exited with code 1 (12 s)"
    assert sentence("stopped", 1, [STOPPING], "SIGTERM 4 s ago", 4.0) == (
        "waiting until stopped, web: SIGTERM 4 s ago (4 s)"
    )
    assert sentence("synced", 0, [], "", 1.0) == "waiting until synced (1 s)"
    first = next_of(failing(("b", turn), ("a", turn)))
    assert first is not None and first["name"] == "b", "in the order of the manifest"


@pytest.mark.parametrize(
    ("stop", "after", "words"),
    [
        ({}, 4, "SIGTERM 4 s ago, SIGKILL in 6 s"),
        ({"signal": "SIGINT", "timeout": "1m"}, 4, "SIGINT 4 s ago, SIGKILL in 56 s"),
        ({"timeout": "2s"}, 4, "SIGTERM 4 s ago, SIGKILL now"),
    ],
)
def test_who_was_asked_to_end_has_so_long(stop: dict[str, str], after: float, words: str) -> None:
    event = {"id": 1, "time": "2025-03-04T05:06:07Z", "name": "web", "reason": "Stopping", "message": "m"}
    one = detailed(1, "web", "stopping") | {"spec": {"stop": stop}, "events": [event]}
    assert ending_words(one, NOW + after) == words
    assert ending_words(one | {"events": []}, NOW) == ""


def test_what_was_done_is_said_in_the_past() -> None:
    summary = {"unchanged": 3, "restart": 299, "create": 1, "prune": 0}
    assert done({"summary": summary}) == "1 created, 299 restarted"


def test_an_apply_ends_with_what_was_done_and_a_dry_run_with_what_was_not(
    daemon: FakeDaemon, run: Run, manifest: str
) -> None:
    plan = daemon.answers["POST", "/v1/apply"].content["plan"]  # type: ignore[union-attr]
    daemon.answers["POST", "/v1/apply"] = CannedAnswer({"plan": plan, "targets": [], "revision": 8})
    daemon.answers["GET", "/v1/history"] = CannedAnswer([{"revision": 8, "outcome": "done"}])
    dry, wet = run("apply", "-f", manifest, "--dry-run"), run("apply", "-f", manifest)
    assert dry.out == wet.out  # the plan
    assert dry.err == "pmon3: dry run: nothing of file:/srv/app.yaml was changed\n"
    assert wet.err.startswith("pmon3: applied revision 8 of file:/srv/app.yaml: 1 created, 1 restarted in ")
    assert "it is rolled out now" in run("apply", "-f", manifest, "--no-wait").err
    assert run("apply", "-f", manifest, "-o", "json").err == ""
    daemon.answers["POST", "/v1/apply"] = CannedAnswer({"plan": plan, "targets": [], "revision": 0})
    assert "nothing was changed" in run("apply", "-f", manifest).err


@pytest.fixture
def slowly(daemon: FakeDaemon) -> Callable[[], None]:
    """A stop that takes until somebody has looked how far it is, or until it is let go."""
    looked = threading.Event()

    def wait(request: ReceivedRequest) -> CannedAnswer:
        if request.body["timeout"] == 0:
            looked.set()
            return CannedAnswer({"outcome": "timeout", "processes": [], "failures": [STOPPING]})
        assert looked.wait(20), "nobody looked"
        return CannedAnswer({"outcome": "met", "processes": [process(1, "web", "stopped")], "failures": []})

    daemon.answers["POST", "/v1/wait"] = wait
    return looked.set


COMMAND = [sys.executable, "-P", "-m", "pmon3", "stop", "web"]


@pytest.mark.slow
def test_on_a_terminal_a_line_says_how_it_goes_and_then_is_gone(slowly: Callable[[], None]) -> None:
    with Terminal(COMMAND, os.environ, columns=40) as terminal:
        assert terminal.ended() == 0
        (line,) = [part for part in terminal.written.split("\r\x1b[K") if "waiting" in part]
        assert line.startswith("waiting until stopped, web: asked to ") and len(line) == 39
        after = terminal.written.rpartition("\r\x1b[K")[2]
        assert "waiting" not in after and "1 stopped in " in after


@pytest.mark.slow
def test_in_a_pipe_there_is_no_progress(daemon: FakeDaemon, slowly: Callable[[], None]) -> None:
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as stopping:
        slowly()
        out, err = stopping.communicate(timeout=30)
    assert (err, "stopped" in out) == ("", True)
    assert [body["timeout"] for body in daemon.bodies("/v1/wait")] == [60.0]


@pytest.mark.slow
def test_who_does_not_want_to_wait_is_told_that_it_goes_on(daemon: FakeDaemon) -> None:
    waiting, ends = threading.Event(), threading.Event()

    def wait(_: ReceivedRequest) -> CannedAnswer:
        waiting.set()
        assert ends.wait(20)
        return CannedAnswer({"outcome": "met", "processes": [], "failures": []})

    daemon.answers["POST", "/v1/wait"] = wait
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as stopping:
        assert waiting.wait(20)
        stopping.send_signal(signal.SIGINT)
        _, err = stopping.communicate(timeout=30)
        ends.set()
    assert stopping.returncode == 130
    assert err == "pmon3: no longer waiting; what was asked for goes on (pmon3 ls shows how far)\n"


def test_of_many_that_are_not_there_the_first_are_named_in_order(daemon: FakeDaemon, run: Run) -> None:
    missing = failing(*((f"p{number:03}", f"it is {number}") for number in range(1, 300)))
    daemon.answers["POST", "/v1/wait"] = CannedAnswer(
        {"outcome": "timeout", "processes": [], "failures": missing}
    )
    ran = run("stop", "web", "--timeout", "1s")
    first, *lines = ran.err.splitlines()
    words = "cannot see p001, p002, p003, p004, p005 and 294 more stopped"
    assert first == f"pmon3: {words}: nothing got further for 1 s, it goes on"
    assert (len(lines), lines[-1]) == (21, "  and 279 more (pmon3 ls --failed)")


def test_a_rollout_that_got_stuck_is_told_short_and_in_order(
    daemon: FakeDaemon, run: Run, manifest: str
) -> None:
    turn = "waits for its turn in a rollout"
    waiting = [(f"p{number}", turn) for number in (288, 291, 292, 293, 294, 295, 299)]
    missing = failing(*waiting[:1], ("p290", "started"), *waiting[1:])
    targets = [{"name": f"p{number}", "generation": 1, "token": 2} for number in range(1, 300)]
    applied = daemon.answers["POST", "/v1/apply"].content | {"targets": targets}  # type: ignore[union-attr]
    daemon.answers["POST", "/v1/apply"] = CannedAnswer(applied)
    daemon.answers["POST", "/v1/wait"] = CannedAnswer(
        {"outcome": "timeout", "processes": [], "failures": missing}
    )
    ran = run("apply", "-f", manifest, "--timeout", "60s")
    assert (ran.code, ran.err.splitlines()) == (
        4,
        [
            "pmon3: cannot see all ready: 291 of 299 ready, now p290: started; "
            "nothing got further for 60 s, it goes on",
            "  p290: started",
            f"  p288, p291, p292 and 4 more: {turn}",
        ],
    )
    wish = next(one for one in daemon.requests if one.path == "/v1/wait")
    assert (wish.body["timeout"], wish.body["progress"]) == (60.0, True)
