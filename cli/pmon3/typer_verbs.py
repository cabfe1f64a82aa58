"""The verbs as a Typer application: built for one command line, or to be described.

Theory of operation: only the modules of the verbs that are named are imported.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
import typer.core
import typer.main

from pmon3.verbs import ALIASES, MODULES


def command(verb: str) -> Any:
    """What Typer makes of one verb, for those who describe it (`command_tree`)."""
    return typer.main.get_command(application([verb])).commands[verb]  # type: ignore[attr-defined]


def application(
    verbs: list[str],
    command_class: type[typer.core.TyperCommand] = typer.core.TyperCommand,
    group_class: type[typer.core.TyperGroup] = typer.core.TyperGroup,
) -> typer.Typer:
    """An application of these verbs; the classes decide how each speaks of itself."""
    made = typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    # With a callback, an application of one command still expects its name.
    made.callback()(_no_options)
    for verb in verbs:
        _add(made, verb, command_class, group_class)
    return made


def _add(
    application: typer.Typer,
    verb: str,
    command_class: type[typer.core.TyperCommand],
    group_class: type[typer.core.TyperGroup],
) -> None:
    module = import_module(f"pmon3.commands.{MODULES.get(verb, verb)}")
    others = ALIASES[verb]
    also = f" (also: {', '.join(others)})" if others else ""
    for name in (verb, *others):
        if hasattr(module, "group"):
            for one in module.group.registered_commands:
                one.cls = command_class
            text = f"{module.SUMMARY}{also}"
            application.add_typer(module.group, name=name, cls=group_class, help=text, hidden=name != verb)
        else:
            first, _, rest = (module.command.__doc__ or "").partition("\n")
            text = f"{first.rstrip('.')}{also}.\n{rest}"
            made = application.command(name, cls=command_class, help=text, hidden=name != verb)
            made(module.command)


def _no_options() -> None:
    """`pmon3` itself has no options but help and version."""
