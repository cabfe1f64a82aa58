"""What `desc` says about one process: its properties in the seed's order, then ours.

Theory of operation: pure. The sentence of `why` is made from the daemon's own reason, so that
the person reads the same words as in the events and conditions.
"""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Sequence
from typing import Any

from pmon3.listing import override
from pmon3.render import memory
from pmon3.render_plan import from_to
from pmon3.times import in_local_times, local_time, uptime
from pmon3_schema.scalars import format_size

_EVENTS_SHOWN = 10
_MASKED = "***"
"""What pmond says instead of values that are not for this caller; the names are."""
_UP = frozenset({"running", "init"})


def properties(
    process: dict[str, Any], log_lines: Sequence[str] = (), now: float = 0.0
) -> list[tuple[str, str]]:
    """The rows of the property table of one detailed status object.

    `log_lines`: the end of its log; `now` in seconds since the epoch.
    """
    return [
        *_of_the_seed(process), *_ours(process, now), *_tree(process), *_settings(process),
        *_origins(process), *_conditions(process), *_pending(process), *_events(process),
        *(("log line", line) for line in log_lines),
    ]  # fmt: skip


def wholes(processes: Sequence[dict[str, Any]]) -> dict[str, str]:
    """By the name of its first replica, a line about each entry of which all several are shown."""
    of: dict[str, list[dict[str, Any]]] = {}
    for process in processes:
        if process.get("replica"):
            of.setdefault(process["replica"]["of"], []).append(process)
    lines = {}
    for name, members in of.items():
        replica = members[0]["replica"]
        if len(members) == replica["count"] > 1:
            ready = sum(one["status"] == "running" and one["ready"] for one in members)
            scaled = f"; {override(replica)}" if replica["declared"] != replica["count"] else ""
            lines[members[0]["name"]] = f"{name}: {ready} of {len(members)} ready{scaled}"
    return lines


def _origins(process: dict[str, Any]) -> list[tuple[str, str]]:
    """Where the values come from: the file once, and the line of each field; other files by name."""
    declared_at: str = process.get("declared_at", "")
    file = declared_at.rpartition(":")[0]
    origins: dict[str, str] = process.get("origins", {})
    lines = ", ".join(f"{field} {place.removeprefix(f'{file}:')}" for field, place in origins.items())
    return [("declared at", declared_at), ("lines", lines)]


def why_not_running(process: dict[str, Any]) -> str:
    """One sentence: why the process is not running; empty when it is."""
    if process["status"] in _UP:
        return ""
    text: str = in_local_times(process["reason"]) or f"it is {process['status']}"
    if process["status"] == "stopped" and process.get("hold"):
        hold = process["hold"]
        by = hold.get("by") or hold.get("user")
        text = f"stopped by {by}" if by else "stopped by a person"
        if hold.get("reason"):
            text += f": {hold['reason']}"
        if hold.get("until"):
            text += f", until {local_time(hold['until'])}"
    if process.get("next_run_at"):
        text += f"; next run at {local_time(process['next_run_at'])}"
    if process.get("next_start_at"):
        text += f"; next start at {local_time(process['next_start_at'])}"
    return text


def _of_the_seed(process: dict[str, Any]) -> list[tuple[str, str]]:
    spec = process.get("spec", {})
    return [
        ("status", process["status"]),
        ("id", str(process["id"])),
        ("name", process["name"]),
        ("replica", _replica(process)),
        ("pid", str(process["pid"] or "")),
        ("restarted", str(process["restart_count"])),
        ("process", process["file"]),
        ("args", shlex.join(process["args"])),
        ("env-vars", _environment(process, spec)),
        ("user", process["user"]),
        ("log", process["log"]),
        ("no-autorestart", "true" if _never_restarts(spec) else "false"),
        ("dependencies", " ".join(_dependency_names(process["dependencies"]))),
        ("groups", ", ".join(process["groups"])),
        ("created_at", local_time(process.get("created_at"))),
        ("updated_at", local_time(process["updated_at"])),
    ]


def _replica(process: dict[str, Any]) -> str:
    """``2 of 4 of web (its manifest says 3; pmon3 unhold web goes back)``; empty: it is no replica."""
    replica = process.get("replica")
    if not replica:
        return ""
    name, count, said = replica["of"], replica["count"], replica["declared"]
    back = f" (its manifest says {'one' if said is None else said}; pmon3 unhold {name} goes back)"
    scaled = back if said != count and process["owner"] != "cli" else ""
    return f"{replica['index'] + 1} of {count} of {name}{scaled}" if count else f"none{scaled}"


def _ours(process: dict[str, Any], now: float) -> list[tuple[str, str]]:
    spec = process.get("spec", {})
    running = bool(process["pid"])
    return [
        ("why", why_not_running(process)),
        ("description", spec.get("description", "")),
        ("labels", " ".join(f"{key}={value}" for key, value in process.get("labels", {}).items())),
        ("owner", process["owner"]),
        ("ready", "true" if process["ready"] else "false"),
        *((f"{aspect} probe", probe_words(found)) for aspect, found in process.get("probe", {}).items()),
        ("started_at", local_time(process["started_at"])),
        ("uptime", uptime(process, now) if running else ""),
        ("cpu", f"{process['cpu_percent']:.1f}%" if running else ""),
        ("memory", memory(process["memory_bytes"]) if running else ""),
        ("last exit", _last_exit(process)),
    ]


