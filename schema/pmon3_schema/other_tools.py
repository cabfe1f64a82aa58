"""Files of other tools, recognised where a manifest was expected, so that one sentence says what it is.

Theory of operation: only what cannot be a manifest is looked at. Where it could be read, its keys tell;
where it could not, its first telling line, or its name. Each answer is one diagnostic in the place of
all that would follow from reading the file as what it is not.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from pmon3_schema.formats.source import Path, Span, TextDiagnostic

_CODE = "PM005"
_CONVERT = "pmon3 convert makes one of it"

_LINES = (
    (r"^\[(?:program|supervisord|group|eventlistener|fcgi-program|include)(?::[^\]\n]*)?\]",
     "a configuration of supervisord"),
    (r"^\[(?:watcher|circus|socket|env)(?::[^\]\n]*)?\]", "a configuration of circus"),
    (r"^\[(?:Unit|Service|Timer|Socket|Path|Install)\]", "a unit of systemd"),
    (r"^\s*(?:module\.exports\s*=|export\s+default\b)", "an ecosystem file of pm2"),
)  # fmt: skip
_TELLING = [(re.compile(pattern, re.MULTILINE), tool) for pattern, tool in _LINES]
_LINE_OF_A_PROCFILE = re.compile(r"^[A-Za-z0-9_-]+:[ \t]*[^\s{\[#].*$", re.MULTILINE)
_OF_PM2_DUMP = ("pm2_env", "pm_exec_path", "script")
_OF_PROCESS_COMPOSE = ("command", "entrypoint", "shutdown", "availability", "readiness_probe")
_OF_CONFIG = ("process_config_file", "message_queue", "event_handling", "flap_detection", "log_level")


class OtherTool(Struct, frozen=True):
    """What a file is, and where that can be seen."""

    message: str
    hint: str
    path: Path = ()


def of_data(file: str, data: Any) -> OtherTool | None:
    """What a document is that has no list of processes; None where nothing tells."""
    if isinstance(data, list):
        first = data[0] if data and isinstance(data[0], dict) else {}
        return _other("a list of pm2", (0,)) if any(key in first for key in _OF_PM2_DUMP) else None
    if not isinstance(data, dict) or isinstance(data.get("processes"), list):
        return None
    if isinstance(data.get("services"), dict):
        return _other("a compose file", ("services",))
    if _has_commands(data.get("processes")):
        return _other("a file of process-compose", ("processes",))
    if isinstance(data.get("apps"), list | dict):
        return _other("an ecosystem file of pm2", ("apps",))
    if isinstance(data.get("apiVersion"), str) and isinstance(data.get("kind"), str):
        return _other("an object of Kubernetes", ("kind",), "there is no conversion: write `processes:`")
    if any(key in data for key in _OF_CONFIG) and "processes" not in data:
        found = next(key for key in _OF_CONFIG if key in data)
        return _other("pmond's own configuration", (found,), "pmond --check reads it")
    if _is_procfile(file, data):
        return _other("a Procfile", (next(iter(data)),))
    return None


def of_text(file: str, text: str) -> TextDiagnostic | None:
    """What a text is that is neither YAML nor TOML nor JSON; None where nothing tells."""
    for pattern, tool in _TELLING:
        found = pattern.search(text)
        if found is not None:
            return _in_text(tool, found)
    named = posixpath.basename(file).startswith("Procfile")
    found = _LINE_OF_A_PROCFILE.search(text) if named else None
    return _in_text("a Procfile", found) if found is not None else None


def _in_text(tool: str, found: re.Match[str]) -> TextDiagnostic:
    said = _other(tool)
    return TextDiagnostic(_CODE, said.message, Span(found.start(), found.end()), said.hint)


def _other(tool: str, path: Path = (), hint: str = _CONVERT) -> OtherTool:
    return OtherTool(f"this is {tool}, not a manifest", hint, path)


def _has_commands(processes: Any) -> bool:
    return isinstance(processes, Mapping) and any(
        isinstance(one, Mapping) and any(key in one for key in _OF_PROCESS_COMPOSE)
        for one in processes.values()
    )


def _is_procfile(file: str, data: Mapping[str, Any]) -> bool:
    """Nothing but names and command lines; a file of that name, or lines that can hardly be anything else."""
    if not data or not all(isinstance(value, str) for value in data.values()):
        return False
    return posixpath.basename(file).startswith("Procfile") or all(
        " " in value.strip() for value in data.values()
    )
