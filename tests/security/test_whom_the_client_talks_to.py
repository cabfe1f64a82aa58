"""M4, M4b and black-box finding 2: a command speaks to the pmond that is meant, or to nobody."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.command_line import Run
from tests.support.fake_daemon import FakeDaemon
from tests.support.pmond import Pmond
from tests.support.stranger import listening, needs_strangers

from pmon3.client import Client
from pmon3_schema.errors import ErrorCode, PmonError

NOBODY = 65534
SECRET = ("exec", "/bin/sleep", "--name", "s", "--env-vars", "DBPASS=hunter2", "--", "100")


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A caller without configuration, on a machine without a system pmond."""
    with tempfile.TemporaryDirectory(prefix="pmon3") as name:
        for variable in [name for name in os.environ if name.startswith(("PMON3_", "XDG_", "CONFIGOR_"))]:
            monkeypatch.delenv(variable)
        monkeypatch.setenv("HOME", f"{name}/home")
        monkeypatch.setattr("pmon3_schema.paths.SYSTEM_RUNTIME", f"{name}/system")
        monkeypatch.setattr("pmon3_schema.paths.SYSTEM_CONFIG", f"{name}/system/config.yml")
        (Path(name) / "home").mkdir()
        (Path(name) / "system").mkdir()
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def run(home: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    from tests.support.command_line import runner

    return runner(capsys)


def folder(path: Path, owner: int, mode: int = 0o755) -> Path:
    path.mkdir()
    path.chmod(mode)
    os.chown(path, owner, owner)
    return path


@needs_strangers
def test_a_runtime_folder_of_somebody_else_is_not_spoken_to(
    home: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M4: root after `su` without `-`, or with `sudo -E`."""
    runtime = folder(folder(home / "alice", NOBODY) / "pmon3", NOBODY)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime.parent))
    with listening(runtime / "pmon3.sock", NOBODY) as alice:
        ran = run(*SECRET)
        assert ran.code == 3 and "/home/.local/state/pmon3/pmon3.sock" in ran.err
        assert alice.was_told() == ""


@needs_strangers
@pytest.mark.parametrize("kind", ["folder", "socket", "link"])
def test_where_everybody_may_make_folders_those_of_others_are_not_trusted(
    home: Path, run: Run, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """M4, M4b: XDG_RUNTIME_DIR, TMPDIR or message_queue.directory is a folder like /tmp."""
    shared = folder(home / "tmp", 0, 0o1777)
    if kind == "folder":
        place = folder(shared / "pmon3", NOBODY)
    elif kind == "socket":
        place = folder(shared / "pmon3", 0, 0o1777)
    else:
        place = folder(home / "alice", NOBODY)
        (shared / "pmon3").symlink_to(place)
        os.chown(shared / "pmon3", NOBODY, NOBODY, follow_symlinks=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(shared))
    with listening(place / "pmon3.sock", NOBODY) as alice:
        ran = run(*SECRET)
        assert (ran.code, "belongs to nobody" in ran.err) == (6, True), ran.err
        assert "mistake" not in ran.err
        assert alice.was_told() == ""


@needs_strangers
def test_who_listens_has_to_be_root_or_the_caller_whoever_made_the_file(home: Path) -> None:
    """M4: what SO_PEERCRED says decides, before a byte is sent."""
    path = folder(home / "q", 0) / "pmon3.sock"
    with listening(path, NOBODY, bound_as_root=True) as alice:
        client = Client(str(path))
        asks: list[Callable[[], object]] = [
            lambda: client.get("/v1/version"),
            lambda: client.post("/v1/processes", {"spec": {"env_vars": "DBPASS=hunter2"}}),
            lambda: client.delete("/v1/groups/x"),
            lambda: client.stream("/v1/logs/web"),
        ]
        for ask in asks:
            with pytest.raises(PmonError, match="who listens there is nobody") as caught:
                ask()
            assert caught.value.code is ErrorCode.REFUSED
        assert alice.was_told() == ""


@needs_strangers
def test_a_configuration_of_root_names_who_owns_the_socket(home: Path) -> None:
    """`message_queue.user` of the Go pmon3: its folder and file are that user's, the listener is root."""
    place = folder(home / "q", NOBODY)
    config = home / "config.yml"
    with FakeDaemon(place / "pmon3.sock") as daemon:
        config.write_text("message_queue: {user: nobody}\n")
        assert Client(daemon.path, config_file=str(config)).get("/v1/version")["pid"] == 1
        config.write_text("message_queue: {user: daemon}\n")
        with pytest.raises(PmonError, match="belongs to nobody"):
            Client(daemon.path, config_file=str(config)).get("/v1/version")
        config.write_text("message_queue: {user: nobody}\n")
        os.chown(config, NOBODY, NOBODY)
        with pytest.raises(PmonError, match="belongs to nobody"):
            Client(daemon.path, config_file=str(config)).get("/v1/version")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("message_queue: {directory: {shmem: /q}}\nlog_level: [", "2:13"),
        ("message_queue:\n  directory: /q\nlog_level: [", "3:13"),
        ("message_queue: 5", "1:16"),
        ("log_level: \0", "1:12"),
        (None, ""),
    ],
)
def test_a_broken_configuration_reaches_nobody_elses_processes(
    home: Path, run: Run, monkeypatch: pytest.MonkeyPatch, text: str | None, place: str
) -> None:
    """Black-box finding 2: `PMON3_CONF=mine.yml pmon3 drop` dropped what the system's pmond ran."""
    mine = home / "mine.yml"
    if text is not None:
        mine.write_text(text)
    monkeypatch.setenv("PMON3_CONF", str(mine))
    with FakeDaemon(home / "system" / "pmon3.sock") as system:
        for words in (("drop",), ("kill",), ("ls",), ("up",), ("down",), ("stop", "web"), ("version",)):
            ran = run(*words)
            assert ran.code == 2 and ran.out == "", words
            assert ran.err.startswith(f"pmon3: cannot read {mine}{':' if place else ''}{place}: "), ran.err
        assert system.requests == []


