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
