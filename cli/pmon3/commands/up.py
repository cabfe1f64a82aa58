"""`up`: a pmond of one's own, running what a manifest says, in one step."""

from __future__ import annotations

from typing import Any

from pmon3 import launch, options, output, waiting
from pmon3.applying import ApplyOptions, apply
from pmon3.client import Client
from pmon3.render_plan import is_change, summary


def command(
    files: options.Manifests = None,
    profiles: options.Profiles = None,
    variables: options.Variables = None,
    prune: options.Prune = False,
    timeout: options.Timeout = "60s",
    no_wait: options.NoWait = False,
    shape: options.Output = options.OutputFormat.TABLE,
) -> None:
    """Start pmond if need be, apply manifests, wait until ready."""
    wait_options = waiting.WaitOptions(options.seconds(timeout), no_wait)
    choice = options.choice(profiles, variables)
    client, started_at = launch.ensure_running(wait_options.seconds)
    targets: list[dict[str, Any]] = []
    if files:
        for answer in apply(client, files, None, ApplyOptions(prune=prune), choice):
            plan = answer["plan"]
            outcome = _by_itself(client, plan, started_at) or summary(plan)
            output.note(f"applied {plan['set']}: {outcome}")
            for remark in plan["notes"]:
                output.note(remark["message"])
            targets += answer["targets"]
    waiting.show_all(client, waiting.wait(client, targets, waiting.READY, wait_options), shape.value)


def _by_itself(client: Client, plan: dict[str, Any], started_at: str) -> str:
    """What a pmond that was started here had done with its own manifest before it was asked to."""
    if not started_at or any(is_change(action) for action in plan["actions"]):
        return ""
    for newest in client.get("/v1/history", [("set", plan["set"]), ("limit", "1")]):
        if newest["by"] == "pmond" and newest["time"] >= started_at:
            return f"{summary(newest)} (done by pmond as it started: this is its process config file)"
    return ""
