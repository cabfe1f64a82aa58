"""Rotation under a fast writer (fault 42): killed at random, it loses and repeats no line."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from tests.chaos.torrent import Torrent
from tests.support import rotation

pytestmark = pytest.mark.slow

SECONDS = float(os.environ.get("CHAOS_ROTATION_SECONDS", "4"))


@pytest.fixture(params=["", "/dev/shm"], ids=["here", "in memory"])
def logs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    if request.param and not Path(request.param).is_dir():
        pytest.skip(f"no {request.param}")
    with tempfile.TemporaryDirectory(dir=request.param or tmp_path) as folder:
        if rotation.mechanism(Path(folder)) == "none":
            pytest.skip("this file system cannot make holes")
        yield Path(folder)


def test_42_a_torrent_through_kills_of_pmond_loses_and_repeats_nothing(logs: Path, tmp_path: Path) -> None:
    torrent = Torrent(tmp_path / "machine", logs, SECONDS, rate=40.0, seed=42)
    try:
        torrent.run()
    finally:
        torrent.close()
    print(asdict(torrent.figures))
    assert torrent.figures.archives > 1
    assert torrent.figures.kills_of_pmond > 0
