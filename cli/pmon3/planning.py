"""`diff` and `plan`: the same question, what would be done, printed the same way."""

from __future__ import annotations

from pmon3 import documents, exit_codes, output
from pmon3.address import connect
from pmon3.client import Client
from pmon3.render_plan import is_change, plan_text
from pmon3_schema.errors import ErrorCode, PmonError


def show_plan(paths: list[str] | None, set_name: str | None, prune: bool, shape: str, exit_zero: bool) -> int:
    """Print what applying these manifests would do; 0 for nothing, 1 for differences. Raises PmonError."""
    client = connect()
    requests = documents.bodies(paths or _process_config_file(client), set_name)
    try:
        plans = [client.post("/v1/plan", body | {"prune": prune}) for body in requests]
    except PmonError as error:
        raise _not_a_difference(error) from None
    answer = plans[0] if len(plans) == 1 else plans
    output.emit(answer, shape, lambda colour: "".join(plan_text(plan, colour) for plan in plans))
    differs = any(is_change(action) for plan in plans for action in plan["actions"])
    return exit_codes.NEGATIVE if differs and not exit_zero else exit_codes.DONE


def _process_config_file(client: Client) -> list[str]:
    """What `init` would read: the process config file of that pmond, if it has one."""
    path = client.get("/v1/version").get("process_config_file")
    return [path] if path else []


def _not_a_difference(error: PmonError) -> PmonError:
    """A faulty manifest must not look like differences found, whose exit code is 1."""
    if error.code not in (ErrorCode.INVALID, ErrorCode.NOT_FOUND):
        return error
    return PmonError(ErrorCode.BAD_REQUEST, error.message, error.hint, error.diagnostics)
