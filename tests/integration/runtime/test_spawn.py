"""What a started program is given: exactly the documented set, on both ways of starting."""

from __future__ import annotations

import json
import os
import pwd
import resource
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support.starting import (
    MARKER,
    context,
    open_descriptors,
    opened_since,
    output,
    python,
    reap,
    running,
    start,
)
from tests.support.waiting import until

from pmond.runtime.processes.spawn import seal_descriptors

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root switches users")

NICE = os.nice(0)

# posix_spawn of the C library leaves its two internal signals (32 and 33) ignored, in every child.
INTERNAL = (1 << 31) | (1 << 32)

REPORT = """
import json, os, resource
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines())
print(json.dumps({
    "descriptors": {n: os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd")
        if os.path.exists(f"/proc/self/fd/{n}")},
    "ignored": int(status["SigIgn"], 16), "blocked": int(status["SigBlk"], 16), "umask": status["Umask"],
    "cwd": os.getcwd(), "environment": dict(os.environ), "nice": os.nice(0), "session": os.getsid(0),
    "group": os.getpgid(0), "pid": os.getpid(), "uids": os.getresuid(), "gids": os.getresgid(),
    "groups": os.getgroups(), "limits": {n: resource.getrlimit(getattr(resource, n)) for n in
        ("RLIMIT_NOFILE", "RLIMIT_AS", "RLIMIT_CPU", "RLIMIT_CORE", "RLIMIT_NPROC")},
    "oom": open("/proc/self/oom_score_adj").read().strip(),
}))
"""


def report(log_dir: Path, **fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(python(log_dir, REPORT, **fields))
    return found


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path) -> None:
    seal_descriptors()
    # Folders that pytest makes are closed to the users that some tests switch to.
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)


def test_child_gets_the_documented_set_and_nothing_else(tmp_path: Path, way: dict[str, Any]) -> None:
    kept = os.open("/dev/zero", os.O_RDONLY)
    os.set_inheritable(kept, True)  # as a shell that starts pmond may leave one behind
    try:
        seal_descriptors()
        seen = report(tmp_path, **way)
    finally:
        os.close(kept)
    log = str(tmp_path / "test.log")
    assert seen["descriptors"] == {"0": "/dev/null", "1": log, "2": log}
    # Python itself ignores SIGPIPE (13) and SIGXFSZ (25) again in the child.
    assert seen["ignored"] & ~INTERNAL == (1 << 12) | (1 << 24)
    assert seen["blocked"] == 0
    assert seen["session"] == seen["group"] == seen["pid"]
    assert seen["cwd"] == str(Path(sys.executable).parent)
    assert seen["nice"] == NICE
    assert seen["environment"]["PMON3_INSTANCE"] == MARKER


def test_no_signal_is_ignored_or_blocked(tmp_path: Path, way: dict[str, Any]) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    try:
        text = output(tmp_path, "/bin/grep", "-E", "Sig(Ign|Blk)", "/proc/self/status", **way)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
    blocked, ignored = (int(line.split()[1], 16) for line in text.splitlines())
    assert (blocked, ignored & ~INTERNAL) == (0, 0)


def test_words_arrive_as_they_are(tmp_path: Path, way: dict[str, Any]) -> None:
    """However a program is reached: empty ones, such as look like flags or assignments, lines, long ones."""
    words = ["", "--", "-n", "a b", "A=1", "\n", "'\"\\$(x)", "ü€𝄞", "x" * 100_000]
    variables = {"EMPTY": "", "EQUAL": "a=b=c", "LINES": "1\n2\n", "LD_PRELOAD": "", "ODD": "'\"\\$(x)ü€"}
    code = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ)]))"
    given = ("-I", "-S", "-c", code, *words)
    seen = json.loads(output(tmp_path, sys.executable, *given, env_vars=variables, **way))
    assert seen[0] == words
    assert seen[1].items() >= variables.items()


