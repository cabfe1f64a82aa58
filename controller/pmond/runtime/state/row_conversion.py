"""What is seen, between the values of the core and the rows of the state file.

Times of the core mean something only in the boot they were taken in; a history that is read in
another boot keeps its counts and loses its times.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from pmond.core.hooking import Hooking, Moment
from pmond.core.model import Ending, ExitStatus, Flap, History, Instance
from pmond.core.timing import Timing
from pmond.runtime.processes.environment import parse_marker
from pmond.runtime.processes.instances import Running
from pmond.runtime.state.records import HistoryRecord, InstanceRecord


def instance_record(
    running: Running, instance: Instance, spec: dict[str, Any], log: str, started_at: str
) -> InstanceRecord:
    """The row of a live instance."""
    identity, born = running.identity, parse_marker(running.marker)
    return InstanceRecord(
        name=running.name,
        number=running.number,
        pid=identity.pid,
        start_ticks=identity.start_ticks,
        boot_id=identity.boot_id,
        pidfd_inode=identity.pidfd_inode,
        revision=instance.revision,
        token=instance.token,
        started_monotonic=instance.started_at,
        started_at=started_at,
        log=log,
        spec=spec,
        born_as=born[1] if born is not None and born[1] != running.name else "",
        **_later_fields(instance),
    )


def changed_fields(old: Instance, new: Instance) -> dict[str, Any]:
    """What differs in the row of an instance that is kept already."""
    before = _later_fields(old)
    return {name: value for name, value in _later_fields(new).items() if value != before[name]}


def _later_fields(instance: Instance) -> dict[str, Any]:
    """Those of a row that may change while the instance lives."""
    return {
        "ending": instance.ending.value,
        "files": [list(pair) for pair in instance.files],
        "exit": exit_fields(instance.exit),
        "ready": instance.ready_at is not None and instance.ready.ok is not None,
        "needs": [list(pair) for pair in instance.needs],
        "by": instance.by,
    }


def history_record(name: str, history: History, boot: str) -> HistoryRecord:
    """The row of a history."""
    exit, flap = history.exit, history.flap
    data = {
        "boot": boot,
        "number": history.number,
        "attempts": history.attempts,
        "revision": history.revision,
        "token": history.token,
        "ending": history.ending.value if history.ending is not None else None,
        "exit": exit_fields(exit),
        "daemonized": history.daemonized,
        "fault": history.fault,
        "pid": history.pid,
        "error": history.error,
        "error_code": history.error_code,
        "error_transient": history.error_transient,
        "ended_at": history.ended_at,
        "ran_for": history.ran_for,
        "streak": history.streak,
        "failures": history.failures,
        "restart_count": history.restart_count,
        "flap": [flap.restarts, flap.since, flap.forgiven],
    }
    if history.hooking is not None and not history.hooking.over:
        data["hooking"] = _hooking_fields(history.hooking)
    if history.timing is not None:
        data["timing"] = _timing_fields(history.timing)
    return HistoryRecord(name, data)


def history(record: HistoryRecord, boot: str) -> History:
    """The history of a row. Raises KeyError, TypeError or ValueError when it is damaged."""
    data = record.data
    exit, ending = data["exit"], data["ending"]
    restarts, since, forgiven = data["flap"]
    found = History(
        number=int(data["number"]),
        attempts=int(data["attempts"]),
        revision=str(data["revision"]),
        token=int(data["token"]),
        ending=Ending(ending) if ending is not None else None,
        exit=exit_status(exit) if exit is not None else None,
        daemonized=bool(data.get("daemonized", False)),
        fault=str(data.get("fault", "")),
        pid=int(data.get("pid", 0)),
        error=str(data["error"]),
        error_code=str(data["error_code"]),
        error_transient=bool(data["error_transient"]),
        ended_at=data["ended_at"],
        ran_for=float(data["ran_for"]),
        streak=int(data["streak"]),
        failures=tuple(data["failures"]),
        restart_count=int(data["restart_count"]),
        flap=Flap(tuple(restarts), since, int(forgiven)),
        hooking=_hooking(data["hooking"]) if data.get("hooking") else None,
        timing=_timing(data["timing"]) if data.get("timing") else None,
    )
    if data["boot"] == boot:
        return found
    timing = found.timing
    if timing is not None:
        timing = replace(timing, last_at=None, due_at=None, start_at=None, booted=False)
    return replace(found, ended_at=None, streak=0, failures=(), flap=Flap(), hooking=None, timing=timing)


def _hooking_fields(hooking: Hooking) -> list[Any]:
    return [
        hooking.moment.value, hooking.number, hooking.begun, hooking.under_way, hooking.since,
        hooking.failed, hooking.revision, hooking.token,
    ]  # fmt: skip


def _hooking(fields: list[Any]) -> Hooking:
    """The inverse. Raises TypeError or ValueError when it is damaged."""
    moment, number, begun, under_way, since, failed, revision, token = fields
    at = float(since) if since is not None else None
    return Hooking(
        Moment(moment), int(number), int(begun), bool(under_way), at, bool(failed),
        revision=str(revision), token=int(token),
    )  # fmt: skip


def _timing_fields(timing: Timing) -> list[Any]:
    return [
        timing.key, timing.token, timing.last, timing.last_at, timing.due, timing.due_at, timing.start_at,
        timing.queued, timing.booted,
    ]  # fmt: skip


def _timing(fields: list[Any]) -> Timing:
    """The inverse; what is due is worked out anew. Raises TypeError or ValueError when it is damaged."""
    key, token, *times, queued, booted = fields
    last, last_at, due, due_at, start_at = (None if at is None else float(at) for at in times)
    return Timing(
        str(key), int(token), last, last_at, due, due_at, start_at, str(queued), bool(booted), stale=True
    )


def exit_status(fields: list[Any]) -> ExitStatus:
    """The inverse of `exit_fields`. Raises TypeError when there are too many."""
    return ExitStatus(*fields)


def exit_fields(exit: ExitStatus | None) -> list[int | bool | None] | None:
    """How something ended, as it is kept; None: it has not, or nothing is known of it."""
    if exit is None:
        return None
    # Without the last field where it says nothing: an earlier pmond reads that too.
    return [exit.code, exit.signal, *([True] if exit.out_of_memory else [])]
