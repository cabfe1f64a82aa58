"""The files of the system service, below a folder of the test's own; systemd itself is not asked."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.command_line import Run

from pmon3 import service_files
from pmon3.service_files import FileState
from pmon3.service_manager import ServiceManager

UNIT = "etc/systemd/system/pmond.service"
LOGROTATE = "etc/logrotate.d/pmond"
CONFIG = "etc/pmon3/config/config.yml"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def files(root: Path) -> dict[str, str]:
    return {str(file.relative_to(root)): file.read_text() for file in root.rglob("*") if file.is_file()}


def test_install_writes_unit_logrotate_and_a_first_configuration(run: Run, root: Path) -> None:
    ran = run("service", "install", "--root", str(root))
    assert ran.code == 0
    assert set(files(root)) == {UNIT, LOGROTATE, CONFIG}
    assert all(f"wrote {root}/{name}" in ran.err for name in files(root))
    unit = files(root)[UNIT]
    assert f"ExecStart={Path(sys.executable).parent}/pmond\n" in unit
    for line in (
        "Type=notify",
        "KillMode=process",
        "Delegate=yes",
        "Restart=on-failure",
        "OOMPolicy=continue",
    ):
        assert f"\n{line}\n" in unit
    assert "/var/log/pmond/*.log {" in files(root)[LOGROTATE]
    assert "copytruncate" in files(root)[LOGROTATE]


def test_twice_changes_nothing(run: Run, root: Path) -> None:
    run("service", "install", "--root", str(root))
    before = files(root)
    ran = run("service", "install", "--root", str(root))
    assert (ran.code, files(root)) == (0, before)
    assert "wrote" not in ran.err


def test_a_dry_run_says_all_and_does_nothing(run: Run, root: Path) -> None:
    ran = run("service", "install", "--dry-run", "--root", str(root))
    assert ran.code == 0
    assert f"would write {root}/{UNIT}" in ran.err
    assert not root.exists()
    run("service", "install", "--root", str(root))
    before = files(root)
    ran = run("service", "uninstall", "--dry-run", "--root", str(root))
    assert f"would remove {root}/{UNIT}" in ran.err
    assert files(root) == before


def test_uninstall_never_removes_a_configuration(run: Run, root: Path) -> None:
    run("service", "install", "--root", str(root))
    (root / CONFIG).write_text("log_level: debug\n")
    (root / CONFIG).with_name("process.config.yaml").write_text("processes: []\n")
    data = root / "etc/pmon3/data/data.db"
    data.parent.mkdir()
    data.write_text("state")
    ran = run("service", "uninstall", "--root", str(root))
    assert ran.code == 0
    assert f"kept {root}/{CONFIG}: it is yours" in ran.err
    assert files(root) == {
        CONFIG: "log_level: debug\n",
        "etc/pmon3/config/process.config.yaml": "processes: []\n",
        "etc/pmon3/data/data.db": "state",
    }
    assert run("service", "uninstall", "--root", str(root)).code == 0
    assert run("service", "install", "--root", str(root)).code == 0
    assert files(root)[CONFIG] == "log_level: debug\n"


@pytest.mark.parametrize("verb", ["install", "uninstall"])
def test_what_somebody_changed_is_theirs(run: Run, root: Path, verb: str) -> None:
    run("service", "install", "--root", str(root))
    changed = files(root)[UNIT].replace("RestartSec=1s", "RestartSec=9s")
    (root / UNIT).write_text(changed)
    before = files(root)
    ran = run("service", verb, "--root", str(root))
    assert (ran.code, files(root)) == (6, before)
    assert f"{root}/{UNIT} was changed by somebody (--force" in ran.err
    assert run("service", verb, "--force", "--root", str(root)).code == 0
    assert files(root)[f"{UNIT}.old"] == changed
    assert (UNIT in files(root)) == (verb == "install")


def test_a_file_of_an_earlier_version_is_replaced(root: Path) -> None:
    earlier, present = (service_files.ServiceFile(root / "unit", text) for text in ("old\n", "new\n"))
    earlier.write()
    assert present.state() is FileState.OLD
    present.write()
    assert present.state() is FileState.OURS
    (root / "unit").write_text("new\n")
    assert present.state() is FileState.CHANGED


def test_logs_that_the_configuration_puts_elsewhere_are_rotated_there(run: Run, root: Path) -> None:
    (root / CONFIG).parent.mkdir(parents=True)
    (root / CONFIG).write_text("logs: {directory: /srv/logs}\n")
    assert run("service", "install", "--root", str(root)).code == 0
    assert "/srv/logs/*.log {" in files(root)[LOGROTATE]


def test_of_a_user(run: Run, root: Path, folders: Path) -> None:
    assert run("service", "install", "--user", "--root", str(root)).code == 0
    (name,) = files(root)
    assert name == f"{folders}/systemd/user/pmond.service".lstrip("/")
    assert "/pmond --own\n" in files(root)[name]
    assert "WantedBy=default.target" in files(root)[name]
    assert run("service", "status", "--user", "--root", str(root)).code == 0
    assert run("service", "uninstall", "--user", "--root", str(root)).code == 0
    assert files(root) == {}


def test_status(run: Run, root: Path) -> None:
    ran = run("service", "status", "--root", str(root), "-o", "json")
    assert ran.code == 1
    assert {file["state"] for file in json.loads(ran.out)["files"]} == {"absent"}
    run("service", "install", "--root", str(root))
    ran = run("service", "status", "--root", str(root))
    assert ran.code == 0
    assert f"installed: {root}/{UNIT}" in ran.out


def test_only_root_changes_the_machine(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getuid", lambda: 1000)
    for verb in ("install", "uninstall"):
        ran = run("service", verb)
        assert ran.code == 6
        assert "you are not root (use sudo, or --user for a service of your own)" in ran.err


def test_without_systemd_nothing_is_left(run: Run, monkeypatch: pytest.MonkeyPatch, folders: Path) -> None:
    """F21: the files stayed, and root's `up` was the system's pmond from then on."""
    monkeypatch.setattr(ServiceManager, "runs", lambda self: False)
    before = sorted(folders.rglob("*"))
    ran = run("service", "install", "--user")
    assert ran.code == 6
    assert "cannot install the service: systemd does not run here (nothing was written" in ran.err
    assert sorted(folders.rglob("*")) == before
    assert run("service", "install", "--user", "--no-start").code == 0
    assert (folders / "systemd/user/pmond.service").exists()
    assert run("service", "uninstall", "--user").code == 0


def test_a_configuration_that_nobody_touched_goes_too(run: Run, root: Path) -> None:
    run("service", "install", "--root", str(root))
    assert run("service", "uninstall", "--root", str(root)).code == 0
    assert files(root) == {}


def test_a_program_in_a_folder_that_is_emptied_is_remarked_on(
    run: Run, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_files, "pmond", lambda: "/tmp/venv/bin/pmond")
    assert (
        "/tmp/venv/bin/pmond is in a folder that is emptied"
        in run("service", "install", "--root", str(root)).err
    )
    monkeypatch.setattr(service_files, "pmond", lambda: "/opt/pmon3/bin/pmond")
    assert "emptied" not in run("service", "install", "--root", str(root), "--force").err


def test_a_dry_run_says_what_systemctl_would_be_asked(
    run: Run, monkeypatch: pytest.MonkeyPatch, folders: Path
) -> None:
    monkeypatch.setattr(ServiceManager, "runs", lambda self: False)
    ran = run("service", "install", "--user", "--dry-run")
    assert ran.code == 0
    assert "would run systemctl --user enable --now pmond.service" in ran.err
    assert list(folders.rglob("*.service")) == []


def test_systemctl_is_asked_step_by_step(
    run: Run, monkeypatch: pytest.MonkeyPatch, folders: Path, tmp_path: Path
) -> None:
    asked = tmp_path / "asked"
    systemctl = tmp_path / "systemctl"
    systemctl.write_text(f'#!/bin/sh\necho "$@" >> {asked}\ncase $2 in is-*) echo active ;; esac\n')
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(ServiceManager, "runs", lambda self: True)
    assert run("service", "install", "--user").code == 0
    assert run("service", "status", "--user").out.splitlines()[-1] == "active: active"
    assert run("service", "uninstall", "--user").code == 0
    assert asked.read_text().splitlines() == [
        "--user daemon-reload", "--user enable --now pmond.service",
        "--user is-enabled pmond.service", "--user is-active pmond.service",
        "--user disable --now pmond.service", "--user daemon-reload",
    ]  # fmt: skip
    systemctl.write_text("#!/bin/sh\necho Unit is masked. >&2\nexit 1\n")
    ran = run("service", "install", "--user")
    assert ran.code == 7
    assert "cannot run systemctl --user daemon-reload: Unit is masked." in ran.err


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze here")
@pytest.mark.parametrize("user", [False, True])
def test_systemd_finds_nothing_wrong(run: Run, root: Path, user: bool) -> None:
    run("service", "install", "--root", str(root), *(["--user"] if user else []))
    (unit,) = root.rglob("pmond.service")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(["--user"] if user else []), str(unit)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    lines = [line for line in done.stderr.splitlines() if "pmond.service" in line]
    # Before systemd 254 that key is unknown, and ignored.
    assert [line for line in lines if "Unknown key 'DelegateSubgroup'" not in line] == []


def test_a_path_is_written_as_systemd_reads_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "my 100% $programs"
    folder.mkdir()
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    shown = str(folder).replace("%", "%%").replace("$", "$$")
    assert service_files.pmond() == f'"{shown}/python" -P -m pmond'
