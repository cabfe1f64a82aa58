"""An upgrade that goes wrong on the way leaves the old code at work."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast
from unittest.mock import AsyncMock, MagicMock

import pytest
from tests.support.starting import open_descriptors, opened_since

from pmon3_schema.errors import PmonError
from pmon3_schema.settings import Settings
from pmond.runtime.base.journal import Journal
from pmond.runtime.program.handover import leave_settings
from pmond.runtime.program.upgrade import InPlaceUpgrade
from pmond.runtime.program.upgrade_sequence import UpgradeSequence


def test_what_fails_before_the_change_ends_neither_supervision_nor_the_socket(tmp_path: Path) -> None:
    parts, server, upgrade = MagicMock(), MagicMock(), MagicMock(check=AsyncMock())
    parts.performer.launched = AsyncMock()
    server.quiesce = AsyncMock(side_effect=OSError("a client that cannot be hung up"))
    with (tmp_path / "journal").open("wb") as file:
        journal = Journal(file.fileno(), form="json")
        upgrade_sequence = UpgradeSequence(
            upgrade, cast(Any, parts), server, MagicMock(begun=False), journal, 3, 1024
        )

        async def story() -> None:
            await upgrade_sequence.upgrade()
            await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})

        asyncio.run(story())
    upgrade.become.assert_not_called()
    server.resume.assert_called_once()
    parts.loop.resume.assert_called_once()
    assert "upgrade.failed" in (tmp_path / "journal").read_text()


@pytest.mark.parametrize("problem", ["", "the new code cannot use the state"])
def test_an_upgrade_that_was_only_checked_leaves_nothing_open(
    problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Preflight:
        """The new code, which has looked at the copy of the state and left what it read."""

        output = f"{problem}\n"

        def __init__(self, command: tuple[str, ...], copy: str, environ: Mapping[str, str]) -> None:
            self.problem = "ended with exit code 1" if problem else ""
            leave_settings(Path(copy).parent, Settings(), ())

        async def wait(self, seconds: float) -> bool:
            return True

    monkeypatch.setattr("pmond.runtime.program.upgrade.ShortCommand", Preflight)
    upgrade = InPlaceUpgrade(MagicMock(), str(tmp_path), MagicMock(), {})
    before = open_descriptors()
    for _ in range(3):
        try:
            asyncio.run(upgrade.check())
        except PmonError as error:
            assert problem in error.message
    assert not opened_since(before)
