"""Processes as objects of Kubernetes, plain data: Deployments, Jobs, CronJobs, and Secrets beside them.

Theory of operation: a process that is always kept running is a Deployment; one that may end is a Job (a pod
of a Deployment is always started again); one with a schedule is a CronJob. `pods` says what runs in them.
What the API server would refuse, drop or do otherwise is told instead of being written: fractions of a
second, users by name, signals other than TERM, probes without a handler, days that its cron does not know.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pmon3.engines.kubernetes import cron
from pmon3.engines.kubernetes.environment import secret_of
from pmon3.engines.kubernetes.metadata import CALLED, NAME, OURS, labels_of
from pmon3.engines.kubernetes.names import LONGEST, LONGEST_CRON_JOB, object_names
from pmon3.engines.kubernetes.pods import pod_of, whole
from pmon3.export_targets.leaving import Leaving
from pmon3_schema.process import REPLICA_FIELDS
from pmon3_schema.replica_text import refers_anywhere

_THE_CLUSTER_KEEPS_IT = "what it writes is kept by the cluster"
WHY = {
    "log": _THE_CLUSTER_KEEPS_IT, "log_dir": _THE_CLUSTER_KEEPS_IT,
    "stderr_log": _THE_CLUSTER_KEEPS_IT,
    "log_rotate": _THE_CLUSTER_KEEPS_IT,
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
    "resources": "a container has limits of memory and of processors alone",
    "rollout": "a Deployment replaces all, or stops where the new ones do not become ready",
}  # fmt: skip
_OVERLAPS = {"skip": "Forbid", "replace": "Replace"}
_NEVER = "0 0 1 1 *"
_PROGRESS = 600
"""Seconds after which a rollout that does not go on has failed, by default."""
_TRIES_WITHOUT_END = 1_000_000


def objects_of(processes: Sequence[Leaving], namespace: str = "") -> list[list[dict[str, Any]]]:
    """The objects of each process; what they do not say is told, and the processes closed."""
    longest = {one.name: LONGEST_CRON_JOB if one.spec.schedule.wanted else LONGEST for one in processes}
    names = object_names(longest)
    return [_objects(process, names[process.name], namespace) for process in processes]


def _objects(process: Leaving, name: str, namespace: str) -> list[dict[str, Any]]:
    if name != process.name:
        process.lose("name", f"an object cannot be called so: it is called {name}")
    labels: dict[str, str] = {NAME: name, **OURS}
    metadata: dict[str, Any] = {"name": name, "labels": labels}
    metadata |= {"namespace": namespace} if namespace else {}
    secret = secret_of(process, metadata)
    more, annotations = labels_of(process)
    labels = {**labels, **more}
    annotations |= {CALLED: process.name} if name != process.name else {}
    metadata = {**metadata, "labels": labels, **({"annotations": annotations} if annotations else {})}
    pod = pod_of(process, name, secret["metadata"]["name"] if secret else "")
    version, kind, spec = _kind(process, name, {"metadata": {"labels": labels}, "spec": pod})
    _tell_of_numbers(process)
    process.close(WHY)
    found = {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}
    return [secret, found] if secret else [found]


def _kind(process: Leaving, name: str, template: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    policy, scheduled = process.policy, process.spec.schedule.wanted
    if scheduled or policy != "always" or process.take("type") == "oneshot":
        process.lose_if_said("one that ends has one pod", "replicas")
        job = _job(process, template, policy)
        if not scheduled:
            return "batch/v1", "Job", job
        return "batch/v1", "CronJob", _cron_job(process, job)
    return "apps/v1", "Deployment", _deployment(process, name, template)


def _deployment(process: Leaving, name: str, template: dict[str, Any]) -> dict[str, Any]:
    why = "a pod is always started again"
    process.lose_if_said(
        why, "restart.max_failures", "restart.success_exit_codes", "restart.no_restart_exit_codes"
    )
    template["spec"]["restartPolicy"] = "Always"
    spec: dict[str, Any] = {
        "replicas": process.take("replicas", 1),
        "selector": {"matchLabels": {NAME: name}},
        "strategy": {"type": "Recreate"},  # never two at once, as here
    }
    if process.spec.replicas is not None:  # never more than these, so many at a time, as here
        most = process.take("rollout.max_parallel", 1)
        spec["strategy"] = {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": 0, "maxUnavailable": most},
        }
    least = process.take("rollout.min_ready", 0.0)
    if least:
        seconds = whole(process, "rollout.min_ready", least)
        spec |= {"minReadySeconds": seconds, "progressDeadlineSeconds": seconds + _PROGRESS}
    return {**spec, "template": template}


def _job(process: Leaving, template: dict[str, Any], policy: str) -> dict[str, Any]:
    template["spec"]["restartPolicy"] = "Never" if policy == "never" else "OnFailure"
    most = process.take("restart.max_failures", 0)
    if policy == "on-failure" and not most:
        process.lose("restart.policy", "a Job gives up after some failures", "see `restart.max_failures`")
    tries = max(most - 1, 0) if most else _TRIES_WITHOUT_END
    job: dict[str, Any] = {"backoffLimit": 0 if policy == "never" else tries}
    codes = [code for code in process.take("restart.success_exit_codes", ()) if code]
    if codes:
        process.lose("restart.success_exit_codes", "exit code 0 alone is a success")
    longest = process.take("max_runtime")
    if longest:
        job["activeDeadlineSeconds"] = whole(process, "max_runtime", longest)
    return {**job, "template": template}


def _cron_job(process: Leaving, job: dict[str, Any]) -> dict[str, Any]:
    schedule = process.spec.schedule
    every = process.take("schedule.every")
    spec: dict[str, Any] = {"jobTemplate": {"spec": job}}
    zone = process.take("schedule.timezone", "")
    if process.take("schedule.cron"):
        try:
            spec["schedule"] = cron.expression(schedule.cron)
        except cron.NotSayable as error:
            process.lose("schedule.cron", str(error), "it is suspended: write other times, then let it run")
            spec |= {"schedule": _NEVER, "suspend": True}
        if not zone:
            why = "no zone is said, and the one of the cluster need not be that of this machine"
            process.lose("schedule.cron", why, "say `schedule.timezone`")
    else:
        spec["schedule"] = f"@every {max(1, whole(process, 'schedule.every', every or 60))}s"
    spec |= {"timeZone": zone} if zone else {}
    overlap = process.take("schedule.overlap", "skip")
    spec["concurrencyPolicy"] = _OVERLAPS.get(overlap, "Forbid")
    if overlap not in _OVERLAPS:
        process.lose("schedule.overlap", "a run that is due while one is going on is left out")
    return spec


def _tell_of_numbers(process: Leaving) -> None:
    """Fields that say `${REPLICA}`: pods of one Deployment are all alike."""
    if process.spec.replicas is None:
        return
    for field in REPLICA_FIELDS:
        if refers_anywhere(getattr(process.spec, field)):
            process.lose(field, "pods of a Deployment have no numbers, so `${REPLICA}` is not filled in")
