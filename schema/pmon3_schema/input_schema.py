"""How values of fields are written, in the words of JSON Schema: what `field_types` takes, no more, no less.

Theory of operation: the quoting of a shell, durations, sizes and names are regular languages, so a
pattern can say them exactly. Patterns are those of ECMA-262 in what Python's `re` understands the same
way: classes are spelt out, and nothing in them can be matched in two ways, so none takes long.
"""

from __future__ import annotations

import signal
from typing import Any

from pmon3_schema.capability_names import NUMBERS
from pmon3_schema.characters import UNSEEN
from pmon3_schema.scalars import (
    LARGEST_EXIT_CODE,
    LARGEST_SIZE,
    LONGEST_DURATION,
    SECONDS_PATTERN,
    UNITS_PATTERN,
)

_BYTES = r"[0-9]+(?:\.[0-9]+)?[ \t]*(?:[KkMmGgTt](?:[Ii]?[Bb])?|[Bb])?"
_IN_NAME = rf"{UNSEEN}/,*?\[\]"

# Parts of a word in shell quoting: a plain or escaped character, single quotes, double quotes.
_PART = r"""[^ \t\r\n'"\\]|\\[\s\S]|'[^']*'|"(?:[^"\\]|\\[\s\S])*["]"""
_WITHOUT_EQUALS = r"""[^ \t\r\n'"\\=]|\\[^=]|'[^'=]*'|"(?:[^"\\=]|\\[^=])*["]"""
_WITH_EQUALS = r"""\\?=|'[^'=]*=[^']*'|"(?:[^"\\=]|\\[^=])*\\?=(?:[^"\\]|\\[\s\S])*["]"""
_NO_KEY = r"""(?:''|"")*(?:\\?=|['"]=)"""
_ASSIGNMENT = f"(?!{_NO_KEY})(?:{_WITHOUT_EQUALS})*(?:{_WITH_EQUALS})(?:{_PART})*"
_GAP = r"[ \t\r\n]"


def text(pattern: str, wanted: str = "") -> dict[str, Any]:
    """Text that matches the pattern from its beginning to its end; `wanted` is what editors say if not."""
    said = {"patternErrorMessage": f"write {wanted}"} if wanted else {}
    return {"type": "string", "pattern": f"^(?:{pattern})$", **said}


def any_case(word: str) -> str:
    """A pattern of the word in capitals, small letters or both: patterns have no flag for that here."""
    return "".join(f"[{c.upper()}{c.lower()}]" if c.isalpha() else c for c in word)


_SIGNALS = sorted(signal.Signals.__members__)
_SIGNAL_NUMBERS = sorted(int(one) for one in signal.Signals)
_SIGNAL_WORDS = "|".join(any_case(name.removeprefix("SIG")) for name in _SIGNALS)
_LIST_OF_TEXTS = {"type": "array", "items": {"type": "string"}}

_A_NAME = "a name: no leading '-', no / , * ? [ ], no spaces around it"
_NAME = rf"(?![- ]|\.\.?$)[^{_IN_NAME}]*[^{_IN_NAME} ]"
NAME = text(_NAME, _A_NAME) | {"maxLength": 128}
OWN_NAME = text(rf"(?![^@]*(?:@[^@]*)*@[0-9]+$){_NAME}", f"{_A_NAME}, no @NUMBER at its end") | {
    "maxLength": 128
}
NAMES = {"type": "array", "items": NAME}
EXIT_CODES = {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": LARGEST_EXIT_CODE}}
PORTS = {"type": "array", "uniqueItems": True, "items": {"type": "integer", "minimum": 1, "maximum": 65535}}
# `$comment` is what `explain` calls such a value.
DURATION = {
    "$comment": "duration",
    "anyOf": [
        text(rf"\s*(?:{UNITS_PATTERN}|{SECONDS_PATTERN})\s*", "500ms, 10s, 5m or 1h"),
        {"type": "number", "minimum": 0, "maximum": LONGEST_DURATION},
    ],
}
SIZE = {
    "$comment": "size",
    "anyOf": [
        text(rf"\s*{_BYTES}\s*", "4096, 512K, 64MiB or 10MB"),
        {"type": "integer", "minimum": 0, "maximum": LARGEST_SIZE},
    ],
}
SIGNAL = {
    "$comment": "signal",
    "anyOf": [
        {"enum": _SIGNALS},  # what editors propose; the pattern takes the other spellings
        text(f"(?:{any_case('SIG')})?(?:{_SIGNAL_WORDS})"),
        text(f"0*(?:{'|'.join(map(str, _SIGNAL_NUMBERS))})"),
        {"enum": _SIGNAL_NUMBERS},
    ],
}
MASK = {
    "$comment": "octal",
    "anyOf": [
        text(r"\s*(?:0[oO])?0*[0-7]{1,3}\s*", "octal digits such as '0022'"),
        {"type": "integer", "minimum": 0, "maximum": 0o777},
        {"type": "null"},
    ],
}
TEXTS = {"anyOf": [{"type": "string"}, _LIST_OF_TEXTS]}
WORDS = {"anyOf": [text(f"(?:{_GAP}|{_PART})*", "words; each quote is closed"), _LIST_OF_TEXTS]}
COMMANDS = {
    "anyOf": [
        text(f"{_GAP}*(?:{_PART})(?:{_GAP}|{_PART})*", "a command; each quote is closed"),
        {
            "type": "array",
            "items": {
                "anyOf": [
                    text(f"{_GAP}*(?:{_PART})(?:{_GAP}|{_PART})*", "a command; each quote is closed"),
                    _LIST_OF_TEXTS | {"minItems": 1},
                ]
            },
        },
    ]
}
CAPABILITIES = {
    "$comment": "list of capabilities",
    "anyOf": [{"type": "array", "items": {"type": "string", "enum": [*NUMBERS]}}, {"type": "null"}],
}
_CRON_FIELD = "[0-9A-Za-z*,/#-]+"
CRON = text(rf"\s*(?:{_CRON_FIELD}(?:\s+{_CRON_FIELD}){{4}}|@[A-Za-z]+)\s*|", "0 3 * * *, or @daily") | {
    "maxLength": 500
}
VARIABLES = {
    "anyOf": [
        text(f"{_GAP}*(?:{_ASSIGNMENT}(?:{_GAP}+|$))*", "NAME=value words, values with spaces in quotes"),
        {"type": "object", "propertyNames": text("[^=]+"), "additionalProperties": {"type": "string"}},
    ]
}
_STATUS = "[1-5][0-9]{2}(?:-[1-5][0-9]{2})?"
STATUSES = {
    "anyOf": [
        text(rf"\s*{_STATUS}\s*(?:,\s*{_STATUS}\s*)*", "status codes: 200-399, or 200,204"),
        {"type": "integer", "minimum": 100, "maximum": 599},
    ]
}
ADDRESS = {
    "anyOf": [
        text(r"\s*(?:\S.*:)?[0-9]{1,5}\s*|", "HOST:PORT, or a port"),
        {"type": "integer", "minimum": 1, "maximum": 65535},
    ]
}
URL = text("(?:[Hh][Tt][Tt][Pp](?:[Ss]|[+][Uu][Nn][Ii][Xx])?://[!-~]+)", "http://127.0.0.1:8080/health")
REFERENCE = {"type": "string", "pattern": r"\$\{", "description": "a value made of variables"}
YES_NO = text("|".join(map(any_case, ("yes", "no", "on", "off", "y", "n"))))
