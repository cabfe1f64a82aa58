"""The schedule of a process as a timer of systemd.

Theory of operation: a field of cron is nearly a field of a calendar. Days of the week are not: their ranges
go from Monday to Sunday and have no steps, so they are written out. Where an expression names days of the
month and of the week, cron runs on either, which takes two calendars, unless one of them begins with a star.
"""

from __future__ import annotations

import re

from pmon3.export_targets.leaving import Leaving
from pmon3.export_targets.unit_text import in_one_line, time_span, to_the_end
from pmon3_schema.cron import MACROS

_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_PART = re.compile(r"(?:\*|[0-9]+(?:-[0-9]+)?)(?:/[0-9]+)?")


def timer_of(process: Leaving) -> dict[str, list[tuple[str, str]]]:
    """The sections of its timer; none where it has no schedule, or one that no timer can say."""
    line, every = process.take("schedule.cron", ""), process.take("schedule.every")
    timer: list[tuple[str, str]] = []
    if line:
        zone = process.take("schedule.timezone", "")
        found = calendars(line)
        if not found:
            process.lose("schedule.cron", "no calendar of systemd says these days: there is no timer of it")
        timer += [("OnCalendar", f"{calendar} {zone}".strip()) for calendar in found]
    if every:
        at_start = process.take("schedule.at_start")
        timer += [("OnActiveSec", "0" if at_start else time_span(every))]
        timer += [("OnUnitActiveSec", time_span(every))]
    if not timer:
        return {}
    if line and process.take("schedule.at_start"):
        timer.append(("OnActiveSec", "0"))
    if process.take("schedule.catch_up") == "one" and not line:
        process.lose("schedule.catch_up", "only runs of a calendar are caught up on")
    elif process.spec.schedule.catch_up == "one":
        timer.append(("Persistent", "true"))
    jitter = process.take("schedule.jitter")
    timer += [("RandomizedDelaySec", time_span(jitter))] if jitter else []
    process.lose_if_said("a run that is due while one is going on is left out", "schedule.overlap")
    name = to_the_end(in_one_line(process.name))
    return {"Unit": [("Description", f"When {name} runs")], "Timer": timer}


def calendars(line: str) -> list[str]:
    """A cron line as calendars of systemd; none where they cannot say it."""
    minute, hour, day, month, weekday = MACROS.get(line.strip().lower(), line).split()
    fields = (_field(minute, 0), _field(hour, 0), _field(day, 1), _field(month, 1))
    weekdays = _weekdays(weekday)
    if None in fields or weekdays is None:
        return []
    minutes, hours, days, months = fields
    time = f"{hours}:{minutes}:00"
    if weekdays and not (day.startswith("*") or weekday.startswith("*")):
        return [f"*-{months}-{days} {time}", f"{weekdays} *-{months}-* {time}"]
    return [f"{weekdays} *-{months}-{days} {time}".strip()]


def _field(text: str, first: int) -> str | None:
    """A field of cron as a calendar has it, its steps counted from its first value; None: it has none."""
    lowered = text.lower()
    for number, name in enumerate(_MONTHS, 1):
        lowered = lowered.replace(name, str(number))
    parts = lowered.split(",")
    if not all(map(_PART.fullmatch, parts)):
        return None
    return ",".join(re.sub(r"\A\*/", f"{first}/", part).replace("-", "..") for part in parts)


def _weekdays(text: str) -> str | None:
    """Days of the week by their names; empty for all of them, None where they cannot be said."""
    lowered = text.lower()
    for number, name in enumerate(_DAYS[:7]):
        lowered = lowered.replace(name.lower(), str(number))
    days: set[int] = set()
    for part in lowered.split(","):
        if not _PART.fullmatch(part):
            return None
        span, _, step = part.partition("/")
        first, dash, last = ("0", "-", "6") if span == "*" else span.partition("-")
        end = int(last) if dash else 6 if step else int(first)
        days |= {day % 7 for day in range(int(first), end + 1, int(step or 1))}
    names = [_DAYS[day] for day in sorted(days, key=lambda day: (day - 1) % 7)]
    if len(days) == 7:
        return ""
    is_row = len(days) > 2 and names == list(_DAYS[_DAYS.index(names[0], 1) :][: len(names)])
    return f"{names[0]}..{names[-1]}" if is_row else ",".join(names)
