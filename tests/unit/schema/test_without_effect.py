"""Of each pair whose one value undoes the other, the one that does nothing is warned about."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from pmon3_schema.diagnostics import Diagnostic
from pmon3_schema.fields import FieldStruct
from pmon3_schema.manifest import ManifestFile, read
from pmon3_schema.process import ProcessSpec
from pmon3_schema.process_parts import RestartSpec
from pmon3_schema.without_effect import PAIRS, least_time

WEB = {"file": "/bin/web", "name": "web"}
HTTP = {"http": "http://127.0.0.1:80/"}


def warnings(**fields: Any) -> list[Diagnostic]:
    return warnings_of({**WEB, **fields})


def warnings_of(*entries: dict[str, Any]) -> list[Diagnostic]:
    reading = read([ManifestFile("/etc/p.json", json.dumps({"processes": entries}).encode())])
    assert reading.ok, reading.diagnostics
    assert {found.code for found in reading.diagnostics} <= {"PM041"}
    return list(reading.diagnostics)


IDLE: list[tuple[dict[str, Any], str, str]] = [
    ({"schedule": {"every": "1h", "timezone": "UTC"}}, "schedule.timezone", "beside `schedule.every`"),
    ({"type": "oneshot", "restart": {"delay": "1s"}}, "restart.delay", "`type: oneshot`"),
    ({"hooks": {"timeout": "1s"}}, "hooks.timeout", "without a hook"),
    ({"log": "/l", "log_dir": "/d"}, "log_dir", "beside `log`"),
    ({"log": "/l", "stderr_log": "/l"}, "stderr_log", "same file"),
    ({"restart": {"policy": "never", "delay": "1s"}}, "restart.delay", "policy: never"),
    ({"restart": {"policy": "never", "max_failures": 3}}, "restart.max_failures", "policy: never"),
    ({"restart": {"policy": "never", "stable_after": 3}}, "restart.stable_after", "policy: never"),
    ({"no_auto_restart": True, "restart": {"jitter": 0.5}}, "restart.jitter", "no_auto_restart"),
    ({"no_auto_restart": False, "restart": {"policy": "never"}}, "no_auto_restart", "policy: never"),
    ({"no_auto_restart": True, "restart": {"window": 9}}, "restart.window", "beside `no_auto_restart`"),
    ({"restart": {"delay": 0, "max_delay": 5}}, "restart.max_delay", "delay: 0"),
    ({"restart": {"delay": 0, "jitter": 0.5}}, "restart.jitter", "delay: 0"),
    ({"restart": {"delay": "6s", "stable_after": 0}}, "restart.delay", "stable_after: 0"),
    ({"restart": {"delay": "6s", "max_delay": "2s"}}, "restart.max_delay", "below `restart.delay`"),
    ({"restart": {"window": "5m"}}, "restart.window", "without `restart.max_failures`"),
    ({"restart": {"max_failures": 15}}, "restart.max_failures", "window"),
    ({"restart": {"max_failures": 3, "delay": "2m"}}, "restart.max_failures", "takes 1m48s, longer than"),
    (
        {"restart": {"policy": "on-failure", "no_restart_exit_codes": [0]}},
        "restart.no_restart_exit_codes",
        "success_exit_codes",
    ),
    ({"stop": {"signal": "KILL", "timeout": "5s"}}, "stop.timeout", "SIGKILL"),
    ({"stop": {"signal": "INT", "timeout": 0}}, "stop.signal", "timeout: 0"),
    ({"watch": {"ignore": ["x"]}}, "watch.ignore", "without `watch.paths`"),
    ({"watch": {"debounce": "1s"}}, "watch.debounce", "without `watch.paths`"),
    ({"on_change": "signal"}, "on_change", "without `watch.paths`"),
    ({"reload": {"signal": "USR1", "command": "/r"}}, "reload.signal", "reload.command"),
    (
        {"watch": {"paths": ["/f"]}, "on_change": "signal", "reload": {"timeout": "1s"}},
        "reload.timeout",
        "reload.command",
    ),
    ({"log_rotate": {"keep": 3}}, "log_rotate.keep", "without `log_rotate.size`"),
    ({"log_rotate": {"compress": True}}, "log_rotate.compress", "without `log_rotate.size`"),
    ({"log": "/dev/null", "log_rotate": {"size": "1MiB"}}, "log_rotate.size", "/dev/null"),
    ({"log_rotate": {"size": "1MiB", "keep": 1, "compress": True}}, "log_rotate.compress", "keep: 1"),
    ({"ready": {"delay": "5s", "deadline": "1s"}}, "ready.deadline", "ready.delay"),
    ({"ready": {"log": "up", "interval": "1s"}}, "ready.interval", "ready.log"),
    ({"ready": {"notify": True, "successes": 2}}, "ready.successes", "ready.notify"),
    ({"ready": {"exec": "/c", "successes": 5, "interval": "20s"}}, "ready.successes", "ready.deadline"),
    ({"live": {"notify": True, "timeout": "1s"}}, "live.timeout", "live.notify"),
    ({"live": {"http": {"url": "http://h/", "insecure": True}}}, "live.http.insecure", "without https"),
    ({"type": "oneshot", "restart": {"above_memory": "1GiB"}}, "restart.above_memory", "oneshot"),
    ({"sandbox": {"writable": ["/srv"]}}, "sandbox.writable", "without `sandbox.read_only`"),
    ({"rollout": {"max_parallel": 2}}, "rollout.max_parallel", "without `replicas`"),
    ({"rollout": {"min_ready": "1s"}}, "rollout.min_ready", "without `replicas`"),
    ({"rollout": {"pause": "1s"}}, "rollout.pause", "without `replicas`"),
    ({"renamed_from": "web"}, "renamed_from", "`name`"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "path", "why"), IDLE)
def test_what_does_nothing_beside_another_is_said(fields: dict[str, Any], path: str, why: str) -> None:
    (found,) = warnings(**fields)
    assert found.message.startswith(f"`{path}` has no effect") and why in found.message
    assert found.path == f"/processes/web/{path.replace('.', '/')}"
    assert found.hint and not found.is_error


@pytest.mark.parametrize(
    "fields",
    [
        {"log": "/l", "stderr_log": "/e"},
        {"log_dir": "/d", "stderr_log": "/e"},
        {"restart": {"policy": "never", "success_exit_codes": [0, 3]}},
        {"no_auto_restart": True},
        {"restart": {"delay": "5m"}},
        {"restart": {"delay": "6s", "max_delay": "6s"}},
        {"restart": {"max_failures": 5, "window": "5m"}},
        {"restart": {"max_failures": 15, "stable_after": 0}},
        {"restart": {"max_failures": 10, "jitter": 0}},
        {"restart": {"policy": "always", "no_restart_exit_codes": [0]}},
        {"stop": {"signal": "INT", "timeout": "1s"}},
        {"watch": {"paths": ["/f"], "ignore": "x"}, "on_change": "reload", "reload": {"command": "/r"}},
        {"on_change": "none"},
        {"reload": {"signal": "USR1"}},
        {"reload": {"command": "/r", "timeout": "1s"}},
        {"log_rotate": {"age": "1d", "keep": 3}},
        {"ready": {**HTTP, "successes": 5}, "live": {**HTTP, "timeout": "1s"}},
        {"ready": {"log": "up", "deadline": "5m"}},
        {"live": {"notify": True, "interval": "30s"}},
        {"renamed_from": "old"},
        {"type": "oneshot", "restart": {"max_failures": 3, "delay": "1s"}},
        {"hooks": {"pre_start": ["/x"], "timeout": "1s"}},
        {"rollout": {"on_failure": "rollback"}},
        {"replicas": 3, "rollout": {"max_parallel": 2, "min_ready": "1s", "pause": "1s"}},
    ],
)  # fmt: skip
def test_what_counts_is_not_warned_about(fields: dict[str, Any]) -> None:
    assert warnings(**fields) == []


def test_an_earlier_name_that_is_declared_too_moves_nothing() -> None:
    old = {**WEB, "name": "old"}
    (found,) = warnings_of(old, {**WEB, "renamed_from": "old"})
    assert found.message == "`renamed_from` has no effect: `old` is declared too"


def test_a_default_is_never_warned_about() -> None:
    assert warnings(restart={"policy": "never"}) == []
    assert warnings(no_auto_restart=True, stop={"signal": "KILL"}) == []


def test_the_least_time_of_failures_is_that_of_their_delays() -> None:
    restart = RestartSpec(jitter=0.0, delay=1.0, max_delay=4.0)
    assert [least_time(restart, failures) for failures in range(1, 7)] == [0.0, 0.0, 1.0, 3.0, 7.0, 11.0]
    assert least_time(RestartSpec(jitter=0.5, delay=1.0), 4) == 1.5


COUNT_BY_THEMSELVES = """
    file name args env_vars user log dependencies groups cwd env_file env_inherit argv0 umask priority
    limits.nofile limits.memory limits.cpu_seconds limits.core limits.nproc
    autostart restart.policy restart.success_exit_codes stop.kill_group exit_on_end watch.paths
    ready.exec ready.http.url ready.http.method ready.http.headers ready.http.status ready.http.body
    ready.tcp ready.notify ready.log ready.delay reload.command
    live.exec live.http.url live.http.method live.http.headers live.http.status live.http.body
    live.tcp live.notify live.interval live.failures live.start_period
    description labels profiles prune
    schedule.cron schedule.every schedule.overlap schedule.catch_up schedule.jitter schedule.at_start
    resources.memory_max resources.memory_high resources.cpu resources.cpu_weight resources.tasks_max
    resources.io_weight
    sandbox.no_new_privileges sandbox.capabilities sandbox.private_tmp sandbox.read_only sandbox.hidden
    sandbox.network
    type max_runtime hooks.pre_start hooks.post_stop hooks.on_failure replicas rollout.on_failure
    container.image container.ports container.pull_policy
"""
"""Fields that no other setting can take the effect of."""


def leaves(declared: type[FieldStruct], before: str = "") -> Iterator[str]:
    for name, field in declared.declared.items():
        if field.inner is not None:
            yield from leaves(field.inner, f"{before}{name}.")
        else:
            yield f"{before}{name}"


def test_of_each_field_it_is_known_whether_another_can_undo_it() -> None:
    """A new field belongs into `PAIRS`, or into the list here."""
    paired = {name for pair in PAIRS for name in pair.fields}
    alone = set(COUNT_BY_THEMSELVES.split())
    assert set(leaves(ProcessSpec)) == paired | alone
    assert not paired & alone
