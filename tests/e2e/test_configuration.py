"""config.yml and its overrides, seen from outside a real pmond."""

from __future__ import annotations

import grp
import json
import os
import pwd
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support.pmond import Pmond
from tests.support.waiting import until

pytestmark = pytest.mark.slow

SLEEPER = {"name": "web", "file": "/bin/sleep", "args": "1000"}
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: other users' files")

VARIABLES = [
    ("LOGLEVEL", "warn", "log_level", "warn"),
    ("HANDLEINTERRUPTS", "f", "handle_interrupts", False),
    ("DISABLERELOADS", "1", "disable_reloads", True),
    ("PROCESSMONITORINTERVAL", "250", "process_monitor_interval", 250),
    ("INITIALIZATIONPERIOD", "7", "initialization_period", 7),
    ("PROCESSCONFIGFILE", "/p.yaml", "process_config_file", "/p.yaml"),
    ("WAIT_CMDEXECRESPONSE", "1", "wait.cmd_exec_response", 1),
    ("WAIT_IPCCONNECTION", "2", "wait.ipc_connection", 2),
    ("WAIT_DEPENDENTPROCESSENQUEUED", "3", "wait.dependent_process_enqueued", 3),
    *(
        (f"{section.replace('_', '').upper()}_{word}", value, f"{section}.{key}", expected)
        for section in ("permissions", "logs", "data", "message_queue")
        for word, value, key, expected in [
            ("USER", "daemon", "user", "daemon"),
            ("GROUP", "adm", "group", "adm"),
            ("DIRECTORYMODE", "0711", "directory_mode", 0o711),
            ("FILEMODE", "0600", "file_mode", 0o600),
        ]
    ),
    ("LOGS_DIRECTORY", "/l", "logs.directory", "/l"),
    ("DATA_DIRECTORY", "/d", "data.directory", "/d"),
    ("MESSAGEQUEUE_DIRECTORY", "/q", "message_queue.directory.shmem", "/q"),
    ("MESSAGEQUEUE_DIRECTORY_SHMEM", "/q", "message_queue.directory.shmem", "/q"),
    ("MESSAGEQUEUE_DIRECTORY_POSIXMQ", "/q", "message_queue.directory.posix_mq", "/q"),
    ("MESSAGEQUEUE_NAMESUFFIX", "x", "message_queue.name_suffix", "x"),
    ("EVENTHANDLER_PROCESSRESTART", "/e a", "event_handling.process_restart", [["/e", "a"]]),
    ("EVENTHANDLER_PROCESSFAILURE", "/e", "event_handling.process_failure", [["/e"]]),
    ("EVENTHANDLER_PROCESSBACKOFF", "/e", "event_handling.process_backoff", [["/e"]]),
    ("FLAPDETECTION_ISENABLED", "true", "flap_detection.is_enabled", True),
    ("FLAPDETECTION_THRESHOLDRESTARTED", "9", "flap_detection.threshold_restarted", 9),
    ("FLAPDETECTION_THRESHOLDCOUNTDOWN", "8", "flap_detection.threshold_countdown", 8),
    ("FLAPDETECTION_THRESHOLDDECREMENT", "0", "flap_detection.threshold_decrement", 0),
]


