"""What the values of fields may be, and how they are written: names, texts, durations, sizes, signals.

Theory of operation: each type turns what a manifest says into the normal form of the value, and says
what is wrong with it in words for its author. Nothing here knows which field it is about.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pmon3_schema import input_schema
from pmon3_schema.characters import IS_UNSEEN, named
from pmon3_schema.fields import Conversion, FieldStruct, mistake
from pmon3_schema.scalars import LARGEST_EXIT_CODE, parse_duration, parse_signal, parse_size
from pmon3_schema.substituted_text import SubstitutedText, as_number, as_text, as_truth, as_whole

_QUOTING = re.compile(r"['\"\\]")
_WORD = re.compile(r"[^ \t\r\n]+")
_SURROGATE = re.compile("[\ud800-\udfff]")
_OCTAL = re.compile(r"(?:0[oO])?([0-7]{1,400})\Z")
_FORBIDDEN_IN_NAME = re.compile(r"[/,*?\[\]]")
_REPLICA = re.compile(r"@[0-9]+\Z")


def _name(value: Any) -> Any:
    if isinstance(value, str):
        check_name(value)
    return value


def _own_name(value: Any) -> Any:
    if isinstance(value, str):
        check_name(value)
        if _REPLICA.search(value):
            raise mistake(
                "name",
                f"{value!r} is not a name: NAME@NUMBER is reserved for the replicas of a process"
                f" (call it {_REPLICA.sub('', value) or 'web'}-{value.rpartition('@')[2]})",
            )
    return value


def check_name(value: str) -> None:
    """Raises a mistake for what cannot be the name of a process or of a group."""
    unseen = IS_UNSEEN.search(value)
    if unseen:
        why = (
            "it would look like another"
            if unseen[0].isprintable()
            else "a terminal or a log would not show it"
        )
        raise mistake("name", f"{value!a} is not a name: it has {named(unseen[0])} ({why}; leave it out)")
    if not value or value in {".", ".."} or value != value.strip():
        raise mistake("name", f"{value!r} is not a name (it is empty, a dot or has spaces around it)")
    if len(value.encode("utf-8", "surrogatepass")) > 128:
        raise mistake("name", "a name has at most 128 bytes")
    if value.startswith("-") or _FORBIDDEN_IN_NAME.search(value):
        raise mistake("name", f"{value!r} is not a name (no leading '-', no / , * ? [ ])")


def _no_nul(value: Any) -> Any:
    if isinstance(value, str) and "\0" in value:
        raise mistake("nul", "the value has a NUL character, which no program can be given")
    if isinstance(value, str) and not value.isascii() and _SURROGATE.search(value):
        raise mistake("nul", "the value has half of a surrogate pair, which is no text")
    return value


def split_words(text: str) -> list[str]:
    """Words as a POSIX shell would split them, without expanding anything.

    Raises ValueError for an open quote. `shlex` is slow; most arguments have nothing to unquote.
    """
    return shlex.split(text) if _QUOTING.search(text) else _WORD.findall(text)


def _words(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return tuple(split_words(value))
        except ValueError as error:
            raise mistake(
                "args", f"cannot split the arguments: {str(error).lower()} (close the quote)"
            ) from None
    return tuple(value) if isinstance(value, list) else value


def _commands(value: Any) -> Any:
    return (value,) if isinstance(value, str) else _tuple(value)


def _no_empty_command(value: Any) -> Any:
    if value == ():
        raise mistake("command", "the command is empty (remove it)")
    return value


def env_map(value: Any) -> Any:
    """Variables as a map where they are written as text that can be read; else the value itself."""
    try:
        return _environment(value)
    except ValueError:
        return value


def _environment(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        words = split_words(value)
    except ValueError as error:
        raise mistake(
            "env_vars", f"cannot split the variables: {str(error).lower()} (close the quote)"
        ) from None
    pairs = {}
    for word in words:
        key, equals, content = word.partition("=")
        if not equals or not key:
            shown = value if isinstance(value, SubstitutedText) else word
            raise mistake("env_vars", f"{shown!r} is not NAME=value (quote values that have spaces)")
        pairs[key] = content
    return pairs


def check_variables(names: Iterable[str]) -> None:
    """Raises a mistake for what no environment can have as a name."""
    for name in names:
        if not name or "=" in name or "\0" in name:
            raise mistake("env_vars", f"{name!r} is not the name of a variable")


def _converted(convert: Any, code: str, written: Mapping[str, Any]) -> Conversion:
    def validate(value: Any) -> Any:
        if value is None or not isinstance(value, str | int | float):
            return value
        try:
            return convert(value)
        except ValueError as error:
            raise mistake(code, str(error)) from None

    return Conversion(validate, written)


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _exit_codes(value: Any) -> Any:
    for code in value if isinstance(value, list | tuple) else ():
        number = as_whole(code)
        if isinstance(number, int) and not 0 <= number <= LARGEST_EXIT_CODE:
            raise mistake("exit_code", f"an exit code is a number from 0 to {LARGEST_EXIT_CODE}")
    return _tuple(value)


def _octal(value: Any) -> Any:
    if isinstance(value, str):
        digits = _OCTAL.match(value.strip())
        if digits is None:
            raise mistake("umask", f"{value!r} is not octal (write it quoted, such as '0022')")
        return int(digits[1], 8)
    return value


def _prune(value: Any) -> Any:
    plain = as_text(as_truth(value))
    if plain == "confirm" or isinstance(plain, bool):
        return plain
    raise mistake("choice", "`prune` must be true, false or confirm")


Name = Annotated[str, Conversion(_name, input_schema.NAME)]
OwnName = Annotated[str, Conversion(_own_name, input_schema.OWN_NAME)]
"""What a process may be called by its author; others may name one of its replicas, `web@2`."""
Text = Annotated[str, Conversion(_no_nul)]
Flag = Annotated[bool, Conversion(as_truth)]
Whole = Annotated[int, Conversion(as_whole)]
Number = Annotated[float, Conversion(as_number)]
FromText = Conversion(as_text)
"""For a choice of words."""
Prune = Annotated[bool | Literal["confirm"], Conversion(_prune)]
Duration = Annotated[float, _converted(parse_duration, "duration", input_schema.DURATION)]
Size = Annotated[int, _converted(parse_size, "size", input_schema.SIZE)]
SignalNumber = Annotated[int, _converted(parse_signal, "signal", input_schema.SIGNAL)]
ExitCodes = Annotated[tuple[Whole, ...], Conversion(_exit_codes, input_schema.EXIT_CODES)]
Texts = Annotated[
    tuple[Text, ...],
    Conversion(lambda v: (v,) if isinstance(v, str) else _tuple(v), input_schema.TEXTS),
]
Words = Annotated[tuple[Text, ...], Conversion(_words, input_schema.WORDS)]
"""Arguments: one string in shell quoting, or a list."""
Commands = Annotated[
    tuple[Annotated[Words, Conversion(_no_empty_command, check=True)], ...],
    Conversion(_commands, input_schema.COMMANDS),
]
"""Commands, each as words: one string in shell quoting, or a list. One string alone is one command."""
Environment = Annotated[dict[Text, Text], Conversion(_environment, input_schema.VARIABLES)]
Mask = Annotated[int | None, Conversion(_octal, input_schema.MASK)]
"""File permissions, in octal where it is text."""
Names = Annotated[tuple[Name, ...], Conversion(_tuple, input_schema.NAMES)]


class Part(FieldStruct, frozen=True):
    """What can be declared in a manifest: no unknown keys, no conversions but those of the types here."""

    reading: ClassVar[Mapping[str, Any]] = {"strict": True}
