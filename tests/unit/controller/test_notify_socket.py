"""What programs say of themselves by systemd's protocol, as a fact."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmond.core.facts import Notified
from pmond.runtime.supervise.probes.notify_socket import parsed


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"READY=1", Notified("web", 1, ready=True)),
        (b"READY=1\nSTATUS=Serving 3", Notified("web", 1, ready=True, status="Serving 3")),
        (b"WATCHDOG=1\n", Notified("web", 1, watchdog=True)),
        (b"WATCHDOG=trigger", Notified("web", 1, trigger=True)),
        (b"STOPPING=1", Notified("web", 1, announced="stopping")),
        (b"RELOADING=1\nMONOTONIC_USEC=7", Notified("web", 1, announced="reloading")),
        (b"EXTEND_TIMEOUT_USEC=2500000", Notified("web", 1, extend=2.5)),
        (b"STATUS=a\x1b[31mb", Notified("web", 1, status="a?[31mb")),
        (b"READY=0", None), (b"", None), (b"BARRIER=1", None), (b"MAINPID=1", None),
    ],
)  # fmt: skip
def test_a_datagram_is_a_fact_about_the_sender(data: bytes, expected: Notified | None) -> None:
    assert parsed(data, "web", 1) == expected


@given(st.binary(max_size=300) | st.integers(0, 10**30).map(lambda n: b"EXTEND_TIMEOUT_USEC=%d" % n))
def test_no_datagram_is_too_much(data: bytes) -> None:
    found = parsed(data, "web", 1)
    assert found is None or 0 <= found.extend <= 86_400