def test_environment_is_layered(tmp_path: Path, way: dict[str, Any]) -> None:
    (tmp_path / "a.env").write_text("# a comment\nexport ONE=file\nTWO='from file'\nTHREE=file\n")
    given = context(tmp_path)
    given = type(given)(environment={"ZERO": "inherited", "ONE": "inherited"}, log_dir=str(tmp_path))
    fields = {
        "env_file": str(tmp_path / "a.env"),
        "env_vars": {"THREE": "spec", "ÄÖ": "ü € \n"},
        "context": given,
    }
    seen = output(tmp_path, "/usr/bin/env", "-0", **fields, **way)
    assert dict(pair.split("=", 1) for pair in seen.split("\0") if pair) == {
        "ZERO": "inherited", "ONE": "file", "TWO": "from file", "THREE": "spec", "ÄÖ": "ü € \n",
        "PMON3_INSTANCE": MARKER,
    }  # fmt: skip
    bare = output(
        tmp_path / "bare",
        "/usr/bin/env",
        env_inherit=False,
        context=type(given)({"A": "1"}, str(tmp_path / "bare")),
    )
    assert bare == f"PMON3_INSTANCE={MARKER}\n"


def test_program_is_found_on_the_path_of_the_child(tmp_path: Path) -> None:
    tool = tmp_path / "bin" / "tool"
    tool.parent.mkdir()
    tool.write_text('#!/bin/sh\necho "$0"; pwd\n')
    tool.chmod(0o755)
    said = output(tmp_path, "tool", env_vars={"PATH": f"{tmp_path}/none:{tool.parent}:/bin"})
    assert said == f"{tool}\n{tool.parent}\n"


def test_argv0_and_arguments_arrive_unchanged(tmp_path: Path, way: dict[str, Any]) -> None:
    code = "print(open('/proc/self/cmdline').read(), end='')"
    arguments = ["-I", "-S", "-c", code, "a  b", "", "'q'", "ü€"]
    said = output(tmp_path, sys.executable, *arguments, argv0="other name", **way)
    assert said.split("\0")[:-1] == ["other name", *arguments]
    assert output(tmp_path / "x", "/bin/cat", "/proc/self/cmdline", **way).split("\0")[0] == "/bin/cat"


def test_working_folder_of_the_daemon_is_back_afterwards(tmp_path: Path, way: dict[str, Any]) -> None:
    before = Path.cwd()
    assert output(tmp_path, "/bin/pwd", cwd=str(tmp_path), **way) == f"{tmp_path}\n"
    assert Path.cwd() == before


def test_logs_are_appended_and_may_be_two(tmp_path: Path, way: dict[str, Any]) -> None:
    folder = tmp_path / "new" / "logs"
    program = ["-c", "echo out; echo err >&2"]
    fields = {
        "log_dir": str(folder),
        "stderr_log": "err.log",
        "context": context(tmp_path, file_mode=0o640),
        **way,
    }
    for _ in range(2):
        reap(start(tmp_path, "/bin/sh", *program, **fields).pid)
    assert (folder / "test.log").read_text() == "out\nout\n"
    assert (folder / "err.log").read_text() == "err\nerr\n"
    assert (folder / "test.log").stat().st_mode & 0o777 == 0o640
    assert folder.stat().st_mode & 0o777 == 0o770


def test_modes_of_existing_log_and_folder_are_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "test.log"
    log.touch(mode=0o600)
    log.chmod(0o604)
    tmp_path.chmod(0o751)
    output(tmp_path, "/bin/echo", "hi")
    assert log.stat().st_mode & 0o777 == 0o604
    assert tmp_path.stat().st_mode & 0o777 == 0o751


@pytest.mark.usefixtures("launcher")
def test_umask_priority_and_limits(tmp_path: Path) -> None:
    limits = {"nofile": 200, "memory": "1GiB", "cpu_seconds": 77, "core": 0, "nproc": 5000}
    seen = report(tmp_path, umask="0027", priority=NICE + 7, limits=limits)
    assert seen["umask"] == "0027"
    assert seen["nice"] == NICE + 7
    assert seen["limits"] == {
        "RLIMIT_NOFILE": [200, 200], "RLIMIT_AS": [1 << 30, 1 << 30], "RLIMIT_CPU": [77, 77],
        "RLIMIT_CORE": [0, 0], "RLIMIT_NPROC": [5000, 5000],
    }  # fmt: skip
    assert seen["ignored"] & ~INTERNAL == (1 << 12) | (1 << 24)


@pytest.mark.usefixtures("launcher")
def test_memory_limit_may_be_smaller_than_the_launcher_needs(tmp_path: Path) -> None:
    assert output(tmp_path, "/bin/echo", "small", limits={"memory": "8MiB"}) == "small\n"


