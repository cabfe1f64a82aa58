"""A supervised program that proves by itself that it is alone: run as `python -I -S worker.py MODE FOLDER`.

It holds an exclusive lock on NAME.lock for as long as it lives (the kernel drops it at its death,
however it dies) and writes one line about its start and, where it can, one about its end to the
ledger. A second one that finds the lock taken writes "double" instead. What the supervisor
believes plays no part in any of it.
"""

import fcntl
import os
import select
import signal
import sys
import time

MODES = (
    "steady",
    "crash",
    "stubborn",
    "tree",
    "quick",
    "writer",
    "job",
    "shift",
    "leaver",
    "daemon",
    "late",
    "jobs",
)
LEAVERS = MODES[-4:]  # they crash, and leave a process behind that has their lock


def main() -> None:
    mode, folder = sys.argv[1:]
    state, name, number = os.environ["PMON3_INSTANCE"].split(":")
    ledger = os.open(f"{folder}/ledger", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(*words: object) -> None:
        # One write to a file that is opened for appending: lines never mix.
        os.write(ledger, (" ".join(map(str, words)) + "\n").encode())

    lock = os.open(f"{folder}/{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        write("double", name, number, os.getpid())
        os._exit(99)
    write("started", name, number, os.getpid())
    with open(f"{folder}/state", "w") as file:  # noqa: PTH123 - pathlib would double its start-up
        file.write(state)
    wake, written = os.pipe()
    os.set_blocking(written, False)
    signal.set_wakeup_fd(written)
    signal.signal(signal.SIGTERM, lambda *_: None)
    if mode == "tree":
        leave_descendant(lock)
    chance = int.from_bytes(os.urandom(2), "big")
    if mode in LEAVERS and chance % 2:  # in its first instant, or else in its last
        leave_holder(mode, deaf=chance % 3 == 0)
    if mode == "writer":
        run, lines = write_lines(wake)
        write("wrote", name, run, lines)
    lifetime = {
        "crash": 0.02 + chance % 400 / 1000,
        "quick": chance % 20 / 1000,
        "job": 0.05 + chance % 300 / 1000,
        "shift": 1.2 + chance % 1200 / 1000,
        "writer": 0,
    }.get("crash" if mode in LEAVERS else mode)
    while True:
        asked = select.select([wake], [], [], lifetime)[0]
        if mode != "stubborn" or not asked:
            break
        os.read(wake, 64)
    if mode in LEAVERS and not asked and not chance % 2:
        leave_holder(mode, deaf=chance % 3 == 0)
    code = 0 if asked or mode == "writer" else 1 + chance % 120
    write("ending", name, number, code)
    os._exit(code)


def write_lines(wake: int) -> tuple[int, int]:
    """Numbered lines to the log until it is asked to end; the name of this run, and their number."""
    run, number = time.monotonic_ns(), 0
    while not select.select([wake], [], [], 0.0625)[0]:
        block = "".join(f"{run:020d} {n:012d}\n" for n in range(number, number + 120))
        os.write(1, block.encode())
        number += 120
    return run, number


def leave_descendant(lock: int) -> None:
    """A grandchild with a session of its own, which only a sweep of the whole tree ends."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.close(lock)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            while True:
                signal.pause()
        os._exit(0)
    os.wait()


def leave_holder(mode: str, deaf: bool) -> None:
    """A process that leaves in one of the ways that programs have; the lock is its own as well."""
    main = os.getpid()
    if os.fork() != 0:
        return
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, signal.SIG_IGN if deaf else signal.SIG_DFL)
    if mode == "jobs":  # as a shell with job control
        os.setpgid(0, 0)
    else:
        os.setsid()
    if mode == "daemon" and os.fork() != 0:
        os._exit(0)
    if mode == "late":  # when the main program is gone it makes another, and ends
        while os.getppid() == main:
            time.sleep(0.0005)
        if os.fork() != 0:
            os._exit(0)
        os.setsid()
    while True:
        signal.pause()


main()
