"""pmond as the first process of a container (fault 55): it ends with the program it is there for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.chaos.machine import Machine
from tests.support.waiting import until

from pmond.runtime.processes.adopt import survivors

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("program", "code"),
    [("raise SystemExit(42)", 42), ("raise SystemExit(0)", 0), ("import os; os.kill(os.getpid(), 9)", 137)],
)
def test_it_ends_with_the_code_of_its_main_program(tmp_path: Path, program: str, code: int) -> None:
    machine = Machine(tmp_path)
    gate = tmp_path / "gate"
    waiting = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)\n{program}"
    main = {
        "name": "main",
        "file": sys.executable,
        "args": ["-I", "-S", "-c", waiting],
        "restart": {"policy": "never"},
    }
    machine.write_manifest({"main": main, "side": machine.worker("side", "steady")})
    machine.start(("--exit-on", "main"))
    until(lambda: machine.rows()["side"]["status"] == "running", "the other one runs")
    gate.touch()
    assert machine.pmond is not None
    assert machine.pmond.wait(20) == code
    machine.pmond = None
    assert survivors(machine.ledger.uuid()) == [], "the others were stopped"
