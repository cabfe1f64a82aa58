"""A timer of systemd as the schedule of the process that it starts."""

from __future__ import annotations

from pmon3.converting.drafts import Draft
from pmon3.converting.settings import Books, NotCarried, Place, Section, Setting
from pmon3.converting.systemd_calendar import cron_of
from pmon3.converting.systemd_tables import LISTS, TRUTH, WHY, why
from pmon3.converting.unit_files import Unit, effective
from pmon3.converting.unit_values import duration, span

_AT_START = ("OnBootSec", "OnStartupSec", "OnActiveSec")
_EVERY = ("OnUnitActiveSec", "OnUnitInactiveSec")


def carry_timer(draft: Draft, unit: Unit, file: str, books: Books) -> None:
    """Give a process the schedule of its timer; what a schedule cannot say is told."""
    timer = Section("Timer", Place(file, 1), effective(unit.get("Timer", []), LISTS), books)
    timer.take("Unit")
    _calendar(draft, timer)
    _intervals(draft, timer)
    persistent = timer.take("Persistent")
    if persistent is not None and timer.read("Persistent", TRUTH, False):
        draft.put("schedule.catch_up", "one", persistent)
    jitter = timer.take("RandomizedDelaySec")
    if jitter is not None:
        draft.carry_one(jitter, "schedule.jitter", duration)
    for section, settings in unit.items():
        rest = timer if section == "Timer" else Section(section, Place(file, 1), settings, books)
        if section == "Unit":
            rest.take("Description")
        if section == "Install":
            rest.every("WantedBy")
        rest.close({key: reason for key in rest.keys if (reason := why(key) or WHY.get(key))})


def _calendar(draft: Draft, timer: Section) -> None:
    first, *others = timer.every("OnCalendar") or (None,)
    if first is None:
        return
    try:
        line, zone = cron_of(first.value)
        draft.put("schedule.cron", line, first)
        draft.put("schedule.timezone", zone, first)
    except NotCarried as reason:
        timer.books.lose(first, reason.reason, reason.advice)
    for setting in others:
        assert setting is not None
        timer.books.lose(setting, "a process has one schedule", "declare it twice, under two names")


def _intervals(draft: Draft, timer: Section) -> None:
    given = [setting for key in _EVERY for setting in timer.every(key)]
    for number, setting in enumerate(given):
        if draft.has("schedule.cron") or number:
            timer.books.lose(setting, "a process has one schedule", "declare it twice, under two names")
        else:
            draft.carry_one(setting, "schedule.every", duration)
    for key in _AT_START:
        for setting in timer.every(key):
            if not _is_first_of(draft.get("schedule.every"), setting):
                _at_start(draft, timer, setting)


def _is_first_of(every: str | None, setting: Setting) -> bool:
    """Whether it is one interval after the start, when the first run comes here."""
    try:
        return every is not None and duration(setting.value) == every
    except NotCarried:
        return False


def _at_start(draft: Draft, timer: Section, setting: Setting) -> None:
    draft.put("schedule.at_start", True, setting)
    try:
        if span(setting.value) > 0:
            reason = "the first run comes as soon as pmond has started"
            timer.books.lose(setting, reason, "let the program wait")
    except NotCarried as wrong:
        timer.books.lose(setting, wrong.reason, wrong.advice)
