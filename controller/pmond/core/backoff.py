"""Restart arithmetic: when a process that ended may be started again.

The first restart after a stable run is immediate. From the second in a row the delay grows:
`delay`, twice that, and so on up to `max_delay` (or `delay`, if that is more), but never less than a
hundredth of a second.
A run of `stable_after` seconds starts the count afresh. Jitter shortens the delay by a share
that depends on the process alone, so that processes which failed together do not return
together, and the same history gives the same time on every look (a random number would not).
"""

from __future__ import annotations

from zlib import crc32

from pmon3_schema.process import ProcessSpec
from pmon3_schema.process_parts import RestartSpec
from pmond.core.model import ExitStatus, History

_LEAST = 0.01  # seconds; with `delay: 0` a program that cannot start would be tried without end


def delay(restart: RestartSpec, streak: int, name: str) -> float:
    """Seconds to wait before a restart, after `streak` ends in a row without a stable run."""
    if streak <= 1:
        return 0.0
    share = crc32(f"{name} {streak}".encode("utf-8", "replace")) / 2**32
    return max(_LEAST, restart.delay_after(streak) * (1.0 - restart.jitter * share))


def succeeded(spec: ProcessSpec, exit: ExitStatus | None) -> bool:
    """Whether an exit counts as success; an unknown one never does."""
    return exit is not None and exit.code is not None and exit.code in spec.restart.success_exit_codes


def failed(spec: ProcessSpec, history: History) -> bool:
    """Whether the last run counts as a failure."""
    fault = history.ending is not None and history.ending.is_fault
    return fault or not succeeded(spec, history.exit)


def failures_in_window(restart: RestartSpec, failures: tuple[float, ...], now: float) -> tuple[float, ...]:
    """The failures that still count at `now`; no more of them than a decision can need."""
    recent = tuple(at for at in failures if at > now - restart.window)
    return recent[-restart.max_failures :] if restart.max_failures else ()


def gave_up(spec: ProcessSpec, history: History) -> bool:
    """Whether `max_failures` was reached; the last failure is the moment to judge from.

    Judged at that moment and not later, so that giving up is final until someone acts.
    """
    limit = spec.restart.max_failures
    if not limit or len(history.failures) < limit:
        return False
    first, last = history.failures[-limit], history.failures[-1]
    return last - first <= spec.restart.window
