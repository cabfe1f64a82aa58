"""`diff` and `plan`: the same question, what would be done, printed the same way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pmon3 import documents, exit_codes, output, plan_files
from pmon3.address import connect
from pmon3.applying import ApplyOptions
from pmon3.client import Client
from pmon3.render_plan import is_change, plan_text
from pmon3.table import visible
from pmon3_schema.errors import ErrorCode, PmonError


def show_plan(
    paths: list[str] | None,
    set_name: str | None,
    apply_options: ApplyOptions,
    shape: str,
    exit_zero: bool,
    out: str | None = None,
    choice: dict[str, str] | None = None,
) -> int:
    """Print what applying these manifests would do; 0 for nothing, 1 for differences. Raises PmonError."""
    client = connect()
    named = paths or _process_config_file(client)
    requests = [body | apply_options.body() for body in documents.bodies(named, set_name, choice)]
    if out is not None and len(requests) > 1:
        raise PmonError(ErrorCode.BAD_REQUEST, "cannot save one plan of several sets", "plan each by itself")
    full = {"full": True} if shape == output.YAML else {}
    try:
        plans = [client.post("/v1/plan", body | full) for body in requests]
    except PmonError as error:
        raise _not_a_difference(error) from None
    if shape == output.YAML:
        output.write("".join(unified(plan) for plan in plans))
    else:
        answer = plans[0] if len(plans) == 1 else plans
        output.emit(answer, shape, lambda style: "".join(plan_text(plan, style) for plan in plans))
    if out is not None:
        plan_files.write(out, plans[0], requests[0])
        output.note(f"saved; carry it out with: pmon3 apply {out}")
    differs = any(is_change(action) for plan in plans for action in plan["actions"])
    return exit_codes.NEGATIVE if differs and not exit_zero else exit_codes.DONE


def unified(plan: dict[str, Any]) -> str:
    """What would change, as a unified diff of manifest entries in YAML."""
    from difflib import unified_diff

    text = ""
    for action in plan["actions"]:
        before, after = (_lines(action.get(key)) for key in ("entry_before", "entry_after"))
        old = action.get("moved_from") or action["name"]
        heads = visible(f"live/{old}"), visible(f"{plan['set']}/{action['name']}")
        text += "".join(unified_diff(before, after, *heads))
    return text


def _lines(entry: dict[str, Any] | None) -> list[str]:
    return output.yaml_text(entry).splitlines(keepends=True) if entry else []


def _process_config_file(client: Client) -> list[str]:
    """What `init` would read: the process config file of that pmond, if it has one."""
    path: str = client.get("/v1/version").get("process_config_file") or ""
    if path and not Path(path).exists():
        why = f"cannot tell which manifest is meant: there is no process config file ({path})"
        raise PmonError(ErrorCode.BAD_REQUEST, why, "name it with -f PATH")
    return [path] if path else []


def _not_a_difference(error: PmonError) -> PmonError:
    """A faulty manifest must not look like differences found, whose exit code is 1."""
    if error.code not in (ErrorCode.INVALID, ErrorCode.NOT_FOUND):
        return error
    return PmonError(ErrorCode.BAD_REQUEST, error.message, error.hint, error.diagnostics)
