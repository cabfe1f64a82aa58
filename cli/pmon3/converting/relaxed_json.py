"""JSON as people write it for pm2: comments, keys without quotes, single quotes, commas at the end.

Theory of operation: pm2 hands such a file to JavaScript. A small reader takes the part of it that is data,
and says where it finds anything else; nothing is run. Keys know the line that they stand in.
"""

from __future__ import annotations

import json
import re
from typing import Any

from pmon3.converting.settings import CannotConvert
from pmon3_schema.formats.source import MAX_DEPTH, Path

_BLANK = re.compile(r"(?:\s|//[^\n]*|#[^\n]*|/\*.*?\*/)*", re.S)
_NAME = re.compile(r"[A-Za-z_$][\w$-]*")
_NUMBER = re.compile(r"[+-]?(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)")
_STRING = re.compile(r"""(["'`])((?:\\.|(?!\1)[^\\])*)\1""", re.S)
_WORDS = {"true": True, "false": False, "null": None, "undefined": None}
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", re.S)
_SIMPLE = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0", "\n": ""}


class RelaxedReader:
    """Reads one text; `lines` has the line of every key."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0
        self.lines: dict[Path, int] = {}

    def read(self) -> Any:
        """The value of the whole text. Raises CannotConvert."""
        value = self._value(())
        self._blank()
        if self._text[self._at : self._at + 1] == ";":
            self._at += 1
            self._blank()
        if self._at < len(self._text):
            raise self._wrong("more text after the value")
        return value

    def _value(self, path: Path) -> Any:
        self._blank()
        if len(path) > MAX_DEPTH:
            raise self._wrong("too many levels of nesting")
        character = self._text[self._at : self._at + 1]
        if character == "{":
            return self._mapping(path)
        if character == "[":
            return self._list(path)
        if character and character in "\"'`":
            return self._string()
        return self._plain()

    def _mapping(self, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        self._at += 1
        while not self._ends("}"):
            line = self._line()
            key = self._key()
            self._blank()
            if self._text[self._at : self._at + 1] != ":":
                raise self._wrong("no `:` after a key")
            self._at += 1
            self.lines[(*path, key)] = line
            found[key] = self._value((*path, key))
            self._comma("}")
        return found

    def _list(self, path: Path) -> list[Any]:
        found: list[Any] = []
        self._at += 1
        while not self._ends("]"):
            self.lines[(*path, len(found))] = self._line()
            found.append(self._value((*path, len(found))))
            self._comma("]")
        return found

    def _ends(self, bracket: str) -> bool:
        self._blank()
        if self._text[self._at : self._at + 1] != bracket:
            return False
        self._at += 1
        return True

    def _comma(self, bracket: str) -> None:
        self._blank()
        if self._text[self._at : self._at + 1] == ",":
            self._at += 1
        elif self._text[self._at : self._at + 1] != bracket:
            raise self._wrong(f"neither `,` nor `{bracket}`")

    def _key(self) -> str:
        if self._text[self._at : self._at + 1] in ('"', "'"):
            return self._string()
        found = _NAME.match(self._text, self._at) or _NUMBER.match(self._text, self._at)
        if found is None:
            raise self._wrong("no key")
        self._at = found.end()
        return found[0]

    def _string(self) -> str:
        found = _STRING.match(self._text, self._at)
        if found is None:
            raise self._wrong("a quote that is not closed")
        if found[1] == "`" and "${" in found[2]:
            raise self._wrong("a text that JavaScript has to fill in")
        self._at = found.end()
        return _ESCAPE.sub(_unescaped, found[2])

    def _plain(self) -> Any:
        word = _NAME.match(self._text, self._at)
        if word is not None and word[0] in _WORDS:
            self._at = word.end()
            return _WORDS[word[0]]
        number = _NUMBER.match(self._text, self._at)
        if number is None:
            raise self._wrong("something that is no plain value")
        self._at = number.end()
        digits = number[0].lower()
        if "x" in digits:
            return int(digits, 16)
        return float(digits) if re.search(r"[.e]", digits) else int(digits[:400])

    def _blank(self) -> None:
        found = _BLANK.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _line(self) -> int:
        return self._text.count("\n", 0, self._at) + 1

    def _wrong(self, what: str) -> CannotConvert:
        return CannotConvert(f"line {self._line()} has {what}")


def _unescaped(found: re.Match[str]) -> str:
    code = found[1]
    if code[0] in "ux" and len(code) > 1:
        return chr(int(code[1:], 16))
    return _SIMPLE.get(code, code)


def in_javascript(value: Any) -> str:
    """A value as JavaScript turns it into text: what a variable of the environment gets."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
