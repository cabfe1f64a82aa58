"""`pmon3 export --to` as a command: files, folders, what is told, and how it ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.command_line import Run
from tests.support.fake_daemon import CannedAnswer, FakeDaemon

WEB = {"file": "/usr/bin/web", "name": "web", "groups": ["site"], "args": "--port 80", "cwd": "/srv"}
DB = {"file": "/usr/bin/db", "name": "db"}


@pytest.fixture
def two(daemon: FakeDaemon) -> FakeDaemon:
    daemon.answers["GET", "/v1/export"] = CannedAnswer({"processes": [WEB, DB]})
    for name in ("web", "db"):
        origins = {"groups": "/etc/app.yaml:7"} if name == "web" else {}
        daemon.answers["GET", f"/v1/processes/{name}"] = CannedAnswer({"name": name, "origins": origins})
    return daemon


def test_one_file_is_printed_and_what_it_cannot_say_is_told_with_its_place(run: Run, two: FakeDaemon) -> None:
    ran = run("export", "--to", "procfile")
    assert (ran.code, ran.out) == (
        0,
        "web: cd /srv && exec /usr/bin/web --port 80\ndb: cd /usr/bin && exec /usr/bin/db\n",
    )
    assert "/etc/app.yaml:7: web: groups: a Procfile has a name and a command, nothing else" in ran.err


def test_several_units_need_a_folder(run: Run, two: FakeDaemon, tmp_path: Path) -> None:
    ran = run("export", "--to", "systemd")
    assert (ran.code, ran.out) == (2, "")
    assert "--into FOLDER" in ran.err
    ran = run("export", "--to", "systemd", "--into", str(tmp_path / "units"))
    assert ran.code == 0, ran.err
    files = {path.name: path for path in (tmp_path / "units").iterdir()}
    assert set(files) == {"web.service", "db.service"}
    assert "ExecStart=/usr/bin/web --port 80\n" in files["web.service"].read_text()
    assert files["web.service"].stat().st_mode & 0o077 == 0


def test_strict_writes_nothing_where_something_cannot_be_said(
    run: Run, two: FakeDaemon, tmp_path: Path
) -> None:
    ran = run("export", "--to", "systemd", "--strict", "--into", str(tmp_path / "units"))
    assert (ran.code, ran.out) == (1, "")
    assert "web: groups" in ran.err
    assert not (tmp_path / "units").exists()


def test_nothing_to_export_is_said(run: Run, daemon: FakeDaemon) -> None:
    daemon.answers["GET", "/v1/export"] = CannedAnswer({"processes": []})
    ran = run("export", "--to", "compose")
    assert (ran.code, ran.out) == (1, "")


def test_variables_of_others_are_not_written_as_asterisks(run: Run, daemon: FakeDaemon) -> None:
    daemon.answers["GET", "/v1/export"] = CannedAnswer({"processes": [{**DB, "env_vars": "***"}]})
    ran = run("export", "--to", "compose")
    assert (ran.code, ran.out) == (6, "")
