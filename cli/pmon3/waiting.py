"""Asking for something and waiting until it is there.

Theory of operation: every changing request is answered with *targets*, what it promises; `wait`
asks pmond to answer when they are met, judged on nothing older than the request. So there is
neither sleeping nor asking again. What is there at the end is printed in any case; only then
does a goal that was missed become an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from pmon3 import output, progress
from pmon3.client import Client
from pmon3.names import measured
from pmon3.older_pmond import OlderPmond
from pmon3_schema.errors import ErrorCode, PmonError

_ANSWER_MARGIN = 10.0
"""Seconds that pmond may take to answer after the time it was told to wait."""

_FOR_EVER = 30 * 86400.0
_NAMES_SAID = 5
_STEPS = 5
"""So often a process gets further at most, as pmond counts it."""
READY, STOPPED, DELETED, COMPLETED = "ready", "stopped", "deleted", "completed"


class WaitOptions(NamedTuple):
    """Whether and how many seconds to wait."""

    seconds: float
    no_wait: bool = False


class WaitResult(NamedTuple):
    """What is there after waiting, and the error that it amounts to, if any."""

    processes: list[dict[str, Any]]
    error: PmonError | None = None
    seconds: float = 0.0
    """How long it took."""
    seen: bool = False
    """Whether a person has seen it go on, and so wants to see it end."""

    def check(self) -> None:
        """Raise the error, if there is one."""
        if self.error:
            raise self.error


def wait(
    client: Client, targets: list[dict[str, Any]], until: str, wait_options: WaitOptions, set_name: str = ""
) -> WaitResult:
    """Wait for targets, and a set where one is named. Raises PmonError only when pmond cannot be asked."""
    if wait_options.no_wait or not (targets or set_name):
        return WaitResult(touched(client, targets))
    seconds = wait_options.seconds
    body: dict[str, Any] = {"targets": targets, "until": until, "timeout": seconds, "progress": True}
    if set_name:
        body["set"] = set_name
    shown = progress.ProgressLine(progress.TargetsLook(client, targets, until, set_name))
    try:
        answer = _answer(client, body, _longest(seconds, len(targets)), shown)
    except KeyboardInterrupt:
        shown.clear()
        if any(target["token"] for target in targets):  # of a change, and not only looked at
            output.note("no longer waiting; what was asked for goes on (pmon3 ls shows how far)")
        raise
    finally:
        shown.clear()
    error = missed(answer, until, wait_options, targets)
    return WaitResult(answer["processes"], error, shown.seconds, shown.shown)


def _answer(
    client: Client, body: dict[str, Any], longest: float, shown: progress.ProgressLine
) -> dict[str, Any]:
    """The answer of the wait; an older pmond counts its time limit for the whole."""
    meanwhile = shown if progress.is_wanted() else None
    try:
        answer: dict[str, Any] = client.post("/v1/wait", body, timeout=longest, meanwhile=meanwhile)
    except OlderPmond as older:
        if older.field != "progress":
            raise
        shown.clear()
        output.note(
            "pmond is older than this pmon3: --timeout is for the whole wait (pmon3 upgrade ends that)"
        )
        whole = {key: value for key, value in body.items() if key != "progress"}
        answer = client.post("/v1/wait", whole, timeout=longest, meanwhile=meanwhile)
    return answer


def _longest(seconds: float, count: int) -> float:
    """How long an answer may take at most: each of the targets may get further, and again."""
    return min(seconds * (1 + _STEPS * count), _FOR_EVER) + _ANSWER_MARGIN


def missed(
    answer: dict[str, Any], until: str, wait_options: WaitOptions, targets: Sequence[dict[str, Any]]
) -> PmonError | None:
    """The error that the answer of a wait amounts to, if any."""
    failures = answer["failures"]
    if answer["outcome"] == "met":
        return None
    if answer["outcome"] == "timeout":
        return output.MissedGoal(
            ErrorCode.TIMEOUT, _overdue(failures, until, wait_options, targets), failures
        )
    return output.MissedGoal(ErrorCode.UNMET, f"cannot get {_some(failures)} {until}: see below", failures)


def _overdue(
    failures: Sequence[dict[str, Any]],
    until: str,
    wait_options: WaitOptions,
    targets: Sequence[dict[str, Any]],
) -> str:
    """``286 of 299 ready, now p290: started; nothing got further for 60 s, it goes on``."""
    passed = f"nothing got further for {wait_options.seconds:g} s"
    first = progress.next_of(failures)
    goes_on = ", it goes on" if any(target["token"] for target in targets) else ""
    if len(targets) <= 1 or first is None:
        return f"cannot see {_some(failures) or 'all'} {until}: {passed}{goes_on}"
    far = f"{len(targets) - len(failures)} of {len(targets)} {until}, now {first['name']}: {first['reason']}"
    return f"cannot see all {until}: {far}; {passed}{goes_on}"


def _some(failures: Sequence[dict[str, Any]]) -> str:
    """Their names; of many the first ones and how many there are."""
    names = [str(failure["name"]) for failure in failures]
    if len(names) <= _NAMES_SAID + 1:
        return ", ".join(names)
    return f"{', '.join(names[:_NAMES_SAID])} and {len(names) - _NAMES_SAID} more"


def touched(client: Client, targets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The processes of these targets as they are now."""
    names = {target["name"] for target in targets}
    return [process for process in measured(client) if process["name"] in names] if names else []


def act(client: Client, verb: str, body: dict[str, Any], until: str, wait_options: WaitOptions) -> WaitResult:
    """Do a verb to the selected processes and wait for its outcome."""
    settled = wait(client, client.post(f"/v1/actions/{verb}", body)["targets"], until, wait_options)
    say_end(settled, until)
    return settled


def say_end(settled: WaitResult, until: str) -> None:
    """The last line of what a person has seen going on: ``3 stopped in 10.2 s``."""
    if settled.seen and settled.error is None:
        output.note(f"{len(settled.processes)} {until} in {settled.seconds:.1f} s")


def show_all(client: Client, settled: WaitResult, shape: str) -> None:
    """Print the table of all processes, as the seed does after most verbs, then check."""
    output.emit_processes(measured(client), shape)
    settled.check()


def show_brought_up(client: Client, settled: WaitResult, shape: str) -> None:
    """The table of all for people, as the seed prints it; for programs what they have asked for."""
    if shape in (output.TABLE, output.WIDE):
        show_all(client, settled, shape)
    else:
        show_touched(settled, shape)


def show_touched(settled: WaitResult, shape: str) -> None:
    """Print the processes that were meant, then check."""
    output.emit_processes(settled.processes, shape)
    settled.check()


def deleted(before: list[dict[str, Any]], settled: WaitResult) -> WaitResult:
    """What to show of processes that are gone: as they were, but stopped, as the seed does."""
    if settled.error:
        return settled
    gone = {"status": "stopped", "status_code": 3, "pid": 0, "cpu_percent": 0.0, "memory_bytes": 0}
    return WaitResult([process | gone for process in before])
