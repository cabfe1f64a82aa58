"""Other tools, installed from their registries into a temporary folder; what cannot be had skips its test."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from tests.support.waiting import until

_TIME_LIMIT = 240.0  # seconds
REPORTER = """\
import json, os, resource, sys
names = [name for name in os.environ if name.startswith(("CVT_", "NODE_APP")) or name in ("PORT", "HOME_OF")]
found = {
    "argv": sys.argv[1:], "cwd": os.getcwd(), "uid": os.getuid(), "umask": os.umask(0),
    "env": {name: os.environ[name] for name in sorted(names)},
    "nofile": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
}
target = os.path.join(os.environ["CVT_OUT"], sys.argv[1] + ".json")
with open(target + ".tmp", "w") as file:
    json.dump(found, file)
os.rename(target + ".tmp", target)
import signal
signal.pause()
"""
"""A program that writes down as what it was started, then waits."""


def python_tools(folder: Path) -> Path:
    """A virtual environment with supervisor, circus and honcho; gives its folder of programs."""
    _run([sys.executable, "-m", "venv", str(folder)], "a virtual environment cannot be made")
    packages = ["supervisor==4.3.0", "circus==0.19.0", "honcho==2.0.0", "setuptools<81"]
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    _run([*pip, *packages], "supervisor, circus and honcho cannot be installed")
    return folder / "bin"


def pm2(folder: Path) -> Path:
    """The program pm2, installed by npm."""
    if shutil.which("npm") is None:
        pytest.skip("pm2 needs npm, which is not here")
    _run(
        ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), "pm2@7"],
        "pm2 cannot be installed",
    )
    return folder / "node_modules" / ".bin" / "pm2"


def end_all_with(variable: str) -> None:
    """End what has been started with NAME=VALUE in its environment, wherever it hangs in the tree by now."""

    def are_gone() -> bool:
        left = _with(variable)
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not left

    until(are_gone, f"the end of all that has {variable}")


def _with(variable: str) -> list[int]:
    found = []
    for file in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # it has ended, or is of somebody whom we may not ask
            if variable.encode() in file.read_bytes().split(b"\0") and int(file.parent.name) != os.getpid():
                found.append(int(file.parent.name))
    return found


def clean_environment(**more: str) -> dict[str, str]:
    """What tools are started with, the same on every machine."""
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/root"), "LANG": "C.UTF-8", **more}


def _run(command: list[str], why: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=_TIME_LIMIT)
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"{why}: {error}")
