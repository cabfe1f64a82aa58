"""Processes as objects of Kubernetes, plain data: Deployments, Jobs, CronJobs.

Theory of operation: a process that is always kept running is a Deployment; one that may end is a Job (a pod
of a Deployment is always started again); one with a schedule is a CronJob. A pod has one container, named as
the object is. What the API server would refuse or drop is told instead of being written: fractions of a
second, users by name, signals other than TERM, probes without a handler.
"""

from __future__ import annotations

import math
import re
from typing import Any

from pmon3.engines.kubernetes.probes import probes_of
from pmon3.export_targets.leaving import Leaving
from pmon3_schema.scalars import signal_name

WHY = {
    "log": "what it writes is kept by the cluster", "log_dir": "what it writes is kept by the cluster",
    "stderr_log": "what it writes is kept by the cluster",
    "log_rotate": "what it writes is kept by the cluster",
    "env_inherit": "a container begins with the environment of its image",
    "env_file": "files of this machine are not in the cluster", "groups": "there are no groups (see labels)",
    "umask": "it cannot be set", "priority": "nice values cannot be set",
    "argv0": "a program finds its file in argv[0]",
    "limits": "it is no limit of a container", "watch": "no file is watched",
    "on_change": "no file is watched",
    "reload": "no command tells it of changes", "exit_on_end": "the cluster does not end with a process",
    "dependencies": "all are started at once: let it wait for what it needs, or exit and be started again",
    "restart": "delays are those of the cluster: 10 s, doubling up to 5 min", "hooks": "it has no such hook",
    "autostart": "what is in the cluster is started", "stop": "the whole container is ended",
    "sandbox": "see the security context of the pod",
}  # fmt: skip
_LONGEST_NAME, _LONGEST_CRONJOB, _LONGEST_LABEL = 63, 52, 63
_LABEL = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?\Z")
_LABEL_KEY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?\Z")
_MANAGED_BY = {"app.kubernetes.io/managed-by": "pmon3"}
_OVERLAPS = {"skip": "Forbid", "replace": "Replace"}
_TERM = "SIGTERM"


def object_of(process: Leaving, namespace: str = "") -> dict[str, Any]:
    """The object of a process; what it does not say is told, and the process closed."""
    scheduled = "schedule.cron" in process or "schedule.every" in process
    name = _name(process, _LONGEST_CRONJOB if scheduled else _LONGEST_NAME)
    labels = {"app.kubernetes.io/name": name, **_MANAGED_BY}
    metadata: dict[str, Any] = {"name": name, "labels": labels}
    metadata |= {"namespace": namespace} if namespace else {}
    more, annotations = _labels(process)
    labels |= more
    metadata |= {"annotations": annotations} if annotations else {}
    found = _kind(process, name, labels, scheduled)
    process.close(WHY)
    return {"apiVersion": found[0], "kind": found[1], "metadata": metadata, "spec": found[2]}


def _kind(
    process: Leaving, name: str, labels: dict[str, str], scheduled: bool
) -> tuple[str, str, dict[str, Any]]:
    policy = process.policy
    template = {"metadata": {"labels": labels}, "spec": _pod(process, name)}
    if scheduled or policy != "always" or process.take("type") == "oneshot":
        job = _job(process, template, policy)
        if not scheduled:
            return "batch/v1", "Job", job
        return "batch/v1", "CronJob", _cron_job(process, job)
    process.lose_if_said(
        "a pod is always started again", "restart.max_failures", "restart.success_exit_codes"
    )
    process.lose_if_said("a pod is always started again", "restart.no_restart_exit_codes")
    template["spec"]["restartPolicy"] = "Always"
    replicas = process.take("replicas", 1)
    spec: dict[str, Any] = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app.kubernetes.io/name": name}},
    }
    if replicas == 1:  # never two at once, as here
        spec["strategy"] = {"type": "Recreate"}
    return "apps/v1", "Deployment", {**spec, "template": template}


