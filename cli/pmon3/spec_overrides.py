"""The flags of `start` and `restart` that change a process on the way, shared by both.

Theory of operation: only flags that were given are sent. `-l` is the seed's `--log` here and
the label selector everywhere else: a value with `=` before any `/` is a label, anything else
a log file, and no path that the seed accepted (a full one) can be mistaken for a label.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pmon3 import environment, options, waiting
from pmon3.address import connect

Arguments = Annotated[str | None, typer.Option("--args", "-a", help="New arguments, one string.")]
User = Annotated[str | None, typer.Option("--user", "-u", metavar="USER", help="New user it runs as.")]
LogOrLabel = Annotated[
    list[str] | None,
    typer.Option(
        "--log",
        "-l",
        metavar="FILE|KEY=VALUE",
        help="New log file; or, as KEY=VALUE, only those labelled so.",
    ),
]
Label = Annotated[
    list[str] | None, typer.Option("--label", metavar="KEY=VALUE", help="Only those with this label.")
]
LogFolder = Annotated[
    str | None, typer.Option("--log-dir", "--log_dir", metavar="FOLDER", help="New folder of its log file.")
]
NoAutorestart = Annotated[
    bool | None,
    typer.Option("--no-autorestart/--autorestart", "-n", help="Whether it is restarted by itself."),
]
Environment = Annotated[
    str | None,
    typer.Option(
        "--env-vars", "-e", help="These variables instead of all there were, 'K=V K2=V2'; --env sets one."
    ),
]
Dependencies = Annotated[
    list[str] | None, typer.Option("--dependencies", "-d", metavar="PROCESSES", help="New dependencies.")
]
SpecGroups = Annotated[list[str] | None, typer.Option("--groups", metavar="GROUPS", help="New groups.")]


class SpecOverrides:
    """The keys of the spec that the flags above change; those that were not given are left out."""

    def __init__(
        self,
        args: str | None = None,
        user: str | None = None,
        log: str | None = None,
        log_dir: str | None = None,
        no_autorestart: bool | None = None,
        env_vars: str | None = None,
        dependencies: list[str] | None = None,
        groups: list[str] | None = None,
    ) -> None:
        values = {
            "args": args,
            "user": user,
            "log": options.absolute(log) if log else None,
            "log_dir": options.absolute(log_dir) if log_dir else None,
            "no_auto_restart": no_autorestart,
            "env_vars": env_vars,
            "dependencies": options.comma_list(dependencies) if dependencies else None,
            "groups": options.comma_list(groups) if groups else None,
        }
        self.spec: dict[str, Any] = {key: value for key, value in values.items() if value is not None}


def split_log_or_label(words: list[str] | None) -> tuple[str | None, list[str]]:
    """The values of `-l`: the last log file and all labels."""
    logs = [word for word in words or [] if not is_label(word)]
    return (logs[-1] if logs else None), [word for word in words or [] if is_label(word)]


def is_label(word: str) -> bool:
    """Whether a value of `-l` selects by label: `=` comes before any `/`."""
    return "=" in word.partition("/")[0]


def bring_up(
    verb: str,
    chosen: dict[str, Any],
    changes: SpecOverrides,
    wait_options: waiting.WaitOptions,
    shape: str,
    env: list[str] | None = None,
) -> None:
    """Start or restart the selected processes with these changes; print them, in a table all.

    `env`: single variables, to be laid over those that there are. Raises PmonError.
    """
    client = connect()
    if env:
        before = (
            changes.spec["env_vars"] if "env_vars" in changes.spec else environment.of_the_one(client, chosen)
        )
        changes.spec["env_vars"] = environment.laid_over(before, env)
    body = chosen | {"changes": changes.spec}
    waiting.show_brought_up(client, waiting.act(client, verb, body, waiting.READY, wait_options), shape)
