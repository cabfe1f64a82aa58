"""Characters that are more than text: those that steer a terminal, and those that nobody sees.

Theory of operation: two sets, each spelt out so that it does not depend on the tables of one Python version.
*Steering* characters move the cursor, hide or reorder what is shown, or begin a line that a CI
service reads as a command; nothing of ours prints them. *Unseen* ones make two different names look
alike; they are the default-ignorable characters of Unicode (UAX #44), and blanks that are no space.
"""

from __future__ import annotations

import re

_CONTROLS = r"\u007f-\u009f"
_STEERING = (
    rf"\u0000-\u0008\u000b-\u001f{_CONTROLS}"
    r"\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"  # bidirectional marks, embeddings, isolates; separators
    r"\ufff9-\ufffb\ud800-\udfff"  # annotations that hide text; halves of a pair
    "\U000e0000-\U000e007f"  # tags: a second, unseen alphabet
)
UNSEEN = (
    rf"\u0000-\u001f{_CONTROLS}"
    r"\u00a0\u1680\u2000-\u200a\u202f\u205f\u2800\u3000"  # blanks
    r"\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    r"\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""Inside of a character class: control characters, blanks but the space, and what has no width at all."""

STEERS = re.compile(f"[{_STEERING}]")
"""One steering character; tab and line feed are none."""
IS_UNSEEN = re.compile(f"[{UNSEEN}]")


def named(character: str) -> str:
    """A character as people can look it up: ``U+202E RIGHT-TO-LEFT OVERRIDE``."""
    # Imported here: only refusals name characters.
    import unicodedata

    code = f"U+{ord(character):04X}"
    if "\ud800" <= character <= "\udfff":
        return f"{code}, half of a surrogate pair"
    if unicodedata.category(character) == "Cc":
        return f"{code}, a control character"
    return f"{code} {unicodedata.name(character, '')}".rstrip()


def escaped(text: str) -> str:
    """Quoted text of JSON, YAML or TOML with its steering characters as escapes, which mean the same."""
    return STEERS.sub(lambda found: _escape(found[0]), text)


def escaped_json(text: str) -> str:
    """The same for JSON, whose escapes have four digits: a character beyond them is a pair."""
    return STEERS.sub(lambda found: _pair(found[0]), text)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _pair(character: str) -> str:
    code = ord(character)
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
