"""pmond as the first process of a container (fault 55): it ends with the program it is there for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.chaos.machine import ChaosMachine
from tests.support.pmond import alive, state_of
from tests.support.waiting import until

from pmond.runtime.processes import tree_claims
from pmond.runtime.supervise.survivors import survivors

pytestmark = pytest.mark.slow

CONTAINER = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "env", "PYTHONUNBUFFERED=1")
"""A pid namespace of its own, in which what is executed is process 1."""

# It writes each signal that it gets as one line, and ends with 7 when it is asked to end.
LISTENER = r"""
import os, signal, sys, time
log = os.open(sys.argv[1] + "/signals", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
def heard(number, frame):
    os.write(log, f"{number}\n".encode())
    if number == signal.SIGTERM: os._exit(7)
for name in ("TERM", "HUP", "USR1", "USR2", "WINCH"): signal.signal(getattr(signal, f"SIG{name}"), heard)
signal.signal(signal.SIGRTMIN + 3, heard)
os.write(log, b"ready\n")
while True: time.sleep(60)
"""
# It leaves a child of a child behind, which is process 1's from then on.
ORPHANS = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0: time.sleep(0.05)
    os._exit(0)
os.wait()
time.sleep(60)
"""


def main_program(machine: ChaosMachine, code: str, **more: Any) -> dict[str, Any]:
    """A process with which pmond ends."""
    return {
        "name": "main",
        "file": sys.executable,
        "args": ["-I", "-S", "-c", code, str(machine.folder)],
        "restart": {"policy": "never"},
        "exit_on_end": True,
        **more,
    }


def ends(machine: ChaosMachine) -> int:
    """Wait for pmond to end; its exit code."""
    assert machine.pmond is not None
    code = machine.pmond.wait(30)
    machine.pmond = None
    return code


def first_process(machine: ChaosMachine) -> int:
    """The number that pmond has outside of its namespace."""
    (pid,) = tree_claims.children(machine.pid)
    return pid


@pytest.fixture
def container(tmp_path: Path) -> Iterator[ChaosMachine]:
    """A machine whose pmond is to be process 1."""
    if subprocess.run([*CONTAINER, "true"], stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("no pid namespaces are to be had")
    machine = ChaosMachine(tmp_path)
    yield machine
    machine.close()


def signals(machine: ChaosMachine) -> list[str]:
    file = machine.folder / "signals"
    return file.read_text().split() if file.exists() else []


def test_55_signals_that_are_not_for_pmond_go_to_the_main_program(container: ChaosMachine) -> None:
    container.write_manifest({"main": main_program(container, LISTENER)})
    container.start(around=CONTAINER)
    until(lambda: signals(container) == ["ready"], "it runs")
    pid = first_process(container)
    heard = ["ready"]
    for number in (signal.SIGUSR1, signal.SIGWINCH, signal.SIGRTMIN + 3):
        os.kill(pid, number)
        heard.append(str(int(number)))
        until(lambda: signals(container) == heard, f"signal {number} arrives")
    os.kill(pid, signal.SIGHUP)
    until(lambda: container.rows()["main"]["status"] == "running", "it reloads and goes on")
    os.kill(pid, signal.SIGTERM)
    assert ends(container) == 0, "ended as asked"
    assert signals(container) == [*heard, str(int(signal.SIGTERM))]


def test_55_signals_without_a_main_program_are_ignored(container: ChaosMachine) -> None:
    container.write_manifest({"main": main_program(container, LISTENER, exit_on_end=False)})
    container.start(around=CONTAINER)
    until(lambda: signals(container) == ["ready"], "it runs")
    for number in (signal.SIGUSR1, signal.SIGWINCH, signal.SIGRTMIN + 3):
        os.kill(first_process(container), number)
    container.act("stop", "main")
    until(lambda: container.rows()["main"]["status"] == "stopped", "it is stopped, and pmond goes on")
    assert signals(container) == ["ready", str(int(signal.SIGTERM))]


def test_55_nothing_outlives_process_1_so_all_are_asked_to_end(container: ChaosMachine) -> None:
    config = container.folder / "config" / "pmon3" / "config.yml"
    config.parent.mkdir(parents=True)
    config.write_text("handle_interrupts: false\n")
    container.write_manifest({"main": main_program(container, LISTENER)})
    container.start(around=CONTAINER)
    until(lambda: signals(container) == ["ready"], "it runs")
    os.kill(first_process(container), signal.SIGTERM)
    assert ends(container) == 0
    assert signals(container) == ["ready", str(int(signal.SIGTERM))]


def test_55_process_1_reaps_whatever_is_left_to_it(container: ChaosMachine) -> None:
    container.write_manifest({"main": main_program(container, ORPHANS)})
    container.start(around=CONTAINER)
    until(lambda: container.rows()["main"]["status"] == "running", "it runs")
    pid = first_process(container)
    # As `docker exec` does: a program whose parent is outside, and which then loses it.
    enter = ["nsenter", "-t", str(pid), "-p", "sh", "-c", "(sleep 0.05; exit 3) & exit 0"]
    subprocess.run(enter, check=True)

    def clean() -> bool:
        children = tree_claims.children(pid)
        return all(state_of(one) != "Z" for one in children) and len(children) <= 2  # the keeper is one

    until(clean, "orphans to be reaped", 10.0)


def test_55_a_container_that_is_started_again_runs_its_main_program_again(container: ChaosMachine) -> None:
    again = "import os, sys; open(sys.argv[1] + '/runs', 'a').write('x'); sys.exit(5)"
    container.write_manifest({"main": main_program(container, again)})
    for runs in (1, 2, 3):
        container.start(around=CONTAINER)
        assert ends(container) == 5
        assert (container.folder / "runs").read_text() == "x" * runs


def test_55_the_end_for_good_comes_after_the_last_restart(container: ChaosMachine) -> None:
    crash = "import os, sys; open(sys.argv[1] + '/runs', 'a').write('x'); sys.exit(9)"
    restart = {"policy": "on-failure", "max_failures": 3, "delay": "5ms", "max_delay": "5ms"}
    container.write_manifest({"main": main_program(container, crash, restart=restart)})
    container.start(around=CONTAINER)
    assert ends(container) == 9
    assert (container.folder / "runs").read_text() == "xxx"


def test_55_a_stop_by_hand_ends_nothing(container: ChaosMachine) -> None:
    container.write_manifest({"main": main_program(container, LISTENER)})
    container.start(around=CONTAINER)
    until(lambda: signals(container) == ["ready"], "it runs")
    container.act("stop", "main")
    until(lambda: container.rows()["main"]["status"] == "stopped", "it is stopped")
    container.act("start", "main")
    until(lambda: container.rows()["main"]["status"] == "running", "it is started")
    assert alive(first_process(container))


@pytest.mark.parametrize(
    ("program", "code"),
    [("raise SystemExit(42)", 42), ("raise SystemExit(0)", 0), ("import os; os.kill(os.getpid(), 9)", 137)],
)
def test_55_it_ends_with_the_code_of_its_main_program(tmp_path: Path, program: str, code: int) -> None:
    machine = ChaosMachine(tmp_path)
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
