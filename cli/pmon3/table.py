"""Boxed tables in the layout of the Go pmon3, and the width of text on a terminal.

Theory of operation: a table is columns and rows of cells; a cell is text and an optional colour.
Widths count terminal columns, not characters. Control characters of a cell are shown as escapes,
so that nothing a process is called can move the cursor. Colour is a parameter, never a guess.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

# The seed's colours in the 256-colour palette, which every terminal of today has.
CYAN, OLIVE, GREEN, YELLOW, RED, GREY, PINK, DARK = 51, 142, 46, 226, 196, 244, 203, 241

LEFT, CENTRE, RIGHT = "left", "centre", "right"


class Column:
    """A column: its title, least width in terminal columns, and how its cells are aligned."""

    def __init__(self, title: str, least: int, align: str = LEFT, colour: int | None = None) -> None:
        self.title = title
        self.least = least
        self.align = align
        self.colour = colour


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


def visible(text: str) -> str:
    """`text` with control characters written as escapes (a line feed as `\\n`)."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def paint(text: str, colour: int | None) -> str:
    """Bold text in one colour of the 256-colour palette; just bold without one."""
    return f"\x1b[1;38;5;{colour}m{text}\x1b[0m" if colour is not None else f"\x1b[1m{text}\x1b[0m"


def table(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    colours: Callable[[int, int], int | None] | None = None,
    coloured: bool = False,
) -> str:
    """The table as text, ending in a line feed. `colours(row, column)` overrides a column's colour."""
    shown = [[visible(cell) for cell in row] for row in rows]
    sizes = [_size(column, index, shown) for index, column in enumerate(columns)]
    lines = [_rule("╭", "╥", "╮", sizes), _header(columns, sizes, coloured)]
    if shown:
        lines.append(_rule("├", "╫", "┤", sizes))
    for number, row in enumerate(shown):
        cells = [
            _align(cell, size, column.align) for cell, size, column in zip(row, sizes, columns, strict=True)
        ]
        if coloured:
            cells = [
                paint(cell, (colours and colours(number, place)) or column.colour)
                for place, (cell, column) in enumerate(zip(cells, columns, strict=True))
            ]
        lines.append(f"│{'║'.join(cells)}│")
    lines.append(_rule("╰", "╨", "╯", sizes))
    return "\n".join(lines) + "\n"


def _size(column: Column, index: int, rows: Sequence[Sequence[str]]) -> int:
    longest = max((width(row[index]) for row in rows), default=-1)
    return max(column.least, longest + 1)


def _header(columns: Sequence[Column], sizes: Sequence[int], coloured: bool) -> str:
    cells = [_align(c.title[:size], size, c.align) for c, size in zip(columns, sizes, strict=True)]
    return f"│{'║'.join(paint(cell, CYAN) if coloured else cell for cell in cells)}│"


def _align(text: str, size: int, align: str) -> str:
    space = size - width(text)
    if align == LEFT:
        return text + " " * space
    if align == RIGHT:
        return " " * space + text
    return " " * (space // 2) + text + " " * (space - space // 2)


def _rule(left: str, between: str, right: str, sizes: Sequence[int]) -> str:
    return left + between.join("─" * size for size in sizes) + right