def probe_words(found: dict[str, Any]) -> str:
    """``http, passed 3 times in a row, HTTP 200, at 2025-…``."""
    if found["ok"] is None:
        return f"{found['kind']}, no result yet"
    times = f" {found['in_a_row']} times in a row" if found["in_a_row"] > 1 else ""
    what = f"{'passed' if found['ok'] else 'failed'}{times}"
    parts = (found["kind"], what, found["message"], f"at {local_time(found['at'])}")
    return ", ".join(part for part in parts if part)


def _settings(process: dict[str, Any]) -> list[tuple[str, str]]:
    """What is in force of what can be declared, defaults too where they answer a question."""
    spec = process.get("spec", {})
    stop = spec.get("stop") or {}
    command = f"{shlex.join(stop['command'])}, " if stop.get("command") else ""
    signal, patience = stop.get("signal", "SIGTERM"), stop.get("timeout", "10s")
    return [
        ("cwd", spec.get("cwd") or posixpath.dirname(process["file"])),
        ("stderr_log", spec.get("stderr_log", "")),
        ("env_file", " ".join(_listed(spec.get("env_file")))),
        ("watched", " ".join(_listed((spec.get("watch") or {}).get("paths")))),
        ("resources", _section_words(spec.get("resources"))),
        ("sandbox", _section_words(spec.get("sandbox"))),
        ("restart", _restart_words(spec)),
        ("stop", f"{command}{signal}, SIGKILL after {patience}"),
    ]


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


def _section_words(section: Any) -> str:
    """``memory_max 1GiB, cpu 0.5``; lists in brackets, as an empty one says something too."""
    if not isinstance(section, dict):
        return ""
    return ", ".join(f"{key} {_value_words(key, value)}" for key, value in section.items())


def _value_words(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{' '.join(value)}]"
    return format_size(value) if key.startswith("memory_") and isinstance(value, int) else str(value)


def _tree(process: dict[str, Any]) -> list[tuple[str, str]]:
    """What it has started, below each other; the main program alone has its row already."""
    members = process.get("tree", [])
    return [
        ("child", f"{'  ' * (one['depth'] - 1)}{one['pid']} {one['name']}, {memory(one['memory_bytes'])}")
        for one in members
        if one["pid"] != process["pid"]
    ]


def _restart_words(spec: dict[str, Any]) -> str:
    """``always; delay 2s, max_failures 5``."""
    restart: dict[str, Any] = spec.get("restart") or {}
    policy = "never" if _never_restarts(spec) else restart.get("policy", "always")
    more = ", ".join(f"{key} {value}" for key, value in restart.items() if key != "policy")
    return f"{policy}; {more}" if more else policy


def _never_restarts(spec: dict[str, Any]) -> bool:
    restart = spec.get("restart")
    return bool(spec.get("no_auto_restart")) or (
        isinstance(restart, dict) and restart.get("policy") == "never"
    )


def _environment(process: dict[str, Any], spec: dict[str, Any]) -> str:
    values = spec.get("env_vars")
    if isinstance(values, dict):
        return " ".join(f"{key}={shlex.quote(str(value))}" for key, value in values.items())
    shown = isinstance(values, str) and values not in ("", _MASKED)
    return str(values) if shown else " ".join(process["env_keys"])


def _dependency_names(dependencies: list[Any]) -> list[str]:
    return [item["name"] if isinstance(item, dict) else item for item in dependencies]


def _last_exit(process: dict[str, Any]) -> str:
    if process["exit_signal"]:
        return f"signal {process['exit_signal']}"
    return "" if process["exit_code"] is None else f"code {process['exit_code']}"


def _conditions(process: dict[str, Any]) -> list[tuple[str, str]]:
    """What is true; that something unusual is not the case needs no line. `-o json` has them all."""
    return [
        (
            "condition",
            ": ".join(
                part for part in (_condition_words(c), c["reason"], in_local_times(c["message"])) if part
            ),
        )
        for c in process.get("conditions", [])
        if c["type"] in ("Ready", "ResourcesApplied") or c["status"] != "False"
    ]


def _pending(process: dict[str, Any]) -> list[tuple[str, str]]:
    """What a restart will bring, field by field."""
    return [("pending", f"{change['path']}: {from_to(change)}") for change in process.get("pending", [])]


def _condition_words(condition: dict[str, Any]) -> str:
    prefix = {"True": "", "False": "not "}.get(condition["status"], "perhaps ")
    return f"{prefix}{condition['type']}"


def _events(process: dict[str, Any]) -> list[tuple[str, str]]:
    recent = process.get("events", [])[-_EVENTS_SHOWN:]
    return [
        ("event", f"{local_time(e['time'])} {e['reason']}: {in_local_times(e['message'])}") for e in recent
    ]
