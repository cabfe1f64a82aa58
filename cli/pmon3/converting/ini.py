"""Files of sections and `key = value` lines, as supervisord and circus read them, with the line of every key.

Theory of operation: both read with Python's configparser, whose rules these are: keys in small letters, `=`
or `:` between key and value, a line that begins with space goes on with the value before it, a section that
comes again goes on too. What they do differently, comments and expansion, is left to the caller.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from pmon3.converting.settings import CannotConvert, Place, Setting
from pmon3.converting.sources import lines_of

_SECTION = re.compile(r"\[(?P<name>.+)\]")
_OPTION = re.compile(r"(?P<key>.*?)\s*(?:(?P<sign>[=:])\s*(?P<value>.*))?$")


class IniSection(Struct, frozen=True):
    """A section with its settings in the order of the text; one that comes again is another."""

    name: str
    place: Place
    settings: tuple[Setting, ...]


class IniRules(Struct, frozen=True):
    """What differs between the tools."""

    inline_comments: Sequence[str] = ()
    """Characters that begin a comment after a space, also inside of values."""
    small_keys: bool = True
    """Keys mean the same in capitals."""


def read_ini(text: str, file: str, rules: IniRules) -> list[IniSection]:
    """The sections of a text. Raises CannotConvert with the line that is none of an ini file."""
    sections: list[tuple[str, Place, list[Setting]]] = []
    parts: list[str] = []  # of the value that is being read
    indent = 0
    for number, line in enumerate(lines_of(text), 1):
        content = _without_comment(line, rules.inline_comments)
        if not content.strip():
            if not line.strip() and parts:
                parts.append("")
            continue
        depth = len(content) - len(content.lstrip())
        content = content.strip()
        if parts and depth > indent and sections and sections[-1][2]:
            parts.append(content)
            _replace_last(sections[-1][2], "\n".join(parts).strip())
            continue
        indent, parts = depth, []
        header = _SECTION.match(content)
        if header:
            sections.append((header["name"], Place(file, number), []))
            continue
        found = _OPTION.match(content)
        if not sections:
            raise CannotConvert(f"line {number} stands before the first [section]")
        if found is None or not found["sign"] or not found["key"]:
            raise CannotConvert(f"line {number} is neither a [section] nor `key = value`")
        value = (found["value"] or "").strip()
        parts = [value]
        key = found["key"].rstrip()
        key = key.lower() if rules.small_keys else key
        sections[-1][2].append(Setting(key, value, Place(file, number)))
    return [IniSection(name, place, tuple(settings)) for name, place, settings in sections]


def merged_sections(sections: Sequence[IniSection]) -> Iterator[IniSection]:
    """Each section once, with all that is said of it anywhere; a later key wins."""
    found: dict[str, list[IniSection]] = {}
    for section in sections:
        found.setdefault(section.name, []).append(section)
    for name, same in found.items():
        yield IniSection(name, same[0].place, tuple(one for section in same for one in section.settings))


def _replace_last(settings: list[Setting], value: str) -> None:
    last = settings[-1]
    settings[-1] = Setting(last.key, value, last.place)


def _without_comment(line: str, inline: Sequence[str]) -> str:
    if line.lstrip()[:1] in ("#", ";"):
        return ""
    ends = [found.start() for mark in inline for found in re.finditer(rf"(?<=\s){re.escape(mark)}", line)]
    return line[: min(ends)] if ends else line
