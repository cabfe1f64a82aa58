"""`exec`: submit one process and start it."""

from __future__ import annotations

import os
import posixpath
import shutil
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from pmon3 import environment, options, waiting
from pmon3.address import connect
from pmon3_schema.errors import ErrorCode, PmonError


class RestartPolicy(StrEnum):
    """The restart policies."""

    ALWAYS = "always"
    ON_FAILURE = "on-failure"
    NEVER = "never"


def command(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The program: a path, or a name on PATH.")],
    rest: Annotated[
        list[str] | None, typer.Argument(metavar="ARGUMENT", help="Its arguments, word by word, after --.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Its name; the file's base name by default.")
    ] = None,
    args: Annotated[
        str | None, typer.Option("--args", "-a", help="Its arguments in one string, split as a shell would.")
    ] = None,
    env_vars: Annotated[str | None, typer.Option("--env-vars", "-e", help="Variables, 'K=V K2=V2'.")] = None,
    env: options.Env = None,
    user: Annotated[
        str | None, typer.Option("--user", "-u", metavar="USER", help="The user it runs as; you by default.")
    ] = None,
    log: Annotated[str | None, typer.Option("--log", "-l", metavar="FILE", help="Its log file.")] = None,
    log_dir: Annotated[
        str | None, typer.Option("--log-dir", "--log_dir", metavar="FOLDER", help="Folder of its log file.")
    ] = None,
    no_autorestart: Annotated[
        bool, typer.Option("--no-autorestart", "-n", help="Do not start it again when it ends.")
    ] = False,
    dependencies: Annotated[
        list[str] | None,
        typer.Option("--dependencies", "-d", metavar="PROCESSES", help="Those it needs; repeatable, or a,b."),
    ] = None,
    groups: Annotated[
        list[str] | None,
        typer.Option("--groups", "-g", metavar="GROUPS", help="Groups it belongs to; repeatable, or a,b."),
    ] = None,
    cwd: Annotated[
        str | None,
        typer.Option(
            "--cwd",
            metavar="FOLDER",
            help="Its working folder: this one for a program found on PATH, else that of the file.",
        ),
    ] = None,
    description: Annotated[
        str | None, typer.Option("--description", help="Free text, shown by desc.")
    ] = None,
    label: Annotated[list[str] | None, typer.Option("--label", metavar="KEY=VALUE", help="A label.")] = None,
    restart: Annotated[
        RestartPolicy | None, typer.Option("--restart", help="When it is started again.")
    ] = None,
    stop_signal: Annotated[
        str | None, typer.Option("--stop-signal", metavar="SIGNAL", help="The signal that asks it to end.")
    ] = None,
    stop_timeout: Annotated[
        str | None, typer.Option("--stop-timeout", metavar="DURATION", help="Time until SIGKILL.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace a running process of that name.")
    ] = False,
    timeout: options.Timeout = "60s",
    no_wait: options.NoWait = False,
    output: options.Output = options.OutputFormat.TABLE,
) -> None:
    """Start a new process.

    A program that is named without a folder is looked up on PATH and runs in this folder; one that is
    named by its path runs in the folder of that, as with the Go pmon3.
    """
    if args is not None and rest:
        raise PmonError(
            ErrorCode.BAD_REQUEST, "cannot use both --args and arguments after FILE", "use one of them"
        )
    spec = {
        "file": program(file),
        "name": name,
        "args": rest or args,
        "env_vars": environment.laid_over(env_vars, env),
        "user": user,
        "log": options.absolute(log) if log else None,
        "log_dir": options.absolute(log_dir) if log_dir else None,
        "no_auto_restart": no_autorestart or None,
        "dependencies": options.comma_list(dependencies),
        "groups": options.comma_list(groups),
        "cwd": options.absolute(cwd) if cwd else None if "/" in file else options.here(),
        "description": description,
        "labels": options.label_map(label),
        "restart": {"policy": restart.value} if restart else None,
        "stop": _given({"signal": stop_signal, "timeout": stop_timeout}),
    }
    wait_options = waiting.WaitOptions(options.seconds(timeout), no_wait)
    client = connect()
    body = {"spec": _given(spec), "cwd": _base(), "replace": replace}
    settled = waiting.wait(client, client.post("/v1/processes", body)["targets"], waiting.READY, wait_options)
    if settled.error:
        settled.error.hint = settled.error.hint or _not_found_there(spec)
    waiting.show_brought_up(client, settled, output.value)


def _base() -> str:
    """Where relative paths begin; all are full already, so for a folder that is gone any will do."""
    try:
        return options.here()
    except PmonError:
        return "/"


def _not_found_there(spec: dict[str, Any]) -> str:
    """A hint for who expected the program to run where he is: an argument names a file that is only here."""
    folder = spec["cwd"] or posixpath.dirname(spec["file"])
    words = spec["args"] if isinstance(spec["args"], list) else (spec["args"] or "").split()
    for word in words:
        if (
            word
            and not word.startswith(("-", "/"))
            and Path(word).exists()
            and not Path(folder, word).exists()
        ):
            return f"{word} is in this folder, and it ran in {folder}: --cwd . runs it here"
    return ""


def program(file: str) -> str:
    """The program as an absolute path: a bare name through the caller's PATH, a path from its folder.

    Raises PmonError when no program of that name is on PATH; whether a path can be run is for pmond
    to say, which may run it as somebody else.
    """
    if "/" in file:
        return os.path.normpath(options.absolute(file))
    found = shutil.which(file)
    if found is None:
        first, *rest = file.split()
        hint = f"write ./{file} for the one in this folder" if Path(file).exists() else "give its path"
        if rest and shutil.which(first):
            hint = f"arguments come after --: pmon3 exec {first} -- {' '.join(rest)}"
        raise PmonError(ErrorCode.INVALID, f"cannot start {file}: there is no such program on PATH", hint)
    return options.absolute(found)


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value not in (None, [], {}, "")}