@needs_strangers
@pytest.mark.slow
class TestUp:
    """M4, the other end: what `pmon3 up` makes is where nobody else can put another thing."""

    @pytest.fixture
    def shell(self, stopped_pmond: Pmond) -> Iterator[Pmond]:
        stopped_pmond.folder.chmod(0o755)
        del stopped_pmond.environment["PMON3_CONF"]
        yield stopped_pmond
        stopped_pmond.run("down")

    def test_a_runtime_folder_of_somebody_else_is_left_alone(self, shell: Pmond) -> None:
        alice = folder(shell.folder / "alice", NOBODY)
        target = folder(shell.folder / "roots", 0)
        (alice / "pmon3").symlink_to(target)
        environment = {"XDG_RUNTIME_DIR": str(alice)}
        shell.ok("up", env=environment)
        assert list(target.iterdir()) == [] and list(alice.iterdir()) == [alice / "pmon3"]
        assert (shell.folder / "state" / "pmon3" / "pmon3.sock").is_socket()
        shell.ok("down", env=environment)

    @pytest.mark.parametrize("kind", ["folder", "link"])
    def test_nor_is_a_place_that_somebody_else_made_in_a_shared_folder(self, shell: Pmond, kind: str) -> None:
        shared = folder(shell.folder / "tmp", 0, 0o1777)
        target = folder(shell.folder / "target", NOBODY if kind == "folder" else 0)
        if kind == "folder":
            folder(shared / "pmon3", NOBODY)
        else:
            (shared / "pmon3").symlink_to(target)
            os.chown(shared / "pmon3", NOBODY, NOBODY, follow_symlinks=False)
        ran = shell.run("up", env={"XDG_RUNTIME_DIR": str(shared)})
        assert ran.returncode == 6 and "tmp/pmon3 belongs to nobody" in ran.stderr
        assert list(target.iterdir()) == []
        assert not (shell.folder / "state").exists()

    def test_nor_are_the_state_and_the_log_kept_in_a_home_of_somebody_else(self, shell: Pmond) -> None:
        alice = folder(shell.folder / "alice", NOBODY)
        environment = {"HOME": str(alice), "XDG_STATE_HOME": "", "XDG_CONFIG_HOME": "", "XDG_RUNTIME_DIR": ""}
        ran = shell.run("up", env=environment)
        assert ran.returncode == 6 and f"{alice} belongs to nobody" in ran.stderr
        assert list(alice.iterdir()) == []

    def test_pmond_itself_refuses_a_socket_in_strange_hands(self, shell: Pmond) -> None:
        """Whoever starts it: systemd, a script, or `up` a moment before the folder was swapped."""
        alice = folder(shell.folder / "alice", NOBODY)
        shell.environment["PMON3_CONF"] = str(shell.config_file)
        text = shell.config_file.read_text().replace(f"{shell.folder}/run", f"{alice}/run")
        shell.config_file.write_text(text)
        assert f"{alice} belongs to nobody" in shell.try_start()
        assert shell.ended() == 1 and list(alice.iterdir()) == []


@pytest.mark.slow
class TestWithoutASession:
    """B10: cron, `su`, `env -i`, `docker exec` meet the pmond that a session has started."""

    @pytest.fixture
    def session(self, stopped_pmond: Pmond) -> Iterator[Pmond]:
        del stopped_pmond.environment["PMON3_CONF"]
        (stopped_pmond.folder / "login").mkdir()
        yield stopped_pmond
        stopped_pmond.run("down")

    def test_a_cron_job_finds_it(self, session: Pmond) -> None:
        login, cron = {"XDG_RUNTIME_DIR": f"{session.folder}/login"}, {"XDG_RUNTIME_DIR": ""}
        session.ok("up", env=login)
        socket = (session.folder / "login" / "pmon3" / "pmon3.sock").resolve()
        assert socket.is_socket()
        assert str(socket) in session.ok("version", env=cron)
        # A second `up` is no dead end either, and both see one pmond.
        assert session.ok("up", "-o", "json", env=cron) == session.ok("ls", "-o", "json", env=login)
        session.ok("down", env=cron)
        assert session.run("ls", env=login).returncode == 3

    def test_after_an_end_nothing_leads_to_the_old_place(self, session: Pmond) -> None:
        session.ok("up", env={"XDG_RUNTIME_DIR": f"{session.folder}/login"})
        session.ok("down", env={"XDG_RUNTIME_DIR": ""})
        session.ok("up", env={"XDG_RUNTIME_DIR": ""})
        assert (session.folder / "state" / "pmon3" / "pmon3.sock").is_socket()
