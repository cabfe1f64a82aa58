"""What programs write, made harmless for a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmon3.neutral import LogText, harmless
from pmon3_schema.characters import STEERS


def shown(*pieces: bytes) -> str:
    text = LogText()
    return "".join([*map(text.feed, pieces), text.end()])


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        (b"plain\ttext\n", "plain\ttext\n"),
        (b"\x1b[1;38;5;46mgreen\x1b[0m\n", "\x1b[1;38;5;46mgreen\x1b[0m\n"),
        (b"\x1b[31mred, and the line ends\nnext", "\x1b[31mred, and the line ends\x1b[0m\nnext"),
        (b"\x1b[31mred, and all ends", "\x1b[31mred, and all ends\x1b[0m"),
        (b"\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        (b"\x1b[2J\x1b[H", "\\x1b[2J\\x1b[H"),
        (b"\xc2\x9b2J", "\\x9b2J"),
        (b"\x9b2J", "\\x9b2J"),
        (b"evil\rgood\r\nnext\r", "evil\\rgood\nnext\\r"),
        ("a\u202eb\u2066c\u2028d".encode(), "a\\u202eb\\u2066c\\u2028d"),
        (b"caf\xc3\xa9 \xe9", "café \\xe9"),
        ("👩\u200d🚀".encode(), "👩\u200d🚀"),
        (b"\x1b[3", "\\x1b[3"),
        (b"\xf0\x9f", "\\xf0\\x9f"),
    ],
)
def test_colours_stay_and_nothing_else_steers(written: bytes, seen: str) -> None:
    assert shown(written) == seen
    assert shown(*(bytes([byte]) for byte in written)) == seen


@given(st.lists(st.binary(max_size=8), max_size=8))
def test_however_it_is_cut_the_same_is_seen(pieces: list[bytes]) -> None:
    seen = shown(*pieces)
    assert seen == shown(b"".join(pieces))
    assert not STEERS.search(seen.replace("\x1b[", "").replace("\x1b", "\x1b")) or "\x1b[" in seen


@given(st.text())
def test_what_we_say_ourselves_keeps_all_that_is_harmless(text: str) -> None:
    seen = harmless(text)
    assert STEERS.search(seen) is None
    if STEERS.search(text) is None:
        assert seen == text


def test_only_our_own_colours_are_left_of_what_we_say() -> None:
    assert harmless("\x1b[1mname\x1b[0m\x1b[2J", coloured=True) == "\x1b[1mname\x1b[0m\\x1b[2J"
    assert harmless("\x1b[1mname\x1b[0m") == "\\x1b[1mname\\x1b[0m"
