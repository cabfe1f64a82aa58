"""Kills for want of memory that a main program outlives are told once, and do not explain its own end."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.support.fake_cgroup import fake_group, fake_place

from pmon3_schema.bounds import ResourcesSpec
from pmond.core.model import ExitStatus
from pmond.runtime.observers.memory_kills import ToldMemoryKills
from pmond.runtime.processes.identity import Identity
from pmond.runtime.processes.instances import Instances, Running
from pmond.runtime.processes.memory import MemoryKills


def test_each_kill_is_told_once(tmp_path: Path) -> None:
    group = fake_group(fake_place(tmp_path), "web:1")
    counter = group / "memory.events"
    running = Running("web", 1, Identity(2**22, 1, "boot"), "state:web:1", own=True, group=str(group))
    running.resources = ResourcesSpec(memory_max=1 << 20)
    instances = Instances()
    instances.add(running)
    machine = tmp_path / "vmstat"
    machine.write_text("oom_kill 0\n")
    kills, told = MemoryKills(str(machine)), list[str]()

    def tell(type: str, text: str, name: str) -> None:
        told.append(f"{name} {type}: {text}")

    looking = ToldMemoryKills(instances, kills, tell)
    looking.look_again()
    assert told == []
    counter.write_text("oom_kill 2\n")
    looking.look_again()
    looking.look_again()
    (only,) = told
    assert only.startswith("web KilledForMemory: the kernel killed 2 processes of it above memory_max")
    killed = ExitStatus(signal=signal.SIGKILL)
    assert not kills.explained(killed, str(group)).out_of_memory, "somebody else killed the main program"
    counter.write_text("oom_kill 3\n")
    kills.told[str(group)] = 2
    assert kills.explained(killed, str(group)).out_of_memory
    kills.close()
