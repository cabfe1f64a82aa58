"""A compose file: a service for each process. Which image has its program, nobody but its author knows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pmon3.export_targets.leaving import Leaving, condition_of, own_name
from pmon3_schema.formats.export import render_manifest
from pmon3_schema.scalars import format_duration, signal_name

_WHY = {
    "log": "the engine keeps what it writes (`logging`)",
    "log_dir": "the engine keeps what it writes (`logging`)",
    "stderr_log": "the engine keeps what it writes (`logging`)",
    "log_rotate": "see `logging`, max-size",
    "groups": "services have no groups (see `profiles`)",
    "umask": "it is that of the image",
    "priority": "nice values are not set",
    "argv0": "a program finds its file in argv[0]",
    "live": "a container that does not live is not replaced",
    "ready": "a check is a command inside of the container",
    "watch": "see `develop.watch`",
    "on_change": "see `develop.watch`",
    "reload": "no command tells it of changes",
    "exit_on_end": "see docker compose up --abort-on-container-exit",
    "description": "services have no description",
    "restart": "delays are those of the engine",
    "limits": "it is no limit of the engine (see `ulimits`)",
    "schedule": "there are no schedules",
    "autostart": "a service is started with the others (see `profiles`)",
}
_POLICIES = {"always": "always", "on-failure": "on-failure", "never": "no"}
_CONDITIONS = {
    "started": "service_started", "ready": "service_healthy", "completed": "service_completed_successfully",
}  # fmt: skip
_Named = Mapping[str, tuple[Leaving, str]]
"""All processes that are exported by their names, each with that of its service."""
_ULIMITS = {"nofile": "nofile", "nproc": "nproc", "core": "core", "cpu_seconds": "cpu"}


def render(processes: Sequence[Leaving]) -> Mapping[str, str]:
    """The one file."""
    services: dict[str, Any] = {}
    taken = set[str]()
    of = {
        process.name: (process, own_name(process, _allowed(process.name), taken, "a service"))
        for process in processes
    }
    for process, name in of.values():
        services[name] = _service(process, of)
        process.close(_WHY)
    return {"compose.yaml": render_manifest({"services": services}, "yaml")}


def _allowed(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "-", name)


def _service(process: Leaving, of: _Named) -> dict[str, Any]:
    image = process.take("container.image", "")
    if not image:
        variable = f"IMAGE_{re.sub(r'[^A-Z0-9]', '_', process.name.upper())}"
        image = f"${{{variable}:?the image that has {process.spec.file}}}"
        process.lose("file", "in which image it is, is not known", f"set {variable}")
    command = [_escaped(word) for word in process.command]
    service: dict[str, Any] = {"image": image, "entrypoint": command[:1], "command": command[1:]}
    folder = process.folder
    service |= {"working_dir": _escaped(folder)} if folder else {}
    variables = {key: _escaped(value) for key, value in process.take("env_vars", {}).items()}
    service |= {"environment": variables} if variables else {}
    process.take("env_inherit")  # a container inherits nothing
    files = [_escaped(path) for path in process.take("env_file", ())]
    service |= {"env_file": files} if files else {}
    user = process.take("user", "")
    service |= {"user": user} if user else {}
    labels = dict(process.take("labels", {}))
    service |= {"labels": {key: _escaped(value) for key, value in labels.items()}} if labels else {}
    return service | _ends(process) | _needs(process, of) | _check(process) | _bounds(process)


def _ends(process: Leaving) -> dict[str, Any]:
    stop = process.spec.stop
    policy = _POLICIES[process.policy]
    most = process.take("restart.max_failures", 0)
    if most and policy == "on-failure":
        policy = f"on-failure:{most - 1}" if most > 1 else "no"  # how often it is started again
        process.lose("restart.window", "failures are counted for as long as the container is there")
    elif most:
        process.lose("restart.max_failures", "it is tried without end")
    found: dict[str, Any] = {
        "restart": policy,
        "stop_grace_period": _time(process.take("stop.timeout", stop.timeout)),
    }
    return found | ({"stop_signal": signal_name(stop.signal)} if process.take("stop.signal") else {})


def _needs(process: Leaving, of: _Named) -> dict[str, Any]:
    needs: dict[str, Any] = {}
    for need in process.take("dependencies", ()):
        if need.name not in of:
            process.lose("dependencies", f"{need.name} is not exported with it", "export both")
            continue
        other, service = of[need.name]
        condition = condition_of(need, other.spec)
        if condition == "ready" and not other.spec.ready.exec:
            why = (
                f"{need.name} has no check that compose could make: it is started, and no more is waited for"
            )
            process.lose("dependencies", why, f"give {need.name} a `ready.exec`")
            condition = "started"
        said: dict[str, Any] = {"condition": _CONDITIONS[condition]}
        said |= {"restart": True} if need.restart else {}
        said |= {} if need.required else {"required": False}
        needs[service] = said
    return {"depends_on": needs} if needs else {}


def _check(process: Leaving) -> dict[str, Any]:
    ready = process.spec.ready
    if not ready.exec:
        return {}
    process.take("ready.exec")
    for field in ("interval", "timeout", "failures"):
        process.take(f"ready.{field}")
    check = {
        "test": ["CMD", *(_escaped(word) for word in ready.exec)],
        "interval": _time(ready.interval),
        "timeout": _time(ready.timeout),
        "retries": ready.failures,
    }
    return {"healthcheck": check}


def _bounds(process: Leaving) -> dict[str, Any]:
    limits = {
        ours: process.take(f"limits.{key}") for key, ours in _ULIMITS.items() if f"limits.{key}" in process
    }
    found: dict[str, Any] = {"ulimits": limits} if limits else {}
    memory, cpu = process.take("resources.memory_max"), process.take("resources.cpu")
    tasks = process.take("resources.tasks_max")
    given = {
        "memory": None if memory is None else str(memory),
        "cpus": None if cpu is None else str(cpu),
        "pids": tasks,
    }
    given = {key: value for key, value in given.items() if value is not None}
    replicas = process.take("replicas")
    deploy: dict[str, Any] = {"resources": {"limits": given}} if given else {}
    deploy |= {"replicas": replicas} if replicas is not None else {}
    return found | ({"deploy": deploy} if deploy else {})


def _time(seconds: float) -> str:
    """A time in the units of compose, which has no days."""
    days, rest = divmod(float(seconds), 86400)
    hours, rest = divmod(rest, 3600) if days else (0, rest)
    return (
        f"{days * 24 + hours:.0f}h{format_duration(rest) if rest else ''}" if days else format_duration(rest)
    )


def _escaped(text: str) -> str:
    """A dollar sign is doubled: compose would fill in a variable."""
    return text.replace("$", "$$")
