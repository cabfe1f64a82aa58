"""The help of one verb as text: what it does, examples, arguments and options. Pure.

Theory of operation: it is made from the same description as completion, the manual page and the reference
(`command_tree`), so it speaks of values in their words and not in those of Python's types.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pmon3.command_tree import Argument, Command, Option
from pmon3.fitting import width, wrapped

_MOST_COLUMNS = 100
"""Wider lines are hard to read."""
_LEFT = 28
"""Columns of what is typed; what is longer has its meaning in the next line."""


def help_of(command: Command, columns: int | None) -> str:
    """The help of a command, for a terminal of so many columns (80 where it goes elsewhere)."""
    room = max(40, min(columns or 80, _MOST_COLUMNS))
    return "".join(f"{line}\n" for line in _lines(command, room))


def _lines(command: Command, room: int) -> Iterator[str]:
    words = [_argument(one) for one in command.arguments]
    words += ["COMMAND"] if command.commands else []
    words += ["[OPTION]..."] if command.options else []
    yield from wrapped(f"Usage: pmon3 {command.name} {' '.join(words)}".rstrip(), room)
    if command.aliases:
        yield f"Also: {', '.join(f'pmon3 {alias}' for alias in command.aliases)}"
    for paragraph in command.help.split("\n\n"):
        yield ""
        yield from wrapped(" ".join(paragraph.split()), room)
    if command.examples:
        yield from ("", "Examples:")
        for example in command.examples:
            yield f"  {example.line}"
            yield from (f"      {line}" for line in wrapped(example.meaning, room - 6))
    yield from _section("Commands", map(_subcommand, command.commands), room)
    yield from _section("Arguments", ((one.value.shown, one.help) for one in command.arguments), room)
    options = [*map(_option, command.options), ("-h, --help", "Say this.")]
    yield from _section("Options", options, room)


def _section(title: str, rows: Iterable[tuple[str, str]], room: int) -> Iterator[str]:
    listed = list(rows)
    if not listed:
        return
    yield from ("", f"{title}:")
    left = min(_LEFT, max(width(typed) for typed, _ in listed) + 4)
    for typed, meaning in listed:
        first, *rest = wrapped(meaning, room - left)
        if width(typed) + 4 > left:
            yield f"  {typed}"
            yield f"{' ' * left}{first}"
        else:
            yield f"  {typed}{' ' * (left - 2 - width(typed))}{first}"
        yield from (f"{' ' * left}{line}" for line in rest)


def _argument(one: Argument) -> str:
    shown = one.value.shown
    if shown.startswith("[") or one.required:
        return shown
    return f"[{shown}]{'...' if one.repeated else ''}"


def _subcommand(one: Command) -> tuple[str, str]:
    return one.name, with_aliases(one.summary, one.aliases)


def with_aliases(summary: str, aliases: Sequence[str]) -> str:
    """A summary that says the other names too: `List processes (also: list).`"""
    return f"{summary.rstrip('.')} (also: {', '.join(aliases)})." if aliases else summary


def _option(one: Option) -> tuple[str, str]:
    value = f" {one.value.shown}" if one.value else ""
    default = f" Default: {one.default}." if one.value and one.default else ""
    short = [word for word in one.spellings if not word.startswith("--")]
    long = [word for word in one.spellings if word.startswith("--")]
    return f"{', '.join([*short, *long])}{value}", f"{one.help}{default}"
