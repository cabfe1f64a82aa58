"""Boxed tables in the layout of the Go pmon3, and the width of text on a terminal.

Theory of operation: a table is columns and rows of cells; a cell is text and an optional colour.
Control characters of a cell are shown as escapes, so that nothing a process is called can move the
cursor. Colour and the room that there is are parameters (`Style`), never a guess; where the room is
limited, `fitting` says which columns are shown and how wide, and a wrapped cell makes its row higher.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from pmon3.fitting import Column, cell_lines, fitted, width

# The seed's colours in the 256-colour palette, which every terminal of today has.
CYAN, OLIVE, GREEN, YELLOW, RED, GREY, PINK, DARK = 51, 142, 46, 226, 196, 244, 203, 241

LEFT, CENTRE, RIGHT = "left", "centre", "right"


class Style(NamedTuple):
    """How text for people is written."""

    coloured: bool = False
    columns: int | None = None
    """The width of the terminal; None: as wide as the text is."""


PLAIN = Style()
"""Everything, and nothing but text: what goes to files and pipes."""


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
    style: Style = PLAIN,
) -> str:
    """The table as text, ending in a line feed. `colours(row, column)` overrides a column's colour."""
    shown = [[visible(cell) for cell in row] for row in rows]
    sizes = [_size(column, index, shown) for index, column in enumerate(columns)]
    places = list(enumerate(sizes))
    if style.columns is not None and sum(sizes) + len(sizes) + 1 > style.columns:
        places = fitted(columns, sizes, style.columns)
    widths = [size for _, size in places]
    lines = [_rule("╭", "╥", "╮", widths), _header(columns, places, style.coloured)]
    if shown:
        lines.append(_rule("├", "╫", "┤", widths))
    for number, row in enumerate(shown):
        painted = [
            ((colours and colours(number, place)) or columns[place].colour) if style.coloured else None
            for place, _ in places
        ]
        for cells in _row_lines(columns, places, row):
            if style.coloured:
                cells = [paint(cell, colour) for cell, colour in zip(cells, painted, strict=True)]
            lines.append(f"│{'║'.join(cells)}│")
    lines.append(_rule("╰", "╨", "╯", widths))
    return "\n".join(lines) + "\n"


def _size(column: Column, index: int, rows: Sequence[Sequence[str]]) -> int:
    longest = max((width(row[index]) for row in rows), default=-1)
    return max(column.least, longest + 1)


def _row_lines(
    columns: Sequence[Column], places: Sequence[tuple[int, int]], row: Sequence[str]
) -> list[list[str]]:
    """The lines of one row; more than one where a cell is wrapped."""
    cells = [cell_lines(row[place], size, columns[place].fit) for place, size in places]
    height = max(map(len, cells))
    return [
        [
            _align(cell[line] if line < len(cell) else "", size, columns[place].align)
            for cell, (place, size) in zip(cells, places, strict=True)
        ]
        for line in range(height)
    ]


def _header(columns: Sequence[Column], places: Sequence[tuple[int, int]], coloured: bool) -> str:
    cells = [_align(columns[place].title[:size], size, columns[place].align) for place, size in places]
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
