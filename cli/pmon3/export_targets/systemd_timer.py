"""The schedule of a process as a timer of systemd."""

from __future__ import annotations

import re

from pmon3.export_targets.leaving import Leaving
from pmon3_schema.scalars import format_duration

_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAMED = {
    "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
}  # fmt: skip


def timer_of(process: Leaving) -> dict[str, list[tuple[str, str]]]:
    """The sections of its timer; none where it has no schedule."""
    line, every = process.take("schedule.cron", ""), process.take("schedule.every")
    if not line and not every:
        return {}
    timer: list[tuple[str, str]] = []
    if line:
        zone = process.take("schedule.timezone", "")
        timer += [("OnCalendar", f"{calendar} {zone}".strip()) for calendar in calendars(line)]
    if every:
        timer += [("OnBootSec", format_duration(every)), ("OnUnitActiveSec", format_duration(every))]
    if process.take("schedule.at_start"):
        timer.append(("OnActiveSec", "0"))
    timer += [("Persistent", "true")] if process.take("schedule.catch_up") == "one" else []
    jitter = process.take("schedule.jitter")
    timer += [("RandomizedDelaySec", format_duration(jitter))] if jitter else []
    process.lose_if_said("a run that is due while one is going on is left out", "schedule.overlap")
    unit = [("Description", f"When {process.name} runs")]
    return {"Unit": unit, "Timer": timer, "Install": [("WantedBy", "timers.target")]}


def calendars(line: str) -> list[str]:
    """A cron line as calendars of systemd; two where it names days of the month and of the week."""
    minute, hour, day, month, weekday = _NAMED.get(line.strip().lower(), line).split()
    time = f"{_field(hour, 0)}:{_field(minute, 0)}:00"
    days = "" if weekday == "*" else ",".join(_weekday(part) for part in weekday.split(",")) + " "
    if days and day != "*":  # cron runs on either
        return [f"*-{_field(month, 1)}-{_field(day, 1)} {time}", f"{days}*-{_field(month, 1)}-* {time}"]
    return [f"{days}*-{_field(month, 1)}-{_field(day, 1)} {time}"]


def _field(text: str, first: int) -> str:
    """A field of cron: its ranges and steps as a calendar has them, counted from its first value."""
    lowered = text.lower()
    for number, name in enumerate(_MONTHS, 1):
        lowered = lowered.replace(name, str(number))
    return ",".join(re.sub(r"^\*/", f"{first}/", part).replace("-", "..") for part in lowered.split(","))


def _weekday(part: str) -> str:
    first, dash, last = part.partition("-")
    return f"{_day(first)}..{_day(last)}" if dash else _day(first)


def _day(word: str) -> str:
    return _DAYS[int(word)] if word.isdigit() else word[:3].capitalize()
