"""What the code before an upgrade hands to the code after it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pmon3_schema.settings import Settings, parse
from pmond.runtime.program.handover import (
    Handover,
    in_memory,
    leave_settings,
    left_settings,
    settings_in,
    taken_from,
    version_of,
)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config.yml"
    file.write_text(
        "log_level: debug\nevent_handling: {process_restart: [[/bin/a, b], [/bin/c]]}\ndata: {user: root}\n"
    )
    return file


def read(config: Path) -> Settings:
    return parse(config.read_bytes(), str(config), {})[0]


@pytest.fixture
def handed(config: Path) -> Iterator[Handover]:
    """What the code after the upgrade gets of that file."""
    leave_settings(config.parent, read(config), version_of(str(config)))
    environ = Handover(settings=in_memory(left_settings(config.parent))).variables()
    yield taken_from(environ)
    assert environ == {}


def test_settings_arrive_as_they_were_read(handed: Handover, config: Path) -> None:
    assert settings_in(handed.settings, str(config)) == read(config)


def test_a_file_that_changed_meanwhile_is_read_anew(handed: Handover, config: Path) -> None:
    config.write_text("log_level: warn\n")
    assert settings_in(handed.settings, str(config)) is None


def test_a_file_that_is_gone_is_missed(handed: Handover, config: Path) -> None:
    config.unlink()
    assert settings_in(handed.settings, str(config)) is None


@pytest.mark.parametrize("left", [None, b"", b"{}", b'{"settings": {"no such": 1}, "file": []}'])
def test_code_that_leaves_something_else_makes_no_difference(tmp_path: Path, left: bytes | None) -> None:
    if left is not None:
        (tmp_path / "settings.json").write_bytes(left)
    assert settings_in(in_memory(left_settings(tmp_path)), str(tmp_path / "config.yml")) is None


def test_when_the_code_stays_children_inherit_nothing(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    kept = Handover(reading, writing, in_memory(b"{}"))
    kept.variables()
    kept.refused()
    assert not os.get_inheritable(reading)
    assert kept.settings is not None
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(kept.settings)
    os.close(reading)
    os.close(writing)


def test_nothing_is_handed_over_at_an_ordinary_start() -> None:
    assert taken_from({"PMON3_UPGRADE_LOCK": "", "PMON3_UPGRADE_SETTINGS": "99999"}) == Handover()
