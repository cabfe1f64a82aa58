"""Times as people read them: in the caller's zone, always with the zone, always in one form.

Theory of operation: text has each time as `2026-12-01 01:12:01+01:00`. In a column of a table the zone
stands once, in the title, so all times of a column are those of the zone as it is now; a change to
summer time in between does not make two of them look alike.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")


def local_time(text: str | None) -> str:
    """An RFC 3339 time as `YYYY-MM-DD HH:MM:SS+HH:MM`; empty for none, anything else as it is."""
    if not text:
        return ""
    # Imported here: an empty table and `-o json` do without.
    from datetime import datetime

    try:
        return datetime.fromisoformat(text).astimezone().isoformat(" ", "seconds")
    except ValueError:
        return text


def column_time(text: str | None) -> str:
    """The same for a cell below a title that says the zone (`with_zone`)."""
    if not text:
        return ""
    from datetime import datetime

    try:
        # Four times as fast as strftime, and `ls` does it for every row.
        return datetime.fromisoformat(text).astimezone(_present_zone()).isoformat(" ")[:19]
    except ValueError:
        return text


def with_zone(title: str) -> str:
    """A title of a column of times, with their zone: `Date (+01:00)`."""
    from datetime import datetime

    offset = datetime.now(_present_zone()).isoformat()[-6:]
    return f"{title} ({'UTC' if offset == '+00:00' else offset})"


def in_local_times(message: str) -> str:
    """A sentence of pmond, each of its times as `local_time` has it."""
    return _RFC_3339.sub(lambda found: local_time(found[0]), message) if "T" in message else message


def uptime(process: dict[str, Any], now: float) -> str:
    """How long it has been running: `42s`, `5m03s`, `2h07m`, `3d04h`."""
    if not process["pid"] or not process["started_at"]:
        return "-"
    from datetime import datetime

    seconds = max(0, int(now - datetime.fromisoformat(process["started_at"]).timestamp()))
    for size, unit, smaller, mark in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if seconds >= size:
            return f"{seconds // size}{unit}{seconds % size // smaller:02d}{mark}"
    return f"{seconds}s"


@cache
def _present_zone() -> Any:
    from datetime import datetime, timezone

    offset = datetime.now().astimezone().utcoffset()
    return timezone(offset) if offset is not None else None
