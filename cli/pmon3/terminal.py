"""What is known of the terminal: its size, and whether it can show more than ASCII."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

_ASCII = str.maketrans("│║─╥╫╨╭╮╰╯├┤…⟳▾▴", "||-+++++++++~R^v")


def size(stream: Any) -> tuple[int, int]:
    """Columns and lines of the terminal behind a stream.

    A terminal that does not know its size (a new pty, a serial console, docker exec) says 0: then
    COLUMNS and LINES count, as everywhere, else 80 and 24.
    """
    try:
        columns, lines = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        columns, lines = 0, 0
    return columns or _number("COLUMNS", 80), lines or _number("LINES", 24)


def is_terminal(stream: Any) -> bool:
    """Whether a person looks at this stream; False for one that is closed."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False


def is_dumb(environ: Mapping[str, str]) -> bool:
    """Whether cursor movements and colours would be shown as letters."""
    return environ.get("TERM") == "dumb"


def only_ascii(environ: Mapping[str, str]) -> bool:
    """Whether the terminal is said to have nothing but ASCII. A locale that nobody has set says nothing."""
    locale = environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG")
    return locale in ("C", "POSIX") or is_dumb(environ)


def in_ascii(text: str) -> str:
    """`text` with the borders of tables and other signs of ours in ASCII."""
    return text.translate(_ASCII)


def _number(variable: str, default: int) -> int:
    text = os.environ.get(variable, "")
    return int(text) if text.isdecimal() and int(text[:6]) > 0 else default
