"""Regular expressions that users write and programs' output is matched with: RE2's, in linear time.

Python's own `re` can take exponential time for a pattern and a text that somebody chose, and pmond
matches in its one loop. RE2 (google-re2) has no back-references and no look-around, and cannot be made slow.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

LONGEST = 1000
"""Characters of a pattern."""
_MEMORY = 1 << 20
"""Bytes that a compiled pattern may take."""


class Pattern(Protocol):
    """A compiled pattern; it searches bytes and text."""

    def search(self, text: str | bytes) -> object | None: ...


@lru_cache(maxsize=256)
def compiled(text: str) -> Pattern:
    """The pattern that the text spells. Raises ValueError, which says what is wrong with it."""
    import re2  # few manifests have patterns

    if len(text) > LONGEST:
        raise ValueError(f"a pattern has at most {LONGEST} characters")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    try:
        pattern: Pattern = re2.compile(text, options)
    except re2.error as error:
        why = error.args[0]
        shown = why.decode("utf-8", "replace") if isinstance(why, bytes) else str(why)
        raise ValueError(f"{text!r} is not a regular expression: {shown}") from None
    return pattern
