"""Delays between restarts."""

from __future__ import annotations

import pytest
from tests.support.factories import spec

from pmond.core.backoff import delay, failures_in_window, gave_up, succeeded
from pmond.core.model import ExitStatus, History

EXACT = spec(restart={"jitter": 0.0}).restart


def test_the_first_restart_is_at_once_then_delays_double_up_to_a_minute() -> None:
    waits = [delay(EXACT, streak, "web") for streak in range(1, 14)]
    assert waits == [0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 60.0, 60.0]


def test_a_streak_of_thousands_is_still_a_minute() -> None:
    assert delay(EXACT, 100_000, "web") == 60.0


def test_jitter_shortens_by_its_share_at_most_and_is_the_same_on_each_look() -> None:
    restart = spec(restart={"jitter": 0.5}).restart
    waits = {delay(restart, 12, f"web{number}") for number in range(50)}
    assert len(waits) > 40
    assert all(30.0 <= wait <= 60.0 for wait in waits)
    assert delay(restart, 12, "web7") == delay(restart, 12, "web7")


def test_a_delay_is_never_cut_to_a_smaller_max_delay() -> None:
    long = spec(restart={"delay": "5m", "jitter": 0.0}).restart
    assert [delay(long, streak, "web") for streak in (1, 2, 3, 9)] == [0.0, 300.0, 300.0, 300.0]
    cut = spec(restart={"delay": "6s", "max_delay": "2s", "jitter": 0.0}).restart
    assert delay(cut, 2, "web") == delay(cut, 50, "web") == 6.0


def test_without_any_delay_there_is_still_a_breath_from_the_second_restart_on() -> None:
    restart = spec(restart={"delay": 0, "jitter": 1.0}).restart
    assert delay(restart, 1, "web") == 0.0
    assert delay(restart, 2, "web") == delay(restart, 50, "web") == 0.01


@pytest.mark.parametrize(
    ("exit", "success"),
    [(ExitStatus(0), True), (ExitStatus(3), True), (ExitStatus(1), False), (ExitStatus(), False),
     (None, False), (ExitStatus(signal=15), False)],
)  # fmt: skip
def test_success_is_a_listed_code_never_a_signal_or_an_unknown(
    exit: ExitStatus | None, success: bool
) -> None:
    assert succeeded(spec(restart={"success_exit_codes": [0, 3]}), exit) is success


def test_only_the_failures_inside_the_window_count() -> None:
    restart = spec(restart={"max_failures": 2, "window": 60}).restart
    assert failures_in_window(restart, (0.0, 50.0, 70.0, 80.0), 80.0) == (70.0, 80.0)
    assert failures_in_window(restart, (0.0, 10.0), 65.0) == (10.0,)
    assert failures_in_window(spec().restart, (1.0, 2.0), 3.0) == ()


def test_giving_up_is_judged_at_the_last_failure_and_stays() -> None:
    limited = spec(restart={"max_failures": 3, "window": 60})
    assert gave_up(limited, History(failures=(0.0, 30.0, 60.0)))
    assert not gave_up(limited, History(failures=(0.0, 30.0, 61.0)))
    assert not gave_up(limited, History(failures=(0.0, 30.0)))
    assert not gave_up(spec(), History(failures=(0.0, 0.1, 0.2)))
