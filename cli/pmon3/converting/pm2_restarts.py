"""When pm2 starts an app again, in the words of a manifest; and its times."""

from __future__ import annotations

import re
from typing import Any

from pmon3.converting import values
from pmon3.converting.drafts import Draft
from pmon3.converting.settings import NotCarried, Section
from pmon3_schema.scalars import format_duration, parse_duration

_BACKOFF_CAP, _BACKOFF_RESET = "15s", "30s"

_UNSTABLE, _TRIES = 1.0, 16  # seconds; of `min_uptime` and `max_restarts`
_TRUTH = values.truth()


def milliseconds(value: Any) -> str:
    """pm2's times: milliseconds, or text with s, m, h."""
    found = re.fullmatch(r"\s*([0-9.]+)\s*(ms|s|m|h|d)?\s*", values.text(value))
    if found is None:
        raise NotCarried(f"{value!r} is no time")
    return f"{found[1]}{found[2]}" if found[2] else values.milliseconds(found[1])


def carry_restarts(draft: Draft, section: Section) -> None:
    """Policy, delays and limits."""
    again = section.read("autorestart", _TRUTH, True)
    if not again:
        draft.put("restart.policy", "never", section.take("autorestart"))
    delay, growing = section.take("restart_delay"), section.take("exp_backoff_restart_delay")
    if growing is not None:
        draft.carry_one(growing, "restart.delay", milliseconds)
        draft.put("restart.max_delay", _BACKOFF_CAP)
        draft.put("restart.stable_after", _BACKOFF_RESET)
    elif delay is not None and values.text(delay.value) not in ("0", ""):
        draft.carry_one(delay, "restart.delay", milliseconds)
        draft.put("restart.max_delay", draft.get("restart.delay"), delay)
        draft.put("restart.jitter", 0)
    if growing is not None and delay is not None:
        section.books.lose(delay, "the growing delay counts", "remove one of them")
    lasting = section.take("min_uptime")
    most = section.take("max_restarts")
    if lasting is not None and growing is None:
        draft.carry_one(lasting, "restart.stable_after", milliseconds)
    elif lasting is not None:
        section.books.lose(lasting, "the growing delay has a time of its own", "see `restart.stable_after`")
    if most is not None and again:
        count = section.read("max_restarts", lambda value: values.whole(value, 0), _TRIES)
        draft.put("restart.max_failures", count, most)
        draft.put("restart.window", _window(draft, count), most)
    elif most is not None:
        section.books.lose(most, "nothing is started again", "remove it")


def _window(draft: Draft, count: int) -> str:
    """In which so many runs end that are too short: pm2 counts only those in a row."""
    shortest = parse_duration(draft.get("restart.stable_after", _UNSTABLE))
    pause = parse_duration(draft.get("restart.max_delay", 0) or 0)
    return format_duration(max(count, 1) * (max(shortest, _UNSTABLE) + pause))
