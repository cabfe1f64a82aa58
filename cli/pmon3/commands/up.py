"""`up`: a pmond of one's own, running what a manifest says, in one step."""

from __future__ import annotations

from typing import Any

from pmon3 import launch, options, output, waiting
from pmon3.applying import Wishes, apply
from pmon3.render_plan import summary


def command(
    files: options.Manifests = None,
    profiles: options.Profiles = None,
    variables: options.Variables = None,
    prune: options.Prune = False,
    timeout: options.Timeout = "60s",
    no_wait: options.NoWait = False,
    shape: options.Output = options.Shape.TABLE,
) -> None:
    """Start pmond if need be, apply manifests, wait until ready."""
    patience = waiting.Patience(options.seconds(timeout), no_wait)
    choice = options.choice(profiles, variables)
    client = launch.ensure_running(patience.seconds)
    targets: list[dict[str, Any]] = []
    if files:
        for answer in apply(client, files, None, Wishes(prune=prune), choice):
            output.note(f"applied {answer['plan']['set']}: {summary(answer['plan'])}")
            for remark in answer["plan"]["notes"]:
                output.note(remark["message"])
            targets += answer["targets"]
    waiting.show_all(client, waiting.wait(client, targets, waiting.READY, patience), shape.value)
