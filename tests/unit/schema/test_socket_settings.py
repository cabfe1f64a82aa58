"""The settings that say where the socket is: the line scanner against the parser that pmond uses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmon3_schema.socket_settings import SocketSettings, UnreadableSettings, in_full, plain, read


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", SocketSettings()),
        ("log_level: info\n", SocketSettings()),
        (
            "message_queue:\n  directory:\n    shmem: /q/ # c\n    posix_mq: /m\n  name_suffix: 'a'\nx: 1",
            SocketSettings("/q/", "a"),
        ),
        ("message_queue: {directory: /q, name_suffix: b}", SocketSettings("/q", "b")),
        ("message_queue:\n  directory: &a /q\n", SocketSettings("/q")),
        ("message_queue:\n  name_suffix:\n  directory: null\n", SocketSettings()),
        ("# message_queue:\nmessage_queue:\r\n  directory: /q\r\n", SocketSettings("/q")),
        ("message_queue:\n  directory:\n  user: ana\n", SocketSettings(user="ana")),
        ("data:\n  directory: /d\nmessage_queue:\n", SocketSettings(data="/d")),
        ("\ufeffdata: {directory: /d}", SocketSettings(data="/d")),
    ],
)
def test_what_is_read(text: str, expected: SocketSettings) -> None:
    assert read(text.encode()) == expected == in_full(text.encode())


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ("message_queue: [", (1, 17), "node content"),
        ("message_queue:\n  user:\n    shmem: /q", (3, 5), "message_queue.user must be text"),
        ("x: 1\nmessage_queue: 5", (2, 16), "message_queue must be a mapping"),
        ("data: here", (1, 7), "data must be a mapping"),
        ("a: \ud83d".encode("utf-8", "surrogatepass").decode("latin-1"), (1, 4), "is not UTF-8"),
    ],
)
def test_what_cannot_be_read_has_a_place(text: str, place: tuple[int, int], why: str) -> None:
    with pytest.raises(UnreadableSettings, match=why) as caught:
        read(text.encode("latin-1"))
    assert (caught.value.line, caught.value.column) == place


LINES = st.sampled_from(
    [
        "message_queue:", "  directory:", "    shmem: /q", "    shmem: 'a b'", "  directory: /q",
        "  name_suffix: x", "  name_suffix: null", "  user:", "  user: ana", "    also: x", "log_level: info",
        "", "# c", "  # c", '  name_suffix: "y"', "  file_mode: 0666", "data:", "  directory: @x", " x: 1",
        "data: 5", "log_level: [", "  - x", "x: &a y", "\tx: 1", "  z: 'a", "# \x1b", "a: b: c", "a: b # c",
        "a: b#c", "---", "e:  # nothing", "e: x", "    deep: ''",
    ]
)  # fmt: skip


@given(st.lists(LINES, max_size=8))
def test_the_line_scanner_takes_nothing_that_yaml_reads_in_another_way(lines: list[str]) -> None:
    content = "\n".join(lines).encode()
    if plain(content) is None:
        return
    try:
        expected: object = in_full(content)
    except UnreadableSettings as error:
        expected = str(error)
    try:
        found: object = read(content)
    except UnreadableSettings as error:
        found = str(error)
    assert found == expected


def test_the_files_that_people_write_need_no_parser() -> None:
    text = (
        "# pmond\nlog_level: info\nprocess_config_file: /etc/pmon3/config/process.config.json\n"
        "logs:\n  directory: /var/log/pmond  # all\n  file_mode: 0660\nmessage_queue:\n  user: root\n"
    )
    assert plain(text.encode()) is not None
