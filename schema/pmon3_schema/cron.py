"""Cron expressions and time zones: when, after a moment, is the next time that is meant.

Theory of operation: an expression says local times, so times are found by the local calendar, without a zone
(`cronsim`, which reads them as Vixie cron does), and each is then brought to the one moment that it means:

* A local time that there is once is that moment.
* One that is skipped (clocks go forward) is the moment of the change, however many are skipped.
* One that comes twice (clocks go back) is the first of the two.

So a job of each night runs each night once, whatever clocks do. The other side of that: what is meant every
minute rests for the hour that comes twice. What an interval is meant to be says `every`.

Both libraries are imported when the first expression is looked at: most pmonds never do.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cronsim import CronSim

MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
"""Words for whole expressions, in any case."""
_FIELDS = 5
_LONGEST = 500
"""Characters of an expression."""
_LEAP_YEARS = datetime(2001, 1, 1)
_MOST_LOOKED_AT = 100_000
"""Times passed over because they came before the moment: a day of minutes that comes twice has 1,440."""


def check_cron(text: str) -> None:
    """Raises ValueError, with what to do, for what is no expression, or means no time at all."""
    next_local = next(_times(text, _LEAP_YEARS), None)
    if next_local is None:
        raise ValueError(f"{text!r} never comes: there is no such date")


def check_zone(name: str) -> None:
    """Raises ValueError for what is no time zone here."""
    _zone(name)


def next_after(expression: str, zone: str, after: float) -> float | None:
    """The first moment after that one, in seconds of the epoch, which is meant; None: there is none.

    `zone`: a name such as Europe/Berlin; empty: the zone of the machine. Raises ValueError.
    """
    where = _zone(zone)
    try:
        begin = datetime.fromtimestamp(after, where).replace(tzinfo=None, fold=0)
        for count, local in enumerate(_times(expression, begin)):
            moment = _moment(local, where)
            if moment > after:
                return moment
            if count > _MOST_LOOKED_AT:
                return None
    except (OverflowError, OSError):  # beyond the calendar
        return None
    return None


def _times(text: str, after: datetime) -> Iterator[datetime]:
    """Local times that are meant, from the one after `after` on. Raises ValueError."""
    found = _parsed(text, after)
    while True:
        try:
            yield next(found)
        except (StopIteration, OverflowError, ValueError):  # the calendar ends
            return


def _parsed(text: str, after: datetime) -> CronSim:
    from cronsim import CronSim, CronSimError

    words = text.strip().lower()
    if words == "@reboot":
        raise ValueError("there is no @reboot (write `at_start: true`)")
    fields = MACROS.get(words, words).split()
    if len(text) > _LONGEST or len(fields) != _FIELDS:
        said = "six, with seconds (write `every`)" if len(fields) == _FIELDS + 1 else str(len(fields))
        raise ValueError(f"a cron expression has five fields, not {said}: minute hour day month weekday")
    try:
        return CronSim(" ".join(fields), after)
    except CronSimError as error:
        if "day-of-month" in str(error) and fields[2].replace(",", "").isdigit():
            raise ValueError(f"{text!r} never comes: there is no such date") from None
        raise ValueError(f"{text!r} is no cron expression: {_plain(str(error))}") from None


def _plain(error: str) -> str:
    return f"its {error.removeprefix('Bad ')} is wrong"


@lru_cache(maxsize=64)
def _zone(name: str) -> tzinfo | None:
    """The zone of a name; None: the machine's."""
    if not name:
        return None
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone (write one as Europe/Berlin, or UTC)") from None


def _moment(local: datetime, zone: tzinfo | None) -> float:
    """The one moment that a local time means."""
    first, second = _stamp(local, zone, 0), _stamp(local, zone, 1)
    if first == second or _local(first, zone) == local:
        return first
    return _change_between(min(first, second), max(first, second), zone)


def _change_between(before: float, after: float, zone: tzinfo | None) -> float:
    """The moment at which clocks were changed: the first at which their distance from UTC is the new one."""
    low, high = int(before), int(after)
    old = _distance(low, zone)
    while high - low > 1:
        middle = (low + high) // 2
        if _distance(middle, zone) == old:
            low = middle
        else:
            high = middle
    return float(high)


def _stamp(local: datetime, zone: tzinfo | None, fold: int) -> float:
    return local.replace(tzinfo=zone, fold=fold).timestamp()


def _local(moment: float, zone: tzinfo | None) -> datetime:
    return datetime.fromtimestamp(moment, zone).replace(tzinfo=None, fold=0)


def _distance(moment: int, zone: tzinfo | None) -> object:
    return datetime.fromtimestamp(moment, zone).astimezone(zone).utcoffset()
