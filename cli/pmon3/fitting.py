"""Text and tables in a limited number of terminal columns. Pure.

Theory of operation: `fitted` decides which columns of a table are shown and how wide. First those give
way that can be shortened or wrapped, the widest first, each down to its floor; then the columns that
tell least are left out, one after the other, and the rest gets its room back. Widths are those of
terminal columns: wide characters take two, combining ones none.
"""

from __future__ import annotations

from collections.abc import Sequence

KEEP, SHORTEN, SHORTEN_LEFT, WRAP = "keep", "shorten", "shorten-left", "wrap"
"""What becomes of a cell that is wider than its column may be."""

_FLOORS = {SHORTEN: 12, SHORTEN_LEFT: 16, WRAP: 20}
"""Terminal columns below which a column is rather left out, or others are."""


class Column:
    """A column: its title, least width in terminal columns, and how its cells are aligned.

    `fit` says what becomes of cells that are too wide; a column with a `rank` may be left out where there
    is no room, the lowest first.
    """

    def __init__(
        self,
        title: str,
        least: int,
        align: str = "left",
        colour: int | None = None,
        fit: str = KEEP,
        rank: int = 0,
    ) -> None:
        self.title = title
        self.least = least
        self.align = align
        self.colour = colour
        self.fit = fit
        self.rank = rank

    def floor(self, size: int) -> int:
        """The least that a column of this size can be made."""
        return min(size, max(self.least, _FLOORS[self.fit])) if self.fit in _FLOORS else size


def width(text: str) -> int:
    """Terminal columns that printable `text` takes: two for wide characters, none for combining ones.

    East Asian Width of the Unicode database (UAX #11); joined emoji count as their parts.
    """
    if text.isascii():
        return len(text)
    # Imported here: most tables have nothing but ASCII.
    from unicodedata import category, east_asian_width

    columns = 0
    for character in text:
        if east_asian_width(character) in "WF":
            columns += 2
        elif category(character) not in ("Mn", "Me", "Cf"):
            columns += 1
    return columns


def fitted(columns: Sequence[Column], sizes: Sequence[int], limit: int) -> list[tuple[int, int]]:
    """The place and the width of each column that is shown, of a table that is at most `limit` wide."""
    places = list(range(len(columns)))
    while True:
        room = limit - len(places) - 1  # a border on each side, and one between two
        found = {place: sizes[place] for place in places}
        floors = {place: columns[place].floor(sizes[place]) for place in places}
        if _shrink(found, floors, room):
            return list(found.items())
        expendable = [place for place in places if columns[place].rank]
        if not expendable:
            break
        places.remove(min(expendable, key=lambda place: columns[place].rank))
    places = places[: max(1, (limit - 1) // 2)]
    found = {place: sizes[place] for place in places}
    _shrink(found, dict.fromkeys(places, 1), limit - len(places) - 1)
    return list(found.items())


def _shrink(sizes: dict[int, int], floors: dict[int, int], room: int) -> bool:
    """Make the widest narrower until all have room; False where they cannot."""
    while (over := sum(sizes.values()) - room) > 0:
        yielding = [place for place in sizes if sizes[place] > floors[place]]
        if not yielding:
            return False
        widest = max(yielding, key=lambda place: sizes[place])
        second = max((sizes[place] for place in yielding if place != widest), default=0)
        step = max(1, min(over, sizes[widest] - second))
        sizes[widest] = max(floors[widest], sizes[widest] - step)
    return True


def cell_lines(text: str, size: int, fit: str) -> list[str]:
    """The text of a cell in lines of at most that many terminal columns; one, unless it is to be wrapped."""
    if width(text) <= size:
        return [text]
    if fit == WRAP:  # a wide character has no room in a column of one
        return [line if width(line) <= size else "…" for line in wrapped(text, size)]
    return [shortened_left(text, size) if fit == SHORTEN_LEFT else shortened(text, size)]


def shortened(text: str, size: int) -> str:
    """`text`, its end replaced by an ellipsis where it is too wide."""
    return text if width(text) <= size else f"{cut(text, size - 1)}…"


def shortened_left(text: str, size: int) -> str:
    """The same with its beginning: the end of a path tells more."""
    if width(text) <= size:
        return text
    tail = cut(text[::-1], size - 1)[::-1]
    return f"…{tail}"


def cut(text: str, size: int) -> str:
    """As much of the beginning of a text as has room."""
    if text.isascii():
        return text[: max(size, 0)]
    taken = 0
    for place, character in enumerate(text):
        taken += width(character)
        if taken > size:
            return text[:place]
    return text


def wrapped(text: str, size: int) -> list[str]:
    """`text` in lines of at most that width, broken at spaces, and within a word only if it is too long."""
    lines, line = [], ""
    for word in text.split(" "):
        while width(word) > size:
            head = cut(word, size - width(line) - 1 if line else size)
            if not head and not line:
                head = word[:1]  # wider than the whole line
            lines.append(f"{line} {head}" if line and head else line or head)
            line, word = "", word[len(head) :]
        if line and width(line) + 1 + width(word) > size:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [*lines, line]