@pytest.mark.usefixtures("launcher")
def test_few_open_files_are_enough_for_the_launcher(tmp_path: Path) -> None:
    assert output(tmp_path, "/bin/echo", "few", limits={"nofile": 4}) == "few\n"


def test_soft_limit_of_open_files_is_given_back(tmp_path: Path, way: dict[str, Any]) -> None:
    own = resource.getrlimit(resource.RLIMIT_NOFILE)
    seen = report(tmp_path, context=context(tmp_path, open_files=333), **way)
    assert seen["limits"]["RLIMIT_NOFILE"] == [333, own[1]]
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == own


@root_only
def test_oom_score_is_given_back(tmp_path: Path, way: dict[str, Any]) -> None:
    with running(tmp_path, "/bin/sleep", "60", context=context(tmp_path, oom_score_adj=123), **way) as child:
        assert Path(f"/proc/{child.pid}/oom_score_adj").read_text().strip() == "123"


@root_only
@pytest.mark.parametrize("name", ["nobody", "daemon"])
@pytest.mark.usefixtures("launcher")
def test_user_is_switched_completely(tmp_path: Path, name: str) -> None:
    entry = pwd.getpwnam(name)
    # The system's own interpreter: this one may lie where only root goes.
    for question, answer in {
        "-ru": entry.pw_uid, "-u": entry.pw_uid, "-rg": entry.pw_gid, "-g": entry.pw_gid,
        "-G": " ".join(map(str, os.getgrouplist(name, entry.pw_gid))),
    }.items():  # fmt: skip
        log = f"id{question}.log"
        assert output(tmp_path, "/usr/bin/id", question, user=name, log=log) == f"{answer}\n"
    log_file = (tmp_path / "id-u.log").stat()
    assert (log_file.st_uid, log_file.st_gid, log_file.st_mode & 0o777) == (entry.pw_uid, entry.pw_gid, 0o660)
    said = output(
        tmp_path, "/usr/bin/env", user=name, log="env.log", context=type(context(tmp_path))({}, str(tmp_path))
    )
    assert dict(line.split("=", 1) for line in said.splitlines()) == {
        "HOME": entry.pw_dir, "USER": name, "LOGNAME": name, "SHELL": entry.pw_shell,
        "PMON3_INSTANCE": MARKER,
    }  # fmt: skip


@root_only
@pytest.mark.usefixtures("launcher")
def test_groups_of_the_daemon_are_given_up(tmp_path: Path) -> None:
    own = os.getgroups()
    os.setgroups([0, 4, 12])
    try:
        entry = pwd.getpwnam("nobody")
        assert output(tmp_path, "/usr/bin/id", "-G", user="nobody") == f"{entry.pw_gid}\n"
        assert os.getgroups() == [0, 4, 12]
    finally:
        os.setgroups(own)


@root_only
@pytest.mark.usefixtures("launcher")
def test_status_of_another_user_shows_no_leftovers(tmp_path: Path) -> None:
    said = output(tmp_path, "/bin/cat", "/proc/self/status", user="nobody", umask="0077", priority=NICE + 3)
    status = dict(line.split(":\t", 1) for line in said.splitlines())
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    assert status["Umask"] == "0077"
    assert int(status["SigIgn"], 16) & ~INTERNAL == int(status["SigBlk"], 16) == 0


@root_only
def test_log_in_a_folder_of_root_is_opened_for_a_trusted_spec(tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o700)
    assert output(tmp_path, "/bin/echo", "hi", user="nobody", log_dir=str(folder)) == "hi\n"
    assert (folder / "test.log").stat().st_uid == pwd.getpwnam("nobody").pw_uid


@pytest.mark.usefixtures("launcher")
def test_child_bears_its_marker_while_it_is_still_the_launcher(tmp_path: Path) -> None:
    with running(tmp_path, "/bin/sleep", "60", priority=NICE + 1) as child:
        environment = Path(f"/proc/{child.pid}/environ")
        until(lambda: f"PMON3_INSTANCE={MARKER}".encode() in environment.read_bytes(), "the marker shows")


def test_no_descriptor_is_left_open(tmp_path: Path, way: dict[str, Any]) -> None:
    output(tmp_path, "/bin/true", **way)
    before = open_descriptors()
    output(tmp_path, "/bin/true", **way)
    assert not opened_since(before)
