"""`exec`: submit one process and start it."""

from __future__ import annotations

import os
import shutil
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from pmon3 import options, waiting
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
        str | None, typer.Option("--cwd", metavar="FOLDER", help="Its working folder; the file's by default.")
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
    """Start a new process."""
    if args is not None and rest:
        raise PmonError(
            ErrorCode.BAD_REQUEST, "cannot use both --args and arguments after FILE", "use one of them"
        )
    spec = {
        "file": program(file),
        "name": name,
        "args": rest or args,
        "env_vars": env_vars,
        "user": user,
        "log": options.absolute(log) if log else None,
        "log_dir": options.absolute(log_dir) if log_dir else None,
        "no_auto_restart": no_autorestart or None,
        "dependencies": options.comma_list(dependencies),
        "groups": options.comma_list(groups),
        "cwd": options.absolute(cwd) if cwd else None,
        "description": description,
        "labels": options.label_map(label),
        "restart": {"policy": restart.value} if restart else None,
        "stop": _given({"signal": stop_signal, "timeout": stop_timeout}),
    }
    wait_options = waiting.WaitOptions(options.seconds(timeout), no_wait)
    client = connect()
    answer = client.post("/v1/processes", {"spec": _given(spec), "cwd": str(Path.cwd()), "replace": replace})
    settled = waiting.wait(client, answer["targets"], waiting.READY, wait_options)
    waiting.show_brought_up(client, settled, output.value)


def program(file: str) -> str:
    """The program as an absolute path: a bare name through the caller's PATH, a path from its folder.

    Raises PmonError when no program of that name is on PATH; whether a path can be run is for pmond
    to say, which may run it as somebody else.
    """
    if "/" in file:
        return os.path.normpath(options.absolute(file))
    found = shutil.which(file)
    if found is None:
        hint = f"write ./{file} for the one in this folder" if Path(file).exists() else "give its path"
        raise PmonError(ErrorCode.INVALID, f"cannot start {file}: there is no such program on PATH", hint)
    return options.absolute(found)


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value not in (None, [], {}, "")}
