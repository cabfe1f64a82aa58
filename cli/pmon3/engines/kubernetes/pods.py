"""What runs in the pod of a process: one container, named as the object is."""

from __future__ import annotations

import math
import re
from typing import Any

from pmon3.engines.kubernetes.probes import probes_of
from pmon3.engines.kubernetes.words import escaped
from pmon3.export_targets.leaving import Leaving
from pmon3_schema.scalars import signal_name

_TERM = "SIGTERM"
_PULL_POLICIES = {"always": "Always", "if-not-present": "IfNotPresent", "never": "Never"}
_IMAGE = re.compile(r"[\w.:/@-]+\Z", re.ASCII)
_LARGEST_ID = 2**31 - 1


def pod_of(process: Leaving, name: str, secret: str) -> dict[str, Any]:
    """The specification of the pod; `secret`: the object that has its variables, if it has any."""
    container: dict[str, Any] = {"name": name.replace(".", "-"), "image": _image(process, name)}
    words = [escaped(word) for word in process.command]
    container |= {"command": words[:1], **({"args": words[1:]} if words[1:] else {})}
    folder = process.folder
    container |= {"workingDir": folder} if folder else {}
    container |= {"envFrom": [{"secretRef": {"name": secret}}]} if secret else {}
    container |= _serving(process) | _resources(process) | probes_of(process)
    pod: dict[str, Any] = {"containers": [container]}
    stop = process.spec.stop
    pod["terminationGracePeriodSeconds"] = whole(
        process, "stop.timeout", process.take("stop.timeout", stop.timeout)
    )
    if "stop.signal" in process and signal_name(stop.signal) != _TERM:
        why = "a container is asked to end with SIGTERM, or with the signal of its image"
        process.lose("stop.signal", why)
    return pod | _user(process)


def whole(process: Leaving, field: str, seconds: float) -> int:
    """Seconds without a fraction, never less."""
    if seconds != int(seconds):
        process.lose(field, f"only whole seconds count: {math.ceil(seconds)}")
    return math.ceil(seconds)


def _image(process: Leaving, name: str) -> str:
    image = str(process.take("container.image", ""))
    if _IMAGE.match(image):
        return image
    if image:
        process.lose("container.image", "an image cannot be called so", f"correct the image `{name}`")
    else:
        process.lose("file", "in which image it is, is not known", "say `container.image`")
    return name


def _serving(process: Leaving) -> dict[str, Any]:
    ports, policy = process.take("container.ports", ()), process.take("container.pull_policy", "")
    found: dict[str, Any] = {"imagePullPolicy": _PULL_POLICIES[policy]} if policy else {}
    return found | ({"ports": [{"containerPort": port} for port in ports]} if ports else {})


def _user(process: Leaving) -> dict[str, Any]:
    user = str(process.take("user", ""))
    number = 0 if user == "root" else int(user) if user.isascii() and user.isdigit() else None
    if number is not None and number <= _LARGEST_ID:
        return {"securityContext": {"runAsUser": number}}
    if user:
        process.lose("user", "a user is a number in a cluster", "write its number")
    return {}


def _resources(process: Leaving) -> dict[str, Any]:
    memory, cpu = process.take("resources.memory_max"), process.take("resources.cpu")
    limits: dict[str, str] = {"memory": str(memory)} if memory else {}
    limits |= {"cpu": f"{math.ceil(cpu * 1000)}m"} if cpu else {}
    if memory == 0:
        process.lose("resources.memory_max", "0 is no limit there", "write how much it may have")
    return {"resources": {"limits": limits}} if limits else {}
