"""pmon3 itself: `python -m pmond` and the `pmon3` command of the same environment."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.systems.base import Declaration, Defaults

_CLI = Path(sys.executable).parent / "pmon3"
_CONFIG = """\
process_config_file: {folder}/processes.json
logs:
  directory: {folder}/logs
data:
  directory: {folder}/data
message_queue:
  directory:
    shmem: {folder}/run
wait:
  dependent_process_enqueued: 0
"""


class Pmon3(Defaults):
    name = "pmon3"
    settings = (
        "JSON manifest; `restart: {stable_after: 1s}`, so that after a run of one second the next restart is "
        "immediate, as in runit (default: 10s); `dependent_process_enqueued: 0`; one log file per process."
    )

    def missing(self) -> str | None:
        if importlib.util.find_spec("pmond") is None or not _CLI.exists():
            return "not installed in this environment (pip install -e .)"
        return None

    def version(self) -> str:
        return metadata.version("pmon3")

    def environment(self, declaration: Declaration) -> Mapping[str, str]:
        return {"PMON3_CONF": str(declaration.folder / "config.yml")}

    def write(self, declaration: Declaration) -> None:
        folder = declaration.folder
        (folder / "config.yml").write_text(_CONFIG.format(folder=folder))
        for name in ("logs", "data", "run"):
            (folder / name).mkdir()
        _write_json(folder / "processes.json", {"processes": processes(declaration)})

    def start_command(self, declaration: Declaration) -> list[str]:
        return [sys.executable, "-m", "pmond"]

    def list_command(self, declaration: Declaration) -> list[str] | None:
        return [str(_CLI), "ls"]

    def write_empty(self, declaration: Declaration) -> list[str] | None:
        self.write(declaration)
        manifest = declaration.folder / "processes.json"
        loaded = declaration.folder / "loaded.json"
        manifest.rename(loaded)
        _write_json(manifest, {"processes": []})
        return [str(_CLI), "apply", "-f", str(loaded)]


def processes(declaration: Declaration) -> list[dict[str, Any]]:
    """The entries of a manifest that declares the workers."""
    return [
        {
            "name": declaration.name(index),
            "file": command[0],
            "args": command[1:],
            "restart": {"stable_after": "1s"},
        }
        for index, command in ((index, declaration.command(index)) for index in range(declaration.count))
    ]


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value))
