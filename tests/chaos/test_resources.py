"""What pmond does when the system has nothing to give: faults 25 to 33, 40 and 56, each under its number."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from tests.chaos.hosts import AS_ORDINARY, OWN_DISK, WITHOUT_PIDFDS, needs, prepared
from tests.chaos.invariants import checked
from tests.chaos.machine import ChaosMachine
from tests.chaos.pair import PATIENCE, checks, fleet, is_refused, pids, recovers, submit
from tests.support.pmond import alive
from tests.support.waiting import until

from pmon3_schema.errors import PmonError
from pmond.runtime.processes import tree_claims

pytestmark = pytest.mark.slow


@contextmanager
def limit(pid: int, kind: str, value: int, *whoever: str) -> Iterator[None]:
    """A limit of another process, for a while."""
    asked = [*whoever, "prlimit", f"--pid={pid}", f"--{kind}", "--noheadings", "--output=SOFT"]
    soft = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    try:
        subprocess.run([*whoever, "prlimit", f"--pid={pid}", f"--{kind}={value}:"], check=True)
        yield
    finally:
        subprocess.run([*whoever, "prlimit", f"--pid={pid}", f"--{kind}={soft}:"], check=True)


def test_25_no_process_is_to_be_had(machine: ChaosMachine) -> None:
    needs(*AS_ORDINARY)
    before = fleet(machine, *AS_ORDINARY)
    with limit(machine.pid, "nproc", 1, *AS_ORDINARY):
        os.kill(before["one"], signal.SIGKILL)
        is_refused(machine, "one", "one more process")
        assert pids(machine) == {"two": before["two"]}
    recovers(machine, before)


def test_26_no_memory_is_to_be_had(machine: ChaosMachine) -> None:
    before = fleet(machine)
    size = int(Path(f"/proc/{machine.pid}/statm").read_text().split()[0]) * resource.getpagesize()
    with limit(machine.pid, "as", size - (1 << 20)):
        os.kill(before["one"], signal.SIGKILL)
        until(lambda: not alive(before["one"]), "its end is noticed, and it is reaped", PATIENCE)
        for _ in range(20):
            with suppress(PmonError):
                machine.client.post(
                    "/v1/plan", {"documents": [{"path": "/x.yaml", "text": "a: " + "x" * 1_000_000}]}
                )
    recovers(machine, before)
    assert machine.pmond is not None
    assert machine.pmond.poll() is None


def test_30_a_kill_for_want_of_memory_is_told_from_others(machine: ChaosMachine) -> None:
    counter = machine.folder / "vmstat"
    counter.write_text("nr_free_pages 1\noom_kill 3\n")
    counting = (
        "unshare",
        "-m",
        "sh",
        "-c",
        'mount --bind "$0" /proc/vmstat && umount -a -t cgroup2; exec "$@"',
    )
    needs(*counting, str(counter))
    before = fleet(machine, *counting, str(counter))
    os.kill(before["one"], signal.SIGKILL)
    recovers(machine, before)
    counter.write_text("nr_free_pages 1\noom_kill 4\n")
    again = pids(machine)
    os.kill(again["two"], signal.SIGKILL)
    until(lambda: pids(machine).get("two") not in {None, again["two"]}, "it is started again", PATIENCE)
    machine.act("stop", "one", force=True)
    until(lambda: machine.rows()["one"]["status"] == "stopped", "it is stopped", PATIENCE)
    events = machine.client.get("/v1/events?limit=100")
    said = [(event["name"], event["message"]) for event in events if "SIGKILL" in event["message"]]
    assert said[:2] == [
        ("one", "killed by SIGKILL, not by pmond"),
        ("two", "killed by SIGKILL, not by pmond; the kernel was out of memory"),
    ]
    assert "killed by SIGKILL" in [message for name, message in said[2:] if name == "one"]


@contextmanager
def failing(pid: int, calls: str, error: str) -> Iterator[None]:
    """Have these system calls of a process fail, for a while."""
    if shutil.which("strace") is None:
        pytest.skip("there is no strace")
    order = ["-e", f"trace={calls}", "-e", f"inject={calls}:error={error}"]
    tracer = subprocess.Popen(
        ["strace", "-o", "/dev/null", "-p", str(pid), *order], stderr=subprocess.DEVNULL
    )
    status = Path(f"/proc/{pid}/status")
    until(lambda: f"TracerPid:\t{tracer.pid}\n" in status.read_text(), "its calls are watched", PATIENCE)
    try:
        yield
    finally:
        tracer.terminate()
        tracer.wait()


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        (26, "ENOMEM", "no memory"),
        (28, "EAGAIN", "kernel.pid_max"),
    ],
)
def test_26_28_the_kernel_makes_no_process(machine: ChaosMachine, fault: int, error: str, words: str) -> None:
    before = fleet(machine)
    with failing(machine.pid, "clone,clone3,fork,vfork", error):
        os.kill(before["one"], signal.SIGKILL)
        is_refused(machine, "one", words)
        assert pids(machine) == {"two": before["two"]}
    recovers(machine, before)


def test_28_the_system_has_no_open_file_left(machine: ChaosMachine) -> None:
    before = fleet(machine)
    with failing(machine.pid, "openat,openat2", "ENFILE"):
        os.kill(before["one"], signal.SIGKILL)
        # Whether something of it is left cannot be seen either, so nothing is started beside it.
        until(lambda: machine.rows()["one"]["status"] == "restarting", "it waits to be cleared", PATIENCE)
    recovers(machine, before)


def test_27_no_descriptor_is_to_be_had(machine: ChaosMachine) -> None:
    before = fleet(machine)
    used = machine.descriptors()
    clients = []
    with limit(machine.pid, "nofile", used):
        for _ in range(20):
            client = socket.socket(socket.AF_UNIX)
            client.connect(str(machine.socket))
            clients.append(client)
        os.kill(before["one"], signal.SIGKILL)
        until(lambda: not alive(before["one"]), "its end is noticed, and it is reaped", PATIENCE)
        is_refused(machine, "one", "too many open files")
        assert checks(machine)["open files"]["status"] == "limited"
    for client in clients:
        client.close()
    recovers(machine, before)


def test_27_clients_do_not_take_the_descriptors_of_starts(machine: ChaosMachine) -> None:
    needs("prlimit", "--nofile=64:64")
    before = fleet(machine, "prlimit", "--nofile=64:64")
    clients = []
    for _ in range(100):
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(machine.socket))
        clients.append(client)
    assert checks(machine)["state"]["status"] == "ok", "one more client is answered: the oldest had to go"
    os.kill(before["one"], signal.SIGKILL)
    recovers(machine, before)
    assert not [line for line in machine.told() if line.get("event") == "process.start_failed"]
    for client in clients:
        client.close()


def test_27_a_tree_is_cleared_when_there_are_descriptors_to_look_at_it(machine: ChaosMachine) -> None:
    before = fleet(machine)
    submit(machine, name="tree", file="/bin/sh", args=["-c", "sleep 1000 & wait"], stop={"timeout": "300ms"})
    until(lambda: "tree" in pids(machine), "it runs", PATIENCE)
    main = pids(machine)["tree"]
    (left,) = until(lambda: tree_claims.children(main), "it has a child")
    with limit(machine.pid, "nofile", 3):
        os.kill(main, signal.SIGKILL)
        until(lambda: not alive(main), "its end is noticed, and it is reaped", PATIENCE)
    until(lambda: pids(machine).get("tree") not in {None, main}, "it is started again", PATIENCE)
    assert not alive(left), "nothing is started beside what it left"
    assert pids(machine) == {**before, "tree": pids(machine)["tree"]}
    assert "loop.failed" not in [line["event"] for line in machine.told()]


def large(machine: ChaosMachine, autostart: bool = False) -> dict[str, Any]:
    """More than is handled in one go."""
    sleeping = {"file": "/bin/sleep", "args": ["1000"], "autostart": autostart}
    text = json.dumps({"processes": [{**sleeping, "name": f"many{number}"} for number in range(300)]})
    return {"documents": [{"path": f"{machine.folder}/many.json", "text": text}], "set": "many"}


def is_told_and_changes_nothing(machine: ChaosMachine, words: str) -> None:
    before = machine.rows().keys()
    with pytest.raises(PmonError, match=words):
        machine.client.post("/v1/apply", large(machine))
    assert machine.rows().keys() == before
    assert all(found["name"] != "many" for found in machine.client.get("/v1/sets"))


def is_done_afterwards(machine: ChaosMachine, before: dict[str, int]) -> None:
    machine.client.post("/v1/apply", large(machine))
    assert len(machine.rows()) == 302
    assert pids(machine) == before
    assert {"request.failed", "loop.failed"}.isdisjoint(line["event"] for line in machine.told())


def test_25_no_thread_is_to_be_had_for_a_large_manifest(machine: ChaosMachine) -> None:
    needs(*AS_ORDINARY)
    before = fleet(machine, *AS_ORDINARY)
    with limit(machine.pid, "nproc", 1, *AS_ORDINARY):
        is_told_and_changes_nothing(machine, "one more thread")
    is_done_afterwards(machine, before)


def test_28_the_kernel_makes_no_thread_for_a_large_manifest(machine: ChaosMachine) -> None:
    before = fleet(machine)
    with failing(machine.pid, "clone,clone3,fork,vfork", "EAGAIN"):
        is_told_and_changes_nothing(machine, "one more thread")
    is_done_afterwards(machine, before)


def test_27_a_large_manifest_needs_no_descriptor_and_its_processes_wait_for_some(
    machine: ChaosMachine,
) -> None:
    before = fleet(machine)
    with limit(machine.pid, "nofile", machine.descriptors()):
        machine.client.post("/v1/apply", large(machine, autostart=True))
        is_refused(machine, "many0", "too many open files")
        assert pids(machine) == before
    until(lambda: len(pids(machine)) == 302, "all run", PATIENCE)
    assert {"request.failed", "loop.failed"}.isdisjoint(line["event"] for line in machine.told())


def disk(machine: ChaosMachine, folder: Path) -> Path:
    """A folder as pmond sees it, in its own mount namespace."""
    return Path(f"/proc/{machine.pid}/root{folder}")


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """Nothing more can be written there, for a while."""
    filler = folder / "filler"
    with filler.open("wb", 0) as file:
        for size in (4096, 1):
            with suppress(OSError):
                while True:
                    file.write(b"x" * size)
    try:
        yield
    finally:
        filler.unlink()


def test_31_a_full_disk_under_the_state(machine: ChaosMachine) -> None:
    around = (*OWN_DISK, str(machine.state), "size=4m,mode=755")
    needs(*OWN_DISK, str(machine.folder / "try"), "size=4m,mode=755")
    before = fleet(machine, *around)
    with full(disk(machine, machine.state)):
        os.kill(before["one"], signal.SIGKILL)
        recovers(machine, before)
        with pytest.raises(Exception, match="cannot save"):
            machine.act("stop", "one")
        assert checks(machine)["state"]["status"] == "failed"
        assert "one" in pids(machine), "what is not kept is not done"
    machine.act("stop", "one")
    until(lambda: machine.rows()["one"]["status"] == "stopped", "it is stopped", PATIENCE)
    until(lambda: checks(machine)["state"]["status"] == "ok", "the state is on the disk again", PATIENCE)


def test_32_a_full_disk_under_the_logs(machine: ChaosMachine) -> None:
    logs = machine.folder / "logs"
    needs(*OWN_DISK, str(machine.folder / "try"), "size=64k,nr_inodes=4")
    before = fleet(machine, *OWN_DISK, str(logs), "size=64k,nr_inodes=4", log_dir=str(logs))
    with full_of_files(disk(machine, logs)):
        spec = machine.worker("three", "steady", log_dir=str(logs))
        machine.client.post("/v1/processes", {"spec": spec, "cwd": "/"})
        is_refused(machine, "three", "no space left on device")
        assert pids(machine) == before
    until(lambda: "three" in pids(machine), "it is started when there is room", PATIENCE)


@contextmanager
def full_of_files(folder: Path) -> Iterator[None]:
    made = []
    with suppress(OSError):
        for number in range(10):
            (folder / str(number)).touch()
            made.append(folder / str(number))
    try:
        yield
    finally:
        for file in made:
            file.unlink()


def test_32_a_program_that_fills_the_disk_harms_no_other(machine: ChaosMachine) -> None:
    logs = machine.folder / "logs"
    needs(*OWN_DISK, str(machine.folder / "try"), "size=64k")
    before = fleet(machine, *OWN_DISK, str(logs), "size=64k", log_dir=str(logs))
    yes = {"name": "yes", "file": "/usr/bin/yes", "log_dir": str(logs), "restart": {"max_failures": 3}}
    machine.client.post("/v1/processes", {"spec": yes, "cwd": "/"})
    until(lambda: machine.rows()["yes"]["status"] == "failed", "it is given up", PATIENCE)
    assert pids(machine) == before


def test_33_a_state_folder_that_cannot_be_written(machine: ChaosMachine) -> None:
    needs(*OWN_DISK, str(machine.folder / "try"), "ro")
    machine.write_manifest({"one": machine.worker("one", "steady")})
    machine.start(around=(*OWN_DISK, str(machine.state), "ro,mode=755"), wait=False)
    assert machine.pmond is not None
    assert machine.pmond.wait(PATIENCE) == 1
    machine.pmond = None
    assert "cannot use the state folder" in machine.journal.read_text()
    assert machine.ledger.uuid() == "", "without the memory of what runs nothing is started"


def test_33_a_disk_that_fails(machine: ChaosMachine) -> None:
    before = fleet(machine)
    with failing(machine.pid, "pwrite64,fsync,fdatasync", "EIO"):
        os.kill(before["one"], signal.SIGKILL)
        recovers(machine, before)
        with pytest.raises(PmonError, match="cannot save"):
            machine.act("stop", "two")
        assert checks(machine)["state"]["status"] == "failed"
    machine.act("stop", "one")
    until(lambda: machine.rows()["one"]["status"] == "stopped", "it is stopped", PATIENCE)
    until(lambda: checks(machine)["state"]["status"] == "ok", "the state is on the disk again", PATIENCE)


def test_33_a_state_folder_that_is_removed(machine: ChaosMachine) -> None:
    before = fleet(machine)
    for file in machine.state.glob("data.db*"):
        file.unlink()
    os.kill(before["one"], signal.SIGKILL)
    recovers(machine, before)
    machine.act("stop", "one")
    until(lambda: machine.rows()["one"]["status"] == "stopped", "it is stopped", PATIENCE)
    assert (machine.state / "data.db").exists(), "it is written again"
    machine.kill()
    machine.start()
    assert pids(machine) == {"two": before["two"]}


# What pmond's interpreter runs before anything else.
CLOCK = """
import datetime, os
class Jumping(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        found = super().now(tz)
        try: seconds = float(open({path!r}).read())
        except (FileNotFoundError, ValueError): return found
        return found + datetime.timedelta(seconds=seconds)
datetime.datetime = Jumping
import time
time_ = time.time
def jumping():
    try: return time_() + float(open({path!r}).read())
    except (FileNotFoundError, ValueError): return time_()
time.time = jumping
"""


@pytest.fixture
def jumping(tmp_path: Path) -> Iterator[ChaosMachine]:
    machine = prepared(tmp_path, CLOCK.format(path=str(tmp_path / "jump")))
    yield from checked(machine)


@pytest.mark.parametrize("seconds", [3600, -3600, 10 * 365 * 86400, -10 * 365 * 86400])
def test_40_the_wall_clock_jumps(jumping: ChaosMachine, tmp_path: Path, seconds: int) -> None:
    before = fleet(jumping)
    year = int(jumping.rows()["two"]["started_at"][:4])
    (tmp_path / "jump").write_text(str(seconds))
    os.kill(before["one"], signal.SIGKILL)
    recovers(jumping, before)
    jumped = int(jumping.rows()["one"]["started_at"][:4])
    assert abs(seconds) == 3600 or abs(jumped - year) >= 9, "the clock did not jump"
    crash = jumping.worker("crash", "quick")
    jumping.client.post("/v1/processes", {"spec": crash, "cwd": "/"})
    until(lambda: jumping.rows()["crash"]["restart_count"] >= 5, "delays go by the clock that does not jump")
    (tmp_path / "jump").unlink()
    jumping.act("stop", "crash")
    until(lambda: jumping.rows()["crash"]["status"] == "stopped", "it is stopped", PATIENCE)


@pytest.fixture(params=["ENOSYS", "EPERM"])
def without_pidfds(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ChaosMachine]:
    machine = prepared(tmp_path, WITHOUT_PIDFDS.format(name=request.param))
    yield from checked(machine)


def test_56_without_pidfds_an_adopted_process_is_kept_alive_all_the_same(
    without_pidfds: ChaosMachine,
) -> None:
    machine = without_pidfds
    before = fleet(machine)
    machine.kill()
    machine.start()
    assert pids(machine) == before
    assert checks(machine)["adopted exits"]["status"] == "limited"
    os.kill(before["one"], signal.SIGKILL)
    recovers(machine, before)
    machine.act("stop", "two")
    until(lambda: machine.rows()["two"]["status"] == "stopped", "it is stopped", PATIENCE)
    assert not alive(before["two"])


def test_56_as_an_ordinary_user_and_with_other_processes_hidden(machine: ChaosMachine) -> None:
    hidden = (
        "unshare",
        "-m",
        "sh",
        "-c",
        'mount -t proc -o hidepid=2 none /proc && exec "$@"',
        "sh",
        *AS_ORDINARY,
    )
    needs(*hidden)
    before = fleet(machine, *hidden)
    machine.kill()
    machine.start(around=hidden)
    assert pids(machine) == before
    os.kill(before["one"], signal.SIGKILL)
    recovers(machine, before)
