"""A compose file: a service for each process. Which image has its program, nobody but its author knows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pmon3.export_targets.leaving import Leaving
from pmon3_schema.formats.export import render_manifest
from pmon3_schema.scalars import format_duration, signal_name

_WHY = {
    "log": "the engine keeps what it writes (`logging`)",
    "log_dir": "the engine keeps what it writes (`logging`)",
    "stderr_log": "the engine keeps what it writes (`logging`)",
    "log_rotate": "see `logging`, max-size",
    "env_inherit": "a container begins with the environment of its image",
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
_ULIMITS = {"nofile": "nofile", "nproc": "nproc", "core": "core", "cpu_seconds": "cpu"}


def render(processes: Sequence[Leaving]) -> Mapping[str, str]:
    """The one file."""
    services: dict[str, Any] = {}
    of = {process.name: process for process in processes}
    for process in processes:
        name = re.sub(r"[^A-Za-z0-9._-]", "-", process.name)
        if name != process.name:
            process.lose("name", f"a service cannot be called so: it is called {name}")
        services[name] = _service(process, of)
        process.close(_WHY)
    return {"compose.yaml": render_manifest({"services": services}, "yaml")}


def _service(process: Leaving, of: Mapping[str, Leaving]) -> dict[str, Any]:
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
    files = list(process.take("env_file", ()))
    service |= {"env_file": files} if files else {}
    user = process.take("user", "")
    service |= {"user": user} if user else {}
    labels = dict(process.take("labels", {}))
    service |= {"labels": {key: _escaped(value) for key, value in labels.items()}} if labels else {}
    return service | _ends(process) | _needs(process, of) | _check(process) | _bounds(process)


def _ends(process: Leaving) -> dict[str, Any]:
    restart, stop = process.spec.restart, process.spec.stop
    policy = _POLICIES[process.policy]
    most = process.take("restart.max_failures", 0)
    if most and policy == "on-failure":
        policy = f"on-failure:{most}"
        process.take("restart.window", restart.window)
    elif most:
        process.lose("restart.max_failures", "it is tried without end")
    found: dict[str, Any] = {
        "restart": policy,
        "stop_grace_period": format_duration(process.take("stop.timeout", stop.timeout)),
    }
    return found | ({"stop_signal": signal_name(stop.signal)} if process.take("stop.signal") else {})


def _needs(process: Leaving, of: Mapping[str, Leaving]) -> dict[str, Any]:
    needs: dict[str, Any] = {}
    for need in process.take("dependencies", ()):
        other = of.get(need.name)
        if other is None:
            process.lose("dependencies", f"{need.name} is not exported with it", "export both")
            continue
        condition = need.condition or ("ready" if other.spec.ready.exec else "started")
        if condition == "ready" and not other.spec.ready.exec:
            process.lose("dependencies", f"{need.name} has no check that compose could make")
            condition = "started"
        said: dict[str, Any] = {"condition": _CONDITIONS[condition]}
        said |= {"restart": True} if need.restart else {}
        said |= {} if need.required else {"required": False}
        needs[re.sub(r"[^A-Za-z0-9._-]", "-", need.name)] = said
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
        "interval": format_duration(ready.interval),
        "timeout": format_duration(ready.timeout),
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
    given = {"memory": str(memory) if memory else None, "cpus": str(cpu) if cpu else None, "pids": tasks}
    given = {key: value for key, value in given.items() if value is not None}
    replicas = process.take("replicas")
    deploy: dict[str, Any] = {"resources": {"limits": given}} if given else {}
    deploy |= {"replicas": replicas} if replicas is not None else {}
    return found | ({"deploy": deploy} if deploy else {})


def _escaped(text: str) -> str:
    """A dollar sign is doubled: compose would fill in a variable."""
    return text.replace("$", "$$")
