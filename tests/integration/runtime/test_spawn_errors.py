"""Each way in which a start can fail says so, in one word and in a sentence, and leaves nothing behind."""

from __future__ import annotations

import errno
import os
import pwd
import resource
import signal
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.support.starting import (
    MARKER,
    context,
    open_descriptors,
    opened_since,
    reap,
    report_of,
    running,
    start,
)

from pmon3_schema.process import ProcessSpec
from pmon3_schema.reading import read_value
from pmond.runtime.processes.spawn import SpawnError, prepare, seal_descriptors, spawn

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root switches users")


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path) -> None:
    seal_descriptors()
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)


def failure(logs: Path, file: str, *args: str, **fields: Any) -> SpawnError:
    before = open_descriptors()
    with pytest.raises(SpawnError) as caught:
        start(logs, file, *args, **fields)
    assert not opened_since(before), "descriptors are left open"
    message = caught.value.message
    assert message.startswith("cannot start test: "), message
    assert message.endswith(")"), f"it does not say what to do: {message}"
    return caught.value


def script(path: Path, text: str, mode: int = 0o755) -> str:
    path.write_text(text, encoding="utf-8", newline="")
    path.chmod(mode)
    return str(path)


def loop(folder: Path) -> str:
    (folder / "loop").symlink_to("loop")
    return str(folder / "loop")


def special(folder: Path) -> str:
    os.mkfifo(folder / "pipe", 0o755)
    return str(folder / "pipe")


PROGRAMS: dict[str, tuple[Callable[[Path], str], str, str]] = {
    "missing": (lambda folder: str(folder / "none"), "FileMissing", "does not exist"),
    "under a file": (lambda folder: script(folder / "file", "") + "/none", "FileMissing", "not a folder"),
    "not on PATH": (lambda folder: "no-such-program", "FileMissing", "on PATH"),
    "not executable": (lambda folder: script(folder / "a", "#!/bin/sh\n", 0o644), "NotExecutable", "chmod"),
    "folder": (lambda folder: str(folder), "IsFolder", "is a folder"),
    "pipe": (special, "NotAProgram", "regular file"),
    "interpreter missing": (
        lambda folder: script(folder / "a", "#! /no/such/sh -e\n"), "InterpreterMissing", "/no/such/sh",
    ),
    "interpreter not executable": (
        lambda folder: script(folder / "a", "#!/etc/passwd\n"), "InterpreterNotExecutable", "/etc/passwd",
    ),
    "line ends of Windows": (
        lambda folder: script(folder / "a", "#!/bin/sh\r\necho hi\r\n"), "InterpreterMissing",
        "the carriage return behind #!/bin/sh is taken for a part of that name",
    ),
    "byte order mark": (
        lambda folder: script(folder / "a", "\ufeff#!/bin/sh\n"), "NotAProgram", "begins with a byte order",
    ),
    "no first line": (lambda folder: script(folder / "a", "echo hi\n"), "NotAProgram", "#!"),
    "link loop": (loop, "LinkLoop", "symbolic links"),
    "name too long": (lambda folder: f"{folder}/{'x' * 300}", "NameTooLong", "too long"),
}  # fmt: skip


@pytest.mark.parametrize("case", PROGRAMS)
def test_program_that_cannot_be_executed(tmp_path: Path, case: str, way: dict[str, Any]) -> None:
    make, reason, words = PROGRAMS[case]
    error = failure(tmp_path, make(tmp_path), cwd="/", **way)
    assert error.reason == reason, error.message
    assert words in error.message
    assert not error.transient
    assert error.errno


def test_program_that_is_being_written(tmp_path: Path, way: dict[str, Any]) -> None:
    program = tmp_path / "true"
    program.write_bytes(Path("/bin/true").read_bytes())
    program.chmod(0o755)
    with program.open("ab"):
        error = failure(tmp_path, str(program), **way)
    assert (error.reason, error.errno, error.transient) == ("FileBusy", errno.ETXTBSY, True)