def _job(process: Leaving, template: dict[str, Any], policy: str) -> dict[str, Any]:
    template["spec"]["restartPolicy"] = "Never" if policy == "never" else "OnFailure"
    most = process.take("restart.max_failures", 0)
    if policy == "on-failure" and not most:
        process.lose("restart.policy", "a Job gives up after some failures", "see `restart.max_failures`")
    job: dict[str, Any] = {
        "backoffLimit": 0 if policy == "never" else max(most - 1, 0) if most else 1_000_000
    }
    codes = [code for code in process.take("restart.success_exit_codes", ()) if code]
    if codes:
        process.lose("restart.success_exit_codes", "exit code 0 alone is a success")
    longest = process.take("max_runtime")
    return {
        **job,
        **({"activeDeadlineSeconds": _whole(process, "max_runtime", longest)} if longest else {}),
        "template": template,
    }


def _cron_job(process: Leaving, job: dict[str, Any]) -> dict[str, Any]:
    line = process.take("schedule.cron", "")
    every = process.take("schedule.every")
    spec: dict[str, Any] = {
        "schedule": line or f"@every {math.ceil(every or 60)}s",
        "jobTemplate": {"spec": job},
    }
    zone = process.take("schedule.timezone", "")
    spec |= {"timeZone": zone} if zone else {}
    overlap = process.take("schedule.overlap", "skip")
    spec["concurrencyPolicy"] = _OVERLAPS.get(overlap, "Forbid")
    if overlap not in _OVERLAPS:
        process.lose("schedule.overlap", "a run that is due while one is going on is left out")
    return spec


def _pod(process: Leaving, name: str) -> dict[str, Any]:
    stop = process.spec.stop
    container: dict[str, Any] = {"name": name.replace(".", "-"), "image": _image(process, name)}
    words = [_escaped(word) for word in process.command]
    container |= {"command": words[:1], **({"args": words[1:]} if words[1:] else {})}
    folder = process.folder
    container |= {"workingDir": folder} if folder else {}
    variables = process.take("env_vars", {})
    if variables:
        container["env"] = [{"name": key, "value": _escaped(value)} for key, value in variables.items()]
    container |= _resources(process) | probes_of(process)
    pod: dict[str, Any] = {"containers": [container]}
    pod["terminationGracePeriodSeconds"] = _whole(
        process, "stop.timeout", process.take("stop.timeout", stop.timeout)
    )
    if "stop.signal" in process and signal_name(stop.signal) != _TERM:
        process.lose(
            "stop.signal", "a container is asked to end with SIGTERM, or with the signal of its image"
        )
    return pod | _user(process)


def _image(process: Leaving, name: str) -> str:
    image = str(process.take("container.image", ""))
    if image:
        return image
    process.lose("file", "in which image it is, is not known", f"correct the image `{name}`")
    return name


def _user(process: Leaving) -> dict[str, Any]:
    user = str(process.take("user", ""))
    if user.isdigit() or user == "root":
        return {"securityContext": {"runAsUser": int(user) if user.isdigit() else 0}}
    if user:
        process.lose("user", "a user is a number in a cluster", "write its number")
    return {}


def _resources(process: Leaving) -> dict[str, Any]:
    memory, cpu = process.take("resources.memory_max"), process.take("resources.cpu")
    limits: dict[str, str] = {"memory": str(memory)} if memory else {}
    limits |= {"cpu": f"{math.ceil(cpu * 1000)}m"} if cpu else {}
    return {"resources": {"limits": limits}} if limits else {}


def _whole(process: Leaving, field: str, seconds: float) -> int:
    if seconds != int(seconds):
        process.lose(field, f"only whole seconds count: {math.ceil(seconds)}")
    return math.ceil(seconds)


def _name(process: Leaving, longest: int) -> str:
    name = re.sub(r"[^a-z0-9.-]", "-", process.name.lower())[:longest].strip("-.") or "process"
    name = re.sub(r"\.-|-\.|\.\.", "-", name)
    if name != process.name:
        process.lose("name", f"an object cannot be called so: it is called {name}")
    return name


def _labels(process: Leaving) -> tuple[dict[str, str], dict[str, str]]:
    """Labels that may be labels, and all other texts as annotations."""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    for key, value in process.take("labels", {}).items():
        if not _LABEL_KEY.match(key):
            process.lose(f"labels.{key}", "a label cannot be called so")
        elif _LABEL.match(value):
            labels[key] = value
        else:
            annotations[key] = value
    description = process.take("description", "")
    return labels, annotations | ({"pmon3/description": description} if description else {})


def _escaped(text: str) -> str:
    """`$(NAME)` would be filled in from the variables of the container."""
    return text.replace("$(", "$$(")
