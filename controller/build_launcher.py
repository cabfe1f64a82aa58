"""Compiles the launcher when pmon3 is installed from its sources, or a wheel of it is made.

Where there is no C compiler, or it fails, pmon3 is complete all the same: a program that needs another user,
limits, a umask or a priority is then set up by a Python, which takes some ten times as long.
"""

from __future__ import annotations

import os
import re
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path("controller/pmond/runtime/processes")


class LauncherBuild(BuildHookInterface[Any]):
    """Puts the program beside its source, and into a wheel, which is then one for this kind of machine."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        folder = Path(self.root) / FOLDER
        program = folder / f"launcher-{_version_of(folder / 'compiled_launcher.py')}"
        if not compile_launcher(folder / "launcher.c", program):
            self.app.display_warning(
                "pmon3: no launcher could be compiled (install a C compiler); one in Python is used"
            )
            return
        build_data["artifacts"].append(str(FOLDER / program.name))
        build_data["pure_python"] = False
        platform = re.sub(r"[^a-z0-9]", "_", sysconfig.get_platform().lower())
        build_data["tag"] = f"py3-none-{platform}"


def _version_of(module: Path) -> str:
    found = re.search(r"^VERSION = (\d+)$", module.read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


def compile_launcher(source: Path, program: Path) -> bool:
    """Whether there is a program now. Without the C library's own loader it starts in half the time."""
    compiler = os.environ.get("CC", "cc").split()
    made = program.with_suffix(".new")
    program.unlink(missing_ok=True)
    for linking in (["-static"], []):
        words = [*compiler, "-O2", "-s", "-Wall", "-Wextra", *linking, "-o", str(made), str(source)]
        try:
            done = subprocess.run(words, capture_output=True, check=False)
        except OSError:
            return False
        if done.returncode == 0:
            made.chmod(0o755)
            made.rename(program)  # one that runs cannot be written to
            return True
    return False
