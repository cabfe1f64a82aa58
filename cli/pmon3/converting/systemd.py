"""A service unit of systemd: one process, its name that of the file."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from pmon3.converting import CannotConvert, Converted, entry, unknown

_RESTART = {"no": "never", "always": "always", "on-success": "always"}
_LIMITS = {"LimitNOFILE": "nofile", "LimitNPROC": "nproc", "LimitCORE": "core", "LimitAS": "memory"}
_KNOWN = {
    "Description", "ExecStart", "ExecReload", "WorkingDirectory", "Environment", "EnvironmentFile", "User",
    "UMask", "StandardOutput", "StandardError", "Restart", "RestartSec", "RestartPreventExitStatus",
    "SuccessExitStatus", "KillSignal", "TimeoutStopSec", "KillMode", "Nice", "Type", "Documentation",
    "WantedBy", *_LIMITS,
}  # fmt: skip
_ORDER = "what starts before it has to be in the manifest (see `dependencies`)"
_ISOLATION = "nothing isolates the process as this did"
_WHY = {
    **dict.fromkeys(("After", "Before", "Requires", "Wants", "BindsTo", "PartOf"), _ORDER),
    **dict.fromkeys(("NoNewPrivileges", "ProtectSystem", "ProtectHome"), _ISOLATION),
    **dict.fromkeys(("PrivateTmp", "PrivateDevices", "DynamicUser", "CapabilityBoundingSet"), _ISOLATION),
    "Group": "the group is the main one of the user",
}
_PLAIN_TYPES = {"simple", "exec", ""}
_GRACE = "90s"
"""What systemd does by default."""


def convert(text: str, name: str) -> Converted:
    """The process of a unit; `name` is that of the file. Raises CannotConvert."""
    given = _settings(text)
    if not given.get("ExecStart"):
        raise CannotConvert("it has no ExecStart")
    losses = unknown(name, given, _KNOWN, _WHY)
    last = {key: values[-1] for key, values in given.items()}
    if last.get("Type", "") not in _PLAIN_TYPES:
        losses.append(f"{name}: `Type={last['Type']}` is left out: a process counts as running at once")
    for line in given["ExecStart"][1:]:
        losses.append(f"{name}: `ExecStart={line}` is left out: there is one program")
    for file in given.get("EnvironmentFile", []):
        if file.startswith("-"):
            losses.append(f"{name}: `EnvironmentFile={file}`: without the file it does not start here")
    if "%" in text or "$" in given["ExecStart"][0]:
        losses.append(f"{name}: `%` and `$` are kept as they are: nothing is expanded")
    return Converted({"processes": [_one(name, given, last)]}, losses)


def _one(name: str, given: Mapping[str, list[str]], last: Mapping[str, str]) -> dict[str, Any]:
    words = shlex.split(given["ExecStart"][0].lstrip("-@+!:"))
    if not words:
        raise CannotConvert("it has no ExecStart")
    assigned = (word for line in given.get("Environment", []) for word in shlex.split(line) if "=" in word)
    variables = (word.partition("=") for word in assigned)
    reload = last.get("ExecReload", "").lstrip("-@+!:")
    codes = _codes(given, "SuccessExitStatus")
    return entry(
        {
            "name": name,
            "description": last.get("Description"),
            "file": words[0],
            "args": words[1:],
            "cwd": last.get("WorkingDirectory", "/").lstrip("-"),
            "env_vars": {key: value for key, _, value in variables},
            "env_file": [line.lstrip("-") for line in given.get("EnvironmentFile", [])],
            "user": last.get("User"),
            "umask": last.get("UMask"),
            "priority": int(last["Nice"]) if "Nice" in last else None,
            "log": _log(last.get("StandardOutput", "")),
            "stderr_log": _log(last.get("StandardError", "")),
            "limits": {ours: _limit(last[key]) for key, ours in _LIMITS.items() if key in last},
            "restart": {
                "policy": _RESTART.get(last.get("Restart", "no"), "on-failure"),
                "delay": _time(last.get("RestartSec", "")),
                "success_exit_codes": [0, *codes] if codes else [],
                "no_restart_exit_codes": _codes(given, "RestartPreventExitStatus"),
            },
            "stop": {
                "signal": last.get("KillSignal"),
                "timeout": _time(last.get("TimeoutStopSec", _GRACE)),
                "kill_group": False if last.get("KillMode") in ("process", "none") else None,
            },
            # $MAINPID is set here too, but only a shell replaces it.
            "reload": {"command": ["/bin/sh", "-c", reload] if reload else []},
        }
    )


def _settings(text: str) -> dict[str, list[str]]:
    """The values of each key, in order; an empty one takes back those before it."""
    found: dict[str, list[str]] = {}
    for line in re.sub(r"\\\n", " ", text).splitlines():
        key, equals, value = line.partition("=")
        if not equals or line.lstrip()[:1] in ("#", ";"):
            continue
        kept = found.setdefault(key.strip(), [])
        kept.append(value.strip()) if value.strip() else kept.clear()
    return {key: values for key, values in found.items() if values}


def _codes(given: Mapping[str, list[str]], key: str) -> list[int]:
    words = (word for line in given.get(key, []) for word in line.split())
    return [int(word) for word in words if word.isdigit()]


def _log(where: str) -> str:
    kind, _, path = where.partition(":")
    return {"null": "/dev/null"}.get(kind, path if kind in ("file", "append", "truncate") else "")


def _time(text: str) -> str:
    """``5min 20s`` as ``5m20s``; a number alone is seconds in both."""
    return re.sub(r"\s+", "", text.replace("min", "m").replace("sec", "s"))


def _limit(text: str) -> Any:
    value = text.partition(":")[0]
    return int(value) if value.isdigit() else value if value != "infinity" else None
