"""The worked example of docs/how-to/gitops.md: commit, and the machine follows."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.support.pmond import Pmond, temporary_pmond
from tests.support.waiting import until

from pmon3_schema.manifest import ManifestFile, read
from pmon3_schema.profiles import options_document

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "gitops.md"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("git") is None, reason="needs git"),
]


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=ana", "-c", "user.email=ana@example.org")
    done = subprocess.run(
        ["git", "-C", str(folder), *who, *words], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def commit(origin: Path, name: str, text: str) -> str:
    (origin / "processes" / name).write_text(text)
    git(origin, "add", "-A")
    git(origin, "commit", "-q", "-m", name)
    return git(origin, "rev-parse", "HEAD")


def newest(pmond: Pmond) -> str:
    return str(json.loads(pmond.ok("history", "-o", "json"))[0]["commit"])


def test_a_commit_is_all_there_is_to_do() -> None:
    with temporary_pmond() as pmond:
        origin, clone = pmond.folder / "origin", pmond.folder / "deploy"
        (origin / "processes").mkdir(parents=True)
        git(origin, "init", "-q", "-b", "main")
        page = PAGE.read_text("utf-8")
        pull = page[page.index("# processes/pull.yaml") : page.index("```\n\n`prune: false`")]
        commit(origin, "pull.yaml", pull.replace("/srv/deploy", str(clone)).replace("sleep 30", "sleep 0.2"))
        git(pmond.folder, "clone", "-q", str(origin), str(clone))
        pmond.manifest_file = clone / "processes"
        pmond.configure()
        pmond.start()
        pmond.until("pull", "running")

        web = "processes:\n  - {file: /bin/sleep, name: web, args: '1000'}\n"
        first = commit(origin, "web.yaml", web)
        pid = pmond.until("web", "running")["pid"]
        assert newest(pmond) == first
        commit(origin, "web.yaml", "processes:\n  - {file: /bin/sleep, nam: web}\n")
        until(lambda: pmond.run("status").returncode == 1, "the mistake to be seen", 20)
        assert pmond.row("web")["pid"] == pid
        second = commit(origin, "web.yaml", web + "  - {file: /bin/sleep, name: more, args: '1000'}\n")
        pmond.until("more", "running")
        until(lambda: newest(pmond) == second, "the commit to be in the history")
        assert pmond.run("status").returncode == 0
        assert pmond.row("web")["pid"] == pid


def test_the_pages_development_and_production_are_one_manifest() -> None:
    page = PAGE.read_text("utf-8")
    files = re.findall(r"```yaml(?: part)?\n# (processes/\w+\.yaml)\n(.*?)```", page, re.S)
    documents = [ManifestFile(f"/srv/deploy/{name}", text.encode()) for name, text in files]
    here = {name: read([*documents, options_document([name], {})]) for name in ("dev", "prod")}
    assert all(reading.ok for reading in here.values())
    dev, prod = ({entry.spec.name: entry.spec for entry in reading.entries} for reading in here.values())
    assert dev.keys() - prod.keys() == {"mailcatcher"}
    assert (dev["web"].args, prod["web"].args) == (("sleep", "8080"), ("sleep", "443"))
    assert (dev["web"].env_vars, prod["web"].env_vars) == ({"DEBUG": "1"}, {})
