"""`pmon3 up`: it waits until all is ready, says which file it took and what is wrong, and leaves nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.pmond import Pmond
from tests.support.programs import sleeper
from tests.support.waiting import until

pytestmark = pytest.mark.slow


@pytest.fixture
def project(stopped_pmond: Pmond) -> Path:
    """A folder of the user's in which `up` is called."""
    folder = stopped_pmond.folder / "project"
    folder.mkdir()
    return folder


def statuses(pmond: Pmond) -> dict[str, str]:
    return {name: row["status"] for name, row in pmond.rows().items()}


def test_without_f_it_waits_for_the_process_config_file(stopped_pmond: Pmond) -> None:
    stopped_pmond.declare(sleeper("db"), sleeper("web", dependencies=["db"]))
    done = stopped_pmond.run("up", "-o", "json")
    assert done.returncode == 0, done.stderr
    assert {one["name"]: one["status"] for one in json.loads(done.stdout)} == {
        "db": "running", "web": "running",
    }  # fmt: skip
    said = f"up with {stopped_pmond.manifest_file}, the process config file: 2 processes"
    assert said in done.stderr
    # Again, and with an edit that it takes in before it looks.
    stopped_pmond.declare(sleeper("db"), sleeper("web", dependencies=["db"]), sleeper("new"))
    done = stopped_pmond.run("up")
    assert (done.returncode, statuses(stopped_pmond)["new"]) == (0, "running")


def test_what_does_not_get_ready_is_said(stopped_pmond: Pmond) -> None:
    stopped_pmond.declare({"name": "bad", "file": "/bin/false", "restart": {"policy": "never"}})
    done = stopped_pmond.run("up")
    assert done.returncode == 7 and "cannot get bad ready" in done.stderr


def test_a_wrong_process_config_file_is_told_with_its_places(stopped_pmond: Pmond) -> None:
    stopped_pmond.write("processes:\n  - {name: a, fil: /bin/sleep}\n")
    done = stopped_pmond.run("up")
    assert done.returncode == 1 and done.stdout == ""
    assert f"cannot bring up {stopped_pmond.manifest_file}: it is not accepted" in done.stderr
    assert f"{stopped_pmond.manifest_file}:2:15: error[PM014]" in done.stderr
    assert "ended pmond (pid " in done.stderr
    until(lambda: not stopped_pmond.survivors(), "nothing to be left")


def test_a_missing_one_is_told_too_and_pmond_stays(stopped_pmond: Pmond) -> None:
    done = stopped_pmond.run("up")
    assert done.returncode == 0
    assert (
        f"no process config file ({stopped_pmond.manifest_file}), no pmon3.yaml in this folder" in done.stderr
    )
    assert "up with" not in done.stderr
    assert stopped_pmond.rows() == {}


@pytest.mark.parametrize("name", ["pmon3.yaml", "pmon3.yml", "pmon3.toml", "pmon3.json", "pmon3/a.yaml"])
def test_the_file_of_the_folder_is_taken_and_named(stopped_pmond: Pmond, project: Path, name: str) -> None:
    texts = {
        ".toml": '[[processes]]\nfile = "/bin/sleep"\nargs = "1000"\nname = "a"\n',
        ".json": json.dumps({"processes": [sleeper("a")]}),
    }
    file = project / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(texts.get(file.suffix, "processes: [{name: a, file: /bin/sleep, args: '1000'}]\n"))
    done = stopped_pmond.run("up", cwd=project)
    assert done.returncode == 0, done.stderr
    taken = file.parent if "/" in name else file
    assert f"applied file:{taken}: 1 create" in done.stderr
    assert statuses(stopped_pmond) == {"a": "running"}


def test_the_process_config_file_comes_before_it(stopped_pmond: Pmond, project: Path) -> None:
    (project / "pmon3.yaml").write_text("processes: [{name: other, file: /bin/sleep, args: '1000'}]\n")
    stopped_pmond.declare(sleeper("a"))
    stopped_pmond.ok("up", cwd=project)
    assert set(statuses(stopped_pmond)) == {"a"}


def test_the_folders_of_pmond_itself_are_no_manifests(stopped_pmond: Pmond) -> None:
    """They are called pmon3 too, and a config.yml ends in .yml."""
    home = stopped_pmond.folder / "xdg"
    (home / "pmon3").mkdir(parents=True)
    (home / "pmon3" / "config.yml").write_text("log_level: info\n")
    del stopped_pmond.environment["PMON3_CONF"]
    done = stopped_pmond.run("up", cwd=home)
    assert done.returncode == 0 and "no pmon3.yaml in this folder" in done.stderr
    stopped_pmond.ok("down")


@pytest.mark.parametrize(
    ("text", "code", "why"),
    [
        ("processes: [{name: a, fil: /bin/sleep}]\n", 1, "cannot bring up"),
        ("processes: [{name: a, file: /bin/sleep, dependencies: [nobody]}]\n", 1, "nobody"),
        (None, 2, "No such file"),
    ],
)
def test_a_refused_manifest_leaves_no_pmond(
    stopped_pmond: Pmond, project: Path, text: str | None, code: int, why: str
) -> None:
    if text is not None:
        (project / "app.yaml").write_text(text)
    done = stopped_pmond.run("up", "-f", "app.yaml", cwd=project)
    assert done.returncode == code and why.lower() in done.stderr.lower(), done.stderr
    until(lambda: not stopped_pmond.survivors(), "nothing to be left")


def test_a_pmond_that_was_there_stays(pmond: Pmond, project: Path) -> None:
    (project / "app.yaml").write_text("processes: [{name: a, fil: /bin/sleep}]\n")
    assert pmond.run("up", "-f", "app.yaml", cwd=project).returncode == 1
    assert pmond.rows() == {}


def test_so_does_one_that_has_taken_over_what_ran(pmond: Pmond, project: Path) -> None:
    pmond.ok("exec", "/bin/sleep", "--name", "kept", "--", "1000")
    pid = pmond.row("kept")["pid"]
    pmond.ok("down", "--keep")
    pmond.ended()
    (project / "app.yaml").write_text("processes: [{name: a, file: /bin/sleep, dependencies: [nobody]}]\n")
    done = pmond.run("up", "-f", "app.yaml", cwd=project)
    assert done.returncode == 1 and "pmond stays" in done.stderr
    assert pmond.row("kept")["pid"] == pid
    pmond.ok("down")


def test_words_of_compose_are_taken(stopped_pmond: Pmond) -> None:
    stopped_pmond.declare(sleeper("a"))
    assert stopped_pmond.run("up", "-d").returncode == 0


def test_a_pipe_is_read_once(stopped_pmond: Pmond) -> None:
    text = "processes: [{name: a, file: /bin/sleep, args: '1000'}]"
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -P -m pmon3 up -f <(echo \"{text}\")"],
        env=stopped_pmond.environment, capture_output=True, text=True, timeout=60, cwd="/",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert statuses(stopped_pmond) == {"a": "running"}
