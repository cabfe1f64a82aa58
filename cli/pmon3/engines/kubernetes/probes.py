"""Probes as Kubernetes makes them: in whole seconds, by a command, a request or a connection."""

from __future__ import annotations

import math
import re
from typing import Any
from urllib.parse import urlsplit

from pmon3.engines.kubernetes.words import escaped
from pmon3.export_targets.leaving import Leaving
from pmon3_schema.probes import LiveSpec, ReadySpec, parse_address

_ANY_ANSWER = "200-399"


def probes_of(process: Leaving) -> dict[str, Any]:
    """The probes of the container. A start that takes its time is a startup probe."""
    ready, live = process.spec.ready, process.spec.live
    found: dict[str, Any] = {}
    if ready.kind:
        probe = _probe(process, "ready", ready)
        if probe:
            found["readinessProbe"] = {**probe, "successThreshold": max(ready.successes, 1)}
            process.take("ready.successes")
            if ready.deadline:
                tries = max(1, math.ceil(ready.deadline / probe["periodSeconds"]))
                found["startupProbe"] = {**probe, "failureThreshold": tries}
            process.take("ready.deadline")
    if live.kind:
        probe = _probe(process, "live", live)
        if probe:
            found["livenessProbe"] = {**probe, "initialDelaySeconds": math.ceil(live.start_period)}
            process.take("live.start_period")
    return found


def _probe(process: Leaving, section: str, probe: ReadySpec | LiveSpec) -> dict[str, Any]:
    handler = _handler(process, section, probe)
    if not handler:
        process.lose(f"{section}.{probe.kind}", "a probe is a command, a request or a connection")
        process.section(section)
        return {}
    for field in ("interval", "timeout"):
        value = getattr(probe, field)
        if value != int(value):
            process.lose(f"{section}.{field}", f"only whole seconds count: {math.ceil(value)}")
        process.take(f"{section}.{field}")
    process.take(f"{section}.failures")
    return {
        **handler,
        "periodSeconds": max(1, math.ceil(probe.interval)),
        "timeoutSeconds": max(1, math.ceil(probe.timeout)),
        "failureThreshold": probe.failures,
    }


def _handler(process: Leaving, section: str, probe: ReadySpec | LiveSpec) -> dict[str, Any]:
    if probe.exec:
        process.take(f"{section}.exec")
        return {"exec": {"command": list(map(escaped, probe.exec))}}
    if probe.tcp:
        process.take(f"{section}.tcp")
        host, port = parse_address(probe.tcp)
        return {"tcpSocket": {"port": port} | ({} if _is_own(host) else {"host": host})}
    url = urlsplit(probe.http.url)
    if probe.kind != "http" or url.scheme not in ("http", "https"):
        return {}
    for field in ("url", "headers"):
        process.take(f"{section}.http.{field}")
    if probe.http.status != _ANY_ANSWER:
        process.lose(f"{section}.http.status", "every status from 200 to 399 passes")
    port = url.port or (443 if url.scheme == "https" else 80)
    request: dict[str, Any] = {
        "path": f"{url.path or '/'}{'?' + url.query if url.query else ''}",
        "port": port,
    }
    request |= {"scheme": "HTTPS"} if url.scheme == "https" else {}
    request |= {} if _is_own(url.hostname or "") else {"host": url.hostname}
    headers = [{"name": name, "value": value} for name, value in probe.http.headers.items()]
    return {"httpGet": request | ({"httpHeaders": headers} if headers else {})}


def _is_own(host: str) -> bool:
    """The container itself: Kubernetes asks the pod's address unless it is told another."""
    return bool(re.fullmatch(r"localhost|127(?:\.\d+){3}|::1", host))
