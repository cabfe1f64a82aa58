"""C3, H3, H6, L2, L8: logs are opened, made, rotated and read with the rights of whose process it is."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.support import rotation
from tests.support.other_users import ask_as, process_of
from tests.support.pmond import Pmond
from tests.support.stranger import needs_strangers
from tests.support.waiting import until

pytestmark = [needs_strangers, pytest.mark.slow]

NOBODY, DAEMON = 65534, 1
TALKS = {"file": "/bin/sh", "args": ["-c", "echo said; exec sleep 1000"]}
WRITES = {"file": "/bin/sh", "args": ["-c", "while :; do seq 5000; sleep 0.2; done"]}


def folder(path: Path, owner: int, mode: int = 0o755) -> Path:
    path.mkdir()
    path.chmod(mode)
    os.chown(path, owner, owner)
    return path


def file(path: Path, owner: int, content: str = "a line of root\n" * 4000, mode: int = 0o600) -> Path:
    path.write_text(content)
    path.chmod(mode)
    os.chown(path, owner, owner)
    return path


@pytest.fixture
def alice(pmond: Pmond) -> Path:
    """The home of nobody, who is alice here."""
    return folder(pmond.folder / "alice", NOBODY)


@pytest.fixture
def roots(pmond: Pmond) -> Path:
    """A folder of root like any other of the system."""
    return folder(pmond.folder / "roots", 0)


def submit(pmond: Pmond, name: str, **spec: Any) -> None:
    """As alice."""
    body = {"spec": {"name": name, **spec}, "cwd": "/"}
    status, answer = ask_as("nobody", pmond, "POST", "/v1/processes", body)
    assert status == 200, answer


def swap(path: Path, target: Path) -> None:
    """What alice does once her process runs."""
    path.rename(path.with_name("before"))
    path.symlink_to(target)
    os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


def contents(place: Path) -> dict[str, tuple[int, int, bytes]]:
    return {one.name: (one.stat().st_uid, one.stat().st_ino, one.read_bytes()) for one in place.iterdir()}


@pytest.mark.parametrize("by_root", [False, True], ids=["alice's spec", "root's spec"])
@pytest.mark.parametrize("owner", [0, DAEMON], ids=["root's folder", "another's folder"])
@pytest.mark.parametrize("compress", [False, True], ids=["plain", "compressed"])
def test_rotation_follows_no_folder_that_was_swapped(
    pmond: Pmond, alice: Path, by_root: bool, owner: int, compress: bool
) -> None:
    """C3: any file of root of more than 4 KiB lost its content to the log's archives."""
    if rotation.mechanism(pmond.folder) == "none":
        pytest.skip("this file system cannot make holes")
    logs, victims = folder(alice / "d", NOBODY), folder(pmond.folder / "victims", owner)
    file(victims / "important.conf", owner)
    before = contents(victims)
    rotates = {"size": "40KB", "keep": 1, "compress": compress}
    spec = {**WRITES, "log": str(logs / "important.conf"), "log_rotate": rotates}
    if by_root:
        pmond.declare({"name": "amine", "user": "nobody", **spec})
        pmond.ok("init")
    else:
        submit(pmond, "amine", **spec)
    pmond.until("amine", "running")
    until(lambda: list(logs.glob("important.conf.2*")), "the first rotation", 20)
    swap(logs, victims)
    rotated_then = len(list((alice / "before").iterdir()))
    until(lambda: pmond.journal_file.read_text().count("log.not_rotated"), "a rotation to be refused", 40)
    assert contents(victims) == before
    assert len(list((alice / "before").iterdir())) == rotated_then


def test_the_log_of_a_declared_service_is_planted_nowhere(pmond: Pmond, alice: Path, roots: Path) -> None:
    """H3: a file in /etc/profile.d that belongs to alice."""
    logs = folder(alice / "logs", NOBODY)
    pmond.declare({"name": "service", "user": "nobody", **TALKS, "log": str(logs / "service.sh")})
    pmond.ok("init")
    pmond.until("service", "running")
    until(lambda: "said" in (logs / "service.sh").read_text(), "it to write")
    swap(logs, roots)
    ran = pmond.run("restart", "service", "--timeout", "3")
    assert ran.returncode == 7 and "its user may not open it, and root does not where" in ran.stderr, (
        ran.stderr
    )
    assert list(roots.iterdir()) == []
    file(roots / "service.sh", 0, "")
    pmond.run("restart", "service", "--timeout", "3")
    assert (roots / "service.sh").read_text() == ""


@pytest.mark.parametrize("user", ["root", "daemon"])
def test_a_log_folder_of_somebody_else_is_refused(pmond: Pmond, alice: Path, user: str) -> None:
    """H3's siblings: a process of root, or of a third user, in a folder of alice, or below one."""
    open_to_all = folder(alice / "open", NOBODY, 0o777)
    for number, log in enumerate((open_to_all / "x.log", folder(open_to_all / "in", 0) / "x.log")):
        pmond.declare({"name": f"p{number}", "user": user, **TALKS, "log": str(log)})
        pmond.run("init")
        row = pmond.until(f"p{number}", "backoff")
        assert f"{alice} belongs to nobody" in row["reason"]
        assert not log.exists()


