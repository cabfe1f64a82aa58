"""The systems that are compared: one file and one class each, all with the protocol in `base`."""

from __future__ import annotations

from benchmarks.systems.base import System
from benchmarks.systems.circus import Circus
from benchmarks.systems.floor import Floor
from benchmarks.systems.pmon3 import Pmon3
from benchmarks.systems.runit import Runit
from benchmarks.systems.s6 import S6
from benchmarks.systems.supervisor import Supervisor

ALL: tuple[System, ...] = (Floor(), Pmon3(), Runit(), S6(), Supervisor(), Circus())
"""In the order of the table: the floor, ourselves, then the peers."""
