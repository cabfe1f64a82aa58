"""The health of one process, and that of a set."""

from __future__ import annotations

import pytest

from pmon3_schema.status import Status
from pmond.core.health import HEALTH, health_of, worst


@pytest.mark.parametrize("status", Status)
def test_every_status_has_a_health(status: Status) -> None:
    assert health_of(status) in HEALTH


def test_a_process_that_waits_for_its_time_is_well() -> None:
    assert worst(map(health_of, (Status.RUNNING, Status.SCHEDULED, Status.COMPLETED))) == "Healthy"
