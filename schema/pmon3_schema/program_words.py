"""What a program has said, quoted at the end of a sentence of pmond: the words that are not for everybody.

A probe may print anything, a line of a log or a password among it. The sentences that quote it, written
by the rules and the events, are known; `without_words` keeps the sentence and leaves out what follows.
"""

from __future__ import annotations

import re

MASK = "***"
_QUOTING = re.compile(
    r"(^ready|\bnot ready(?: yet| within [^:]*)?|\bits live probe failed(?: \d+ times in a row)?"
    r"|\bit was told of a change and that failed): .*",
    re.DOTALL,
)


def without_words(sentence: str) -> str:
    """The sentence without what a program has said, and what comes after that."""
    return _QUOTING.sub(rf"\1: {MASK}", sentence)
