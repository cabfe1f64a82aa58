"""The command line as data: every verb, argument and flag, read from what Typer made of the modules.

Theory of operation: completion, the manual page and the reference tables all come from here, and
so from the same annotations as `--help`. Nothing is declared twice. Only what Typer's parameters
of all supported versions have is used, because the module they live in moved with 0.26.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from pmon3 import examples, typer_verbs
from pmon3.examples import Example
from pmon3.verbs import ALIASES, GROUP, GROUPS, PROCESS, PROCESSES, SCALED

KNOWN_TO_PMOND = (PROCESS, PROCESSES, GROUP, GROUPS, SCALED)
CHOICE, FILE, FOLDER, USER, SIGNAL, TEXT = "choice", "file", "folder", "user", "signal", "text"
PROGRAM, SET, PROFILE, CONDITION, FIELD, ASSIGNMENT = (
    "program", "set", "profile", "condition", "field", "assignment",
)  # fmt: skip

_KINDS = {
    "[PROCESS]...": PROCESS, "GROUP": GROUP, "GROUPS": GROUPS, "PROCESSES": PROCESSES,
    "FILE": FILE, "FILE|KEY=VALUE": FILE, "PATH": FILE, "PATH...": FILE, "FOLDER": FOLDER,
    "USER": USER, "SIGNAL": SIGNAL, "SET": SET, "[SET]": SET, "[SET]...": SET,
    "PROFILE": PROFILE, "CONDITION": CONDITION, "[FIELD]": FIELD, "FIELD=VALUE...": ASSIGNMENT,
    "PROCESS": PROCESS, "PROCESS=NUMBER...": SCALED,
}  # fmt: skip
"""What the word that help shows for a value stands for; anything else is free text."""


class Value(Struct, frozen=True):
    """What can stand in a place: its kind, the word that help shows for it, and the choices if it has any."""

    kind: str
    shown: str
    choices: tuple[str, ...] = ()


class Argument(Struct, frozen=True):
    """A positional argument."""

    value: Value
    help: str
    required: bool
    repeated: bool


class Option(Struct, frozen=True):
    """A flag with all its spellings; `value` is None when it takes none, `default` is text to show."""

    spellings: tuple[str, ...]
    opposites: tuple[str, ...]
    value: Value | None
    help: str
    default: str
    repeated: bool

    @property
    def main_spellings(self) -> tuple[str, ...]:
        """The first long spelling, and the first of its opposite."""
        return (*_first_long(self.spellings), *_first_long(self.opposites))


class Command(Struct, frozen=True):
    """One verb, or one subcommand (`group ls`), with its other names."""

    name: str
    aliases: tuple[str, ...]
    help: str
    arguments: tuple[Argument, ...]
    options: tuple[Option, ...]
    commands: tuple[Command, ...] = ()
    examples: tuple[Example, ...] = ()

    @property
    def summary(self) -> str:
        """The first sentence of the help."""
        return self.help.partition("\n")[0]


def commands() -> list[Command]:
    """All verbs in the order of the overview."""
    return [command(verb) for verb in ALIASES]


def command(verb: str) -> Command:
    """One verb, named by its own name. Imports its module."""
    return described(verb, ALIASES[verb], typer_verbs.command(verb))


def described(name: str, aliases: tuple[str, ...], made: Any) -> Command:
    """What Typer made of a verb, or of a subcommand, as a value."""
    parameters = [parameter for parameter in made.params if not getattr(parameter, "hidden", False)]
    return Command(
        name,
        aliases,
        _without_aliases(made.help or ""),
        tuple(_argument(p) for p in parameters if p.param_type_name == "argument"),
        tuple(_option(p) for p in parameters if p.param_type_name == "option" and p.name != "help"),
        _subcommands(name, getattr(made, "commands", {})),
        examples.of(name),
    )


def _subcommands(verb: str, made: dict[str, Any]) -> tuple[Command, ...]:
    def others(shown: Any) -> tuple[str, ...]:
        return tuple(name for name, one in made.items() if one.hidden and one.callback is shown.callback)

    found = {
        name: described(f"{verb} {name}", others(one), one) for name, one in made.items() if not one.hidden
    }
    return tuple(replace(one, name=name) for name, one in found.items())


def _without_aliases(text: str) -> str:
    first, _, rest = text.partition("\n")
    return f"{first.partition(' (also: ')[0].rstrip('.')}.\n{rest}".strip()


def _argument(parameter: Any) -> Argument:
    return Argument(_value(parameter), parameter.help or "", parameter.required, parameter.nargs == -1)


def _option(parameter: Any) -> Option:
    opposites = tuple(parameter.secondary_opts)
    spellings = (*parameter.opts, *opposites)
    value = None if parameter.is_flag else _value(parameter)
    default = "" if parameter.default in (None, False, True) else str(parameter.default)
    return Option(spellings, opposites, value, parameter.help or "", default, parameter.multiple)


def _first_long(spellings: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(spelling for spelling in spellings if spelling.startswith("--"))[:1]


def _value(parameter: Any) -> Value:
    choices = tuple(str(choice) for choice in getattr(parameter.type, "choices", ()))
    if choices:
        return Value(CHOICE, "|".join(choices), choices)
    number = parameter.type.name.startswith(("integer", "float"))
    shown = parameter.metavar or ("N" if number else "TEXT")
    words = shown.strip("[]").split("|")
    if len(words) > 1 and all(word.isalpha() and word.islower() for word in words):
        return Value(CHOICE, "|".join(words), tuple(words))  # words as they are typed, not kinds of words
    return Value(_KINDS.get(shown, TEXT), shown)
