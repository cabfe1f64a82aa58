"""What makes one process that is there what a manifest says: at most one step, or two where it is renamed.

The costs of changed fields are declared on the fields; here it is decided what of them is due now. A
restart that was put off counts as a difference until it has happened: its step names what the running
program is still without, not what was last edited.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from pmon3_schema.effect import Effect
from pmon3_schema.equivalence import ImpliedValues, put_like
from pmon3_schema.process import ProcessSpec
from pmon3_schema.revision import SpecChange, changes, revision, strongest
from pmond.core.step import ADOPT, MOVE, RESTART, START, UPDATE, CompareOptions, Existing, Step


def steps_of_move(present: Existing, spec: ProcessSpec, options: CompareOptions) -> Iterator[Step]:
    """It gets its new name first, whatever else changes; a restart that is due comes after that."""
    old = present.spec.name
    causes = (f"it was called {old}",)
    renamed = present._replace(spec=replace(present.spec, name=spec.name))
    spec = put_like(spec, renamed.spec, options.implied)
    step = step_for(renamed, spec, options)
    if step is None:
        yield Step(MOVE, spec.name, Effect.NONE.value, (), causes, spec, moved_from=old)
    elif step.action in (RESTART, START):
        yield Step(MOVE, spec.name, Effect.NONE.value, (), causes, spec, moved_from=old)
        yield step
    else:
        yield replace(step, action=MOVE, causes=(*causes, *step.causes), moved_from=old)


def step_for(present: Existing, spec: ProcessSpec, options: CompareOptions) -> Step | None:
    """What makes a process that is there what `spec` says; None where it is that already.

    What does not run, having failed perhaps, is tried anew with a spec that it never ran with.

    `spec` is worded as the present one is (`put_like`), so that all that differs means something else.
    """
    found = tuple(changes(present.spec, spec))
    taken = (f"taken over from {present.owner}",) if present.owner != options.owner else ()
    stays = spec.on_change == "none"
    starts = _why_start(present, spec, found)
    if starts:
        return Step(START, spec.name, "start", found, (*taken, *_causes(found), starts), spec)
    why = _why_restart(present, spec, found, options)
    if why is not None:
        found = _brought_by_restart(present, spec, found, options)
        return Step(RESTART, spec.name, "restart", found, (*taken, *_causes(found), *why), spec)
    if not found:
        return Step(ADOPT, spec.name, Effect.NONE.value, (), taken, spec) if taken else None
    effect, causes = strongest(found), (*taken, *_causes(found))
    if effect is Effect.RESTART and present.runs == revision(spec):
        effect, causes = Effect.NONE, (*causes, "it runs like that already")
    elif present.behind and not stays and effect is not Effect.RESTART:
        effect, causes = Effect.RELOAD, (*causes, "a file that it watches changed")
    elif effect is Effect.RESTART and present.running:
        causes = (*causes, "waits for the next start" + (" (on_change: none)" if stays else ""))
    return Step(UPDATE, spec.name, effect.value, found, causes, spec)


def _why_start(present: Existing, spec: ProcessSpec, found: Sequence[SpecChange]) -> str:
    """Why something that is declared and does not run is started; empty where it is not."""
    if present.running or present.held or not spec.autostart or spec.schedule.wanted:
        return ""
    if present.staged:
        return "it was declared, and not started yet"
    return "it does not run" if strongest(found) is Effect.RESTART else ""


def _why_restart(
    present: Existing, spec: ProcessSpec, found: Sequence[SpecChange], options: CompareOptions
) -> tuple[str, ...] | None:
    """Why it is restarted, besides the fields that changed; None where it is not."""
    if not present.running or spec.schedule.wanted:  # its next run is one of what is declared now
        return None
    if spec.name in options.forced:
        return ("a restart was asked for",)
    due = strongest(found) is Effect.RESTART
    if due and present.runs == revision(spec):
        return None
    if present.behind and found and spec.on_change == "restart":
        return ("a file that it watches changed",)
    if not options.restart or spec.on_change == "none":
        return None
    if present.outdated:
        return ("it runs with an earlier spec",)
    return () if due else None


def pending(earlier: ProcessSpec | None, spec: ProcessSpec, implied: ImpliedValues) -> tuple[SpecChange, ...]:
    """What a program that runs with an earlier spec is still without; nothing where that is not known."""
    if earlier is None:
        return ()
    found = changes(earlier, put_like(spec, earlier, implied))
    return tuple(change for change in found if change.effect is Effect.RESTART)


def _brought_by_restart(
    present: Existing, spec: ProcessSpec, found: tuple[SpecChange, ...], options: CompareOptions
) -> tuple[SpecChange, ...]:
    """What a restart brings: what is declared now, and what was put off before."""
    missing = pending(present.earlier, spec, options.implied)
    if not missing:
        return found
    return (*missing, *(change for change in found if change.effect is not Effect.RESTART))


def _causes(found: Iterable[SpecChange]) -> Iterator[str]:
    return (f"{change.path} changed" for change in found)
