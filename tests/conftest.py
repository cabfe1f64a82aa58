"""A real pmond for each test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.pmond import Pmond, temporary_pmond


@pytest.fixture
def stopped_pmond() -> Iterator[Pmond]:
    """A pmond that is configured and not yet started."""
    with temporary_pmond() as pmond:
        yield pmond


@pytest.fixture
def pmond(stopped_pmond: Pmond) -> Pmond:
    """A pmond that answers."""
    return stopped_pmond.start()