def test_where_root_may_lay_links_they_are_followed(pmond: Pmond, roots: Path) -> None:
    """/var/run, /home, a log folder on another disk: links of root lead where they lead."""
    folder(pmond.folder / "disk", 0)
    (roots / "logs").symlink_to("../disk")
    pmond.declare({"name": "web", "user": "daemon", **TALKS, "log": str(roots / "logs" / "a" / "web.log")})
    pmond.ok("init")
    log = pmond.folder / "disk" / "a" / "web.log"
    until(lambda: log.exists() and "said" in log.read_text(), "it to write")
    assert log.stat().st_uid == DAEMON
    assert pmond.ok("log", "web") == "said\n"


def test_a_log_that_somebody_else_has_left_is_not_taken_over(pmond: Pmond) -> None:
    """H6: root's output could be read, and lines be forged, by whoever had used the name first."""
    logs = pmond.folder / "logs"
    submit(pmond, "backup", **TALKS | {"log_rotate": {"size": 1}})
    pmond.until("backup", "running")
    until(
        lambda: (logs / "backup.log").exists() and "said" in (logs / "backup.log").read_text(), "it to write"
    )
    assert ask_as("nobody", pmond, "POST", "/v1/actions/delete", {"refs": ["backup"]})[0] == 200
    until(lambda: "backup" not in pmond.rows(), "it to be gone")
    archive = file(logs / "backup.log.20200101T000000000000", NOBODY, "an older forgery\n")
    secret = TALKS | {"args": ["-c", "echo token=SECRET; exec sleep 1000"]}
    pmond.declare({"name": "backup", **secret})
    pmond.ok("init")
    pmond.until("backup", "running")
    log = logs / "backup.log"
    until(lambda: log.exists() and "SECRET" in log.read_text(), "root's process to write")
    assert log.stat().st_uid == 0
    aside = logs / "backup.log~nobody"
    assert (aside.read_text(), aside.stat().st_uid) == ("said\n", NOBODY)
    assert not archive.exists()
    assert (logs / "backup.log~nobody.20200101T000000000000").exists()
    assert "LogSetAside" in pmond.reasons("backup")
    assert pmond.ok("log", "-a", "backup") == "token=SECRET\n"
    # It stays root's at the next start, and nothing more is moved.
    pmond.ok("restart", "backup")
    assert log.read_text() == "token=SECRET\n" * 2
    assert pmond.reasons("backup").count("LogSetAside") == 1


def test_nor_does_it_keep_another_user_from_a_name(pmond: Pmond) -> None:
    """H6: `exec --name bobx` failed for bob until root had removed the file."""
    logs = pmond.folder / "logs"
    for user, uid in (("nobody", NOBODY), ("daemon", DAEMON), ("nobody", NOBODY)):
        body = {"spec": {"name": "cronjob", **TALKS}, "cwd": "/"}
        assert ask_as(user, pmond, "POST", "/v1/processes", body)[0] == 200
        pmond.until("cronjob", "running", user=user)
        assert (logs / "cronjob.log").stat().st_uid == uid
        assert ask_as(user, pmond, "POST", "/v1/actions/delete", {"refs": ["cronjob"]})[0] == 200
        until(lambda: "cronjob" not in pmond.rows(), "it to be gone")
    assert {one.name for one in logs.iterdir()} >= {"cronjob.log~nobody", "cronjob.log~daemon"}


@pytest.mark.parametrize("closed", [False, True], ids=["open log folder", "closed log folder"])
def test_an_own_log_goes_on_however_closed_the_folder_of_logs_is(pmond: Pmond, closed: bool) -> None:
    (pmond.folder / "logs").chmod(0o700 if closed else 0o755)
    submit(pmond, "mine", **TALKS)
    pmond.until("mine", "running")
    assert ask_as("nobody", pmond, "POST", "/v1/actions/restart", {"refs": ["mine"]})[0] == 200
    log = pmond.folder / "logs" / "mine.log"
    until(lambda: log.read_text() == "said\n" * 2, "both runs to have written")
    status, text = ask_as("nobody", pmond, "GET", "/v1/logs/mine", decoded=False)
    assert (status, text) == (200, "said\n" * 2)
    # A second name of a file of root, or a link to it, is nothing that is written to with root's rights.
    log.unlink()
    victim = file(pmond.folder / "victim", 0, "")
    log.symlink_to(victim)
    ask_as("nobody", pmond, "POST", "/v1/actions/restart", {"refs": ["mine"]})
    assert victim.read_text() == ""


def test_how_long_a_file_of_root_is_and_when_it_was_changed_is_not_told(
    pmond: Pmond, alice: Path, roots: Path
) -> None:
    """pmond looks at the sizes of logs by their names, as a link leads it."""
    submit(pmond, "mine", **TALKS, log=str(alice / "log"))
    pmond.until("mine", "running")
    status, before = ask_as("nobody", pmond, "GET", "/v1/logs/mine/times")
    assert status == 200 and '"position": 5' in json.dumps(before)
    folder(roots / "closed", 0, mode=0o700)
    swap(alice / "log", file(roots / "closed" / "secret", 0))
    for _ in range(2):
        status, after = ask_as("nobody", pmond, "GET", "/v1/logs/mine/times")
        assert status in (403, 422), after


