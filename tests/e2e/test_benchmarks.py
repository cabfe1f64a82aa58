"""The benchmarks run: at three processes, whatever is installed. Figures are looked at, never judged."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

_RUN = Path(__file__).resolve().parents[2] / "benchmarks" / "run.py"
_MOST_SECONDS = 240

pytestmark = pytest.mark.slow


def _run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """The benchmarks with `folder` as the place of all temporary folders."""
    return subprocess.run(
        [sys.executable, str(_RUN), "--sizes", "3", "--repeat", "1", *options],
        env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=_MOST_SECONDS,
        check=False,
    )


def _left_over(folder: Path) -> list[str]:
    """Command lines of live processes that mention the folder, and what is left in it."""
    lines = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
    return [line for line in lines if str(folder) in line] + [path.name for path in folder.iterdir()]


def _results(file: Path) -> dict[str, dict[str, Any]]:
    return {result["system"]: result for result in json.loads(file.read_text())["results"]}


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A folder for temporary files, which must be empty afterwards, and one for the results."""
    # Not below tmp_path: the sockets in it have a path of 107 bytes at most.
    with tempfile.TemporaryDirectory() as temporary:
        yield Path(temporary), tmp_path


def test_every_installed_system_is_brought_up_and_nothing_is_left(folders: tuple[Path, Path]) -> None:
    temporary, output = folders
    files = ["--json", str(output / "figures"), "--markdown", str(output / "tables")]

    done = _run(temporary, "--measures", "bringup,memory,list", *files)

    assert done.returncode == 0, done.stderr
    assert _left_over(temporary) == []
    for system, result in _results(output / "figures").items():
        if result["version"]:
            assert result["problem"] == "", system
            assert 0 < result["figures"]["bringup"] < 60, system
            assert 0 < result["figures"]["pss"] <= result["figures"]["rss"], system
        else:
            assert result["figures"] == {}, system
            assert "install" in result["problem"], system
        assert system in (output / "tables").read_text()


def test_killed_workers_of_the_floor_come_back(folders: tuple[Path, Path]) -> None:
    temporary, output = folders

    done = _run(temporary, "--systems", "floor", "--measures", "restart", "--json", str(output / "figures"))

    assert done.returncode == 0, done.stderr
    result = _results(output / "figures")["floor"]
    if result["version"]:
        figures = result["figures"]
        assert figures["kills"] >= 10
        assert 0 < figures["restart_p50"] <= figures["restart_p99"] < 1000


def test_adoption_is_measured_and_nothing_is_left(folders: tuple[Path, Path]) -> None:
    done = subprocess.run(
        [sys.executable, str(_RUN.with_name("adoption.py")), "--size", "3", "--times", "1"],
        env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "TMPDIR": str(folders[0])},
        capture_output=True,
        text=True,
        timeout=_MOST_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "| adoption |" in done.stdout
    assert _left_over(folders[0]) == []


def test_probes_are_measured_and_nothing_is_left(folders: tuple[Path, Path]) -> None:
    sizes = ["--size", "3", "--commands", "2", "--seconds", "0.5", "--times", "1"]
    done = subprocess.run(
        [sys.executable, str(_RUN.with_name("probes.py")), *sizes],
        env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "TMPDIR": str(folders[0])},
        capture_output=True,
        text=True,
        timeout=_MOST_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "| 3 processes, http every 10 s |" in done.stdout
    assert "| SIGSTOP to the next one |" in done.stdout
    assert _left_over(folders[0]) == []


def test_schedules_are_measured_and_nothing_is_left(folders: tuple[Path, Path]) -> None:
    sizes = ["--size", "3", "--due", "2", "--seconds", "1.2"]
    done = subprocess.run(
        [sys.executable, str(_RUN.with_name("schedules.py")), *sizes],
        env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "TMPDIR": str(folders[0])},
        capture_output=True,
        text=True,
        timeout=_MOST_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "| 3 that wait for their time |" in done.stdout
    assert "| 2 run every 1 s |" in done.stdout
    assert _left_over(folders[0]) == []


def test_an_unknown_system_is_a_usage_error_that_names_the_known_ones(folders: tuple[Path, Path]) -> None:
    done = _run(folders[0], "--systems", "flour")

    assert done.returncode == 2
    assert "'flour' is none of floor, pmon3" in done.stderr


def test_a_large_manifest_is_measured_step_by_step(folders: tuple[Path, Path]) -> None:
    temporary, output = folders
    program = _RUN.with_name("large.py")
    done = subprocess.run(
        [
            sys.executable,
            str(program),
            "--size",
            "300",
            "--rounds",
            "1",
            "--markdown",
            str(output / "tables"),
        ],
        env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        timeout=_MOST_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert _left_over(temporary) == []
    tables = (output / "tables").read_text()
    for step in ("plan, once parsed", "first apply", "apply, all edited", "hot reload, one edited", "list"):
        assert f"| {step}" in tables, step
