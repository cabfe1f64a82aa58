"""`wait`: until processes are in a state."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pmon3 import exit_codes, options, output, waiting
from pmon3.address import connect
from pmon3.client import Client
from pmon3.names import query
from pmon3_schema import goals
from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.status import DELETED


def command(
    references: options.References = None,
    groups: options.Groups = None,
    labels: options.Labels = None,
    until: Annotated[
        list[str] | None,
        typer.Option(
            "--for",
            metavar="CONDITION",
            help="ready (by default), stopped, completed, exited[=CODE], deleted, synced or "
            "condition=TYPE[=STATUS] (with --set of the set itself, where sets have it); repeatable.",
        ),
    ] = None,
    any_of: Annotated[bool, typer.Option("--any/--all", help="One of the conditions is enough.")] = False,
    set_name: Annotated[
        str | None, typer.Option("--set", metavar="SET", help="This set, and all of its processes.")
    ] = None,
    timeout: options.Timeout = "60s",
    shape: options.Output = options.OutputFormat.TABLE,
) -> int:
    """Wait until processes are in a state.

    Exit code 1 when that cannot happen any more, with the reason and the end of the log; 4 when the
    time is over. A one-shot that completed is ready.
    """
    goal = _goal(until or [waiting.READY], any_of, of_set=bool(set_name))
    text = goals.joined(until or [waiting.READY], any_of)
    wait_options = waiting.WaitOptions(options.seconds(timeout))
    every: dict[str, Any] = {"refs": [], "groups": [], "labels": {}}
    chosen = every if set_name and not references else options.selection(references, groups, labels)
    client = connect()
    if set_name and not goal.part(of_set=False).conditions:
        return _wait_for_set(client, options.set_reference(set_name), text, wait_options, shape)
    try:
        if set_name:
            set_name = _accepted_set(client, set_name, goal)
        processes = client.get("/v1/processes", query(chosen))
    except PmonError as error:
        if error.code is ErrorCode.NOT_FOUND and until == [waiting.DELETED]:
            return exit_codes.DONE
        raise
    if set_name:
        processes = [process for process in processes if process["owner"] == set_name]
    # Token 0: the present state counts; what a person waits for may be there already.
    targets = [{"name": p["name"], "generation": p["generation"], "token": 0} for p in processes]
    of_set = set_name if set_name and goal.part(of_set=True).conditions else ""
    settled = waiting.wait(client, targets, text, wait_options, of_set)
    output.emit_processes(settled.processes, shape.value)
    return _ended(settled, shape)


def _wait_for_set(
    client: Client, set_name: str, goal: str, wait_options: waiting.WaitOptions, shape: options.OutputFormat
) -> int:
    """Wait for the set alone, whatever becomes of its processes, and print it as `status` does."""
    from pmon3.render_sets import sets_text

    settled = waiting.wait(client, [], goal, wait_options, set_name)
    sets = [one for one in client.get("/v1/sets") if one["name"] == set_name]
    output.emit(sets, shape.value, lambda style: sets_text(sets, style))
    return _ended(settled, shape)


def _ended(settled: waiting.WaitResult, shape: options.OutputFormat) -> int:
    if settled.error and settled.error.code is ErrorCode.UNMET:
        output.report(settled.error, shape is options.OutputFormat.JSON)
        return exit_codes.NEGATIVE
    settled.check()
    return exit_codes.DONE


def _accepted_set(client: Client, set_name: str, goal: goals.Goal) -> str:
    """The full name of a set; its processes are not synced while it says what is not accepted."""
    from pmon3.commands.status import chosen_sets

    (found,) = chosen_sets(client, [set_name])
    if not any(one.word == "synced" for one in goal.conditions):
        return str(found["name"])
    if not found["accepted"]:
        message = f"cannot see {found['name']} synced: it is not accepted: {found['message']}"
        raise PmonError(ErrorCode.INVALID, message, "pmon3 status shows the places", found["diagnostics"])
    for truth in found["conditions"]:
        if truth["reason"] == DELETED:
            message = f"cannot see {found['name']} synced: {truth['message']}"
            raise PmonError(ErrorCode.INVALID, message, "pmon3 init brings it back")
    return str(found["name"])


def _goal(conditions: list[str], any_of: bool, of_set: bool) -> goals.Goal:
    try:
        return goals.parse(goals.joined(conditions, any_of), of_set=of_set)
    except ValueError as error:
        raise PmonError(ErrorCode.BAD_REQUEST, f"cannot wait: {error}") from None
