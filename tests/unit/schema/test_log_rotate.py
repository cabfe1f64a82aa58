"""What may be declared of the rotation of a log."""

from __future__ import annotations

import pytest

from pmon3_schema.fields import InvalidValue
from pmon3_schema.process_parts import LogRotateSpec
from pmon3_schema.reading import read_value


@pytest.mark.parametrize("size", ["0", "6MB"])
def test_a_total_has_room_for_the_log_and_one_rotated_file(size: str) -> None:
    assert read_value(LogRotateSpec, {"size": "5MB", "total": "10MB"}).total == 10_000_000
    with pytest.raises(InvalidValue, match="a size of at most half of it"):
        read_value(LogRotateSpec, {"size": size, "total": "10MB"})
