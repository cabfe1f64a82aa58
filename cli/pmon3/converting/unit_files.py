"""Files of systemd units: sections of `Key=value` lines, with the line of each, and drop-ins laid over them.

Theory of operation: as in systemd.syntax(7). A backslash at the end joins the next line with a space;
comment lines in between are passed over. A key may come again: what that means depends on the key, so all
are kept. An empty value takes back what was said before of keys that are lists.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence

from pmon3.converting.settings import CannotConvert, Place, Setting
from pmon3.converting.sources import InputFiles, lines_of

Unit = dict[str, list[Setting]]
"""The settings of each section."""

_SECTION = re.compile(r"\[([^\]]+)\]\Z")
_EMPTY_IS_NONE = frozenset({"CapabilityBoundingSet"})
"""Keys whose empty value says more than that nothing is said: here, no capability at all."""


def read_unit(text: str, file: str) -> Unit:
    """The sections of one file. Raises CannotConvert with the line that is none of a unit."""
    found: Unit = {}
    section = ""
    for number, line in _joined(text):
        header = _SECTION.match(line)
        if header:
            section = header[1]
            found.setdefault(section, [])
            continue
        key, equals, value = line.partition("=")
        if not equals or not section:
            raise CannotConvert(f"line {number} is neither a [Section] nor `Key=value`")
        found[section].append(Setting(key.strip(), value.strip(), Place(file, number)))
    return found


def _joined(text: str) -> list[tuple[int, str]]:
    """Logical lines, each with the number of its first line; no comments, no empty ones."""
    found: list[tuple[int, str]] = []
    open_line: tuple[int, str] | None = None
    for number, line in enumerate(lines_of(text), 1):
        stripped = line.strip()
        if stripped[:1] in ("#", ";"):
            continue  # also between joined lines
        if open_line is not None:
            start, before = open_line
        elif stripped:
            start, before = number, ""
        else:
            continue
        if (len(stripped) - len(stripped.rstrip("\\"))) % 2:  # two of them are one that is meant
            open_line = (start, before + stripped[:-1] + " ")
        else:
            found.append((start, (before + stripped).strip()))
            open_line = None
    if open_line is not None:
        found.append((open_line[0], open_line[1].strip()))
    return [one for one in found if one[1]]


def with_drop_ins(unit: Unit, path: str, sources: InputFiles) -> Unit:
    """The unit with the drop-ins beside it laid over; of `foo@x.service` also those of `foo@.service`."""
    merged = {section: list(settings) for section, settings in unit.items()}
    folder, name = posixpath.split(path)
    found: dict[str, str] = {}
    for owner in _owners(name):
        for file in sources.matching(posixpath.join(folder, f"{owner}.d"), "*.conf"):
            found.setdefault(posixpath.basename(file), file)  # the nearest of one name counts
    for _, file in sorted(found.items()):
        for section, settings in read_unit(sources.text_of(file), file).items():
            merged.setdefault(section, []).extend(settings)
    return merged


def _owners(name: str) -> Sequence[str]:
    """Names of units whose drop-ins apply, the nearest first."""
    stem, dot, suffix = name.rpartition(".")
    template, at, _ = stem.partition("@")
    owners = [name]
    if at:
        owners.append(f"{template}@{dot}{suffix}")
    parts = template.split("-")
    owners += [f"{'-'.join(parts[:n])}-{dot}{suffix}" for n in range(len(parts) - 1, 0, -1)]
    return [*owners, suffix]


def effective(settings: Sequence[Setting], lists: frozenset[str]) -> list[Setting]:
    """The settings that are in force: an empty one takes back those before it,
    of lists and of others alike."""
    found: list[Setting] = []
    for setting in settings:
        if not setting.value or setting.key not in lists:
            found = [one for one in found if one.key != setting.key]
        if setting.value or setting.key in _EMPTY_IS_NONE:
            found.append(setting)
    return found
