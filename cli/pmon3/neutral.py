"""Text of others made harmless for terminals and CI logs: what steers them becomes visible.

Theory of operation: two ways out. What we say ourselves passes `harmless` last of all, whatever form it
has, so no verb can forget it; only the colours that we paint ourselves are left. What programs have written
passes a `LogText` where it goes to a terminal: it comes in pieces that may end within a character or
within a colour, so what is not complete waits for the next piece. Colours (SGR of ECMA-48) stay, since
they cannot move anything, and are ended where the line ends.
"""

from __future__ import annotations

import codecs
import re

from pmon3_schema.characters import STEERS

_COLOUR = r"\x1b\[[0-9;:]{0,40}m"
_IN_LOG = re.compile(rf"({_COLOUR})|(\r?\n)|{STEERS.pattern}")
_BUT_COLOURS = re.compile(rf"({_COLOUR})|{STEERS.pattern}")
_UNFINISHED = re.compile(r"(?:\x1b(?:\[[0-9;:]{0,40})?|\r)\Z")
_RESET = "\x1b[0m"
_RESETS = re.compile(r"\x1b\[[0;:]*m\Z")


def harmless(text: str, coloured: bool = False) -> str:
    """`text` with every steering character as an escape; `coloured`: colours stay."""
    if STEERS.search(text) is None:
        return text
    if not coloured:
        return STEERS.sub(lambda found: _shown(found[0]), text)
    return _BUT_COLOURS.sub(lambda found: found[1] or _shown(found[0]), text)


class LogText:
    """What one program has written, piece by piece, as text for a terminal."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._waiting = ""
        self._painted = False

    def feed(self, data: bytes) -> str:
        """What can be shown now."""
        return self._take(self._decoder.decode(data))

    def end(self) -> str:
        """The rest, also where it was cut off within a character or a colour."""
        text = self._take(self._decoder.decode(b"", final=True))
        rest, self._waiting = self._waiting, ""
        return text + harmless(rest) + self._reset()

    def _take(self, text: str) -> str:
        text = self._waiting + text
        unfinished = _UNFINISHED.search(text)
        place = unfinished.start() if unfinished else len(text)
        text, self._waiting = text[:place], text[place:]
        return _IN_LOG.sub(self._replaced, text)

    def _replaced(self, found: re.Match[str]) -> str:
        if found[1]:
            self._painted = not _RESETS.match(found[1])
            return found[1]
        return f"{self._reset()}\n" if found[2] else _shown(found[0])

    def _reset(self) -> str:
        painted, self._painted = self._painted, False
        return _RESET if painted else ""


def _shown(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
