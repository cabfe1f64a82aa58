"""When pm2 starts an app again, in the words of a manifest; and its times."""

from __future__ import annotations

import re
from typing import Any

from pmon3.converting import values
from pmon3.converting.drafts import Draft
from pmon3.converting.settings import NotCarried, Section
from pmon3_schema.scalars import LONGEST_DURATION, format_duration, parse_duration

_BACKOFF_CAP, _BACKOFF_RESET = "15s", "30s"
_AT_ONCE = "0s"
_TIME = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*(ms|s|m|h|d)?\s*")
_MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}

_UNSTABLE, _TRIES = 1.0, 16  # seconds; of `min_uptime` and `max_restarts`
_TRUTH = values.truth()


def milliseconds(value: Any) -> str:
    """pm2's times: milliseconds, or text with a unit."""
    return values.written_duration(_seconds(value))


def _seconds(value: Any) -> float:
    found = _TIME.fullmatch(values.text(value))
    if found is None:
        raise NotCarried(f"{value!r} is no time")
    return float(found[1]) * _MILLISECONDS[found[2] or "ms"] / 1000


def carry_restarts(draft: Draft, section: Section) -> None:
    """Policy, delays and limits; what pm2 does where an app does not say is written out."""
    if not section.read("autorestart", _TRUTH, True):
        draft.put("restart.policy", "never", section.take("autorestart"))
        for key in ("restart_delay", "exp_backoff_restart_delay", "max_restarts", "min_uptime"):
            section.lose(key, "nothing is started again", "remove it")
        return
    _delays(draft, section)
    lasting, most = section.take("min_uptime"), section.take("max_restarts")
    shortest = section.read("min_uptime", _seconds, _UNSTABLE)
    if most is None and draft.has("restart.max_delay"):
        if lasting is not None:  # so many do not come together in the time in which pm2 counts them
            section.books.lose(lasting, "with a delay pm2 gives up by `max_restarts` alone", "remove it")
        return
    count = section.read("max_restarts", lambda value: values.whole(value, 1), _TRIES)
    draft.put("restart.max_failures", count, most)
    draft.put("restart.window", _window(draft, count, shortest), lasting or most)


def _delays(draft: Draft, section: Section) -> None:
    delay, growing = section.take("restart_delay"), section.take("exp_backoff_restart_delay")
    if growing is not None:
        draft.put("restart.delay", section.read("exp_backoff_restart_delay", milliseconds, "100ms"), growing)
        draft.put("restart.max_delay", _BACKOFF_CAP)
        draft.put("restart.stable_after", _BACKOFF_RESET)
        if delay is not None:
            section.books.lose(delay, "the growing delay counts", "remove one of them")
        return
    length = section.read("restart_delay", milliseconds, _AT_ONCE)
    draft.put("restart.delay", length, delay)
    if parse_duration(length):
        draft.put("restart.max_delay", length, delay)
        draft.put("restart.jitter", 0)
        section.books.differs("pm2", "the first restart comes at once; pm2 waits restart_delay there too")


def _window(draft: Draft, count: int, shortest: float) -> str:
    """In which so many runs end that are too short, with the pauses between them."""
    pause = parse_duration(draft.get("restart.max_delay", _AT_ONCE))
    return format_duration(min(count * (max(shortest, _UNSTABLE) + pause), LONGEST_DURATION))
