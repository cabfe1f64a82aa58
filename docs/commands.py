"""The reference of all commands, from their functions: docstrings, options, help texts."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from enum import Enum
from importlib import import_module
from typing import Any, get_args, get_type_hints

from docs.words import table
from typer.models import ArgumentInfo, OptionInfo

from pmon3 import examples
from pmon3.verbs import ALIASES, MODULES


def functions() -> Iterator[tuple[str, tuple[str, ...], Callable[..., Any]]]:
    """Every command: its full name, its other names, the function that it runs."""
    for verb, others in ALIASES.items():
        module = import_module(f"pmon3.commands.{MODULES.get(verb, verb)}")
        if not hasattr(module, "group"):
            yield verb, others, module.command
            continue
        for command in module.group.registered_commands:
            if not command.hidden:
                yield f"{verb} {command.name}", (), command.callback


def reference() -> str:
    """One section for each command."""
    return "".join(_section(*each) for each in functions()) + "\n"


def flags(function: Callable[..., Any]) -> Iterator[tuple[str, str, str]]:
    """Arguments and options: how they are written, their default, what they mean."""
    hints = get_type_hints(function, include_extras=True)
    for name, parameter in inspect.signature(function).parameters.items():
        kind, *notes = get_args(hints[name])
        info = next(note for note in notes if isinstance(note, OptionInfo | ArgumentInfo))
        if info.hidden:
            continue
        values = info.metavar or _choices(kind)
        if isinstance(info, ArgumentInfo):
            written = f"`{values or name.upper()}`"
        else:
            written = ", ".join(f"`{word}`" for word in _spellings(name, info)) + (values and f" {values}")
        yield written, _shown(parameter.default), str(info.help or "")


def _section(name: str, others: tuple[str, ...], function: Callable[..., Any]) -> str:
    text = inspect.cleandoc(function.__doc__ or "")
    also = f"Also: {', '.join(f'`pmon3 {other}`' for other in others)}.\n\n" if others else ""
    return f"\n## pmon3 {name}\n\n{text}\n\n{also}{_examples(name)}" + table(
        ("argument or option", "default", "meaning"), list(flags(function))
    )


def _examples(name: str) -> str:
    lines = "".join(f"{one.line}  # {one.meaning}\n" for one in examples.of(name))
    return f"```sh\n{lines}```\n\n" if lines else ""


def _spellings(name: str, info: OptionInfo) -> list[str]:
    # Inside `Annotated` Typer takes the first spelling for its parameter `default`.
    first = [info.default] if isinstance(info.default, str) else []
    return [*first, *(info.param_decls or ())] or [f"--{name.replace('_', '-')}"]


def _choices(kind: Any) -> str:
    for part in (kind, *get_args(kind)):
        if isinstance(part, type) and issubclass(part, Enum):
            return ", ".join(str(word.value) for word in part)
    return ""


def _shown(default: Any) -> str:
    if isinstance(default, Enum):
        return f"`{default.value}`"
    return "" if default in (None, False, inspect.Parameter.empty) else f"`{default}`"
