"""Text in which variables were replaced, until it has become the value that its field wants.

Theory of operation: a reference stands in text, and not every field is text. `variables` therefore
marks what it has replaced, and the types of fields (`field_types`) take marked text for the number or
truth value that it spells, which they do of no other text. What a mistake shows of it is how the
author wrote it: the value may be a secret.
"""

from __future__ import annotations

import re
from typing import Any, Self

_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_WHOLE = re.compile(r"[-+]?[0-9]{1,400}\Z")
_NUMBER = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")


class SubstitutedText(str):
    """The text after replacing; `repr`, which messages use, has the references instead of the values."""

    written: str

    def __new__(cls, text: str, written: str) -> Self:
        self = super().__new__(cls, text)
        self.written = written
        return self

    def __repr__(self) -> str:
        return repr(self.written)


def as_truth(value: Any) -> Any:
    """The truth value that marked text spells; anything else as it is."""
    return _TRUTH.get(value.strip(), value) if isinstance(value, SubstitutedText) else value


def as_whole(value: Any) -> Any:
    """The whole number that marked text spells; anything else as it is."""
    return int(value) if isinstance(value, SubstitutedText) and _WHOLE.match(value.strip()) else value


def as_number(value: Any) -> Any:
    """The number that marked text spells; anything else as it is."""
    return float(value) if isinstance(value, SubstitutedText) and _NUMBER.match(value.strip()) else value


def as_text(value: Any) -> Any:
    """Marked text as plain text, for what compares words; anything else as it is."""
    return str(value) if isinstance(value, SubstitutedText) else value
