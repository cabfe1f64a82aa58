"""Copies of one program as one entry with `replicas`, where they differ by nothing but their numbers.

Theory of operation: a tool's reader fills in each copy as the tool itself would. Where values differ, every
number that does must be the copy's own, from some first one on; the entry has `${REPLICA}` there. It is
filled in again for each copy, and folded only if that gives what was there. Others stay processes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pmon3.converting.drafts import Draft
from pmon3_schema.process import REPLICA_FIELDS
from pmon3_schema.replica_text import filled, mentions

_NUMBERS = re.compile(r"([0-9]+)")


class _Differs(Exception):
    """By more than a number."""


def folded(copies: Sequence[Draft], name: str) -> list[Draft]:
    """One draft for all copies, called `name`; or they themselves."""
    if len(copies) < 2 or copies[0].get("exit_on_end"):  # that is said of one process
        return list(copies)
    first = copies[0]
    try:
        values = {field: _field(field, [copy.get(field) for copy in copies]) for field in first.fields}
        if any(copy.fields != first.fields or copy.profiles != first.profiles for copy in copies):
            raise _Differs
    except _Differs:
        return list(copies)
    for field, value in values.items():
        first.put(field, value)
    first.put("replicas", len(copies))
    first.name = name
    first.books.differs(name, f"its copies are called {name}@0 to {name}@{len(copies) - 1}")
    return [first]


def _field(field: str, values: Sequence[Any]) -> Any:
    if all(value == values[0] for value in values) and not mentions(_hashable(values[0])):
        return values[0]
    if field.partition(".")[0] not in REPLICA_FIELDS:
        raise _Differs
    return _value(values)


def _value(values: Sequence[Any]) -> Any:
    first = values[0]
    if isinstance(first, str) and all(isinstance(value, str) for value in values):
        return _text(values)
    if isinstance(first, list) and all(isinstance(v, list) and len(v) == len(first) for v in values):
        return [_value(items) for items in zip(*values, strict=True)]
    if isinstance(first, Mapping) and all(isinstance(v, Mapping) and list(v) == list(first) for v in values):
        return {key: _value([value[key] for value in values]) for key in first}
    if all(value == first for value in values):
        return first
    raise _Differs


def _text(texts: Sequence[str]) -> str:
    if any(mentions(text) for text in texts):
        raise _Differs
    parts = [_NUMBERS.split(text) for text in texts]
    if any(len(part) != len(parts[0]) for part in parts):
        raise _Differs
    made = "".join(_part(words) for words in zip(*parts, strict=True))
    if any(filled(made, index) != text for index, text in enumerate(texts)):
        raise _Differs
    return made


def _part(words: Sequence[str]) -> str:
    """What stands for these words of the copies; whether it is right is seen afterwards."""
    if len(set(words)) == 1:
        return words[0]
    zeros = len(words[-1]) - len(words[-1].lstrip("0"))
    first = words[0][zeros:]
    return (
        f"{words[0][:zeros]}${{REPLICA+{int(first)}}}"
        if int(first or 0)
        else f"{words[0][:zeros]}${{REPLICA}}"
    )


def _hashable(value: Any) -> Any:
    return tuple(map(_hashable, value)) if isinstance(value, list) else value
