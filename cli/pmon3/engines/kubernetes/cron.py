"""Expressions of cron as Kubernetes reads them, which is not in all as cron does.

Its days of the week end with 6, `7/2` would count from Sunday on, and there are no last or nth days. `*/2`
as a day is for cron every day that the step hits *and* the other field allows; for Kubernetes it is one *or*
the other.
"""

from __future__ import annotations

from datetime import datetime

from pmon3_schema.cron import MACROS

_ANY_TIME = datetime(2001, 1, 1)


class NotSayable(Exception):
    """An expression for which Kubernetes has no words; the text says why."""


def expression(text: str) -> str:
    """The same times in the words of Kubernetes. Raises NotSayable."""
    from cronsim import CronSim  # late: only schedules need it

    words = MACROS.get(text.strip().lower(), text).split()
    if any(mark in word for word in words[2:3] for mark in "Ll"):
        raise NotSayable("it knows no last days of a month")
    weekday = words[4]
    if "#" in weekday or any(item[-1:] in "Ll" for item in weekday.split(",")):
        raise NotSayable("it knows no last or nth days of a month")
    if weekday != "*" and words[2] != "*" and (weekday[0] == "*" or words[2][0] == "*"):
        raise NotSayable("it takes days of the month or of the week where both are said, never both at once")
    if not weekday.startswith("*") and any(mark in weekday for mark in "7/"):
        days = CronSim(f"0 0 * * {weekday}", _ANY_TIME).weekdays
        weekday = ",".join(map(str, sorted({day % 7 for day in days if isinstance(day, int)})))
    return " ".join([*words[:4], weekday])
