"""Probes as arithmetic: what results in a row mean, and when the next try is due.

Theory of operation: an instance has two probes, *ready* and *live*, each with a `Probing`: its last
result, how many of that kind came in a row, and the try that is under way. A result is folded in by
`passed` and `failed`; what it means is asked of the values, never kept beside them:

* ready: an instance becomes ready after `successes` passes in a row, and is not ready from `failures`
  failures in a row until it passes again. A probe that is nothing but time (`delay`, or none at all) is
  answered by the clock.
* live: counts from the first readiness on, and not within `start_period`; after `failures` failures in a
  row the instance is unhealthy. Systemd's watchdog is such a probe: an interval without a word is a failure.

Tries are spread by the name of the process, so that a thousand that were started together are not asked
together; nor are those whose first try is long overdue because an edit gave them a probe, or a new pmond
took them over. A try whose result is overdue counts as lost and is made again: a fact may be dropped.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from math import ceil
from zlib import crc32

from msgspec import Struct
from msgspec.structs import replace

from pmon3_schema.probes import LiveSpec, ReadySpec

_LOST_AFTER = 5.0
"""Seconds beyond its time limit after which a try is made again; commands may wait for their turn."""
_OVERDUE_AFTER = 1.0
"""Seconds after which a try is one that nobody had reason to make in time; turns of the loop are shorter."""
_SLOTS = 50
"""Parts of an interval; tries that fall into the same one are made in one turn."""
_MOST_SHARES = 20_000
"""That are remembered: two of each of ten thousand processes."""
_WATCHDOG = "notify"
_ASKED_AGAIN = frozenset({"exec", "http", "tcp"})
"""Kinds that are tried again and again; others say by themselves when something happens."""


class Aspect(StrEnum):
    """Which question a probe answers."""

    READY = "ready"
    LIVE = "live"


class Probing(Struct, frozen=True):
    """What one probe of an instance has found. Times are those of the loop's clock."""

    ok: bool | None = None
    """The last result; None before the first."""
    in_a_row: int = 0
    """How many results of that kind came one after the other, as far as they count."""
    message: str = ""
    """What the last result said, for people."""
    at: float | None = None
    """When the last result became known."""
    attempt: int = 0
    """The number of the last try."""
    begun_at: float | None = None
    """When the last try was begun."""
    under_way: bool = False
    """Its result is not known yet."""
    failures: int = 0
    """How many tries failed in all."""
    spread_from: float | None = None
    """From when on the next try is spread over an interval: it was overdue then."""


NOT_PROBED = Probing()


def begun(probing: Probing, attempt: int, now: float) -> Probing:
    """A try is under way."""
    return replace(probing, attempt=attempt, begun_at=now, under_way=True)


def awaits(probing: Probing, attempt: int) -> bool:
    """Whether the result of that try counts: not if it is known already, or came too late."""
    return probing.under_way and probing.attempt == attempt


def passed(probing: Probing, message: str, now: float) -> Probing:
    """One more pass."""
    count = probing.in_a_row + 1 if probing.ok else 1
    return replace(probing, ok=True, in_a_row=count, message=message, at=now, under_way=False)


def failed(probing: Probing, message: str, now: float, counts: bool = True) -> Probing:
    """One more failure; one that does not count is shown, and ends a row of passes."""
    before = probing.in_a_row if probing.ok is False else 0
    count, failures = before + 1 if counts else 0, probing.failures + 1
    return replace(
        probing, ok=False, in_a_row=count, message=message, at=now, under_way=False, failures=failures
    )


def is_timed(ready: ReadySpec) -> bool:
    """Whether readiness is nothing but time."""
    return ready.kind in ("", "delay")


def is_asked_again(ready: ReadySpec) -> bool:
    """Whether its probe is tried again and again, instead of saying by itself when it is ready."""
    return ready.kind in _ASKED_AGAIN


def timed_ready_at(ready: ReadySpec, started_at: float, min_ready: float) -> float:
    """When an instance is ready whose readiness is nothing but time."""
    return started_at + (ready.delay or min_ready)


def becomes_ready(ready: ReadySpec, probing: Probing) -> bool:
    """Whether enough passes came in a row for an instance that is starting."""
    return not is_timed(ready) and bool(probing.ok) and probing.in_a_row >= ready.successes


def loses_readiness(ready: ReadySpec, probing: Probing) -> bool:
    """Whether an instance that was ready is not any more, by its last results."""
    return probing.ok is False and probing.in_a_row >= ready.failures


def is_unhealthy(live: LiveSpec, probing: Probing) -> bool:
    """Whether enough failures came in a row."""
    return bool(live.kind) and probing.ok is False and probing.in_a_row >= live.failures


def next_ready_try(ready: ReadySpec, probing: Probing, started_at: float, name: str) -> float | None:
    """When to ask again whether it is ready; None: it says so itself, or the clock does."""
    if ready.kind not in _ASKED_AGAIN:
        return None
    share = _share(name, Aspect.READY)
    first = _first(probing, started_at + share * min(ready.interval, 1.0), share * ready.interval)
    return _next_try(probing, first, ready.interval, ready.timeout)


def next_live_try(live: LiveSpec, probing: Probing, ready_at: float, name: str) -> float | None:
    """When to ask again whether it lives; None: it says so itself, or nobody asks."""
    if live.kind not in _ASKED_AGAIN:
        return None
    share = _share(name, Aspect.LIVE) * live.interval
    first = _first(probing, ready_at + share, share)
    return _next_try(probing, first, live.interval, live.timeout)


def watchdog_due(live: LiveSpec, probing: Probing, counts_from: float) -> float | None:
    """When the next word of its watchdog is missed; None where there is none."""
    if live.kind != _WATCHDOG:
        return None
    return max(counts_from, probing.at if probing.at is not None else counts_from) + live.interval


def in_company(at: float, interval: float) -> float:
    """The time of a try that could be made at `at`: with all that fall into the same part of an interval.

    A turn for each of a thousand costs twice what they cost so.
    """
    slot = interval / _SLOTS
    return max(at, ceil(at / slot) * slot)


def is_to_spread(probing: Probing, at: float, now: float) -> bool:
    """Whether a try, due since `at`, has company: it is put off then, once, by its share of an interval."""
    put_off = probing.spread_from is not None and probing.spread_from >= (probing.begun_at or 0.0)
    return now - at > _OVERDUE_AFTER and not probing.under_way and not put_off


def _first(probing: Probing, usual: float, share: float) -> float:
    return usual if probing.spread_from is None else max(usual, probing.spread_from + share)


def _next_try(probing: Probing, first: float, interval: float, timeout: float) -> float:
    if probing.begun_at is None:
        return first
    again = probing.begun_at + interval
    return max(again, probing.begun_at + timeout + _LOST_AFTER) if probing.under_way else max(again, first)


@lru_cache(_MOST_SHARES)
def _share(name: str, aspect: Aspect) -> float:
    """A number from 0 to 1 that depends on the name alone: the same history gives the same times."""
    return crc32(f"{name} {aspect}".encode("utf-8", "replace")) / 2**32
