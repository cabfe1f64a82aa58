"""When the bytes of one log were written, as far as somebody has looked: an index that stays small.

Theory of operation: a mark says that the log ended at a position at a moment, so what stands before it was
written by then, and what stands behind it later. The time of a byte is that of the first mark behind it:
never earlier than it was written, and late by the distance of the marks at most. There are at most `MOST` of
them. When there are more, every other one of the older half goes, so that the newest stay dense and the
oldest become sparse. Where each run began is kept as well. Positions are those of `log_position`, which
rotation does not move. Pure.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

MOST = 256
"""Marks: 4 KiB for each log."""
MOST_RUNS = 64


class LogIndex:
    """The marks of one file."""

    __slots__ = ("_moments", "_positions", "_runs")

    def __init__(self) -> None:
        self._positions = array("q")
        self._moments = array("d")
        self._runs: tuple[tuple[str, int, int], ...] = ()

    @property
    def marks(self) -> list[tuple[int, float]]:
        """Positions, and the moments (seconds since 1970) at which the log ended there, in order."""
        return list(zip(self._positions, self._moments, strict=True))

    @property
    def runs(self) -> list[tuple[str, int, int]]:
        """Processes, the numbers of their runs, and where these begin, in order."""
        return list(self._runs)

    def ended_at(self, position: int, moment: float) -> bool:
        """The log ended here at that moment; whether that is news. One that was cut is begun anew."""
        last = self._positions[-1] if self._positions else 0
        if position < last:
            self.forget()
        elif position == last:
            return False
        # A clock that was set back must not make the order of lines another one.
        moment = max(moment, self._moments[-1]) if self._moments else moment
        self._positions.append(position)
        self._moments.append(moment)
        if len(self._positions) > MOST:
            del self._positions[1 : MOST // 2 : 2]
            del self._moments[1 : MOST // 2 : 2]
        return True

    def run_began(self, name: str, number: int, position: int) -> None:
        """What a run writes stands from here on."""
        self._runs = (*self._runs[-MOST_RUNS + 1 :], (name, number, position))

    def forget(self) -> None:
        """Another file, or another content, is there now."""
        self._positions, self._moments, self._runs = array("q"), array("d"), ()

    def written_down(self) -> tuple[bytes, bytes, tuple[tuple[str, int, int], ...]]:
        """What `know` takes: positions and moments as bytes, which costs next to nothing, and the runs."""
        return self._positions.tobytes(), self._moments.tobytes(), self._runs

    def know(self, positions: bytes, moments: bytes, runs: Sequence[tuple[str, int, int]]) -> None:
        """What an earlier pmond on this machine has seen. Raises ValueError when it cannot be so."""
        seen, at = array("q"), array("d")
        seen.frombytes(positions)
        at.frombytes(moments)
        if len(seen) != len(at) or list(seen) != sorted(seen) or list(at) != sorted(at):
            raise ValueError("marks are in no order")
        self._positions, self._moments, self._runs = seen[-MOST:], at[-MOST:], tuple(runs[-MOST_RUNS:])
