"""Completion where flags are involved: the command tree knows which of them take a value, and which.

Theory of operation: the words so far are read as Typer would read them, which leaves either a flag
whose value is being typed or the number of the argument; the tree says what can stand there.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, field

from pmon3 import command_tree
from pmon3.candidates import Candidate, matching, of_kind, profiles
from pmon3.command_tree import Command, Option, Value


class Typed(Struct):
    """What the words before the cursor amount to."""

    arguments: list[str] = field(default_factory=list)
    awaiting: Option | None = None
    """The flag whose value comes next."""
    values: dict[str, list[str]] = field(default_factory=dict)
    """What each flag was given, by its first long spelling."""
    no_more_flags: bool = False
    """Whether a `--` has been seen."""


def complete(verb: str, before: list[str], typed: str) -> Iterator[Candidate]:
    """Candidates for the word `typed` after `before`. Raises PmonError when pmond cannot be asked."""
    command: Command | None = command_tree.command(verb)
    if command and command.commands:
        if not before:
            return matching(typed, (Candidate(one.name, one.summary) for one in command.commands))
        name, *before = before
        command = next((one for one in command.commands if name in (one.name, *one.aliases)), None)
    return _in_command(command, before, typed) if command else iter(())


def read(command: Command, words: list[str]) -> Typed:
    """The words of a command line so far."""
    state = Typed()
    for word in words:
        if state.awaiting:
            state.values.setdefault(state.awaiting.main_spellings[0], []).append(word)
            state.awaiting = None
        elif state.no_more_flags or not word.startswith("-") or word == "-":
            state.arguments.append(word)
        elif word == "--":
            state.no_more_flags = True
        else:
            option = _option(command, word)
            state.awaiting = option if option and option.value else None
    return state


def _in_command(command: Command, before: list[str], typed: str) -> Iterator[Candidate]:
    state = read(command, before)
    if state.awaiting and state.awaiting.value:
        if state.awaiting.value.kind == command_tree.PROFILE:
            return matching(typed, profiles(state.values.get("--file", [])))
        return _of_value(state.awaiting.value, typed, [])
    if typed.startswith("-") and not state.no_more_flags:
        return _of_flag(command, typed)
    place = len(state.arguments)
    if command.arguments and (place < len(command.arguments) or command.arguments[-1].repeated):
        if command.name == "exec" and place == 0:  # its FILE may be a name on PATH
            return of_kind(command_tree.PROGRAM, typed, [])
        argument = command.arguments[min(place, len(command.arguments) - 1)]
        return _of_value(argument.value, typed, state.arguments)
    return iter(())


def _of_flag(command: Command, typed: str) -> Iterator[Candidate]:
    flag, equals, start = typed.partition("=")
    if equals:
        option = _option(command, flag)
        if option and option.value:
            for candidate in _of_value(option.value, start, []):
                yield candidate._replace(word=f"{flag}={candidate.word}")
        return
    for option in command.options:
        # The first long spelling of each and of its opposite; a short one only when it is typed whole.
        for spelling in option.spellings:
            if spelling == typed or (spelling in option.main_spellings and spelling.startswith(typed)):
                yield Candidate(spelling, option.help)


def _of_value(value: Value, typed: str, given: list[str]) -> Iterator[Candidate]:
    if value.choices:
        return matching(typed, (Candidate(choice) for choice in value.choices))
    return of_kind(value.kind, typed, given)


def _option(command: Command, spelling: str) -> Option | None:
    return next((option for option in command.options if spelling in option.spellings), None)
