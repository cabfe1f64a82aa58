"""The commit of a work tree, beside git's own word for it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from pmon3_schema.work_tree import commit_of

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")


def git(folder: Path, *words: str) -> str:
    settings = ("-c", "user.name=a", "-c", "user.email=a@example", "-c", "init.defaultBranch=main")
    ran = subprocess.run(
        ["git", *settings, "-C", str(folder), *words], capture_output=True, text=True, check=True
    )
    return ran.stdout.strip()


def said(path: Path) -> str:
    files = [path] if path.is_file() else sorted(path.glob("*.yaml"))
    return commit_of(str(path), [(str(file), file.read_bytes()) for file in files])


@pytest.mark.parametrize("form", ["sha1", "sha256"])
def test_a_clean_file_has_the_commit_and_a_changed_one_its_mark(tmp_path: Path, form: str) -> None:
    git(tmp_path, "init", "-q", f"--object-format={form}")
    (tmp_path / "conf").mkdir()
    for length in range(12):  # paths of every length, since entries are padded to a multiple of eight
        (tmp_path / "conf" / f"{'x' * length}a.yaml").write_text(f"processes: []  # {length}\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "all")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert said(tmp_path / "conf") == head
    file = tmp_path / "conf" / "xxxa.yaml"
    file.write_text("processes: []\n")
    assert said(tmp_path / "conf") == f"{head}-dirty"
    assert said(file) == f"{head}-dirty"
    assert said(tmp_path / "conf" / "xa.yaml") == head
    git(tmp_path, "commit", "-qam", "changed")
    assert said(file) == git(tmp_path, "rev-parse", "HEAD")
    (tmp_path / "conf" / "new.yaml").write_text("processes: []\n")
    assert said(tmp_path / "conf").endswith("-dirty")


def test_an_index_of_another_form_claims_nothing(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "a.yaml").write_text("processes: []\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "all")
    git(tmp_path, "update-index", "--index-version", "4")
    (tmp_path / "a.yaml").write_text("processes: [] # changed\n")
    assert said(tmp_path / "a.yaml") == git(tmp_path, "rev-parse", "HEAD")


def test_no_work_tree_no_commit(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("processes: []\n")
    assert said(tmp_path / "a.yaml") == ""