def test_arguments_too_long(tmp_path: Path, way: dict[str, Any]) -> None:
    error = failure(tmp_path, "/bin/true", "x" * (1 << 18), **way)
    assert (error.reason, error.transient) == ("ArgumentsTooLong", False)


def test_arguments_that_no_program_can_be_given(tmp_path: Path, way: dict[str, Any]) -> None:
    spec = read_value(ProcessSpec, {"name": "test", "file": "/bin/true", **way})
    launch = prepare(spec, context=context(tmp_path), marker=MARKER)
    before = open_descriptors()
    with pytest.raises(SpawnError) as caught:
        child = spawn(replace(launch, argv=("a", "b\0c")))
        report = report_of(child)
        reap(child.pid)
        raise report or AssertionError("it was started")
    assert caught.value.reason == "InvalidArgument"
    assert not opened_since(before)


def test_working_folder(tmp_path: Path, way: dict[str, Any]) -> None:
    before = Path.cwd()
    assert failure(tmp_path, "/bin/true", cwd=str(tmp_path / "none"), **way).reason == "CwdMissing"
    assert failure(tmp_path, "/bin/true", cwd="/etc/passwd", **way).reason == "CwdNotUsable"
    assert Path.cwd() == before


@root_only
def test_what_the_user_may_not(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    program = script(closed / "a", "#!/bin/sh\n")
    mine = script(tmp_path / "mine", "#!/bin/sh\n", 0o700)
    assert failure(tmp_path, "/bin/true", user="nobody", cwd=str(closed)).reason == "CwdNotUsable"
    assert failure(tmp_path, program, user="nobody", cwd="/").reason == "NotPermitted"
    error = failure(tmp_path, mine, user="nobody", cwd="/")
    assert error.reason == "NotPermitted"
    assert "user nobody" in error.message


@pytest.mark.parametrize("name", ["no-such-user", "4294967294999"])
def test_unknown_user(tmp_path: Path, name: str) -> None:
    error = failure(tmp_path, "/bin/true", user=name)
    assert error.reason == "UnknownUser"
    assert name in error.message


@root_only
def test_an_own_user_without_a_name_is_no_other_one(tmp_path: Path) -> None:
    os.seteuid(54321)
    try:
        spec = read_value(ProcessSpec, {"name": "test", "file": "/bin/true", "user": "54321"})
        assert prepare(spec, context=context(tmp_path), marker=MARKER).user is None
    finally:
        os.seteuid(0)


@root_only
def test_switching_users_without_being_root(tmp_path: Path) -> None:
    os.seteuid(pwd.getpwnam("nobody").pw_uid)
    try:
        error = failure(tmp_path, "/bin/true", user="daemon")
    finally:
        os.seteuid(0)
    assert (error.reason, error.errno) == ("UserNotPermitted", errno.EPERM)


def test_env_file(tmp_path: Path, way: dict[str, Any]) -> None:
    missing = failure(tmp_path, "/bin/true", env_file=str(tmp_path / "none.env"), **way)
    assert (missing.reason, missing.errno) == ("EnvFileNotReadable", errno.ENOENT)
    assert "none.env" in missing.message
    assert failure(tmp_path, "/bin/true", env_file=str(tmp_path), **way).reason == "EnvFileNotReadable"
    assert failure(tmp_path, "/bin/true", env_file=special(tmp_path), **way).reason == "EnvFileNotReadable"
    bad = script(tmp_path / "bad.env", "A=1\nsecret words\n")
    error = failure(tmp_path, "/bin/true", env_file=bad, **way)
    assert error.reason == "EnvFileInvalid"
    assert "line 2" in error.message
    assert "secret" not in error.message


@root_only
def test_env_file_that_its_user_may_not_read(tmp_path: Path) -> None:
    secret = script(tmp_path / "secret.env", "KEY=1\n", 0o600)
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o700)
    hidden = script(folder / "hidden.env", "KEY=1\n", 0o644)
    for path in (secret, hidden):
        error = failure(tmp_path, "/bin/true", user="nobody", env_file=path, trusted=False)
        assert error.reason == "EnvFileNotReadable", path
        assert "nobody" in error.message


