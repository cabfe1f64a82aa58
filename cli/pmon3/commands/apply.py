"""`apply`: make what is there be what a manifest says."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from pmon3 import options, output, plan_files, waiting
from pmon3.address import connect
from pmon3.applying import ApplyOptions, apply
from pmon3.client import Client
from pmon3.render_plan import done, plan_text
from pmon3.table import Style
from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.rollout import MAX_PARALLEL, PATIENCE


class OnFailure(StrEnum):
    """What to do with the rest when a process does not become ready."""

    STOP = "stop"
    CONTINUE = "continue"
    ROLLBACK = "rollback"


def command(
    plan_file: Annotated[
        str | None, typer.Argument(metavar="[PLAN]", help="A plan saved with plan --out, to be run exactly.")
    ] = None,
    files: options.Manifests = None,
    set_name: options.SetName = None,
    profiles: options.Profiles = None,
    variables: options.Variables = None,
    prune: options.Prune = False,
    prune_limit: options.PruneLimit = "",
    allow_empty: options.AllowEmpty = False,
    take_ownership: options.TakeOwnership = False,
    if_version: options.IfVersion = None,
    on_failure: Annotated[
        OnFailure, typer.Option("--on-failure", help="When a process does not become ready.")
    ] = OnFailure.STOP,
    max_parallel: Annotated[
        int, typer.Option("--max-parallel", min=1, help="Restarts that may be under way at once.")
    ] = MAX_PARALLEL,
    restart: options.RestartNames = None,
    message: options.Message = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, do nothing.")] = False,
    timeout: options.Timeout = "60s",
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the outcome.")] = True,
    shape: options.PlanOutput = options.PlanFormat.TABLE,
) -> None:
    """Make what is there be what manifests say.

    Starts and changes processes, wave by wave in the order of their dependencies, and with --prune
    deletes those the set no longer declares. What protects a process or belongs to another set is
    left alone.
    """
    wait_options = waiting.WaitOptions(options.seconds(timeout), not wait or dry_run)
    choice = options.choice(profiles, variables)
    client = connect()
    apply_options = ApplyOptions(
        prune, prune_limit, allow_empty, take_ownership, if_version, on_failure.value, max_parallel,
        max(PATIENCE, wait_options.seconds), restart or [], message, dry_run,
    )  # fmt: skip
    if plan_file is None:
        applied = apply(client, files, set_name, apply_options, choice)
    else:
        applied = [_apply_saved(client, plan_file, files, apply_options, choice)]
    plans: list[dict[str, Any]] = [answer["plan"] for answer in applied]

    def shown(style: Style) -> str:
        return "".join(plan_text(plan, style) for plan in plans)

    output.emit(applied[0] if len(applied) == 1 else applied, shape.value, shown)
    targets = [target for answer in applied for target in answer["targets"]]
    if not wait_options.no_wait:
        settled = waiting.wait(client, targets, waiting.READY, wait_options)
        if settled.error and on_failure is OnFailure.ROLLBACK:
            for answer in applied:
                _await_rollback(client, answer, wait_options)
        settled.check()
        for answer in applied:
            _check_outcome(client, answer)
        seconds = settled.seconds
    if shape in (options.PlanFormat.TABLE, options.PlanFormat.WIDE):
        for answer in applied:
            output.note(_closing(answer, dry_run, None if wait_options.no_wait else seconds))


def _closing(answer: dict[str, Any], dry_run: bool, seconds: float | None) -> str:
    """The last line: what was done, which a plan alone does not say. `seconds` None: nobody waited."""
    plan, number = answer["plan"], answer.get("revision", 0)
    if dry_run:
        return f"dry run: nothing of {plan['set']} was changed"
    if not number:
        return f"{plan['set']} is as declared: nothing was changed"
    what = done(plan) or "no process was touched"
    if seconds is None:
        return (
            f"applied revision {number} of {plan['set']}; it is rolled out now (pmon3 status shows how far)"
        )
    return f"applied revision {number} of {plan['set']}: {what} in {seconds:.1f} s"


def _await_rollback(client: Client, answer: dict[str, Any], wait_options: waiting.WaitOptions) -> None:
    """Wait until what was in force before is back, and say what became of it."""
    name, number = answer["plan"]["set"], answer.get("revision", 0)
    if not number:
        return
    settled = waiting.wait(client, [], "condition=Progressing=False", wait_options, name)
    revisions = client.get("/v1/history", [("set", name), ("limit", "20")])
    outcome = next((one["outcome"] for one in revisions if one["revision"] == number), "done")
    newest = revisions[0]
    if settled.error:
        output.note(
            f"what was in force of {name} before is still being put back (pmon3 status shows how far)"
        )
    elif outcome == "rolled_back":
        output.note(f"revision {newest['revision']} of {name} is in force: {newest['message']}")
    elif outcome == "failed":
        output.note(
            f"revision {number} of {name} failed and could not be rolled back (pmon3 events tells why)"
        )


def _check_outcome(client: Client, answer: dict[str, Any]) -> None:
    """Everything is ready, but perhaps because the rollout was undone. Raises PmonError then."""
    name, number = answer["plan"]["set"], answer.get("revision", 0)
    if not number:
        return
    revisions = client.get("/v1/history", [("set", name), ("limit", "20")])
    outcome = next((one["outcome"] for one in revisions if one["revision"] == number), "done")
    if outcome in ("failed", "rolled_back"):
        ended = "was rolled back" if outcome == "rolled_back" else "failed"
        why = f"cannot roll revision {number} of {name} out: it {ended}"
        raise PmonError(ErrorCode.UNMET, why, "pmon3 events shows what failed")


def _apply_saved(
    client: Client,
    path: str,
    files: list[str] | None,
    apply_options: ApplyOptions,
    choice: dict[str, str] | None,
) -> dict[str, Any]:
    if choice:
        hint = "they are in the plan; leave them out"
        raise PmonError(ErrorCode.BAD_REQUEST, "cannot choose profiles or variables for a saved plan", hint)
    if files:
        raise PmonError(ErrorCode.BAD_REQUEST, "cannot apply both a saved plan and -f", "use one of them")
    saved = plan_files.read(path)
    request = plan_files.request(saved)
    how = {key: value for key, value in apply_options.body().items() if key not in request}
    try:
        answer: dict[str, Any] = client.post("/v1/apply", request | how)
    except PmonError as error:
        if error.code is not ErrorCode.CONFLICT:
            raise
        raise _stale(client, saved, error) from None
    if not answer["plan"]["actions"]:
        output.note("already applied: nothing is left to do")
    return answer


def _stale(client: Client, saved: dict[str, Any], error: PmonError) -> PmonError:
    """The error of a stale plan, after showing what is not as it was."""
    try:
        now = client.post("/v1/plan", saved["request"])
    except PmonError:
        return error  # it cannot even be planned any more; why is in the error that came first
    output.note("the plan now differs from the saved one:")
    output.detail(plan_files.difference(saved, now))
    return error
