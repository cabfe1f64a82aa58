"""Builds the Typer application for one command line and runs it.

Theory of operation: only the module of the verb at hand is imported; help and unknown verbs
need the names alone or, for the overview, all modules. Usage errors become `PmonError`s, so
that they look like all others and end with exit code 2.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
import typer.main

from pmon3 import exit_codes
from pmon3.verbs import ALIASES, MODULES, VERB_OF
from pmon3_schema.errors import ErrorCode, PmonError

_UsageError: type[Exception] = typer.BadParameter.__bases__[0]
"""Typer re-exports only this one of the exceptions of its parser, whose module it renamed in 0.26."""


def run(words: list[str]) -> int:
    """Run one command line and give its exit code. Raises PmonError, also for wrong usage."""
    words = _normalised(words)
    if not words or words[0] in ("-h", "--help"):
        return _invoke(list(ALIASES), ["--help"])
    verb = VERB_OF.get(words[0])
    if verb is None:
        raise _unknown(words[0])
    return _invoke([verb], words)


def command(verb: str) -> Any:
    """What Typer makes of one verb, for those who describe it (`command_tree`)."""
    return typer.main.get_command(_application([verb])).commands[verb]  # type: ignore[attr-defined]


def _normalised(words: list[str]) -> list[str]:
    if words[:1] == ["help"]:
        return [*words[1:], "--help"]
    if words and words[0] in ("--version", "-v"):
        return ["version", "--client"]
    if words in (["group"], ["groups"], ["service"]):
        return [*words, "--help"]
    return words


def _invoke(verbs: list[str], words: list[str]) -> int:
    command = typer.main.get_command(_application(verbs))
    try:
        result: Any = command.main(args=words, prog_name="pmon3", standalone_mode=False)
    except _UsageError as error:
        raise _usage(error, words) from None
    except typer.Abort:
        return exit_codes.INTERRUPTED
    return result if isinstance(result, int) else exit_codes.DONE


def _application(verbs: list[str]) -> typer.Typer:
    application = typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        help="Keep declared processes running: ask the pmond that does.",
        epilog="pmon3 COMMAND --help says more about a command.",
    )
    # With a callback, an application of one command still expects its name.
    application.callback()(_no_options)
    for verb in verbs:
        _add(application, verb)
    return application


def _add(application: typer.Typer, verb: str) -> None:
    module = import_module(f"pmon3.commands.{MODULES.get(verb, verb)}")
    others = ALIASES[verb]
    also = f" (also: {', '.join(others)})" if others else ""
    for name in (verb, *others):
        if hasattr(module, "group"):
            application.add_typer(
                module.group, name=name, help=f"{module.SUMMARY}{also}", hidden=name != verb
            )
        else:
            first, _, rest = (module.command.__doc__ or "").partition("\n")
            text = f"{first.rstrip('.')}{also}.\n{rest}"
            application.command(name, help=text, hidden=name != verb)(module.command)


def _no_options() -> None:
    """`pmon3` itself has no options but help and version."""


def _usage(error: Exception, words: list[str]) -> PmonError:
    said = str(error.format_message()) if hasattr(error, "format_message") else str(error)
    why = said[:1].lower() + said[1:].rstrip(".")
    return PmonError(ErrorCode.BAD_REQUEST, f"cannot run {words[0]}: {why}", f"see pmon3 {words[0]} --help")


def _unknown(word: str) -> PmonError:
    from difflib import get_close_matches

    from pmon3.tool_aliases import SAID_HERE

    meant = [SAID_HERE[word]] if word in SAID_HERE else get_close_matches(word, VERB_OF, n=1)
    hint = f"did you mean {meant[0]}? pmon3 help lists all" if meant else "pmon3 help lists all"
    return PmonError(ErrorCode.BAD_REQUEST, f"cannot run {word!r}: there is no such command", hint)
