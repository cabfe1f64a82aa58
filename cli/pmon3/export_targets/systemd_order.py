"""What a process waits for, as the order and the needs of a unit.

Theory of operation: `After=` waits until the other unit is active. When that is, its `Type=` decides, not
who waits: for `exec` when it has been started, for `notify` (and after ExecStartPost=) when it is ready, for
`oneshot` when it has ended with success. What the condition of a dependency asks for beyond that is told. So
is what `Requires=` does and nobody has asked for: it spreads stops and restarts. Without `required` the order
is all that is meant, and `After=` alone says it.
"""

from __future__ import annotations

from collections.abc import Mapping

from pmon3.export_targets.leaving import Leaving, condition_of
from pmon3.export_targets.unit_text import Lines, unit_name
from pmon3_schema.process import ProcessSpec
from pmon3_schema.process_parts import Dependency

_WAITED_FOR = {
    "started": "has been started", "ready": "is ready", "completed": "has ended with success",
}  # fmt: skip
_ADVICE = {
    "ready": "let {} say it, by `ready.notify`",
    "completed": "declare {} as `type: oneshot`",
    "started": "",
}


def order_of(process: Leaving, others: Mapping[str, Leaving]) -> Lines:
    """The lines of `[Unit]` for its dependencies; `others`: all processes that are exported, by name."""
    lines: Lines = []
    for need in process.take("dependencies", ()):
        other = others.get(need.name)
        if other is None:
            process.lose("dependencies", f"{need.name} is not exported with it", "export both")
        else:
            _tell_condition(process, need, other.spec)
        unit = f"{unit_name(need.name)}.service"
        lines.append(("After", unit))
        if other is not None and other.spec.schedule.wanted:
            continue  # to need it would be to run it now
        if need.required:
            lines.append(("Requires", unit))
            what = "a stop" if need.restart else "a stop or restart"
            process.lose("dependencies", f"{what} of {need.name} spreads to it (Requires=)")
        elif need.restart:
            lines.append(("PartOf", unit))
            process.lose("dependencies", f"a stop of {need.name} spreads to it (PartOf=)")
    return lines


def _tell_condition(process: Leaving, need: Dependency, other: ProcessSpec) -> None:
    asked = condition_of(need, other)
    if other.schedule.wanted:
        if need.condition == "completed":
            process.lose("dependencies", f"{need.name} runs by its timer, and no run is waited for")
        return
    active = _active_when(other)
    if asked != active:
        why = f"systemd waits until {need.name} {_WAITED_FOR[active]}, not until it {_WAITED_FOR[asked]}"
        process.lose("dependencies", why, _ADVICE[asked].format(need.name))


def _active_when(other: ProcessSpec) -> str:
    if other.is_oneshot:
        return "completed"
    return "ready" if other.ready.notify or other.ready.delay else "started"
