"""Values of a supervisord.conf: expansion, lists of variables; and what differs whatever is written."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from typing import Any

from pmon3.converting.settings import NotCarried
from pmon3.converting.values import size_of

_WIDE = re.compile(r"(?<!%)(?:%%)*%(?:\([^)]*\))?[#0\- +]*(?:\d{4,}|\d*\.\d{4,}|\d*\.?\*)")
"""A value that is asked for with a width of four digits or more: there would be no end to what it takes."""
UNITS = {"kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}
USUAL_SIZE, USUAL_BACKUPS = 50 << 20, 10
"""Of a log, where the file does not say."""
MEANING = (
    "a program that ends by itself `startretries` + 1 times within `restart.window` is given up, also where"
    " each run was longer than `startsecs`; supervisord counts only those that were shorter",
    "HOME, USER, LOGNAME and SHELL are those of `user`; supervisord leaves its own",
    "SUPERVISOR_ENABLED, SUPERVISOR_PROCESS_NAME and SUPERVISOR_GROUP_NAME are not set",
    "standard input is /dev/null, not an open pipe: a program that ends with its input ends at once",
)
"""What is different for every program."""


class _Known(dict[str, Any]):
    """Values by name; what has none stays as it is written, and is remembered."""

    def __init__(self, known: Mapping[str, Any]) -> None:
        super().__init__({**{f"ENV_{name}": value for name, value in os.environ.items()}, **known})
        self.missing: list[str] = []

    def __missing__(self, name: str) -> str:
        self.missing.append(name)
        return f"%({name})s"


def partly_expanded(text: str, known: Mapping[str, Any]) -> tuple[str, NotCarried | None]:
    """The text with its `%(…)s` replaced, and what is wrong where that cannot be done for all of them."""
    if "%" not in text:
        return text, None
    if _WIDE.search(text):
        return text, NotCarried("it asks for a value of a thousand characters or more", "write it out")
    names = _Known(known)
    try:
        result = text % names
    except (ValueError, TypeError) as error:
        why = NotCarried(f"its `%` cannot be expanded: {error}", "write %% for a percent sign")
        return text, why
    if not names.missing:
        return result, None
    name = names.missing[0]
    variable = name.removeprefix("ENV_")
    if variable != name:
        return result, NotCarried(f"${variable} is not set here", f"set {variable} where you convert")
    return result, NotCarried(f"only supervisord knows %({name})s", "write the value out")


def expanded(text: str, known: Mapping[str, Any]) -> str:
    """The text with its `%(…)s` replaced, those of the caller's environment too. Raises NotCarried."""
    result, why = partly_expanded(text, known)
    if why is not None:
        raise why
    return result


def variables(text: str) -> dict[str, str]:
    """`KEY="value",KEY2=value` as supervisord takes it apart. Raises NotCarried."""
    lexer = shlex.shlex(text)
    lexer.wordchars += "/.+-():"
    try:
        words = list(lexer)
    except ValueError as error:
        raise NotCarried(f'it is no list of KEY="value": {str(error).lower()}', "close the quote") from None
    found = {}
    while words:
        triple, words = words[:3], words[3:]
        if len(triple) < 3 or triple[1] != "=" or (words and words[0] != ","):
            why = "supervisord takes it apart otherwise than it looks: quotes cannot be escaped there"
            raise NotCarried(
                why if "\\" in text else 'it is no list of KEY="value"',
                "put values in quotes of the other kind",
            )
        found[triple[0]] = triple[2].strip("'\"")
        words = words[1:]
    return found


def log_size(value: Any) -> int:
    """The size at which a log is rotated, in supervisord's units."""
    return size_of(UNITS, value)
