"""A name for what cannot have the one that it had: NAME~USER."""

from __future__ import annotations

import re
from collections.abc import Collection

_NOT_OF_NAMES = re.compile(r"[^\w.@-]")
_LONGEST_NAME = 128
"""Bytes, as of every name (`field_types.check_name`)."""


def free_name(name: str, user: str, taken: Collection[str]) -> str:
    """The first of NAME~USER, NAME~USER~2 and so on that is not taken, made to fit."""
    user = _NOT_OF_NAMES.sub("_", user)
    for number in range(1, len(taken) + 2):
        ending = f"~{user}" + (f"~{number}" if number > 1 else "")
        room = _LONGEST_NAME - len(ending.encode())
        found = name.encode()[:room].decode("utf-8", "ignore") + ending
        if found not in taken:
            return found
    raise AssertionError("one more name than are taken is free")
