"""What one try of a probe has found."""

from __future__ import annotations

import re

from msgspec import Struct

MOST_SAID = 1024
"""Bytes of what a probe said that are kept."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class ProbeResult(Struct, frozen=True):
    """Whether it passed, and what it said, for people."""

    passed: bool
    message: str = ""


def said(output: bytes) -> str:
    """The end of what a program or a server wrote, fit to be shown."""
    return _CONTROL.sub("?", output[-MOST_SAID:].decode("utf-8", "replace")).strip()
