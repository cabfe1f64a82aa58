"""What `up` brings up, and what becomes of a pmond that it started for nothing.

Theory of operation: what is named with -f; else the process config file, which pmond follows anyway; else
`pmon3.yaml` and its like in the folder of the caller. What is wrong with a file is found before a pmond is
started for it, as far as the file alone can tell; what pmond refuses ends the pmond that was started
here, unless that has taken over processes of an earlier one, which must not be hurt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pmon3 import documents, launch, output
from pmon3.applying import ApplyOptions, send
from pmon3.client import Client
from pmon3.render_plan import is_change, summary
from pmon3_schema.errors import ErrorCode, PmonError

IN_FOLDER = ("pmon3.yaml", "pmon3.yml", "pmon3.toml", "pmon3.json")
"""What `up` takes from the folder of the caller, the first that there is; else the folder `pmon3`."""
_ELSEWHERE = frozenset({"PM020", "PM030"})
"""What a file alone cannot tell: names and users that the daemon may know."""
_REFUSALS = (
    ErrorCode.INVALID, ErrorCode.BAD_REQUEST, ErrorCode.CONFLICT, ErrorCode.REFUSED, ErrorCode.FORBIDDEN,
    ErrorCode.NOT_FOUND,
)  # fmt: skip


def found_here(folder: Path, not_these: Sequence[str]) -> str:
    """The manifest of this folder, or nothing; `not_these` are folders of pmond itself, called pmon3 too."""
    for name in IN_FOLDER:
        if (folder / name).is_file():
            return str(folder / name)
    place = folder / "pmon3"
    own = any(Path(one).resolve().is_relative_to(place.resolve()) for one in not_these if one)
    return str(place) if place.is_dir() and not own and documents.has_manifests(str(place)) else ""


def check(requests: Sequence[dict[str, Any]]) -> None:
    """Raises PmonError for what is wrong with manifests, whatever pmond knows, before one is started."""
    # Imported here: it takes as long as a start of pmond, which follows.
    from pmon3_schema.manifest import ManifestFile, read

    for body in requests:
        given = [
            ManifestFile(one["path"], one["text"].encode("utf-8", "surrogateescape"))
            for one in body["documents"]
        ]
        wrong = [one for one in read(given).diagnostics if one.is_error and one.code not in _ELSEWHERE]
        if wrong:
            first = wrong[0]
            more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
            place = f"{first.file}:{first.line}:{first.column}"
            raise PmonError(
                ErrorCode.INVALID,
                f"cannot bring up {first.file}: {place}: {first.message}{more}",
                "nothing was started; pmon3 validate shows the places",
                [one.to_json() for one in wrong],
            )


@contextmanager
def refusal_ends(client: Client, started_at: str) -> Iterator[None]:
    """A pmond that was started here ends when what it was started for is refused."""
    try:
        yield
    except PmonError as error:
        if started_at and error.code in _REFUSALS:
            _end(client, started_at)
        raise


def apply_all(
    client: Client, requests: Sequence[dict[str, Any]], options: ApplyOptions, started_at: str
) -> list[dict[str, Any]]:
    """Apply these manifests and say what that did; what to wait for. Raises PmonError."""
    targets: list[dict[str, Any]] = []
    for answer in send(client, requests, options):
        plan = answer["plan"]
        outcome = _by_itself(client, plan, started_at) or summary(plan)
        output.note(f"applied {plan['set']}: {outcome}")
        for remark in plan["notes"]:
            output.note(remark["message"])
        targets += answer["targets"]
    return targets


def bring_up_followed(client: Client, path: str) -> list[dict[str, Any]]:
    """Have the process config file read; all that should run, to wait for. Raises PmonError."""
    targets: list[dict[str, Any]] = client.post("/v1/reconcile", {})["targets"]
    one = set_of(client, path)
    if one is None or is_missing(one):
        return targets
    if not one["accepted"]:
        why = f"cannot bring up {path}: it is not accepted: {one['message']}"
        hint = "what it said before is in force; pmon3 status shows the places"
        raise PmonError(ErrorCode.INVALID, why, hint, one["diagnostics"])
    count = "1 process" if one["processes"] == 1 else f"{one['processes']} processes"
    output.note(f"up with {path}, the process config file: {count}")
    return targets


def set_of(client: Client, path: str) -> dict[str, Any] | None:
    """The set of a manifest, as pmond shows it."""
    return next((one for one in client.get("/v1/sets") if one["name"] == f"file:{path}"), None)


def is_missing(one: dict[str, Any]) -> bool:
    """Whether somebody named the file of this set, and it was never there."""
    return bool(one["accepted"]) and one["reason"] == "SourceMissing"


def _by_itself(client: Client, plan: dict[str, Any], started_at: str) -> str:
    """What a pmond that was started here had done with its own manifest before it was asked to."""
    if not started_at or any(is_change(action) for action in plan["actions"]):
        return ""
    for newest in client.get("/v1/history", [("set", plan["set"]), ("limit", "1")]):
        if newest["by"] == "pmond" and newest["time"] >= started_at:
            return summary(newest)
    return ""


def _end(client: Client, started_at: str) -> None:
    """End the pmond that was started here, and what it has started."""
    try:
        running = [process for process in client.get("/v1/processes") if process["pid"]]
        if any(process["started_at"] < started_at for process in running):
            output.note("pmond stays, as it has taken over processes that ran before (pmon3 down ends it)")
            return
        pid = client.get("/v1/version")["pid"]
        with launch.ExitWatch(pid) as ending:
            client.post("/v1/shutdown", {"stop_processes": True})
            ending.wait(60.0)
        output.note(f"ended pmond (pid {pid}) again")
    except PmonError as error:
        output.note(error.message)
