"""Options that several verbs share, declared once, and the small readers of their values."""

from __future__ import annotations

import os
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.scalars import parse_duration

LONGEST_WAIT = 7 * 86400.0
"""Seconds; what `--timeout none` means, the longest wait that pmond accepts."""


class OutputFormat(StrEnum):
    """The shapes of an answer."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


class PlanFormat(StrEnum):
    """The shapes of a plan, which has no names to list."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"


References = Annotated[
    list[str] | None,
    typer.Argument(metavar="[PROCESS]...", help="Which: ids, names or globs such as 'web*'."),
]
Output = Annotated[OutputFormat, typer.Option("--output", "-o", help="The shape of the answer.")]
Groups = Annotated[list[str] | None, typer.Option("--group", "-g", metavar="GROUP", help="Those of a group.")]
Labels = Annotated[
    list[str] | None, typer.Option("--label", "-l", metavar="KEY=VALUE", help="Only those with this label.")
]
Timeout = Annotated[
    str,
    typer.Option(
        "--timeout",
        metavar="DURATION",
        help="Maximum time to wait while nothing gets further; `none` waits indefinitely.",
    ),
]
WholeTimeout = Annotated[
    str,
    typer.Option("--timeout", metavar="DURATION", help="Maximum time to wait; `none` waits indefinitely."),
]
Detach = Annotated[
    bool, typer.Option("--detach", "-d", hidden=True, help="Accepted: nothing here stays in the foreground.")
]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not wait for the outcome.")]
Env = Annotated[
    list[str] | None,
    typer.Option("--env", metavar="NAME=VALUE", help="One variable beside the others; repeatable."),
]
Force = Annotated[bool, typer.Option("--force", "-f", help="With SIGKILL, at once.")]
ConfigOnly = Annotated[
    bool, typer.Option("--process-config-only", "-c", help="Only what the process config file declares.")
]
Manifests = Annotated[
    list[str] | None,
    typer.Option("--file", "-f", metavar="PATH", help="A manifest, or a folder of them; repeatable."),
]
PlanOutput = Annotated[PlanFormat, typer.Option("--output", "-o", help="The shape of the answer.")]
Profiles = Annotated[
    list[str] | None,
    typer.Option(
        "--profile", metavar="PROFILE", help="Use this profile; repeatable, later ones win. none: no profile."
    ),
]
Variables = Annotated[
    list[str] | None,
    typer.Option(
        "--var", metavar="NAME[=VALUE]", help="The value of a variable; without =VALUE that of $NAME."
    ),
]
SetName = Annotated[
    str | None,
    typer.Option("--set", metavar="SET", help="The set the processes belong to; file:PATH by default."),
]
Prune = Annotated[bool, typer.Option("--prune/--no-prune", help="Delete what the set no longer declares.")]


def _prune_limit(text: str) -> str:
    if text and not re.fullmatch(r"[0-9]+%?", text):
        raise typer.BadParameter(f"{text!r} is not a number or a share such as 80%")
    return text


PruneLimit = Annotated[
    str,
    typer.Option(
        "--prune-limit",
        metavar="N|P%",
        callback=_prune_limit,
        help="Delete at most so many at once; 3 or half by default.",
    ),
]
AllowEmpty = Annotated[bool, typer.Option("--allow-empty", help="A manifest that declares nothing is meant.")]
TakeOwnership = Annotated[
    bool, typer.Option("--take-ownership", help="Take over processes that belong to another set.")
]
IfVersion = Annotated[
    int | None,
    typer.Option("--if-version", min=0, metavar="N", help="Only if the set is at this version; 0: if new."),
]
RestartNames = Annotated[
    list[str] | None,
    typer.Option("--restart", metavar="NAME", help="Restart it although it has not changed; repeatable."),
]
Message = Annotated[str, typer.Option("--message", "-m", help="Why; goes to the history.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; shown to everybody.")]
For = Annotated[str | None, typer.Option("--for", metavar="DURATION", help="End it by itself after so long.")]
OneSet = Annotated[
    str | None,
    typer.Option("--set", metavar="SET", help="The set; that of the process config file by default."),
]