@pytest.mark.parametrize("kind", ["fifo", "device"])
def test_what_is_no_file_is_not_opened_to_see_what_it_is(
    pmond: Pmond, alice: Path, roots: Path, kind: str
) -> None:
    """L2, L2b: a FIFO has a reader as soon as pmond opens it; /dev/watchdog arms a reboot."""
    special = roots / "special"
    if kind == "fifo":
        os.mkfifo(special, 0o600)
    else:
        os.mknod(special, 0o020666, os.makedev(60, 1))  # to be opened it needs a driver
    link = alice / "log"
    link.symlink_to(special)
    submit(pmond, "spy", **TALKS, log=str(link), log_rotate={"size": 1})
    submit(pmond, "spy2", **TALKS, env_file=str(link))
    submit(pmond, "spy3", **TALKS, watch={"paths": [str(link)]})
    pmond.declare({"name": "roots", **TALKS, "user": "nobody", "env_file": str(link), "log": str(link)})
    pmond.run("init")
    for name in ("spy", "roots"):
        pmond.run("log", name)
        pmond.run("log", "-a", name)
        parts = ("", "?all=1", "/times")
        answers = [ask_as("nobody", pmond, "GET", f"/v1/logs/{name}{part}") for part in parts]
        assert all(status in (403, 422) for status, _ in answers), answers
    pmond.run("reconcile")
    said = pmond.journal_file.read_text() + str(pmond.rows())
    # What a device without a driver says to whoever opens it.
    assert "No such device" not in said and "no such device" not in said.replace("its log", "", 1)
    if kind == "fifo":
        with pytest.raises(OSError, match="No such device or address"):  # nobody reads it
            os.open(special, os.O_WRONLY | os.O_NONBLOCK)


def test_the_log_that_cannot_be_opened_is_named(pmond: Pmond, alice: Path) -> None:
    """L8: that of standard error was reported under the path of the other one."""
    submit(pmond, "web", **TALKS, log="/dev/null", stderr_log="/root/no/err.log")
    reason = pmond.until("web", "backoff")["reason"]
    assert "/root/no/err.log" in reason and "/dev/null" not in reason
    pmond.declare({"name": "own", **TALKS, "log": "/dev/null", "stderr_log": "/proc/no/err.log"})
    pmond.run("init")
    assert "/proc/no/err.log" in pmond.until("own", "backoff")["reason"]


def test_devices_and_standard_output_stay_logs_for_root(pmond: Pmond) -> None:
    pmond.declare(
        {"name": "null", **TALKS, "log": "/dev/null"},
        {"name": "out", **TALKS, "log": "/dev/stdout"},
        {"name": "other", **TALKS, "log": "/dev/null", "user": "nobody"},
    )
    pmond.ok("init")
    for name in ("null", "out", "other"):
        pmond.until(name, "running")
    until(lambda: "said" in pmond.journal_file.read_text(), "what is pmond's own output")


@pytest.mark.parametrize("lines", ["lines=10", "lines=%2B100000", "lines=10&follow=1", "lines=%2B9&follow=1"])
def test_a_log_without_lines_and_without_end_holds_nobody_up(pmond: Pmond, alice: Path, lines: str) -> None:
    """Found later: a terabyte of nothing takes no room, and its last line was looked for in all of it."""
    endless = file(alice / "endless.log", NOBODY, "")
    os.truncate(endless, 1 << 40)
    submit(pmond, "endless", log=str(endless), **TALKS)
    pmond.until("endless", "running")
    asked = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
    asked += "s.send(b'GET /v1/logs/endless?%s HTTP/1.1\\r\\nHost: p\\r\\n\\r\\n' % sys.argv[2].encode()); "
    asked += "s.recv(1); print('answered', flush=True); s.recv(1 << 30, socket.MSG_WAITALL)"
    words = ("/usr/bin/python3", "-I", "-S", "-c", asked, str(pmond.socket), lines)
    with process_of("nobody", *words) as asking:
        assert asking.stdout is not None
        assert asking.stdout.readline() == "answered\n"
        assert pmond.ask("GET", "/v1/processes").status == 200


def test_nor_does_one_whose_process_is_waited_for(pmond: Pmond, alice: Path) -> None:
    """Whoever waits for what fails is shown the end of its log."""
    endless = file(alice / "endless.log", NOBODY, "")
    os.truncate(endless, 1 << 40)
    failing = {"file": "/bin/sh", "args": ["-c", "echo why; exit 3"], "restart": {"policy": "never"}}
    submit(pmond, "endless", log=str(endless), **failing)
    pmond.until("endless", "failed")
    done = pmond.run("restart", "endless")
    assert done.returncode == 7
    assert "| why" in done.stderr.replace("\0", "")
