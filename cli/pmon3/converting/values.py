"""How values of other tools are read: truth, numbers, times, sizes, signals, words.

Each reader gives the value as a manifest writes it, or raises NotCarried with what is wrong with it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from typing import Any

from pmon3.converting.settings import NotCarried
from pmon3_schema.scalars import LONGEST_DURATION, format_duration, parse_signal, signal_name

_YES = frozenset({"true", "yes", "on", "1", "y", "t"})
_NO = frozenset({"false", "no", "off", "0", "n", "f"})
_LARGEST = 1 << 63
_BUILT_IN = (
    r"\.|:|!|\{|alias|case|cd|command|eval|exec|exit|export|for|if|read|set|source|trap|type|ulimit|umask|until"
    r"|wait|while"
)
_NEEDS_A_SHELL = re.compile(rf"[|&;<>()$`*?\[\]{{}}~#!\n\\]|^\s*[A-Za-z_]\w*=|^\s*(?:{_BUILT_IN})(?:\s|$)")


def text(value: Any) -> str:
    """Text, or what stands for it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise NotCarried(f"{_kind(value)} cannot be text here")


def truth(words: frozenset[str] = _YES, others: frozenset[str] = _NO) -> Callable[[Any], bool]:
    """A reader of the words for yes and no of a tool."""

    def read(value: Any) -> bool:
        word = text(value).strip().lower()
        if word in words or word in others:
            return word in words
        raise NotCarried(f"{text(value)!r} is neither yes nor no")

    return read


STRICT_YES, STRICT_NO = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0"})


def unless(usual: Any, reader: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The reader, giving None for what a manifest means without being told."""

    def read(value: Any) -> Any:
        found = reader(value)
        return None if found == usual else found

    return read


def whole(value: Any, least: int | None = None, most: int | None = None) -> int:
    """A whole number, between bounds."""
    if isinstance(value, bool) or not isinstance(value, int | str | float):
        raise NotCarried(f"{_kind(value)} is not a whole number")
    try:
        number = int(str(value).strip(), 10)
    except ValueError:
        raise NotCarried(f"{value!r} is not a whole number") from None
    if (least is not None and number < least) or (most is not None and number > most):
        bounds = f"between {least} and {most}" if most is not None else f"at least {least}"
        raise NotCarried(f"{number} is out of range", f"it is {bounds}")
    return number


def at_least_one(value: Any) -> int:
    """A whole number above 0."""
    return whole(value, 1)


def number(value: Any) -> float:
    """A number that is not negative."""
    try:
        found = float(text(value).strip())
    except ValueError:
        raise NotCarried(f"{value!r} is not a number") from None
    if not 0 <= found < float("inf"):
        raise NotCarried(f"{value!r} is out of range")
    return found


def length(value: Any) -> float:
    """A number of seconds, if a time can be as long."""
    found = number(value)
    written_duration(found)
    return found


def seconds(value: Any) -> str:
    """A number of seconds as a duration."""
    return written_duration(number(value))


def milliseconds(value: Any) -> str:
    """A number of milliseconds as a duration."""
    return written_duration(number(value) / 1000)


def written_duration(length: float) -> str:
    """Seconds as a duration, if there can be one as long. Raises NotCarried."""
    if length > LONGEST_DURATION:
        raise NotCarried("it is longer than a time can be here", "100 years, 36500d, is the longest")
    return format_duration(length)


def octal(value: Any) -> str:
    """A file mode mask."""
    digits = f"{value:o}" if isinstance(value, int) and not isinstance(value, bool) else text(value).strip()
    if not re.fullmatch(r"(?:0[oO]?)?[0-7]+", digits):
        raise NotCarried(f"{digits!r} is not an octal number")
    mask = int(digits.lower().replace("o", ""), 8)
    if mask > 0o777:
        raise NotCarried(f"{digits!r} has more than permission bits", "a mask is at most 0777")
    return f"{mask:04o}"


def signal_word(value: Any) -> str:
    """The name of a signal, in any of the spellings."""
    word = text(value).strip()
    try:
        return signal_name(parse_signal(word))
    except ValueError:
        raise NotCarried(f"there is no signal {word!r} here") from None


def size_of(units: dict[str, int], value: Any) -> int:
    """Bytes, in the units of a tool (suffixes in small letters, longest first)."""
    word = text(value).strip().lower()
    for suffix, factor in units.items():
        amount = word.removesuffix(suffix).strip()
        if suffix and word.endswith(suffix) and re.fullmatch(r"[0-9]+(?:\.[0-9]*)?", amount):
            return whole_bytes(float(amount) * factor)
    if not re.fullmatch(r"[0-9]+", word):
        raise NotCarried(f"{text(value)!r} is not a size")
    return whole_bytes(float(word) * units.get("", 1)) if len(word) > 18 else int(word) * units.get("", 1)


def whole_bytes(size: float) -> int:
    """A size, if there can be one as large. Raises NotCarried."""
    if size >= _LARGEST:
        raise NotCarried(f"{size:g} bytes are out of range")
    return int(size)


def written_size(size: int) -> int | str:
    """Bytes as a person would write them."""
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return size


def exit_codes(separator: str | None) -> Callable[[Any], list[int]]:
    """Exit codes, separated by commas or spaces, or a list of them."""

    def read(value: Any) -> list[int]:
        parts = value if isinstance(value, list) else text(value).split(separator)
        return [whole(part, 0, 255) for part in parts if str(part).strip()]

    return read


def words(value: Any) -> list[str]:
    """A command or arguments: a list, or one text in shell quoting."""
    if isinstance(value, list):
        return [text(word) for word in value]
    try:
        return shlex.split(text(value))
    except ValueError as error:
        raise NotCarried(f"its quotes cannot be read: {str(error).lower()}", "close the quote") from None


def texts(value: Any) -> list[str]:
    """A list of texts; one alone is a list too."""
    return [text(one) for one in value] if isinstance(value, list) else [text(value)]


def command_by_shell(line: str, shell: str = "/bin/sh") -> tuple[str, list[str]]:
    """A command line of a tool that hands it to a shell: program and arguments that do the same.

    A plain command is started by itself. Of others the shell is replaced by the program where the line is one
    command, so that signals reach it.
    """
    try:
        plain = shlex.split(line)
    except ValueError:
        plain = []
    if plain and not _NEEDS_A_SHELL.search(line):
        return plain[0], plain[1:]
    return shell, ["-c", with_exec(line)]


def with_exec(line: str) -> str:
    """The line with `exec` before it where it is one simple command that a shell would fork for."""
    simple = not re.search(rf"[|&;<>()`\n]|^\s*(?:{_BUILT_IN})(?:\s|$)", line)
    assigned = re.match(r"\s*[A-Za-z_]\w*=", line)
    return f"exec {line}" if simple and not assigned and line.strip() else line


def _kind(value: Any) -> str:
    names = {dict: "a mapping", list: "a list", bool: "a truth value", type(None): "nothing"}
    return names.get(type(value), "a value")
