"""`completion`: the script that makes a shell complete commands, flags and live names."""

from __future__ import annotations

from enum import StrEnum
from importlib.resources import files
from typing import Annotated

import typer

from pmon3 import output


class Shell(StrEnum):
    """The shells that can be taught."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def command(
    shell: Annotated[Shell, typer.Argument(metavar="bash|zsh|fish", help="The shell it is for.")],
) -> None:
    """Print a completion script for a shell.

    bash: source <(pmon3 completion bash), in ~/.bashrc. zsh: the same, after compinit, in ~/.zshrc.
    fish: pmon3 completion fish | source, in config.fish.
    """
    output.write(files("pmon3").joinpath("shells", f"completion.{shell.value}").read_text("utf-8"))
