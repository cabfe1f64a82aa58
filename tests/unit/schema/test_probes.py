"""What probes may be declared as."""

from __future__ import annotations

from typing import Any

import pytest

from pmon3_schema.fields import InvalidValue
from pmon3_schema.patterns import compiled
from pmon3_schema.probes import LiveSpec, ReadySpec, parse_address, parse_statuses
from pmon3_schema.process import ProcessSpec
from pmon3_schema.reading import read_value


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ({"exec": "test -e /x"}, "exec"), ({"http": "http://h/"}, "http"), ({"tcp": 80}, "tcp"),
        ({"log": "^ready"}, "log"), ({"notify": True}, "notify"), ({"delay": "5s"}, "delay"),
        ({"http": {"url": "http+unix://%2Frun%2Fa.sock/x", "status": 204}}, "http"),
    ],
)  # fmt: skip
def test_a_probe_is_of_one_kind(written: dict[str, Any], kind: str) -> None:
    assert read_value(ReadySpec, written).kind == kind


@pytest.mark.parametrize(
    "written",
    [
        {}, {"interval": "1s"}, {"exec": "a", "tcp": 80}, {"tcp": 0}, {"tcp": "h:65536"}, {"log": "("},
        {"http": "ftp://h"}, {"http": "http:///x"}, {"http": "http://user:secret@h/"},
        {"http": "http://h/a b"}, {"http": "http+unix://run"}, {"http": {"status": "200"}},
        {"http": {"url": "http://h", "status": "600"}},
        {"http": {"url": "http://h", "method": "G T"}}, {"http": {"url": "http://h", "headers": {"A:": "b"}}},
        {"http": {"url": "http://h", "headers": {"A": "b\r\nc"}}}, {"log": "a" * 1001}, {"delay": 0},
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(written: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue):
        read_value(ReadySpec, written)


@pytest.mark.parametrize("written", [{"log": "x"}, {"delay": "1s"}, {"deadline": "1s", "tcp": 1}])
def test_only_readiness_can_be_a_line_or_time(written: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue):
        read_value(LiveSpec, written)


def test_addresses_and_status_codes() -> None:
    assert parse_address("5432") == ("127.0.0.1", 5432)
    assert parse_address("[::1]:80") == ("::1", 80)
    assert parse_statuses("200-299, 304") == ((200, 299), (304, 304))


def test_no_pattern_takes_long() -> None:
    """Python's own would be at work for longer than the universe is old."""
    assert compiled("(a+)+$").search(b"a" * 50_000 + b"b") is None


@pytest.mark.parametrize(
    "given",
    [
        {}, {"exec": ["/bin/true"]}, {"http": "http://localhost/"}, {"tcp": "5432"}, {"notify": True},
        {"log": "^up$"}, {"delay": "2s"},
    ],
)  # fmt: skip
def test_its_kind_is_the_one_that_is_given(given: dict[str, Any]) -> None:
    """Asked in every decision, so it is not worked out from the table; they say the same."""
    for aspect in ["ready"] if {"log", "delay"} & set(given) else ["ready", "live"]:
        process = read_value(ProcessSpec, {"file": "/bin/a", **({aspect: given} if given else {})})
        probe = getattr(process, aspect)
        assert (probe.kind, probe.kinds) == (next(iter(given), ""), tuple(given))
