"""What may be declared of the rotation of a log."""

from __future__ import annotations

import pytest

from pmon3_schema.fields import Refused
from pmon3_schema.process_parts import LogRotate


@pytest.mark.parametrize("size", ["0", "6MB"])
def test_a_total_has_room_for_the_log_and_one_rotated_file(size: str) -> None:
    assert LogRotate.read({"size": "5MB", "total": "10MB"}).total == 10_000_000
    with pytest.raises(Refused, match="a size of at most half of it"):
        LogRotate.read({"size": size, "total": "10MB"})
