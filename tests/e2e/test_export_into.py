"""`export --into`: the manifest that a person wrote, brought to what is in force."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.pmond import Pmond
from tests.support.waiting import until

pytestmark = pytest.mark.slow

TEXT = """\
# the shop
processes:
  - name: web        # in front
    file: /bin/sleep
    args: '1000'     # seconds
    restart: {delay: 1s}
"""


@pytest.fixture
def declared(pmond: Pmond) -> Pmond:
    """A pmond that follows TEXT."""
    pmond.write(TEXT)
    pmond.until("web", "running")
    return pmond


def test_what_was_changed_by_command_goes_into_the_file(declared: Pmond) -> None:
    file = declared.manifest_file
    assert "says it already" in declared.run("export", "--into", str(file)).stderr
    assert file.read_text() == TEXT
    declared.ok("restart", "web", "--args", "2000")
    shown = declared.ok("export", "--into", str(file), "--dry-run")
    assert "+    args: '2000'     # seconds" in shown
    assert file.read_text() == TEXT
    pid = declared.row("web")["pid"]
    declared.ok("export", "--into", str(file))
    assert file.read_text() == TEXT.replace("'1000'", "'2000'")
    declared.ok("init")
    assert declared.run("diff").returncode == 0
    assert declared.row("web")["pid"] == pid


def test_a_submitted_process_is_added_by_its_name(declared: Pmond) -> None:
    file = declared.manifest_file
    declared.ok("exec", "/bin/sleep", "--name", "more", "--", "1000")
    pid = declared.row("more")["pid"]
    declared.ok("export", "--into", str(file), "more")
    written = file.read_text()
    assert written.startswith(TEXT)
    assert "name: more" in written[len(TEXT) :]
    until(lambda: declared.row("more")["owner"] == f"file:{file}", "the file to take it")
    assert declared.row("more")["pid"] == pid
    declared.ok("validate", str(file))


def test_link_mode_and_what_is_not_there_stay(declared: Pmond) -> None:
    folder = declared.folder / "elsewhere"
    folder.mkdir()
    real = folder / "real.yaml"
    real.write_text(TEXT + "  - {name: gone, file: /bin/gone}\n")
    real.chmod(0o640)
    link = declared.folder / "link.yaml"
    link.symlink_to(real)
    declared.ok("restart", "web", "--args", "3000")
    said = declared.run("export", "--into", str(link))
    assert said.returncode == 0
    assert "gone is not there" in said.stderr
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert real.read_text() == TEXT.replace("1000", "3000") + "  - {name: gone, file: /bin/gone}\n"
    assert list(folder.iterdir()) == [real]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("processes: [{name: web, file: /bin/sleep, args: x", "expected"),
        ("variables: {S: 1}\nprocesses: [{name: web, file: /bin/sleep, args: '${S}'}]", "variables"),
    ],
)
def test_what_cannot_be_written_is_refused_and_the_file_stays(declared: Pmond, text: str, why: str) -> None:
    file: Path = declared.folder / "other.yaml"
    file.write_text(text)
    said = declared.run("export", "--into", str(file))
    assert said.returncode == 1
    assert why in said.stderr
    assert "nothing was written" in said.stderr
    assert file.read_text() == text


def test_profiles_of_the_set_count_wherever_they_are(declared: Pmond) -> None:
    folder = declared.folder / "set"
    folder.mkdir()
    base = "processes:\n  - {name: app, file: /bin/sleep, args: '1000'}  # base\n"
    (folder / "base.yaml").write_text(base)
    overlay = "profiles: {prod: {processes: [{name: app, args: '2000'}]}}\n"
    (folder / "prod.yaml").write_text(overlay)
    declared.ok("apply", "-f", str(folder), "--profile", "prod")
    assert "says it already" in declared.run("export", "--into", str(folder / "base.yaml")).stderr
    declared.ok("restart", "app", "--args", "3000")
    refused = declared.run("export", "--into", str(folder / "base.yaml"))
    assert refused.returncode == 1
    assert "args of app comes from" in refused.stderr
    assert (folder / "base.yaml").read_text() == base


@pytest.mark.parametrize("target", ["systemd", "kubernetes", "procfile", "supervisord", "compose"])
def test_what_a_real_pmond_has_is_written_for_another_tool(declared: Pmond, target: str) -> None:
    """It asked for something that pmond did not know, which the canned answers of the unit tests forgave."""
    ran = declared.run("export", "--to", target)
    assert ran.returncode == 0 and "/bin/sleep" in ran.stdout, ran.stderr
    assert str(declared.manifest_file) in ran.stderr or not ran.stderr