SetArgument = Annotated[
    str | None, typer.Argument(metavar="[SET]", help="The set, by name or path; --set says the same.")
]


def set_reference(name: str) -> str:
    """A set as pmond knows it: a path of the caller's folder becomes `file:` and its full path."""
    if name.startswith("file:") or not Path(name).exists():
        return name
    return f"file:{os.path.abspath(name)}"  # noqa: PTH100 - a symbolic link keeps its own name


def duration(text: str | None) -> float | None:
    """The value of `--for` in seconds. Raises PmonError."""
    if text is None:
        return None
    try:
        return parse_duration(text)
    except ValueError as error:
        raise PmonError(ErrorCode.BAD_REQUEST, f"cannot read --for: {error}") from None


def seconds(timeout: str) -> float:
    """The value of `--timeout` in seconds. Raises PmonError."""
    if timeout == "none":
        return LONGEST_WAIT
    try:
        return min(parse_duration(timeout), LONGEST_WAIT)
    except ValueError as error:
        raise PmonError(ErrorCode.BAD_REQUEST, f"cannot read --timeout: {error}") from None


def label_map(labels: list[str] | None) -> dict[str, str]:
    """`key=value` words as a map. Raises PmonError."""
    pairs = {}
    for word in labels or []:
        key, equals, value = word.partition("=")
        if not key or not equals:
            raise PmonError(ErrorCode.BAD_REQUEST, f"cannot read the label {word!r}: it is not KEY=VALUE")
        pairs[key] = value
    return pairs


def choice(profiles: list[str] | None, variables: list[str] | None) -> dict[str, str] | None:
    """The document of what `--profile` and `--var` choose; None where they say nothing. Raises PmonError."""
    if profiles is None and variables is None:
        return None
    from pmon3_schema.profiles import options_document

    pairs = {}
    for word in variables or []:
        name, equals, value = word.partition("=")
        if not equals and name not in os.environ:
            hint = f"write --var {name}=VALUE"
            raise PmonError(ErrorCode.BAD_REQUEST, f"cannot find a value: there is no ${name} here", hint)
        pairs[name] = value if equals else os.environ[name]
    named = [name for name in comma_list(profiles) if name != "none"]
    document = options_document(named, pairs)
    return {"path": document.path, "text": document.content.decode("utf-8", "surrogateescape")}


def comma_list(words: list[str] | None) -> list[str]:
    """Repeatable and comma-separable values, as the seed has them, in order."""
    return [item for word in words or [] for item in word.split(",") if item]


def here() -> str:
    """The caller's folder. Raises PmonError where it has been deleted."""
    try:
        return os.getcwd()  # noqa: PTH109 - a path as text, as all that is sent
    except FileNotFoundError:
        why = "cannot use relative paths: the current folder does not exist any more"
        raise PmonError(ErrorCode.BAD_REQUEST, why, "cd to another, or write full paths") from None


def absolute(path: str) -> str:
    """`path` seen from the caller's folder; pmond has another one. Raises PmonError as `here`."""
    return path if path.startswith("/") else str(Path(here()) / path)


def pairs(words: list[str] | None) -> dict[str, str]:
    """`NAME=VALUE` words of `--env` as a map. Raises PmonError."""
    found = {}
    for word in words or []:
        name, equals, value = word.partition("=")
        if not name or not equals:
            raise PmonError(ErrorCode.BAD_REQUEST, f"cannot read --env {word}: it is not NAME=VALUE")
        found[name] = value
    return found


def selection(
    references: list[str] | None, groups: list[str] | None = None, labels: list[str] | None = None
) -> dict[str, Any]:
    """The part of a request that says which processes. Raises PmonError when it says nothing."""
    if not references and not groups and not labels:
        raise PmonError(
            ErrorCode.BAD_REQUEST,
            "cannot tell which process is meant",
            "give an id, a name, a glob ('*': all), -g or -l",
        )
    return {"refs": references or [], "groups": groups or [], "labels": label_map(labels)}
