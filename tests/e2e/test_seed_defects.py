"""The defects of the Go pmon3 that can be seen from outside, one test each, none of them here.

A test is named by the number of the defect in the list that this project was begun with; the name
says what holds instead.
"""

from __future__ import annotations

import json
import os
import pwd
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.pmond import PATIENCE, Answer, Pmond, alive, processes_with
from tests.support.programs import NICER
from tests.support.waiting import Answer as Found
from tests.support.waiting import until as until_within

pytestmark = pytest.mark.slow
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: other users")

SLEEPER = {"name": "web", "file": "/bin/sleep", "args": "1000"}
IGNORES_TERM = "trap '' TERM; echo ready; while :; do sleep 0.1; done"
WITH_CHILD = "sleep 1000 & echo $! > {0}/child; wait"


def until(condition: Callable[[], Found], why: str) -> Found:
    """Wait as long as a busy machine may take."""
    return until_within(condition, why, PATIENCE)


def shell(name: str, script: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "file": "/bin/sh", "args": ["-c", script], **more}


def pids(pmond: Pmond, name: str) -> list[int]:
    """The processes that are instances of `name`."""
    return sorted({*processes_with(f":{name}:".encode())} & {*pmond.survivors()})


def restart_pmond(pmond: Pmond, number: int = signal.SIGKILL) -> None:
    pmond.signal(number)
    pmond.ended()
    pmond.start()


def says(pmond: Pmond, *words: str, code: int) -> str:
    done = pmond.run(*words)
    assert done.returncode == code, (done, pmond.tail())
    return done.stdout + done.stderr


