"""The daemon's own log: one line per event, never an exception, never a secret."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmond.runtime.base.journal import Journal, Level


class Pipe:
    """A pipe whose reading end is held by the test."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def text(self) -> str:
        read = b""
        try:
            while part := os.read(self.reader, 1 << 16):
                read += part
        except BlockingIOError:
            pass
        return read.decode()

    def close(self) -> None:
        os.close(self.reader)
        os.close(self.writer)


def logged(write: Callable[[Journal], None], **options: Any) -> str:
    pipe = Pipe()
    write(Journal(pipe.writer, **options))
    text = pipe.text()
    pipe.close()
    return text


def test_an_event_is_one_json_object() -> None:
    line = json.loads(logged(lambda journal: journal.event("instance.started", name="web", pid=4711)))
    assert line.pop("at").endswith("Z")
    assert line == {"level": "info", "event": "instance.started", "name": "web", "pid": 4711}


def test_an_event_is_key_value_pairs_on_a_terminal() -> None:
    leader, follower = os.openpty()
    Journal(follower).warn("file.odd", path="/a b", text='say "x"\n\x1b[31m', none=None, part={"a": 1})
    text = os.read(leader, 4096).decode().strip()
    os.close(leader)
    os.close(follower)
    assert text.split(" ", 1)[1] == (
        'level=warn event=file.odd path="/a b" text="say \\"x\\"\\n\\u001b[31m" none=null part="{\\"a\\": 1}"'
    )


def test_levels() -> None:
    def write(journal: Journal) -> None:
        journal.debug("a.b")
        journal.event("c.d")
        journal.error("e.f", ValueError("why"))

    assert [json.loads(line)["event"] for line in logged(write).splitlines()] == ["c.d", "e.f"]
    assert len(logged(write, level=Level.DEBUG).splitlines()) == 3
    (error,) = logged(write, level=Level.ERROR).splitlines()
    assert "ValueError: why" in json.loads(error)["error"]


def test_secrets_are_left_out_at_any_depth() -> None:
    spec = {"file": "/bin/x", "env_vars": {"TOKEN": "hunter2"}, "parts": [{"password": "hunter2"}]}
    text = logged(
        lambda journal: journal.event("spec.set", spec=spec, env={"A": "hunter2"}, secret="hunter2")
    )
    assert "hunter2" not in text
    assert '"TOKEN":"***"' in text


class Unspeakable:
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_a_value_that_cannot_be_written_is_replaced() -> None:
    text = logged(lambda journal: journal.event("odd.value", value=Unspeakable(), path="/w\udcffb"))
    line = json.loads(text)
    assert "RuntimeError" in line["value"] and line["path"] == "/w\udcffb"


def test_a_long_value_is_shortened() -> None:
    line = json.loads(logged(lambda journal: journal.event("long.value", value="x" * 100_000)))
    assert len(line["value"]) < 10_000


def test_a_closed_or_full_descriptor_is_no_error() -> None:
    pipe = Pipe()
    journal = Journal(pipe.writer)
    os.close(pipe.reader)
    journal.event("nobody.reads")
    os.close(pipe.writer)
    journal.event("not.open")
    with Path("/dev/full").open("wb") as full:
        Journal(full.fileno()).event("disk.full")


def test_a_reader_that_sleeps_does_not_block_and_is_told_what_it_missed() -> None:
    pipe = Pipe()
    os.set_blocking(pipe.writer, True)
    journal = Journal(pipe.writer)
    for number in range(3000):
        journal.event("line.written", number=number, text="x" * 100)
    seen = [
        json.loads(line) for line in pipe.text().splitlines() if line.startswith("{") and line.endswith("}")
    ]
    assert [line["number"] for line in seen] == list(range(len(seen)))
    journal.event("line.last")
    later = [json.loads(line) for line in pipe.text().splitlines() if line.startswith("{")]
    assert [line["event"] for line in later] == ["journal.dropped", "line.last"]
    assert 0 < later[0]["count"] == 3000 - len(seen)
    pipe.close()


@pytest.mark.parametrize("form", ["json", "text"])
@given(fields=st.dictionaries(st.text(), st.text() | st.floats() | st.lists(st.text()), max_size=3))
def test_anything_is_one_line(form: str, fields: dict[str, Any]) -> None:
    text = logged(lambda journal: journal.event("any.thing", **fields), form=form)
    assert text.count("\n") == 1 and text.endswith("\n")
