"""Settings that do nothing beside another: each pair once, as a question to the spec.

Theory of operation: a `Pair` names fields that somebody wrote and says beside what they do nothing;
the answer is empty while they count. Only what is written is warned about, never a default. A field
that always counts has no line here; `tests/unit/schema/test_without_effect.py` wants to know for each
field of a process which of the two holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from signal import SIGKILL
from typing import NamedTuple

from pmon3_schema.probes import ProbeSpec
from pmon3_schema.process import ProcessSpec
from pmon3_schema.process_parts import RestartSpec
from pmon3_schema.scalars import format_duration

_MOST_FAILURES = 1000
"""Failures whose time is added up; more of them take longer still."""


class Pair(NamedTuple):
    """Fields, dotted, and what takes their effect away."""

    fields: tuple[str, ...]
    why: Callable[[ProcessSpec], str]
    """Such as ``beside `log` ``; empty: they count."""
    hint: str = "remove one of the two"


class IdleSetting(NamedTuple):
    """A field that is written and does nothing."""

    path: tuple[str, ...]
    message: str
    hint: str


def idle_settings(spec: ProcessSpec, written: Iterable[str]) -> Iterator[IdleSetting]:
    """The fields among those that are written, dotted, which do nothing; each once."""
    for name in written:
        for pair in _by_field().get(name, ()):
            why = pair.why(spec)
            if why:
                yield IdleSetting(tuple(name.split(".")), f"`{name}` has no effect {why}", pair.hint)
                break


@cache
def _by_field() -> dict[str, list[Pair]]:
    found: dict[str, list[Pair]] = {}
    for pair in PAIRS:
        for name in pair.fields:
            found.setdefault(name, []).append(pair)
    return found


def least_time(restart: RestartSpec, failures: int) -> float:
    """Seconds from the first of so many failures to the last, of a program that fails at once each time."""
    counted = range(1, min(failures, _MOST_FAILURES))
    return sum(map(restart.delay_after, counted)) * (1.0 - restart.jitter)


def _when(holds: Callable[[ProcessSpec], bool], why: str) -> Callable[[ProcessSpec], str]:
    return lambda spec: why if holds(spec) else ""


def _never_restarted(spec: ProcessSpec) -> str:
    if spec.policy != "never":
        return ""
    if spec.is_oneshot and spec.restart.policy == "always" and not spec.no_auto_restart:
        return "beside `type: oneshot`: it is not restarted unless that is said"
    return "beside `no_auto_restart`" if spec.no_auto_restart else "beside `restart.policy: never`"


def _never_reached(spec: ProcessSpec) -> str:
    restart = spec.restart
    least = least_time(restart, restart.max_failures)
    if least <= restart.window or restart.stable_after == 0:
        return ""
    return (
        f"on a program that fails at once: that takes {format_duration(max(1.0, round(least)))},"
        f" longer than `restart.window` ({format_duration(restart.window)})"
    )


def _is_completed_before(spec: ProcessSpec) -> bool:
    final, success = set(spec.restart.no_restart_exit_codes), set(spec.restart.success_exit_codes)
    return spec.policy == "on-failure" and bool(final) and final <= success


def _is_thrown_away(spec: ProcessSpec) -> bool:
    return spec.log == "/dev/null" and spec.stderr_log in ("", "/dev/null")


def _is_never_ready(spec: ProcessSpec) -> bool:
    ready = spec.ready
    asked = ready.kind not in ("", *_WITHOUT_TRIES)
    return asked and 0 < ready.deadline <= (ready.successes - 1) * ready.interval


def _ready_without_tries(spec: ProcessSpec) -> str:
    kind = spec.ready.kind
    return f"beside `ready.{kind}`" if kind in _WITHOUT_TRIES else ""


def _is_plain_http(probe: ProbeSpec) -> bool:
    return not probe.http.url.startswith("https:")


_WITHOUT_TRIES = ("delay", "log", "notify")
"""Kinds of probes that nobody has to ask again and again."""
_DELAYS = ("restart.delay", "restart.max_delay", "restart.jitter")
_AFTER_FAILURES = (
    *_DELAYS, "restart.stable_after", "restart.max_failures", "restart.window",
    "restart.no_restart_exit_codes",
)  # fmt: skip
_ROTATION = tuple(f"log_rotate.{name}" for name in ("size", "age", "keep", "total", "compress"))
_TRIES = ("ready.interval", "ready.timeout", "ready.successes", "ready.failures")
_NO_PATHS = _when(lambda spec: not spec.watch.paths, "without `watch.paths`")
_ADD, _HTTPS = "add it, or remove this", "remove it, or ask by https"

PAIRS: tuple[Pair, ...] = (
    Pair(("log_dir",), _when(lambda spec: bool(spec.log), "beside `log`")),
    Pair(
        ("stderr_log",),
        _when(
            lambda spec: bool(spec.log) and spec.stderr_log == spec.log, "beside `log`: it is the same file"
        ),
    ),
    Pair(_AFTER_FAILURES, _never_restarted, "remove it, or let it be restarted (`policy: on-failure`)"),
    Pair(
        ("no_auto_restart",),
        _when(lambda spec: spec.restart.policy == "never", "beside `restart.policy: never`"),
    ),
    Pair(
        ("restart.max_delay", "restart.jitter"),
        _when(lambda spec: spec.restart.delay == 0, "beside `restart.delay: 0`"),
    ),
    Pair(
        _DELAYS,
        _when(
            lambda spec: spec.restart.stable_after == 0,
            "beside `restart.stable_after: 0`: each run is stable, and the next restart immediate",
        ),
    ),
    Pair(
        ("restart.max_delay",),
        _when(lambda spec: spec.restart.max_delay < spec.restart.delay, "below `restart.delay`"),
        "raise it, or remove it",
    ),
    Pair(
        ("restart.window",),
        _when(lambda spec: not spec.restart.max_failures, "without `restart.max_failures`"),
        _ADD,
    ),
    Pair(
        ("restart.above_memory",),
        _when(lambda spec: spec.is_oneshot, "beside `type: oneshot`: it would begin its work again"),
        "see `limits.memory`",
    ),
    Pair(("restart.max_failures",), _never_reached, "lengthen `window`, or shorten `delay` and `max_delay`"),
    Pair(
        ("restart.no_restart_exit_codes",),
        _when(_is_completed_before, "beside `restart.success_exit_codes`, which has them all"),
    ),
    Pair(("stop.timeout",), _when(lambda spec: spec.stop.signal == SIGKILL, "beside `stop.signal: SIGKILL`")),
    Pair(
        ("stop.signal",),
        _when(lambda spec: spec.stop.timeout == 0, "beside `stop.timeout: 0`: SIGKILL follows at once"),
    ),
    Pair(("schedule.timezone",), _when(lambda spec: bool(spec.schedule.every), "beside `schedule.every`")),
    Pair(
        ("hooks.timeout",),
        _when(
            lambda spec: not any((spec.hooks.pre_start, spec.hooks.post_stop, spec.hooks.on_failure)),
            "without a hook",
        ),
        _ADD,
    ),
    Pair(
        ("rollout.max_parallel", "rollout.min_ready", "rollout.pause"),
        _when(lambda spec: spec.replicas is None, "without `replicas`"),
        _ADD,
    ),
    Pair(("watch.ignore", "watch.debounce"), _NO_PATHS, _ADD),
    Pair(
        ("on_change",),
        lambda spec: _NO_PATHS(spec) if spec.on_change in ("reload", "signal") else "",
        "say in `watch.paths` what changes, or remove it",
    ),
    Pair(
        ("reload.timeout",),
        _when(lambda spec: not spec.reload.command, "without `reload.command`"),
        _ADD,
    ),
    Pair(
        ("reload.signal",),
        _when(
            lambda spec: bool(spec.reload.command) and spec.on_change != "signal", "beside `reload.command`"
        ),
        "say `on_change: signal`, or remove it",
    ),
    Pair(
        _ROTATION,
        _when(lambda spec: not spec.log_rotate.wanted, "without `log_rotate.size` or `log_rotate.age`"),
        "add one of them, or remove this",
    ),
    Pair(_ROTATION, _when(_is_thrown_away, "beside `log: /dev/null`")),
    Pair(
        ("log_rotate.compress",),
        _when(
            lambda spec: spec.log_rotate.compress and spec.log_rotate.keep == 1,
            "beside `log_rotate.keep: 1`: the newest is not compressed",
        ),
    ),
    Pair(_TRIES, _ready_without_tries, "remove it"),
    Pair(("ready.deadline",), _when(lambda spec: spec.ready.kind == "delay", "beside `ready.delay`")),
    Pair(
        ("ready.successes",),
        _when(_is_never_ready, "beside `ready.deadline`, which is over before so many tries"),
        "lengthen `deadline`, or shorten `interval`",
    ),
    Pair(("live.timeout",), _when(lambda spec: spec.live.kind == "notify", "beside `live.notify`")),
    Pair(("ready.http.insecure",), _when(lambda spec: _is_plain_http(spec.ready), "without https"), _HTTPS),
    Pair(("live.http.insecure",), _when(lambda spec: _is_plain_http(spec.live), "without https"), _HTTPS),
    Pair(
        ("sandbox.writable",),
        _when(lambda spec: not spec.sandbox.read_only, "without `sandbox.read_only`"),
        _ADD,
    ),
    Pair(
        ("renamed_from",),
        _when(lambda spec: spec.renamed_from == spec.name, "beside `name`, which is the same"),
        "name what it was called before, or remove it",
    ),
)
"""The first that has something to say about a field is the one that does."""
