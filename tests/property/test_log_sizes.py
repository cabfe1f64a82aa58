"""12.1: however fast a log is written to, it stays near its size, and what is kept is the newest there is.

A log is simulated as numbers: who writes how fast for how long, looks as `log_growth` asks for them, and
rotations that take a while and cut as `rotate` does. The real programs are in `test_rotation`.
"""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pmond.runtime.files.log_growth import LATEST, SOONEST, Growth, look, woken
from pmond.runtime.files.rotate import cuts

BLOCK = 4096
SIZE = 2 << 20
KEEP = 8

speeds = st.sampled_from([0, 10, 1_000, 70_000, 375_000, 1_000_000, 5_000_000, 100_000_000])
"""Bytes per second: nothing, a line now and then, ..., a torrent."""
stretches = st.lists(st.tuples(speeds, st.floats(0.3, 90)), min_size=1, max_size=6)
"""A writer: speeds, and for how long."""


class Writer:
    """What was written when."""

    def __init__(self, stretches: list[tuple[int, float]]) -> None:
        self.stretches = stretches
        self.ends = sum(seconds for _, seconds in stretches)

    def written(self, now: float) -> int:
        """In all, until then."""
        total, at = 0.0, 0.0
        for speed, seconds in self.stretches:
            total += speed * max(0.0, min(seconds, now - at))
            at += seconds
        return int(total)

    def writes_next(self, now: float) -> float | None:
        """When it writes the next time after a silence."""
        at = 0.0
        for speed, seconds in self.stretches:
            if speed and at + seconds > now:
                return max(at, now)
            at += seconds
        return None


class SimulatedLog:
    """A log, rotated while it is written to."""

    def __init__(self, writer: Writer, size: int, total: int, rotation_takes: float) -> None:
        self.writer, self.full, self.total, self.takes = writer, size, total, rotation_takes
        self.cut = 0
        """Bytes that were taken out of it."""
        self.archives: list[int] = []
        self.looks: list[float] = []
        self.largest: list[tuple[float, int]] = []
        """Its size before each rotation."""

    def held(self, now: float) -> int:
        return self.writer.written(now) - self.cut

    def run(self) -> None:
        now: float | None = 0.0
        growth: Growth | None = None
        while now is not None and now < self.writer.ends:
            self.looks.append(now)
            seen = look(growth, self.held(now), now, self.full)
            growth = seen.growth
            if seen.is_full:
                self.largest.append((now, self.held(now)))
                self.rotate(now)
                now += max(self.takes, SOONEST)
            elif seen.again_in is not None:
                now += seen.again_in
            elif (woke := self.writer.writes_next(now)) is not None:
                growth = woken(growth, woke)
                now = woke + SOONEST
            else:
                now = None

    def rotate(self, now: float) -> None:
        size = self.held(now)
        end = (size - 1) // BLOCK * BLOCK
        begin = 0
        for cut in cuts(0, end, BLOCK, KEEP, self.total - (size - end) if self.total else None):
            self.tidy(self.total - (size - begin) - (cut - begin))
            self.archives.append(cut - begin)
            begin = cut
        self.cut += end
        self.tidy(self.total - (size - end))

    def tidy(self, room: int) -> None:
        while self.archives and (len(self.archives) > KEEP or (self.total and sum(self.archives) > room)):
            self.archives.pop(0)


@given(stretches, st.floats(0.02, 1.5), st.sampled_from([0, 2 * SIZE, 8 << 20]))
def test_a_log_is_larger_than_its_size_by_what_is_written_in_seconds(
    written: list[tuple[int, float]], takes: float, total: int
) -> None:
    writer = Writer(written)
    log = SimulatedLog(writer, SIZE, total, takes)
    log.run()
    late = LATEST + SOONEST + takes
    for step in range(int(writer.ends * 4)):
        now = step / 4
        fresh = writer.written(now) - writer.written(max(0.0, now - late))
        cut_by_then = sum(size for at, size in log.largest if at <= now)
        assert writer.written(now) - cut_by_then <= SIZE + fresh + BLOCK * (1 + len(log.largest))


@given(st.sampled_from([500, 70_000, 375_000, 1_000_000, 3_000_000]), st.floats(0.02, 1.0))
def test_a_steady_writer_is_met_where_the_log_is_full(speed: int, takes: float) -> None:
    """What made the finding: after a rotation the log was smaller than before, and no look was to come."""
    log = SimulatedLog(Writer([(speed, 300.0)]), SIZE, 8 << 20, takes)
    log.run()
    assert len(log.largest) >= speed * 300 // (SIZE + speed * 2.1) - 1
    for _, size in log.largest:
        assert size <= SIZE + speed * (SOONEST + max(takes, SOONEST) + 0.01)


@given(stretches, st.floats(0.02, 1.5))
def test_the_newest_third_of_the_total_is_never_missing(
    written: list[tuple[int, float]], takes: float
) -> None:
    total = 8 << 20
    log = SimulatedLog(Writer(written), SIZE, total, takes)
    log.run()
    if not log.largest:
        return
    at, _ = log.largest[-1]
    left = log.writer.written(at) - log.cut
    kept = sum(log.archives) + left
    assert kept <= total
    assert kept >= min(log.writer.written(at), total // 3 - 2 * BLOCK)


@given(stretches)
def test_who_does_not_write_costs_no_look(written: list[tuple[int, float]]) -> None:
    silent = [(speed if number % 2 else 0, seconds + 10) for number, (speed, seconds) in enumerate(written)]
    log = SimulatedLog(Writer(silent), SIZE, 0, 0.1)
    log.run()
    at = 0.0
    for speed, seconds in silent:
        if not speed:
            seen = [look for look in log.looks if at + 2 * (LATEST + SOONEST) < look < at + seconds]
            assert seen == []
        at += seconds


@given(
    st.integers(0, 1 << 24),
    st.integers(0, 1 << 24),
    st.integers(1, 9),
    st.none() | st.integers(-BLOCK, 1 << 24),
)
def test_cuts_take_all_once_and_fit(begin: int, length: int, keep: int, room: int | None) -> None:
    begin, end = begin // BLOCK * BLOCK, (begin + length) // BLOCK * BLOCK
    found = cuts(begin, end, BLOCK, keep, room)
    if end == begin:
        assert found == []
        return
    assert found[-1] == end
    pieces = [after - before for before, after in pairwise([begin, *found])]
    assert all(piece > 0 and piece % BLOCK == 0 for piece in pieces)
    if room is None or room < BLOCK:
        assert len(pieces) == 1
    else:
        assert max(pieces) <= room
        assert sum(pieces[-keep:]) >= min(end - begin, room - 5 * BLOCK)
