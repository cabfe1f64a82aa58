"""`OnCalendar=` of a timer as a cron line, where a cron line can say it."""

from __future__ import annotations

import re

from pmon3.converting.settings import NotCarried

_WORDS = {
    "minutely": "* * * * *", "hourly": "0 * * * *", "daily": "0 0 * * *", "monthly": "0 0 1 * *",
    "weekly": "0 0 * * 1", "yearly": "0 0 1 1 *", "annually": "0 0 1 1 *", "quarterly": "0 0 1 1,4,7,10 *",
    "semiannually": "0 0 1 1,7 *",
}  # fmt: skip
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_ZONE = re.compile(r"\s(UTC|[A-Z][A-Za-z_]+(?:/[A-Za-z_+-]+)+)\Z")
_PART = re.compile(r"(?P<first>\*|[0-9]+)(?:\.\.(?P<last>[0-9]+))?(?:/(?P<step>[0-9]+))?\Z")


def cron_of(calendar: str) -> tuple[str, str]:
    """The cron line and the time zone (empty: that of the machine). Raises NotCarried."""
    text = calendar.strip()
    zone = _ZONE.search(text)
    timezone = zone[1] if zone else ""
    text = text[: zone.start()].strip() if zone else text
    if text.lower() in _WORDS:
        return _WORDS[text.lower()], timezone
    days, date, time = _parts(text)
    year, month, day = _date(date)
    if year != "*":
        raise NotCarried("a year cannot be said", "leave it out")
    hour, minute, second = _time(time)
    if second not in ("0", "00", "00.0"):
        raise NotCarried("seconds cannot be said", "choose a full minute")
    weekdays = _weekdays(days)
    fields = (_field(minute, 59), _field(hour, 23), _field(day, 31), _field(month, 12), weekdays)
    if fields[2] != "*" and weekdays != "*":
        raise NotCarried(
            "a day that is both of the month and of the week cannot be said", "write two schedules"
        )
    return " ".join(fields), timezone


def _parts(text: str) -> tuple[str, str, str]:
    days, date, time = "*", "*-*-*", "0:0:0"
    for word in text.split():
        if re.match(r"[A-Za-z]", word):
            days = word
        elif ":" in word:
            time = word
        elif "-" in word or "~" in word:
            date = word
        else:
            raise NotCarried(f"{word!r} is no part of a calendar")
    return days, date, time


def _date(date: str) -> tuple[str, str, str]:
    if "~" in date:
        raise NotCarried("days from the end of the month cannot be said")
    parts = date.split("-")
    if len(parts) not in (2, 3):
        raise NotCarried(f"{date!r} is no date")
    return ("*", *parts) if len(parts) == 2 else (parts[0], parts[1], parts[2])  # type: ignore[return-value]


def _time(time: str) -> tuple[str, str, str]:
    parts = time.split(":")
    if len(parts) not in (2, 3):
        raise NotCarried(f"{time!r} is no time of day")
    return parts[0], parts[1], parts[2] if len(parts) == 3 else "0"


def _field(text: str, most: int) -> str:
    return ",".join(_one(part, most) for part in text.split(","))


def _one(part: str, most: int) -> str:
    found = _PART.match(part)
    if found is None:
        raise NotCarried(f"{part!r} is no part of a calendar")
    first = found["first"] if found["first"] == "*" else str(int(found["first"]))
    span = f"{first}-{int(found['last'])}" if found["last"] else first
    if not found["step"]:
        return span
    if not found["last"] and first != "*":
        span = f"{first}-{most}"  # from there on
    return f"{span}/{int(found['step'])}" if span != f"0-{most}" else f"*/{int(found['step'])}"


def _weekdays(text: str) -> str:
    if text == "*":
        return "*"
    found = []
    for part in text.split(","):
        first, dots, last = part.partition("..")
        if not dots:
            found.append(str(_day(first)))
        else:
            start, end = _day(first), _day(last)
            found.append(f"{start}-{end if end >= start else end + 7}")
    return ",".join(found)


def _day(name: str) -> int:
    if name[:3].lower() not in _DAYS:
        raise NotCarried(f"{name!r} is no day of the week")
    return _DAYS.index(name[:3].lower())
