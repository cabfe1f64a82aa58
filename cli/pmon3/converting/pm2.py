"""An ecosystem file of pm2, as JSON or YAML: `apps`. Times are milliseconds there."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping
from typing import Any

from pmon3.converting import CannotConvert, Converted, entry, unknown

_INTERPRETERS = {".js": "node", ".mjs": "node", ".py": "python3", ".sh": "bash", ".rb": "ruby", ".pl": "perl"}
_ALIASES = {
    "exec": "script", "exec_interpreter": "interpreter", "interpreter_args": "node_args",
    "interpreterArgs": "node_args", "out": "out_file", "output": "out_file", "out_log": "out_file",
    "error": "error_file", "err": "error_file", "err_file": "error_file", "err_log": "error_file",
    "uid": "user", "cron": "cron_restart",
}  # fmt: skip
_KNOWN = {
    "name", "script", "args", "interpreter", "node_args", "cwd", "instances", "env", "autostart",
    "autorestart", "stop_exit_codes", "restart_delay", "kill_timeout", "treekill", "out_file", "error_file",
    "user", "namespace", "watch", "ignore_watch",
}  # fmt: skip
_WHY = {
    "exec_mode": "sockets are not shared between copies",
    "cron_restart": "there are no schedules",
    "max_memory_restart": "see `limits.memory`",
    "max_restarts": "see `restart.max_failures`",
    "min_uptime": "see `restart.stable_after`",
    "wait_ready": "a process counts as running at once",
}
_STOP_SIGNAL, _GRACE = "SIGINT", 1600
"""What pm2 does by default."""


def convert(data: Any) -> Converted:
    """The processes of `apps`; each `env_NAME` becomes a profile. Raises CannotConvert."""
    apps = data.get("apps") if isinstance(data, dict) else data
    apps = [apps] if isinstance(apps, dict) else apps
    if not isinstance(apps, list) or not all(isinstance(app, dict) for app in apps):
        raise CannotConvert("it has no list `apps`")
    processes: list[dict[str, Any]] = []
    profiles: dict[str, dict[str, Any]] = {}
    losses: list[str] = []
    for app in apps:
        settings = {_ALIASES.get(key, key): value for key, value in app.items() if value is not None}
        for name in _names(settings, losses):
            processes.append(_one(name, settings))
            for key in (key for key in settings if key.startswith("env_")):
                profile = profiles.setdefault(key.removeprefix("env_"), {"processes": []})
                profile["processes"].append({"name": name, "env_vars": _texts(settings[key])})
        others = [key for key in settings if not key.startswith("env_")]
        losses += unknown(_name(settings), others, _KNOWN, _WHY)
    return Converted({"processes": processes} | ({"profiles": profiles} if profiles else {}), losses)


def _name(settings: Mapping[str, Any]) -> str:
    script = posixpath.basename(str(settings.get("script", "")))
    return str(settings.get("name") or posixpath.splitext(script)[0])


def _names(settings: Mapping[str, Any], losses: list[str]) -> list[str]:
    name, copies = _name(settings), settings.get("instances", 1)
    if not isinstance(copies, int) or copies < 1:
        losses.append(f"{name}: `instances: {copies}` is taken for 1: processors are not counted")
        copies = 1
    return [name] if copies == 1 else [f"{name}-{number}" for number in range(copies)]


def _one(name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    script = str(settings.get("script", ""))
    by_suffix = _INTERPRETERS.get(posixpath.splitext(script)[1], "none")
    interpreter = str(settings.get("interpreter", by_suffix))
    words = [*_words(settings.get("args"))]
    if interpreter != "none":
        words = [*_words(settings.get("node_args")), script, *words]
    watch, delay = settings.get("watch"), settings.get("restart_delay")
    return entry(
        {
            "name": name,
            "file": script if interpreter == "none" else interpreter,
            "args": words,
            "cwd": settings.get("cwd", "."),
            "env_vars": _texts(settings.get("env") or {}),
            "user": str(settings.get("user", "")),
            "log": settings.get("out_file"),
            "stderr_log": settings.get("error_file"),
            "groups": [settings["namespace"]] if settings.get("namespace") else [],
            "autostart": None if settings.get("autostart", True) else False,
            "watch": {
                "paths": ["."] if watch is True else _words(watch),
                "ignore": _words(settings.get("ignore_watch")) if watch else [],
            },
            "restart": {
                "policy": "" if settings.get("autorestart", True) else "never",
                "no_restart_exit_codes": settings.get("stop_exit_codes"),
                "delay": f"{delay}ms" if delay else "",
            },
            "stop": {
                "signal": _STOP_SIGNAL,
                "timeout": f"{settings.get('kill_timeout', _GRACE)}ms",
                "kill_group": None if settings.get("treekill", True) else False,
            },
        }
    )


def _words(value: Any) -> list[str]:
    return [str(word) for word in value] if isinstance(value, list) else str(value or "").split()


def _texts(variables: Any) -> dict[str, str]:
    """Numbers and truth values as JavaScript writes them."""
    if not isinstance(variables, dict):
        raise CannotConvert("variables (`env`) must be a mapping")
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in variables.items()}
