"""The long form of the chaos suite: `python -m tests.chaos.long [KILLS] [SEED]`, or `make chaos`."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from msgspec.structs import asdict
from tests.chaos.machine import ChaosMachine
from tests.chaos.storm import Storm

_MANY = 500
"""Kills after which every scene has been played."""


def main(kills: int, seed: int) -> None:
    """Kill pmond so often and print the figures. Raises AssertionError at the first violation."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as folder:
        machine = ChaosMachine(Path(folder))
        storm = Storm(machine, seed)
        try:
            storm.begin()
            while storm.figures.kills < kills:
                storm.round()
                if storm.figures.kills % 50 == 0:
                    print(f"{time.monotonic() - began:.0f} s", asdict(storm.figures), flush=True)
        except BaseException:
            print(f"seed {seed}, after {storm.figures.kills} kills", asdict(storm.figures), flush=True)
            print(machine.journal.read_text()[-20000:], flush=True)
            raise
        finally:
            storm.end()
        for name, value in asdict(storm.figures).items():
            print(f"{name:18} {value}")
        assert kills < _MANY or (storm.figures.rotations_killed and storm.figures.upgrades), (
            "a scene that did not happen shows nothing"
        )
        print(f"{'workers started':18} {machine.ledger.started}")
        print(f"{'double':18} {len(machine.ledger.doubles)}")
        print(f"{'slowest start':18} {machine.slowest_start:.3f} s")
        print(f"{'seconds':18} {time.monotonic() - began:.0f}")


if __name__ == "__main__":
    main(*(int(text) for text in (*sys.argv[1:], *("2000", "1")[len(sys.argv) - 1 :])))
