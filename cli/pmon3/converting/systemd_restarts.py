"""When systemd starts a service again and how it ends one, in the words of a manifest."""

from __future__ import annotations

from pmon3.converting import values
from pmon3.converting.drafts import Draft
from pmon3.converting.settings import NotCarried, Section, Setting
from pmon3.converting.systemd_tables import USUAL_BURST, USUAL_DELAY, USUAL_STOP, USUAL_WINDOW
from pmon3.converting.unit_values import ENDLESS, duration, span, statuses
from pmon3_schema.scalars import format_duration, parse_duration

_POLICIES = {"no": "never", "always": "always", "on-failure": "on-failure"}
_NARROWER = frozenset({"on-abnormal", "on-abort", "on-watchdog"})
_AS_GOOD_AS_ENDLESS = "365d"


def carry_restarts(draft: Draft, service: Section, unit: Section) -> None:
    """The restart policy with its delays and limits; what a unit does not say is written out."""
    setting = service.take("Restart")
    policy = _POLICIES.get(setting.value if setting is not None else "no")
    if policy is None and setting is not None:
        policy = _policy_of_others(service, setting)
    draft.put("restart.policy", policy, setting)
    _codes(draft, service)
    if policy == "never":
        reason = "with Restart=no nothing is started again"
        for key in (
            "RestartSec",
            "RestartSteps",
            "RestartMaxDelaySec",
            "StartLimitInterval",
            "StartLimitBurst",
        ):
            service.lose(key, reason, "remove it")
        for key in ("StartLimitIntervalSec", "StartLimitInterval", "StartLimitBurst"):
            unit.lose(key, reason, "remove it")
        return
    _delays(draft, service)
    _limits(draft, service, unit)


def _policy_of_others(service: Section, setting: Setting) -> str:
    if setting.value in _NARROWER:
        advice = "see `restart.no_restart_exit_codes`"
        service.books.lose(setting, "it is started again after every failure, exit codes too", advice)
        return "on-failure"
    if setting.value == "on-success":
        advice = "choose `always`, or `schedule` for what runs again and again"
        service.books.lose(setting, "a restart after success alone cannot be said", advice)
    else:
        service.books.lose(
            setting, f"{setting.value!r} is no restart policy", f"one of {', '.join(_POLICIES)}"
        )
    return "never"


def _codes(draft: Draft, service: Section) -> None:
    successes = [0]
    for key, field, codes in (
        ("SuccessExitStatus", "restart.success_exit_codes", successes),
        ("RestartPreventExitStatus", "restart.no_restart_exit_codes", list[int]()),
    ):
        given = service.every(key)
        for setting in given:
            try:
                numbers, signals = statuses(setting.value)
            except NotCarried as reason:
                service.books.lose(setting, reason.reason, reason.advice)
                continue
            codes += [number for number in numbers if number not in codes]
            for signal in signals:
                reason_ = "a process that a signal ended has failed, whichever it was"
                service.books.lose(setting, reason_, key=f"{key} {signal}")
        if given and codes != [0]:
            draft.put(field, codes, given[0])


def _delays(draft: Draft, service: Section) -> None:
    setting = service.take("RestartSec")
    delay = service.read("RestartSec", duration, USUAL_DELAY)
    draft.put("restart.delay", delay, setting)
    longest = service.take("RestartMaxDelaySec")
    most = service.read("RestartMaxDelaySec", duration, delay)
    draft.put("restart.max_delay", most, longest if longest is not None else setting)
    steps = service.take("RestartSteps")
    if steps is not None:
        service.books.lose(steps, "delays double up to the longest", "see `restart.max_delay`")
    draft.put("restart.jitter", 0)


def _limits(draft: Draft, service: Section, unit: Section) -> None:
    where = next(
        (
            section
            for section in (unit, service)
            if "StartLimitIntervalSec" in section or "StartLimitInterval" in section
        ),
        unit,
    )
    key = "StartLimitIntervalSec" if "StartLimitIntervalSec" in where else "StartLimitInterval"
    window = where.read(key, span, span(USUAL_WINDOW))
    burst_in = service if "StartLimitBurst" in service else unit
    burst = burst_in.read("StartLimitBurst", lambda value: values.whole(value, 0), USUAL_BURST)
    if window == 0 or burst == 0:
        draft.put("restart.max_failures", 0, where.take(key))
        return
    pause = parse_duration(draft.get("restart.delay", USUAL_DELAY))
    if (burst - 2) * pause > window:  # the first restart comes at once
        reason = "with this RestartSec so many starts do not come together"
        for key in ("StartLimitIntervalSec", "StartLimitInterval", "StartLimitBurst"):
            unit.lose(key, reason, "remove it")
            service.lose(key, reason, "remove it")
        return
    draft.put("restart.max_failures", burst, burst_in.take("StartLimitBurst"))
    endless = window == ENDLESS
    draft.put("restart.window", _AS_GOOD_AS_ENDLESS if endless else format_duration(window), where.take(key))


def carry_stops(draft: Draft, service: Section) -> None:
    """How it is asked to end, and how long it may take; 0 and infinity are no limit there."""
    setting = service.take("TimeoutStopSec") or service.take("TimeoutSec")
    if setting is not None and setting.key == "TimeoutStopSec" and not draft.has("ready.notify"):
        service.lose("TimeoutSec", "TimeoutStopSec counts, and a start has no limit", "remove it")
    if setting is None:
        draft.put("stop.timeout", USUAL_STOP)
    else:
        draft.carry_one(setting, "stop.timeout", _grace)
        if not draft.has("stop.timeout"):
            draft.put("stop.timeout", USUAL_STOP)
    mode = service.take("KillMode")
    if mode is None or mode.value == "control-group":
        return
    if mode.value == "process":
        draft.put("stop.kill_group", False, mode)
    elif mode.value == "mixed":
        service.books.lose(
            mode, "the signal that asks it to end goes to the whole tree", "see `stop.kill_group`"
        )
    elif mode.value == "none":
        draft.put("stop.kill_group", False, mode)
        service.books.lose(mode, "a stop ends the main program", "leave out what nothing may end")
    else:
        service.books.lose(
            mode, f"{mode.value!r} is no way to end a service", "control-group, mixed or process"
        )


def _grace(value: str) -> str:
    seconds = span(value)
    return _AS_GOOD_AS_ENDLESS if seconds in (0, ENDLESS) else format_duration(seconds)
