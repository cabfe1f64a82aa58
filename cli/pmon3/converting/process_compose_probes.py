"""Probes of a process-compose.yaml."""

from __future__ import annotations

from pmon3.converting import values
from pmon3.converting.data_files import mapping
from pmon3.converting.drafts import Draft
from pmon3.converting.nested import NestedEntry
from pmon3.converting.settings import Left, Section
from pmon3_schema.scalars import LONGEST_DURATION

_PERIOD = 10.0
_FAILURES = 3
"""What process-compose takes where a probe does not say."""


def carry_probe(entry: NestedEntry, draft: Draft, key: str, field: str, shell: str) -> None:
    """Give a process the probe of a key, as its field `ready` or `live`."""
    if key not in entry.section:
        return
    part = entry.part(key)
    if not _asks(entry, draft, part, key, field, shell):
        part.abandon("it asks nothing that a probe could ask")
        return
    for name, target, usual in (
        ("period_seconds", "interval", values.written_duration(_PERIOD)),
        ("timeout_seconds", "timeout", "1s"),
    ):
        given = part.take(f"{key}.{name}")
        draft.put(f"{field}.{target}", part.read(f"{key}.{name}", values.seconds, usual), given)
    failures = part.read(f"{key}.failure_threshold", lambda value: values.whole(value, 1), _FAILURES)
    draft.put(f"{field}.failures", failures, part.take(f"{key}.failure_threshold"))
    first = part.take(f"{key}.initial_delay_seconds")
    if field == "live":
        draft.put("live.start_period", part.read(f"{key}.initial_delay_seconds", values.seconds, "0s"), first)
    else:
        # It is asked from the start here; one that does not get ready is stopped when it is there.
        delay = part.read(f"{key}.initial_delay_seconds", values.length, 0.0)
        period = part.read(f"{key}.period_seconds", values.length, _PERIOD)
        deadline = min(delay + failures * period, LONGEST_DURATION)
        draft.put("ready.deadline", values.written_duration(deadline), first)
        entry.books.differs(
            "process-compose",
            "one whose readiness probe fails after it was ready is shown so, and not stopped",
        )
    passes = part.take(f"{key}.success_threshold")
    if passes is not None:
        entry.books.lose(passes, "process-compose does not use it", "see `ready.successes`")
    part.close({})


def _asks(entry: NestedEntry, draft: Draft, part: Section, key: str, field: str, shell: str) -> bool:
    """Carry what the probe asks; False where it asks nothing."""
    source = entry.section.take(key)
    command, request = part.take(f"{key}.exec"), part.take(f"{key}.http_get")
    if command is not None:
        inner = entry.inner(f"{key}.exec", mapping(command.value), key, "exec")
        line = inner.take(f"{key}.exec.command")
        if line is None:
            return False
        draft.put(f"{field}.exec", [shell, "-c", values.text(line.value)], line)
        inner.close({f"{key}.exec.working_dir": Left("it runs in the folder of its process")})
    elif request is not None:
        inner = entry.inner(f"{key}.http_get", mapping(request.value), key, "http_get")
        read = {name: inner.value(f"{key}.http_get.{name}") for name in ("scheme", "host", "port", "path")}
        path = str(read["path"] or "/")
        host = f"{read['host'] or '127.0.0.1'}:{read['port'] or 80}"
        url = f"{read['scheme'] or 'http'}://{host}/{path.removeprefix('/')}"
        headers, status = inner.take(f"{key}.http_get.headers"), inner.take(f"{key}.http_get.status_code")
        draft.put(f"{field}.http.url", url, request)
        if headers is not None:
            draft.put(
                f"{field}.http.headers",
                {str(k): values.text(v) for k, v in mapping(headers.value).items()},
                headers,
            )
        draft.put(
            f"{field}.http.status", str(status.value) if status is not None else "200", status or source
        )
        inner.close({})
    return command is not None or request is not None
