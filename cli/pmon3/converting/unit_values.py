"""Values in units of systemd: quoting, time spans, sizes, exit statuses."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pmon3.converting.settings import NotCarried
from pmon3.converting.values import signal_word, text, whole, whole_bytes, written_duration

_SPAN = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([a-zA-Zµμ]*)")
_UNITS: Mapping[str, float] = {
    **dict.fromkeys(("us", "usec", "µs", "μs"), 1e-6), **dict.fromkeys(("ms", "msec"), 1e-3),
    **dict.fromkeys(("s", "sec", "second", "seconds", ""), 1), **dict.fromkeys(("m", "min", "minute",
            "minutes"), 60),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3600), **dict.fromkeys(("d", "day", "days"), 86400),
    **dict.fromkeys(("w", "week", "weeks"), 604800), **dict.fromkeys(("M", "month", "months"), 2629800),
    **dict.fromkeys(("y", "year", "years"), 31557600),
}  # fmt: skip
ENDLESS = float("inf")
_ESCAPES = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "s": " ", "\\": "\\",
    '"': '"', "'": "'",
}  # fmt: skip
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)", re.S)
STATUS_NAMES: Mapping[str, int] = {
    "SUCCESS": 0, "FAILURE": 1, "INVALIDARGUMENT": 2, "NOTIMPLEMENTED": 3, "NOPERMISSION": 4,
    "NOTINSTALLED": 5,
    "NOTCONFIGURED": 6, "NOTRUNNING": 7, "USAGE": 64, "DATAERR": 65, "NOINPUT": 66, "NOUSER": 67,
    "NOHOST": 68,
    "UNAVAILABLE": 69, "SOFTWARE": 70, "OSERR": 71, "OSFILE": 72, "CANTCREAT": 73, "IOERR": 74,
    "TEMPFAIL": 75,
    "PROTOCOL": 76, "NOPERM": 77, "CONFIG": 78, "CHDIR": 200, "NICE": 201, "FDS": 202, "EXEC": 203,
    "MEMORY": 204,
    "LIMITS": 205, "GROUP": 216, "USER": 217, "EXCEPTION": 255,
}  # fmt: skip


def span(value: Any) -> float:
    """A time span in seconds; `infinity` is endless. Raises NotCarried."""
    written = text(value).strip()
    if written.lower() in ("infinity", "infinite"):
        return ENDLESS
    at, seconds = 0, 0.0
    while at < len(written):
        found = _SPAN.match(written, at)
        if found is None or found[2] not in _UNITS:
            raise NotCarried(f"{written!r} is no time span")
        seconds += float(found[1]) * _UNITS[found[2]]
        at = found.end()
        at += len(written[at:]) - len(written[at:].lstrip())
    if not written:
        raise NotCarried("it is empty")
    if seconds >= ENDLESS:
        raise NotCarried("it is longer than any time can be", "write a time, or infinity")
    return seconds


def duration(value: Any) -> str:
    """A time span as a manifest writes it. Raises NotCarried for an endless one."""
    seconds = span(value)
    if seconds == ENDLESS:
        raise NotCarried("without end cannot be said here", "write a time")
    return written_duration(seconds)


def size(value: Any) -> int:
    """Bytes with K, M, G, T, P, E in powers of 1024. Raises NotCarried."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([KMGTPE]?)", text(value).strip())
    if found is None:
        raise NotCarried(f"{value!r} is no size in bytes", "write it in bytes, or with K, M, G")
    return whole_bytes(float(found[1]) * 1024 ** " KMGTPE".index(found[2] or " "))


def split(value: str, *, keeps_unknown: bool = True) -> list[str]:
    """Words as systemd takes a line apart: quotes at the edges of words, C escapes. Raises NotCarried."""
    words: list[str] = []
    at = 0
    while at < len(value):
        if value[at].isspace():
            at += 1
            continue
        word, at = _word(value, at)
        words.append(word)
    return words


def _word(value: str, at: int) -> tuple[str, int]:
    parts: list[str] = []
    quote = ""
    while at < len(value):
        character = value[at]
        if character == "\\":
            found = _ESCAPE.match(value, at)
            if found is None:
                raise NotCarried("it ends with a backslash")
            parts.append(_escaped(found[1]))
            at = found.end()
            continue
        if quote and character == quote:
            quote = ""
        elif not quote and character in "\"'":
            quote = character
        elif not quote and character.isspace():
            break
        else:
            parts.append(character)
        at += 1
    if quote:
        raise NotCarried(f"the quote {quote} is not closed", "close it")
    return "".join(parts), at


def _escaped(code: str) -> str:
    if code[0] in "xuU" and len(code) > 1:
        number = int(code[1:], 16)
        if number > sys.maxunicode:
            raise NotCarried(f"\\{code} is no character", "write the character itself")
        return chr(number)
    if len(code) == 3:
        return chr(int(code, 8))
    return _ESCAPES.get(code, f"\\{code}")


def assignments(value: str, expand: Callable[[str], str]) -> dict[str, str]:
    """`A=1 "B=2 3"` as variables. Raises NotCarried."""
    found = {}
    for word in split(value):
        name, equals, content = expand(word).partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise NotCarried(f"{word!r} is no NAME=value")
        found[name] = content
    return found


def with_variables(words: Sequence[str], known: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Words with `${A}` and `$A` replaced from known variables, and the names that are not known.

    `$A` as a word of its own becomes as many words as its value has; `$$` is a dollar sign.
    """
    result: list[str] = []
    unknown: list[str] = []
    for word in words:
        alone = re.fullmatch(r"\$([A-Za-z_]\w*)", word)
        if alone and alone[1] in known:
            result += split(known[alone[1]])
            continue

        def replaced(found: re.Match[str]) -> str:
            if found[0] == "$$":
                return "$"
            name = found[1]
            if name not in known:
                unknown.append(name)
                return found[0]
            return known[name]

        if alone:
            unknown.append(alone[1])
            result.append(word)
        else:
            result.append(re.sub(r"\$\$|\$\{([A-Za-z_]\w*)\}", replaced, word))
    return result, unknown


def statuses(value: str) -> tuple[list[int], list[str]]:
    """Exit codes, and names of signals, in a list of exit statuses. Raises NotCarried."""
    codes: list[int] = []
    signals: list[str] = []
    for word in text(value).split():
        if word in STATUS_NAMES or word.removeprefix("EXIT_") in STATUS_NAMES:
            codes.append(STATUS_NAMES[word.removeprefix("EXIT_")])
        elif word.isdigit():
            codes.append(whole(word, 0, 255))
        else:
            signals.append(signal_word(word))
    return codes, signals
