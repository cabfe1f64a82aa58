"""Each kill for want of memory that the kernel counts explains one end by SIGKILL, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from pmond.core.case import describe_end
from pmond.core.model import ExitStatus
from pmond.runtime.processes.memory import MemoryKills
from pmond.runtime.state.row_conversion import exit_fields, exit_status

KILLED = ExitStatus(signal=9)


@pytest.fixture
def counter(tmp_path: Path) -> Path:
    file = tmp_path / "memory.events"
    count(file, 5)
    return file


def count(file: Path, kills: int) -> None:
    file.write_text(f"low 0\noom 9\noom_kill {kills}\noom_group_kill 7\n")


def test_what_was_counted_before_explains_nothing(counter: Path) -> None:
    assert MemoryKills(str(counter)).explained(KILLED) == KILLED


def test_each_kill_explains_one_end(counter: Path) -> None:
    kills = MemoryKills(str(counter))
    count(counter, 7)
    assert [kills.explained(KILLED).out_of_memory for _ in range(3)] == [True, True, False]


def test_other_ends_are_not_explained(counter: Path) -> None:
    kills = MemoryKills(str(counter))
    count(counter, 6)
    for status in (ExitStatus(code=0), ExitStatus(signal=15), ExitStatus()):
        assert kills.explained(status) == status
    assert kills.explained(KILLED).out_of_memory


def test_old_kills_are_forgotten(counter: Path) -> None:
    kills = MemoryKills(str(counter))
    count(counter, 6)
    kills.look_again()
    assert kills.explained(KILLED) == KILLED


def test_without_a_counter_nothing_is_explained(tmp_path: Path) -> None:
    kills = MemoryKills(str(tmp_path / "none"))
    kills.look_again()
    assert kills.explained(KILLED) == KILLED
    kills.close()


def test_the_machine_has_a_counter() -> None:
    kills = MemoryKills()
    assert kills.explained(KILLED) in {KILLED, ExitStatus(signal=9, out_of_memory=True)}
    kills.close()


@pytest.mark.parametrize(
    ("exit", "text"),
    [
        (KILLED, "killed by SIGKILL, not by pmond"),
        (
            ExitStatus(signal=9, out_of_memory=True),
            "killed by SIGKILL, not by pmond; the kernel was out of memory",
        ),
        (ExitStatus(signal=11), "killed by SIGSEGV"),
        (ExitStatus(code=9), "exited with code 9"),
        (None, "ended with an unknown exit status"),
    ],
)
def test_what_is_said_of_an_end_that_nobody_asked_for(exit: ExitStatus | None, text: str) -> None:
    assert describe_end(exit) == text


def test_it_is_remembered() -> None:
    for exit in (KILLED, ExitStatus(signal=9, out_of_memory=True), ExitStatus(code=3)):
        fields = exit_fields(exit)
        assert fields is not None
        assert exit_status(fields) == exit
