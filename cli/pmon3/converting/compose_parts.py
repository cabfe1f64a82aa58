"""Limits and health checks of a service of docker compose, and its units."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pmon3.converting import values
from pmon3.converting.data_files import mapping
from pmon3.converting.drafts import Draft
from pmon3.converting.nested import NestedEntry
from pmon3.converting.settings import Left, NotCarried, Section

_LIMITS = {
    "nofile": "limits.nofile",
    "nproc": "limits.nproc",
    "core": "limits.core",
    "cpu": "limits.cpu_seconds",
}
_SPAN = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:us|ms|s|m|h))+")
_UNITS = {"kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "b": 1}
_TRUTH = values.truth()


def duration(value: Any) -> str:
    written = values.text(value).strip()
    if written.isdigit():
        return f"{written}s"
    if not _SPAN.fullmatch(written) or "us" in written:
        raise NotCarried(f"{written!r} is no time span", "write it with ms, s, m or h")
    return written


def memory(value: Any) -> int | str:
    return values.written_size(values.size_of(_UNITS, value))


def carry_limits(entry: NestedEntry, draft: Draft, deploy: Section) -> None:
    """What it may use."""
    resources = deploy.take("deploy.resources")
    given = mapping(resources.value if resources is not None else None)
    title = "deploy.resources.limits"
    limits = entry.inner(title, mapping(given.get("limits")), *title.split("."))
    draft.carry(limits, {
        f"{title}.cpus": ("resources.cpu", values.number),
        f"{title}.memory": ("resources.memory_max", memory),
        f"{title}.pids": ("resources.tasks_max", values.at_least_one),
    })  # fmt: skip
    limits.close({})
    for key in given:
        if key != "limits" and resources is not None:
            entry.books.lose(
                resources, "nothing is set aside", "see `resources`", key=f"deploy.resources.{key}"
            )
    ulimits = entry.part("ulimits")
    for name, field in _LIMITS.items():
        setting = ulimits.take(f"ulimits.{name}")
        if setting is not None:
            draft.carry_one(setting, field, _one_limit)
    ulimits.close({})


def carry_check(entry: NestedEntry, draft: Draft) -> None:
    """When it is ready."""
    setting = entry.section.take("healthcheck")
    if setting is None:
        return
    inner = entry.part("healthcheck")
    test = inner.take("healthcheck.test")
    if test is None or inner.read("healthcheck.disable", _TRUTH, False):
        inner.close({key: Left("the check is in the image, or off") for key in inner.keys})
        return
    words = test.value if isinstance(test.value, list) else ["CMD-SHELL", values.text(test.value)]
    if words[:1] == ["NONE"]:
        inner.close({key: Left("the check is off") for key in inner.keys})
        return
    command = (
        ["/bin/sh", "-c", str(words[1])]
        if words[0] == "CMD-SHELL" and len(words) > 1
        else [str(word) for word in words[1:]]
    )
    draft.put("ready.exec", command, test)
    for key, field, usual in (("interval", "interval", "30s"), ("timeout", "timeout", "30s")):
        draft.put(
            f"ready.{field}",
            inner.read(f"healthcheck.{key}", duration, usual),
            inner.take(f"healthcheck.{key}"),
        )
    retries = inner.take("healthcheck.retries")
    draft.put(
        "ready.failures",
        inner.read("healthcheck.retries", lambda value: values.whole(value, 1), 3),
        retries,
    )
    # What is unhealthy is shown so there, however long, and never stopped.
    draft.put("ready.deadline", "0s", test)
    inner.close({
        "healthcheck.start_period": Left("what fails before it was ready does not count"),
        "healthcheck.start_interval": Left("it is asked in one interval", "see `ready.interval`"),
    })  # fmt: skip


def _one_limit(value: Any) -> int:
    if isinstance(value, Mapping):
        soft, hard = value.get("soft"), value.get("hard")
        if soft != hard:
            raise NotCarried(
                "one number is the soft and the hard limit here", f"write one of {soft} and {hard}"
            )
        value = soft
    return values.whole(value, 0)
