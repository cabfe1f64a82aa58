"""A machine for each test of one fault, and what must hold at its end whatever the fault was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.chaos.invariants import checked
from tests.chaos.machine import ChaosMachine


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[ChaosMachine]:
    """Nothing runs on it yet."""
    yield from checked(ChaosMachine(tmp_path))


@pytest.fixture(autouse=True)
def looks_into_the_pmonds_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root watches pmonds that run as other users, which its own command line would not trust."""
    monkeypatch.setattr("pmon3.peer.check_way", lambda path, config_file="": None)
    monkeypatch.setattr("pmon3.peer.check_listener", lambda connection, path: None)