def pmond_with(folder: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """One short-lived pmond with nothing but these variables."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "pmond", *words],
        env={"PATH": os.defpath, "HOME": str(folder), "PMON3_CONF": f"{folder}/config.yml", **environ},
        capture_output=True, text=True, timeout=30, cwd="/",
    )  # fmt: skip


@pytest.mark.parametrize(("name", "value", "path", "expected"), VARIABLES, ids=[v[0] for v in VARIABLES])
def test_each_override_reaches_pmond(tmp_path: Path, name: str, value: str, path: str, expected: Any) -> None:
    for prefix in ("CONFIGOR_", "PMON3_"):
        done = pmond_with(tmp_path, "--settings", **{prefix + name: value})
        assert (done.returncode, done.stderr) == (0, "")
        found: Any = json.loads(done.stdout)
        for part in path.split("."):
            found = found[part]
        assert found == expected, prefix


def test_the_process_config_file_of_the_environment_counts_where_config_yml_names_none(
    tmp_path: Path,
) -> None:
    done = pmond_with(tmp_path, "--settings", PMON3_PROCESS_CONF="/x.json")
    assert json.loads(done.stdout)["process_config_file"] == "/x.json"
    (tmp_path / "config.yml").write_text("process_config_file: /y.json\n")
    done = pmond_with(tmp_path, "--settings", PMON3_PROCESS_CONF="/x.json")
    assert json.loads(done.stdout)["process_config_file"] == "/y.json"


def modes(path: Path) -> tuple[str, str, int]:
    status = path.stat()
    return (
        pwd.getpwuid(status.st_uid).pw_name,
        grp.getgrgid(status.st_gid).gr_name,
        stat.S_IMODE(status.st_mode),
    )


@as_root
def test_permissions_are_given_to_what_pmond_makes(stopped_pmond: Pmond) -> None:
    pmond = stopped_pmond
    pmond.configure(
        "permissions: {user: daemon, group: adm, directory_mode: 0750, file_mode: 0640}\n"
        "wait: {dependent_process_enqueued: 0}\n"
    )
    text = pmond.config_file.read_text()
    pmond.config_file.write_text(text.replace("/logs}", "/logs, file_mode: 0644}"))
    pmond.declare(SLEEPER)
    pmond.start()
    pmond.until("web", "running")
    for folder in ("data", "logs", "run"):
        assert modes(pmond.folder / folder) == ("daemon", "adm", 0o750), folder
    for file in ("data/data.db", "data/data.db-wal", "run/pmon3.sock"):
        assert modes(pmond.folder / file) == ("daemon", "adm", 0o640), file
    assert modes(pmond.folder / "logs/web.log") == ("daemon", "adm", 0o644)
    pmond.signal(signal.SIGTERM)
    assert pmond.ended() == 0
    pmond.start()  # the state of that user is its own
    pmond.until("web", "running")
    assert not list((pmond.folder / "data").glob("*.corrupt*"))


def test_folders_that_exist_keep_their_modes_and_the_state_is_nobody_elses(stopped_pmond: Pmond) -> None:
    pmond = stopped_pmond
    own = pmond.folder / "own"
    for folder in ("data", "logs", "run", "own"):
        (pmond.folder / folder).mkdir()
        (pmond.folder / folder).chmod(0o711)
    own.chmod(0o1777)
    pmond.declare({**SLEEPER, "log_dir": str(own)})
    pmond.start()
    pmond.until("web", "running")
    kept = [stat.S_IMODE((pmond.folder / name).stat().st_mode) for name in ("data", "logs", "run", "own")]
    assert kept == [0o711, 0o711, 0o711, 0o1777]
    assert stat.S_IMODE((pmond.folder / "data/data.db").stat().st_mode) == 0o600
    assert stat.S_IMODE((pmond.folder / "data/data.db-wal").stat().st_mode) == 0o600


def test_what_can_change_live_does_and_what_cannot_is_said(pmond: Pmond) -> None:
    pmond.declare({"name": "web", "file": "/bin/false"})
    pmond.until("web", "backoff")
    assert "flapping" not in pmond.row("web")["reason"]
    pmond.configure(
        "flap_detection: {is_enabled: true, threshold_restarted: 1, threshold_countdown: 6000}\n"
        "initialization_period: 99\n"
    )
    until(lambda: "ConfigNeedsRestart" in pmond.reasons(), "the change to be told")
    (event,) = (event for event in pmond.events() if event["reason"] == "ConfigNeedsRestart")
    assert event["message"] == "initialization_period changed; that needs a restart of pmond"
    pmond.ok("restart", "web", "--no-wait")
    until(lambda: "1 of 1 restarts used" in pmond.row("web")["reason"], "flap detection to be in force")


def test_a_configuration_that_is_not_valid_stays_out_and_is_placed(pmond: Pmond) -> None:
    pmond.config_file.write_text("wait: [\n")
    until(lambda: "ConfigRejected" in pmond.reasons(), "the rejection to be told")
    assert pmond.ask("GET", "/v1/version").status == 200


@pytest.mark.parametrize(
    ("config", "code", "said"),
    [
        ("log_level: warn\n", 0, "valid"),
        ("log_level: [\n", 2, "config.yml:"),
        ("permissions: {user: no-such-user}\n", 1, "there is no user no-such-user"),
        ("logs: {user: daemon, group: no-such-group}\n", 1, "there is no group no-such-group"),
        ("data: {group: daemon}\n", 1, "data.group is not used"),
        ("data: {directory: /etc/passwd}\n", 1, "is not a folder"),
        ("message_queue: {directory: /%s}\n" % ("x" * 120), 1, "the system allows 107"),
        ("event_handling: {process_restart: /no/such/program}\n", 1, "there is no /no/such/program"),
        ("process_config_file: bad.json\n", 2, "bad.json:1:"),
        ("process_config_file: none.json\n", 1, "none.json: no such file or folder"),
    ],
)  # fmt: skip
def test_check_says_everything_that_would_not_work(tmp_path: Path, config: str, code: int, said: str) -> None:
    (tmp_path / "bad.json").write_text('{"processes": [{"fil": "/bin/true"}]}')
    (tmp_path / "config.yml").write_text(config)
    folders = {
        f"CONFIGOR_{word}_DIRECTORY": str(tmp_path) for word in ("DATA", "LOGS", "MESSAGEQUEUE")
        if f"{word.replace('MESSAGEQUEUE', 'message_queue').lower()}: {{directory" not in config
    }  # fmt: skip
    before = sorted(tmp_path.iterdir())
    done = pmond_with(tmp_path, "--check", **folders)
    assert (done.returncode, said in done.stdout + done.stderr) == (code, True), done
    assert sorted(tmp_path.iterdir()) == before
