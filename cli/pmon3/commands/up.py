"""`up`: a pmond of one's own, running what a manifest says, in one step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pmon3 import address, bringing_up, documents, launch, options, output, waiting
from pmon3.applying import ApplyOptions
from pmon3.client import Client
from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.rollout import PATIENCE


def command(
    files: options.Manifests = None,
    profiles: options.Profiles = None,
    variables: options.Variables = None,
    prune: options.Prune = False,
    timeout: options.Timeout = "60s",
    no_wait: options.NoWait = False,
    shape: options.Output = options.OutputFormat.TABLE,
    detach: options.Detach = False,
) -> None:
    """Start pmond if need be, apply manifests, wait until ready.

    Without -f the process config file; where there is none, pmon3.yaml, .yml, .toml or .json of this
    folder, or the folder pmon3. A pmond that was started here for what is then refused ends again.
    """
    wait_options = waiting.WaitOptions(options.seconds(timeout), no_wait)
    choice = options.choice(profiles, variables)
    requests = documents.bodies(files, None, choice) if files else []
    if requests and launch.nobody_listens(address.daemon().socket):
        bringing_up.check(requests)
    client, started_at = launch.ensure_running(wait_options.seconds)
    with bringing_up.refusal_ends(client, started_at):
        found = None if requests else _found(client, choice)
        if found is not None:
            requests = documents.bodies([found], None, choice)
        apply_options = ApplyOptions(prune=prune, patience=max(PATIENCE, wait_options.seconds))
        if requests:
            targets = bringing_up.apply_all(client, requests, apply_options, started_at)
        else:
            targets = _followed(client)
    settled = waiting.wait(client, targets, waiting.READY, wait_options)
    waiting.say_end(settled, waiting.READY)
    waiting.show_all(client, settled, shape.value)


def _found(client: Client, choice: dict[str, str] | None) -> str | None:
    """The manifest to apply where none is named; None: what pmond follows is all there is."""
    version = client.get("/v1/version")
    followed: str = version["process_config_file"]
    if followed and Path(followed).exists():
        return followed if choice else None
    own = [version["config_file"], version["state_dir"], version["socket"], followed]
    here = bringing_up.found_here(Path.cwd(), own)
    if not here and choice:
        raise PmonError(ErrorCode.BAD_REQUEST, "cannot tell which manifest is meant", "name it with -f PATH")
    if not here:
        output.note(f"no process config file ({followed}), no pmon3.yaml in this folder: name one with -f")
    return here or None


def _followed(client: Client) -> list[dict[str, Any]]:
    try:
        return bringing_up.bring_up_followed(client, client.get("/v1/version")["process_config_file"])
    except PmonError as error:
        if error.code is not ErrorCode.FORBIDDEN:
            raise
        output.note("the processes of this pmond are not yours to bring up; here is how they are")
        return []
