"""Where a submitted program runs, and what is said when its files are somewhere else."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.pmond import Pmond

pytestmark = pytest.mark.slow


@pytest.fixture
def project(pmond: Pmond) -> Path:
    """A folder with a script in it, and one with a program beside which that is not."""
    folder = pmond.folder / "project"
    (folder / "bin").mkdir(parents=True)
    (folder / "app.sh").write_text("pwd\nexec sleep 1000\n")
    shutil.copy2("/bin/sh", folder / "bin" / "runner")
    return folder


def where(pmond: Pmond, name: str) -> str:
    return str(Path(f"/proc/{pmond.row(name)['pid']}/cwd").readlink())


def test_a_program_found_on_path_runs_where_the_caller_is(pmond: Pmond, project: Path) -> None:
    pmond.ok("exec", "sh", "--name", "api", "--", "app.sh", cwd=project)
    assert where(pmond, "api") == str(project.resolve())
    assert f"│cwd            ║{project}" in pmond.ok("desc", "api")
    # It still does after a restart from somewhere else, and comes back as it was.
    pmond.ok("restart", "api", cwd="/")
    assert where(pmond, "api") == str(project.resolve())


def test_a_path_keeps_the_rule_of_the_go_pmon3(pmond: Pmond, project: Path) -> None:
    done = pmond.run("exec", "bin/runner", "--name", "r", "-n", "--", "app.sh", cwd=project)
    assert done.returncode == 7
    assert f"app.sh is in this folder, and it ran in {project}/bin: --cwd . runs it here" in done.stderr
    pmond.ok("exec", "bin/runner", "--name", "r", "--cwd", ".", "--", "app.sh", cwd=project)
    assert where(pmond, "r") == str(project.resolve())


def test_from_a_folder_that_was_deleted(pmond: Pmond) -> None:
    """B15: "cannot go on: no such file or directory" said neither what nor why."""
    gone = pmond.folder / "gone"
    command = f"mkdir {gone}; cd {gone}; rmdir {gone}; exec %s"
    pmond.ok("exec", "sh", "--name", "x", "--cwd", "/", "--", "-c", "exec sleep 1000")

    def run(words: str) -> subprocess.CompletedProcess[str]:
        line = command % f"{sys.executable} -P -m pmon3 {words}"
        return subprocess.run(
            ["sh", "-c", line], env=pmond.environment, capture_output=True, text=True, timeout=60
        )

    assert run("exec /bin/sleep --name whole -- 1000").returncode == 0
    for words in (
        "exec sleep -- 1000",
        "exec ./app",
        "apply -f app.yaml",
        "set x cwd=/ -f m.yaml",
        "up -f a",
    ):
        done = run(words)
        assert done.returncode == 2, (words, done)
        assert "the current folder does not exist any more (cd to another" in done.stderr, (
            words,
            done.stderr,
        )
    assert run("ls").returncode == 0


def test_one_variable_beside_the_others(pmond: Pmond) -> None:
    pmond.ok("exec", "/bin/sleep", "--name", "a", "-e", "PORT=80 MODE=dev", "--env", "X=a b", "--", "1000")
    assert variables(pmond, "a") == {"PORT": "80", "MODE": "dev", "X": "a b"}
    pmond.ok("restart", "a", "--env", "MODE=prod", "--env", "NEW=1")
    assert variables(pmond, "a") == {"PORT": "80", "MODE": "prod", "X": "a b", "NEW": "1"}
    pmond.ok("restart", "a", "-e", "ONLY=1")
    assert variables(pmond, "a") == {"ONLY": "1"}
    pmond.ok("exec", "/bin/sleep", "--name", "b", "--", "1000")
    done = pmond.run("restart", "a", "b", "--env", "MODE=prod")
    assert done.returncode == 2 and "each has variables of its own" in done.stderr
    assert pmond.run("restart", "a", "--env", "MODE").returncode == 2


def variables(pmond: Pmond, name: str) -> dict[str, str]:
    raw = Path(f"/proc/{pmond.row(name)['pid']}/environ").read_bytes().split(b"\0")
    found = dict(one.decode().split("=", 1) for one in raw if b"=" in one)
    return {key: value for key, value in found.items() if key in ("PORT", "MODE", "X", "NEW", "ONLY")}


def test_an_unknown_dependency_does_not_propose_the_process_itself(pmond: Pmond) -> None:
    done = pmond.run("exec", "/bin/sleep", "--name", "web1", "-d", "web2", "--", "1000")
    assert done.returncode == 1 and "did you mean" not in done.stderr
    assert json.loads(pmond.ok("ls", "-o", "json")) == []
