"""Runs one command line with Typer.

Theory of operation: only the module of the verb at hand is imported; unknown verbs need the names
alone. Help is our own text (`help_text`). Usage errors become `PmonError`s, so that they look like all
others and end with exit code 2.
"""

from __future__ import annotations

import sys
from typing import Any

import typer
import typer.core
import typer.main

from pmon3 import exit_codes, terminal, typer_verbs
from pmon3.verbs import ALIASES, VERB_OF
from pmon3_schema.errors import ErrorCode, PmonError

_UsageError: type[Exception] = typer.BadParameter.__bases__[0]
"""Typer re-exports only this one of the exceptions of its parser, whose module it renamed in 0.26."""


def run(words: list[str]) -> int:
    """Run one command line and give its exit code. Raises PmonError, also for wrong usage."""
    words = _normalised(words)
    verb = VERB_OF.get(words[0])
    if verb is None:
        raise _unknown(words[0])
    try:
        return _invoke([verb], words)
    except PmonError as error:
        if error.code is not ErrorCode.NOT_FOUND:
            raise
        from pmon3 import hints

        raise hints.improved(error, words) from None


class _HelpfulCommand(typer.core.TyperCommand):
    """A verb that speaks of itself in our words."""

    def get_help(self, ctx: Any) -> str:
        return _help(self, ctx.command_path)


class _HelpfulGroup(typer.core.TyperGroup):
    """The same with subcommands."""

    def get_help(self, ctx: Any) -> str:
        return _help(self, ctx.command_path)


def _help(made: Any, typed: str) -> str:
    # Imported here: most commands are not asked what they do.
    from pmon3.command_tree import described
    from pmon3.help_text import help_of

    verb, *rest = typed.split()[1:]
    name = VERB_OF.get(verb, verb)
    return help_of(
        described(" ".join([name, *rest]), ALIASES[name] if not rest else (), made), _columns()
    ).rstrip("\n")


def _columns() -> int | None:
    return terminal.size(sys.stdout)[0] if terminal.is_terminal(sys.stdout) else None


def _normalised(words: list[str]) -> list[str]:
    if words[:1] == ["help"]:
        return [*words[1:], "--help"]
    if words and words[0] in ("--version", "-v", "-V"):
        return ["version", "--client"]
    if words in (["group"], ["groups"], ["service"]):
        return [*words, "--help"]
    return words


def _invoke(verbs: list[str], words: list[str]) -> int:
    command = typer.main.get_command(typer_verbs.application(verbs, _HelpfulCommand, _HelpfulGroup))
    try:
        result: Any = command.main(args=words, prog_name="pmon3", standalone_mode=False)
    except _UsageError as error:
        raise _usage(error, words) from None
    except typer.Abort:
        return exit_codes.INTERRUPTED
    return result if isinstance(result, int) else exit_codes.DONE


def _usage(error: Exception, words: list[str]) -> PmonError:
    said = str(error.format_message()) if hasattr(error, "format_message") else str(error)
    why = said[:1].lower() + said[1:].rstrip(".")
    # Imported here: most command lines are right.
    from pmon3 import hints

    option = getattr(error, "option_name", "")
    hint = hints.of_option(words, option) if option else hints.of_usage(words, why)
    return PmonError(
        ErrorCode.BAD_REQUEST, f"cannot run {words[0]}: {why}", hint or f"see pmon3 {words[0]} --help"
    )


def _unknown(word: str) -> PmonError:
    from difflib import get_close_matches

    from pmon3.tool_aliases import SAID_HERE, SaidHere

    close = get_close_matches(word, VERB_OF, n=1)
    meant = SAID_HERE.get(word) or (SaidHere(close[0]) if close else None)
    hint = meant.hint() if meant else "pmon3 help lists all"
    return PmonError(ErrorCode.BAD_REQUEST, f"cannot run {word!r}: there is no such command", hint)
