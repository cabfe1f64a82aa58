"""Units of systemd as text: names, words, times, lines.

Theory of operation: a word of a command or a list is quoted, and whatever a line cannot have in it is
escaped. Other values are taken as they stand up to the end of the line, so one with a line break would begin
a setting that nobody has declared: `cannot_be_said` names those.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pmon3_schema.scalars import format_duration

Lines = list[tuple[str, str]]
_PLAIN = re.compile(r"[A-Za-z0-9_%@+=:,./-]+")
_IN_NAMES = re.compile(r"[A-Za-z0-9:_.@-]")
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LEAST = 0.001
"""Seconds: what is shorter would be written 0, which means without end."""


def unit_name(name: str) -> str:
    """The name of a unit for a process: what a unit may not be called is escaped.

    So is an `@` at its end, which would make a template of it, and a dot at its beginning, which would hide
    it.
    """
    escaped = "".join(
        character if _IN_NAMES.match(character) else "".join(f"\\x{byte:02x}" for byte in character.encode())
        for character in name
    )
    escaped = re.sub(r"\A[.@]", lambda found: f"\\x{ord(found[0]):02x}", escaped)
    return re.sub(r"@\Z", r"\\x40", escaped)


def quoted(word: str) -> str:
    """A word of a command line, of a list or of Environment=: nothing in it is expanded."""
    plain = word.replace("%", "%%")
    if _PLAIN.fullmatch(plain):
        return plain
    escaped = plain.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{_BREAKS.sub(_as_escape, escaped)}"'


def command_line(words: Sequence[str]) -> str:
    """A command for an Exec line."""
    return " ".join(quoted(word).replace("$", "$$") for word in words)


def to_the_end(value: str) -> str:
    """A value that is taken as it stands up to the end of its line."""
    return value.replace("%", "%%")


def cannot_be_said(value: str) -> bool:
    """Whether a value that is taken as it stands would end its line, join the next one, or lose a space."""
    backslashes = len(value) - len(value.rstrip("\\"))
    return bool(_BREAKS.search(value)) or backslashes % 2 == 1 or value != value.strip()


def in_one_line(text: str) -> str:
    """What people read, without what would break its line."""
    return _BREAKS.sub(" ", text).rstrip("\\ ").lstrip()


def time_span(seconds: float) -> str:
    """A time, which is never 0: that would be without end."""
    written = re.sub(r"m(?!s)", "min ", format_duration(max(float(seconds), _LEAST)))
    return written.replace("h", "h ").replace("d", "d ").strip()


def unit_text(sections: Mapping[str, Lines]) -> str:
    """The text of a unit, without sections that are empty."""
    parts = [
        f"[{name}]\n" + "".join(f"{key}={value}\n" for key, value in lines)
        for name, lines in sections.items()
        if lines
    ]
    return "\n".join(parts)


def _as_escape(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 0x80 else f"\\u{number:04x}"