def as_user(name: str, what: Callable[[], Answer]) -> Answer:
    """Do it in a child with the rights of this user."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        entry = pwd.getpwnam(name)
        os.setgroups([])
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
        try:
            os.write(write_end, json.dumps(what()).encode())
        finally:
            os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as answered:
        text = answered.read()
    os.waitpid(child, 0)
    return Answer(*json.loads(text))


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM])
def test_01_a_running_process_is_never_started_a_second_time(stopped_pmond: Pmond, ending: int) -> None:
    pmond = stopped_pmond
    pmond.configure("handle_interrupts: false\n")
    pmond.declare(SLEEPER)
    pmond.start()
    pmond.ok("exec", "/bin/sleep", "--name", "own", "--args", "1000")
    before = {name: pmond.until(name, "running")["pid"] for name in ("web", "own")}
    pmond.ok("init", "-b")
    assert {name: pmond.row(name)["pid"] for name in before} == before
    restart_pmond(pmond, ending)
    assert {name: pmond.until(name, "running")["pid"] for name in before} == before
    assert [len(pids(pmond, name)) for name in before] == [1, 1]


def test_02_the_command_line_is_not_taken_for_the_process(pmond: Pmond) -> None:
    pmond.ok("exec", "/bin/sleep", "--args", "1000", "-n", "--name", "web")
    pid = pmond.until("web", "running")["pid"]
    pmond.ok("restart", "web")
    row = pmond.until("web", "running", restart_count=1)
    assert row["pid"] != pid
    assert Path(f"/proc/{row['pid']}/comm").read_text() == "sleep\n"


def test_03_another_program_of_the_same_words_is_left_alone(pmond: Pmond) -> None:
    child = os.posix_spawn("/bin/sleep", ["web", "1000"], {})
    try:
        pmond.ok("exec", "/bin/sleep", "--args", "1000", "--name", "web")
        assert pmond.until("web", "running")["pid"] != child
        pmond.ok("del", "web")
        assert alive(child)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_04_nothing_in_a_name_or_an_argument_is_run_by_a_shell(pmond: Pmond) -> None:
    evil = f"'; touch {pmond.folder}/pwned; echo '$(touch {pmond.folder}/pwned)"
    name = "it's $(touch pwned)"
    body = {"spec": {"file": "/bin/sleep", "name": name, "args": ["1000", evil]}, "cwd": "/"}
    assert pmond.ask("POST", "/v1/processes", body).status in (200, 201, 202)
    until(lambda: name in pmond.rows() and pmond.row(name)["restart_count"] > 1, "it to be started again")
    pmond.ok("log", name)
    pmond.run("log", "-n", f"1; touch {pmond.folder}/pwned", name)
    assert not list(pmond.folder.rglob("pwned"))


def test_06_what_a_process_started_ends_with_it(pmond: Pmond) -> None:
    pmond.ok("exec", "/bin/sh", "--name", "web", "--args", f"-c '{WITH_CHILD.format(pmond.folder)}'")
    child = int(
        until(lambda: (pmond.folder / "child").exists() and (pmond.folder / "child").read_text(), "a child")
    )
    pmond.ok("stop", "web")
    assert not alive(child)


def test_07_stop_waits_escalates_and_leaves_no_survivors(pmond: Pmond) -> None:
    pmond.declare(shell("web", IGNORES_TERM, stop={"timeout": "300ms"}))
    pid = pmond.until("web", "running")["pid"]
    pmond.ok("stop", "web")
    assert not alive(pid)
    assert pmond.row("web")["status"] == "stopped"
    pmond.ok("start", "web")
    pid = pmond.until("web", "running")["pid"]
    pmond.ok("del", "web")
    assert not alive(pid)


def test_07_a_stop_signal_can_be_chosen(pmond: Pmond) -> None:
    pmond.declare(
        shell("web", "trap 'echo got INT; exit' INT; while :; do sleep 0.1; done", stop={"signal": "INT"})
    )
    pmond.until("web", "running")
    pmond.ok("stop", "web")
    assert "got INT" in pmond.ok("log", "web")


@pytest.mark.parametrize("how", ["restart", "shutdown"])
def test_08_restart_and_shutdown_ask_before_they_kill(pmond: Pmond, how: str) -> None:
    out = pmond.folder / "out"
    pmond.declare(shell("web", f"trap 'echo clean >> {out}; exit' TERM; while :; do sleep 0.05; done"))
    pmond.until("web", "running")
    if how == "restart":
        pmond.ok("restart", "web")
    else:
        pmond.signal(signal.SIGTERM)
        assert pmond.ended() == 0
    assert out.read_text() == "clean\n"


def test_09_without_handle_interrupts_they_live_on_and_are_taken_over(stopped_pmond: Pmond) -> None:
    pmond = stopped_pmond
    pmond.configure("handle_interrupts: false\n")
    pmond.declare(shell("web", "while :; do date +%N; sleep 0.05; done", no_auto_restart=True))
    pmond.start()
    pid = pmond.until("web", "running")["pid"]
    pmond.signal(signal.SIGTERM)
    pmond.ended()
    size = (pmond.folder / "logs/web.log").stat().st_size
    until(lambda: (pmond.folder / "logs/web.log").stat().st_size > size, "it to write without pmond")
    pmond.start()
    assert pmond.until("web", "running")["pid"] == pid
    os.kill(pid, signal.SIGKILL)
    assert pmond.until("web", "failed")["restart_count"] == 0


def test_10_a_process_that_recovered_is_running_and_is_stopped_by_kill(stopped_pmond: Pmond) -> None:
    pmond = stopped_pmond
    pmond.configure(
        "flap_detection: {is_enabled: true, threshold_restarted: 2, threshold_countdown: 6000}\n"
        "wait: {dependent_process_enqueued: 0}\n"
    )
    count = pmond.folder / "count"
    pmond.declare(shell("web", f"echo x >> {count}; [ $(wc -l < {count}) -ge 3 ] && exec sleep 1000; exit 1"))
    pmond.start()
    row = pmond.until("web", "running", restart_count=2)
    pmond.ok("kill")
    assert not alive(row["pid"])
    assert pmond.row("web")["status"] == "stopped"


def test_11_a_bad_flag_changes_nothing(pmond: Pmond) -> None:
    pmond.ok("exec", "/bin/sleep", "--args", "1000", "--name", "web")
    before = pmond.until("web", "running")
    assert "no-such-user" in says(pmond, "restart", "web", "--user", "no-such-user", code=1)
    after = pmond.row("web")
    assert (after["status"], after["pid"], after["restart_count"]) == ("running", before["pid"], 0)


def test_12_a_crash_is_followed_by_a_restart_at_once_and_its_cause_is_kept(pmond: Pmond) -> None:
    pmond.declare(SLEEPER)
    pid = pmond.until("web", "running")["pid"]
    began = time.monotonic()
    os.kill(pid, signal.SIGSEGV)
    row = pmond.until("web", "running", restart_count=1)
    assert time.monotonic() - began < 5
    assert (row["exit_code"], row["exit_signal"]) == (None, "SIGSEGV")


def test_12_an_end_in_the_first_instant_is_seen_as_what_it_is(pmond: Pmond) -> None:
    pmond.declare(shell("done", "exit 0", no_auto_restart=True), shell("bad", "exit 9", no_auto_restart=True))
    assert pmond.until("done", "completed")["exit_code"] == 0
    assert pmond.until("bad", "failed")["exit_code"] == 9


def test_13_one_stubborn_process_holds_up_no_other(pmond: Pmond) -> None:
    pmond.declare(shell("stubborn", IGNORES_TERM), {**SLEEPER, "restart": {"stable_after": 0}})
    pid = pmond.until("web", "running")["pid"]
    pmond.until("stubborn", "running")
    pmond.ok("stop", "stubborn", "--no-wait")
    pmond.until("stubborn", "stopping")
    os.kill(pid, signal.SIGKILL)
    assert pmond.until("web", "running", restart_count=1)["pid"] != pid
    assert pmond.row("stubborn")["status"] == "stopping"


def test_14_a_program_that_cannot_start_says_why_and_is_tried_ever_less(pmond: Pmond) -> None:
    pmond.declare({"name": "web", "file": "/no/such/program"})
    row = pmond.until("web", "backoff")
    assert "/no/such/program" in row["reason"]
    assert "/no/such/program" in pmond.ok("desc", "web")
    assert row["next_start_at"] is not None


def test_15_what_a_person_stopped_stays_stopped_and_what_ran_comes_back(pmond: Pmond) -> None:
    pmond.declare(SLEEPER, {**SLEEPER, "name": "held"}, shell("failed", "exit 1", no_auto_restart=True))
    pmond.ok("exec", "/bin/sleep", "--args", "1000", "--name", "own")
    for name in ("web", "held", "own"):
        pmond.until(name, "running")
    pmond.until("failed", "failed")
    pmond.ok("stop", "held")
    restart_pmond(pmond, signal.SIGTERM)
    for name in ("web", "own"):
        pmond.until(name, "running")
    assert pmond.row("held")["status"] == "stopped"
    assert pmond.row("failed")["status"] == "failed"
    restart_pmond(pmond)
    assert pmond.row("held")["status"] == "stopped"


def test_16_an_unknown_user_is_an_error_and_nothing_runs_as_somebody_else(pmond: Pmond) -> None:
    pmond.declare({**SLEEPER, "user": "no-such-user"})
    until(
        lambda: "ManifestRejected" in pmond.reasons() or "web" in pmond.rows(), "the manifest to be looked at"
    )
    if "web" in pmond.rows():
        assert "no-such-user" in pmond.until("web", "backoff")["reason"]
    assert not pids(pmond, "web")


def test_17_the_restart_counter_survives_pmond(pmond: Pmond) -> None:
    pmond.declare(SLEEPER)
    pmond.until("web", "running")
    pmond.ok("restart", "web")
    pmond.until("web", "running", restart_count=1)
    restart_pmond(pmond)
    pmond.until("web", "running", restart_count=1)
    pmond.ok("reset", "web")
    assert pmond.row("web")["restart_count"] == 0


def test_18_flap_detection_survives_pmond_and_a_reset_clears_it(stopped_pmond: Pmond) -> None:
    pmond = stopped_pmond
    pmond.configure(
        "flap_detection: {is_enabled: true, threshold_restarted: 2, threshold_countdown: 6000,"
        " threshold_decrement: 0}\nwait: {dependent_process_enqueued: 0}\n"
    )
    pmond.declare(shell("web", "exit 1"))
    pmond.start()
    until(lambda: "2 of 2 restarts used" in pmond.row("web")["reason"], "flap detection to hold it back")
    restart_pmond(pmond)
    row = pmond.until("web", "backoff")
    assert "2 of 2 restarts used" in row["reason"]
    assert "next restart in" in pmond.ok("desc", "web")
    number = len(pmond.events("web"))
    pmond.ok("reset", "web")
    until(lambda: len(pmond.events("web")) > number + 3, "it to be started again")


@as_root
def test_19_who_asks_is_known_to_pmond_and_runs_programs_as_nobody_else(pmond: Pmond) -> None:
    spec = {"file": "/bin/sleep", "name": "web", "args": ["1000"], "user": "daemon"}
    answer = as_user("nobody", lambda: pmond.ask("POST", "/v1/processes", {"spec": spec, "cwd": "/"}))
    assert (answer.status, answer.body["error"]["code"]) == (403, "forbidden")
    spec["user"] = "root"
    assert (
        as_user("nobody", lambda: pmond.ask("POST", "/v1/processes", {"spec": spec, "cwd": "/"})).status
        == 403
    )
    assert pmond.rows() == {}


@as_root
def test_20_a_process_is_controlled_by_whom_it_runs_as(pmond: Pmond) -> None:
    pmond.declare(SLEEPER)
    pmond.until("web", "running")
    for verb in ("stop", "restart", "delete", "kill", "reset"):
        body = {"refs": ["web"], "groups": [], "labels": {}, "all": False}
        answer = as_user("nobody", lambda: pmond.ask("POST", f"/v1/actions/{verb}", body))  # noqa: B023
        assert answer.status == 403, verb
    assert pmond.row("web")["status"] == "running"


@as_root
def test_21_a_log_path_gives_nobody_a_file_that_is_not_theirs(pmond: Pmond) -> None:
    secret = pmond.folder / "secret"
    secret.write_text("root's\n")
    secret.chmod(0o600)
    folder = pmond.folder / "theirs"
    folder.mkdir()
    os.chown(folder, *pwd.getpwnam("nobody")[2:4])
    for name, log in (("a", str(secret)), ("b", str(folder / "link"))):
        (folder / "link").unlink(missing_ok=True)
        (folder / "link").symlink_to(secret)
        spec = {"file": "/bin/echo", "name": name, "args": ["x"], "log": log}
        as_user("nobody", lambda: pmond.ask("POST", "/v1/processes", {"spec": spec, "cwd": "/"}))  # noqa: B023
        answer = as_user("nobody", lambda: pmond.ask("GET", f"/v1/processes/{name}"))  # noqa: B023
        assert answer.status == 200, answer
        read = as_user("nobody", lambda: _text(pmond, f"/v1/logs/{name}?lines=10"))  # noqa: B023
        assert "root's" not in str(read.body)
        pmond.ask("POST", "/v1/actions/delete", {"refs": [name], "groups": [], "labels": {}, "all": False})
        until(lambda: name not in pmond.rows(), "it to be deleted")  # noqa: B023
    assert (secret.read_text(), secret.stat().st_mode & 0o777, secret.stat().st_uid) == ("root's\n", 0o600, 0)


def _text(pmond: Pmond, target: str) -> Answer:
    try:
        return pmond.ask("GET", target)
    except json.JSONDecodeError as error:
        return Answer(200, error.doc)


def test_21_folders_keep_their_modes(pmond: Pmond) -> None:
    folder = pmond.folder / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    pmond.ok("exec", "/bin/sleep", "--args", "1000", "--name", "web", "--log-dir", str(folder))
    assert folder.stat().st_mode & 0o7777 == 0o1777
    assert (folder / "web.log").exists()


def test_22_an_export_is_ordered_by_a_field_and_nothing_else(pmond: Pmond) -> None:
    assert "name desc" in says(pmond, "export", "-o", "name desc, id", code=2)


def test_23_values_of_the_environment_are_kept_from_others(pmond: Pmond) -> None:
    pmond.declare({**SLEEPER, "env_vars": {"KEY": "s3cret"}, "env_inherit": False})
    pid = pmond.until("web", "running")["pid"]
    names = {
        line.partition(b"=")[0] for line in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") if line
    }
    assert names == {b"KEY", b"PMON3_INSTANCE", b"PMON3_REVISION"}
    assert (pmond.folder / "data/data.db").stat().st_mode & 0o077 == 0
    assert "s3cret" not in pmond.journal_file.read_text() + json.dumps(pmond.events())


def test_25_parallel_commands_all_get_their_answers(pmond: Pmond) -> None:
    pmond.declare(SLEEPER)
    pmond.until("web", "running")
    commands = [pmond.begin("export") for _ in range(4)]
    outputs = [command.communicate(timeout=30)[0] for command in commands]
    assert [command.returncode for command in commands] == [0] * 4
    assert len(set(outputs)) == 1


def test_26_the_number_of_processes_is_not_limited_by_a_message(pmond: Pmond) -> None:
    pmond.declare(*({**SLEEPER, "name": f"p{number}", "autostart": False} for number in range(300)))
    until(lambda: len(pmond.rows()) == 300, "the manifest to be taken")
    assert len(json.loads(pmond.ok("ls", "-o", "json"))) == 300
    assert len(pmond.ok("ls").splitlines()) >= 300


def test_27_errors_have_exit_codes_and_go_to_standard_error(pmond: Pmond) -> None:
    assert pmond.run("stop", "none").returncode == 1
    assert pmond.run("frobnicate").returncode == 2
    assert pmond.run("ls", "--frobnicate").returncode == 2
    done = pmond.run("desc", "none")
    assert (done.stdout, "none" in done.stderr) == ("", True)


def test_28_no_terminal_is_needed_and_json_is_there(pmond: Pmond) -> None:
    pmond.declare(SLEEPER)
    pmond.until("web", "running")
    assert "web" in pmond.ok("ls")
    assert json.loads(pmond.ok("ls", "-o", "json"))[0]["name"] == "web"
    assert json.loads(pmond.ok("desc", "web", "-o", "json"))["spec"]["file"] == "/bin/sleep"


def test_29_a_command_returns_when_the_state_is_reached(pmond: Pmond) -> None:
    pmond.ok("exec", "/bin/sleep", "--args", "1000", "--name", "web")
    assert pmond.row("web")["status"] == "running"
    pmond.ok("stop", "web")
    assert pmond.row("web")["status"] == "stopped"
    pmond.ok("del", "web")
    assert pmond.rows() == {}


def test_30_processor_and_memory_are_in_their_own_columns(pmond: Pmond) -> None:
    busy = "x = b'x' * 30_000_000\nwhile 1: pass"
    pmond.declare({"name": "busy", "file": sys.executable, "args": ["-c", busy]})
    pmond.until("busy", "running")

    def measured() -> dict[str, Any]:
        return dict(pmond.ask("GET", "/v1/processes?usage=1").body[0])

    until(lambda: measured()["memory_bytes"] > 25_000_000, "its memory to be seen")
    until(lambda: measured()["cpu_percent"] > 3, "its use of the processor to be seen")
    header, line = (text for text in pmond.ok("ls").splitlines() if "CPU" in text or "busy" in text)
    cells = dict(
        zip(*([cell.strip(" │") for cell in text.split("║")] for text in (header, line)), strict=True)
    )
    assert cells["CPU"].endswith("%")
    assert cells["Memory"].endswith("MB")


def test_31_comma_lists_of_groups_answer_with_success(pmond: Pmond) -> None:
    pmond.declare(SLEEPER, {**SLEEPER, "name": "api"})
    pmond.until("api", "running")
    for group in ("a", "b"):
        pmond.ok("group", "create", group)
    pmond.ok("group", "assign", "a,b", "web,api")
    groups = pmond.ask("GET", "/v1/groups").body
    assert {group["name"]: sorted(group["processes"]) for group in groups} == {
        "a": ["api", "web"],
        "b": ["api", "web"],
    }
    pmond.ok("group", "remove", "a,b", "web")
    assert pmond.row("web")["groups"] == []


def test_32_a_malformed_configuration_is_named_with_its_place(stopped_pmond: Pmond) -> None:
    pmond = stopped_pmond
    pmond.config_file.write_text("log_level: info\nwait: [\n")
    assert "not valid" in pmond.try_start()
    assert pmond.ended() == 2
    assert "config.yml:" in pmond.journal_file.read_text()
    assert "Traceback" not in pmond.journal_file.read_text()


def test_32_a_relative_program_is_the_callers(pmond: Pmond) -> None:
    program = pmond.folder / "bin" / "run.sh"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexec sleep 1000\n")
    program.chmod(0o755)
    pmond.ok("exec", "./run.sh", cwd=program.parent)
    assert pmond.until("run.sh", "running")["file"] == str(program)


def test_33_init_tells_what_went_wrong_and_dgraph_shows_cycles(pmond: Pmond) -> None:
    pmond.declare({**SLEEPER, "dependencies": ["api"]}, {**SLEEPER, "name": "api", "dependencies": ["web"]})
    done = pmond.run("init")
    assert done.returncode != 0
    assert "cycle" in done.stderr
    done = pmond.run("dgraph", "-c")
    assert "web" in done.stdout + done.stderr
    assert "cycle" in done.stdout + done.stderr


def test_34_logf_ends_with_a_signal_and_unknown_operations_are_answered(pmond: Pmond) -> None:
    pmond.declare(shell("web", "while :; do echo line; sleep 0.05; done"))
    pmond.until("web", "running")
    following = pmond.begin("logf", "web")
    assert following.stdout is not None
    assert "line" in following.stdout.readline()
    following.send_signal(signal.SIGINT)
    following.communicate(timeout=10)
    answer = pmond.ask(
        "POST", "/v1/actions/frobnicate", {"refs": ["web"], "groups": [], "labels": {}, "all": False}
    )
    assert answer.status in (400, 404)


def test_35_help_needs_no_pmond_and_nothing_needs_other_programs(stopped_pmond: Pmond) -> None:
    pmond = stopped_pmond
    for words in (["--help"], ["--version"], ["help"], ["ls", "--help"]):
        assert pmond.run(*words).returncode == 0, words
    done = pmond.run("ls")
    assert done.returncode == 3
    assert "pmond" in done.stderr
    pmond.start()
    pmond.ok("exec", "/bin/sleep", "--args", "1000", "--name", "web", env={"PATH": "/none"})
    pmond.ok("log", "-a", "web", env={"PATH": "/none"})
    assert "web" in pmond.ok("ls", env={"PATH": "/none"})


def test_36_arguments_and_variables_may_have_spaces(pmond: Pmond) -> None:
    script = """-c 'printf "%s|" "$@" "$K"; exec sleep 1000' sh  'a b'  "c  d" ''"""
    pmond.ok("exec", "/bin/sh", "--name", "web", "--args", script, "--env-vars", "K='x y' L=z")
    assert until(lambda: pmond.ok("log", "web"), "it to write") == "a b|c  d||x y|"


def test_37_a_new_group_inherits_nothing_of_a_deleted_one(pmond: Pmond) -> None:
    pmond.declare(SLEEPER)
    pmond.until("web", "running")
    pmond.ok("group", "create", "old")
    pmond.ok("group", "assign", "old", "web")
    pmond.ok("group", "del", "old")
    pmond.ok("group", "create", "new")
    assert pmond.ask("GET", "/v1/groups/new").body["processes"] == []
    restart_pmond(pmond)
    assert pmond.ask("GET", "/v1/groups/new").body["processes"] == []


def test_38_what_is_removed_from_the_file_is_removed(pmond: Pmond) -> None:
    pmond.declare(SLEEPER, {**SLEEPER, "name": "api"})
    pid = pmond.until("api", "running")["pid"]
    pmond.until("web", "running")
    pmond.declare(SLEEPER)
    until(lambda: "api" not in pmond.rows(), "api to be pruned")
    assert not alive(pid)
    assert pmond.row("web")["status"] == "running"


def test_39_exec_and_restart_change_variables_and_groups(pmond: Pmond) -> None:
    pmond.ok("exec", "/bin/sleep", "--args", "1000", "--name", "web", "-e", "A=1", "-g", "one")
    pmond.until("web", "running")
    pmond.ok("restart", "web", "--env-vars", "B=2", "--groups", "two")
    row = pmond.until("web", "running")
    assert (row["env_keys"], row["groups"]) == (["B"], ["two"])
    assert b"B=2" in Path(f"/proc/{row['pid']}/environ").read_bytes()
    pmond.ok("stop", "web")
    pmond.ok("exec", "/bin/sleep", "--args", "1000", "--name", "web", "-e", "C=3", "-g", "three")
    row = pmond.until("web", "running")
    assert (row["env_keys"], row["groups"]) == (["C"], ["three"])


def test_40_no_autorestart_can_be_taken_back(pmond: Pmond) -> None:
    pmond.ok("exec", "/bin/sleep", "--args", "1000", "--name", "web", "-n")
    pmond.ok("restart", "web", "--autorestart")
    pid = pmond.until("web", "running")["pid"]
    os.kill(pid, signal.SIGKILL)
    until(lambda: pmond.row("web")["pid"] not in (0, pid), "it to be started again")


def test_41_the_order_is_kept_on_start_and_reversed_on_stop(pmond: Pmond) -> None:
    out = pmond.folder / "out"
    stop = f"trap 'sleep 0.2; echo stop {{0}} >> {out}; exit' TERM"
    script = f"echo start {{0}} >> {out}; {stop}; while :; do sleep 0.05; done"
    pmond.declare(shell("web", script.format("web"), dependencies=["db"]), shell("db", script.format("db")))
    for name in ("web", "db"):
        pmond.until(name, "running")
    pmond.ok("kill")
    assert out.read_text().split("\n")[:4] == ["start db", "start web", "stop web", "stop db"]


def test_42_folder_mask_limits_and_niceness_are_set(pmond: Pmond) -> None:
    given = {"cwd": "/usr", "umask": "0077", "limits": {"nofile": 99}, "priority": NICER}
    pmond.declare(shell("web", "pwd; umask; ulimit -n; nice; exec sleep 1000", **given))
    pmond.until("web", "running")
    until(lambda: pmond.ok("log", "web").count("\n") == 4, "its four lines")
    assert pmond.ok("log", "web") == f"/usr\n0077\n99\n{NICER}\n"


def test_43_an_entry_without_a_name_is_called_as_its_file(pmond: Pmond) -> None:
    pmond.declare({"file": "/bin/sleep", "args": "1000"})
    pmond.until("sleep", "running")


def test_45_reading_the_configuration_again_disturbs_nothing(pmond: Pmond) -> None:
    pmond.declare(SLEEPER)
    pid = pmond.until("web", "running")["pid"]
    for _ in range(20):
        pmond.signal(signal.SIGHUP)
        pmond.configure()
        assert pmond.ask("GET", "/v1/processes").status == 200
    assert pmond.row("web")["pid"] == pid


def test_47_a_hanging_event_script_holds_nothing_up(stopped_pmond: Pmond) -> None:
    pmond = stopped_pmond
    script = pmond.folder / "hangs"
    script.write_text("exec sleep 1000")
    pmond.configure(f"event_handling: {{process_failure: {script}}}\n")
    pmond.declare(shell("bad", "exit 1", no_auto_restart=True), SLEEPER)
    pmond.start()
    pmond.until("bad", "failed")
    pid = pmond.until("web", "running")["pid"]
    os.kill(pid, signal.SIGKILL)
    pmond.until("web", "running", restart_count=1)
    pmond.ok("restart", "bad", "--no-wait")


@as_root
def test_21_changing_a_process_of_the_administrator_gives_its_user_no_more_rights(pmond: Pmond) -> None:
    secret = pmond.folder / "secret"
    secret.write_text("root's\n")
    secret.chmod(0o600)
    pmond.declare({"name": "web", "file": "/bin/sleep", "args": "1000", "user": "nobody"})
    pmond.until("web", "running")
    body = {"refs": ["web"], "groups": [], "labels": {}, "all": False, "changes": {"log": str(secret)}}
    as_user("nobody", lambda: pmond.ask("POST", "/v1/actions/restart", body))
    until(lambda: "secret" in pmond.row("web")["reason"], "the refusal of the log")
    assert secret.read_text() == "root's\n"
    read = as_user("nobody", lambda: _text(pmond, "/v1/logs/web?lines=10"))
    assert "root's" not in str(read.body)


@as_root
def test_21_a_user_reads_the_own_log_wherever_it_is_and_no_other(pmond: Pmond) -> None:
    folder = pmond.folder / "theirs"
    folder.mkdir()
    os.chown(folder, *pwd.getpwnam("nobody")[2:4])
    pmond.declare({"name": "roots", "file": "/bin/echo", "args": ["root's"], "no_auto_restart": True})
    pmond.until("roots", "completed")
    logs = {"own": str(folder / "own.log"), "thief": str(pmond.folder / "logs/roots.log")}
    for name, log in logs.items():
        spec = {"file": "/bin/echo", "name": name, "args": ["mine"], "log": log, "no_auto_restart": True}
        as_user("nobody", lambda: pmond.ask("POST", "/v1/processes", {"spec": spec, "cwd": "/"}))  # noqa: B023
    pmond.until("own", "completed")
    assert as_user("nobody", lambda: _text(pmond, "/v1/logs/own?lines=10")).body == "mine\n"
    for query in ("lines=10", "all=1", "follow=1"):
        answer = as_user("nobody", lambda: _text(pmond, f"/v1/logs/thief?{query}"))  # noqa: B023
        assert (answer.status, "root's" in str(answer.body)) == (403, False), query