def test_log(tmp_path: Path, way: dict[str, Any]) -> None:
    for path in (str(tmp_path), "/proc/none/x.log", special(tmp_path)):
        error = failure(tmp_path, "/bin/true", log=path, **way)
        assert error.reason == "LogNotWritable", path
        assert path in error.message
    second = failure(tmp_path, "/bin/true", stderr_log="/proc/none/x.log", **way)
    assert second.reason == "LogNotWritable"


@root_only
@pytest.mark.parametrize("trusted", [True, False])
def test_log_of_a_user_leads_to_no_file_of_root(tmp_path: Path, trusted: bool) -> None:
    target = tmp_path / "shadow"
    target.touch(mode=0o600)
    (tmp_path / "link.log").symlink_to(target)
    (tmp_path / "name.log").hardlink_to(target)
    for name in ("link.log", "name.log"):
        error = failure(tmp_path, "/bin/echo", "mine", user="nobody", log=name, trusted=trusted)
        assert error.reason == "LogNotWritable"
    assert target.read_text() == ""
    assert (target.stat().st_uid, stat.S_IMODE(target.stat().st_mode)) == (0, 0o600)


@root_only
def test_log_of_an_untrusted_spec_is_opened_with_the_rights_of_its_user(tmp_path: Path) -> None:
    error = failure(tmp_path, "/bin/echo", user="nobody", trusted=False, log="mine.log")
    assert error.reason == "LogNotWritable"
    assert not (tmp_path / "test.log").exists()


@pytest.mark.usefixtures("launcher")
def test_limits_and_priority_that_are_not_permitted(tmp_path: Path) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    error = failure(tmp_path, "/bin/true", limits={"nofile": hard + (1 << 31)})
    assert error.reason == "LimitNotPermitted"


@root_only
@pytest.mark.usefixtures("launcher")
def test_process_limit_of_the_user(tmp_path: Path) -> None:
    with running(tmp_path, "/bin/sleep", "60", user="nobody"):
        error = failure(tmp_path, "/bin/true", user="nobody", limits={"nproc": 0})
    assert (error.reason, error.errno, error.transient) == ("ProcessLimit", errno.EAGAIN, True)


@contextmanager
def open_files(limit: int) -> Iterator[None]:
    own = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, own[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, own)


def test_no_descriptors_left(tmp_path: Path, way: dict[str, Any]) -> None:
    before = open_descriptors()
    highest = max(before)
    for spare in range(4):
        # From none to nearly enough: every descriptor that a start takes may be the one that fails.
        gaps = [os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC) for _ in range(highest + 3)]
        for number in gaps[-spare:] if spare else []:
            os.close(number)
        try:
            with open_files(max(gaps) + 1), pytest.raises(SpawnError) as caught:
                start(tmp_path, "/bin/true", cwd="/none", **way)
        finally:
            for number in gaps[: len(gaps) - spare]:
                os.close(number)
        assert not opened_since(before), "descriptors are left open"
        if caught.value.reason != "OpenFileLimit":
            assert spare >= 2, caught.value.message
        else:
            assert caught.value.transient


def test_a_child_that_could_not_be_known_again_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: dict[str, Any]
) -> None:
    born = []

    def unreadable(pid: int) -> int:
        born.append(pid)
        raise OSError(errno.EMFILE, "no descriptor")

    before = open_descriptors()
    monkeypatch.setattr("pmond.runtime.processes.spawn.start_ticks", unreadable)
    spec = read_value(ProcessSpec, {"name": "test", "file": "/bin/sleep", "args": ["1000"], **way})
    with pytest.raises(SpawnError) as caught:
        spawn(prepare(spec, context=context(tmp_path), marker=MARKER))
    assert (caught.value.reason, caught.value.transient) == ("OpenFileLimit", True)
    (pid,) = born
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    assert not opened_since(before)
