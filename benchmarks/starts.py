"""What a start costs that sets something up: user, limits, a control group, a sandbox; beside others.

Theory of operation: each way starts /bin/true and waits for its end, one way after the other in each round,
so that whatever else the machine does meets all of them alike. Shown are the least and the median of all.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from pmon3_schema.process import ProcessSpec
from pmon3_schema.reading import read_value
from pmond.runtime.processes.cgroup_root import NoCgroups, find_place
from pmond.runtime.processes.spawn import Launch, SpawnContext, prepare, read_report, spawn

_SOURCE = Path(__file__).with_name("into_group.c")
_AT_ONCE = 10
"""Starts of one way before the next has its turn."""


def launches(folder: str, group: str) -> dict[str, Launch]:
    """Ways of pmond by their names."""
    root = os.geteuid() == 0
    user: dict[str, Any] = {"user": "nobody"} if root else {}
    limits = {"limits": {"nofile": 256, "core": 0}}
    sandbox = {"sandbox": {"read_only": ["/"], "private_tmp": True, "network": "none"}}
    fields: dict[str, dict[str, Any]] = {
        "plain": {},
        "umask": {"umask": "022"},
        "user, limits": {**user, **limits},
        "group": {},
        "user, limits, group": {**user, **limits},
        "no_new_privileges": {"sandbox": {"no_new_privileges": True}},
        "user, sandbox with namespaces": {**user, **sandbox},
    }
    context = SpawnContext(environment={"PATH": "/usr/bin:/bin"}, log_dir=folder)
    found = {}
    for name, said in fields.items():
        spec = read_value(
            ProcessSpec, {"name": "x", "file": "/bin/true", "log": "/dev/null", "cwd": "/", **said}
        )
        launch = prepare(spec, context=context, marker=f"{uuid.uuid4()}:x:1")
        found[f"pmond: {name}"] = replace(launch, group=group) if "group" in name else launch
    return {name: one for name, one in found.items() if group or "group" not in name}


def begin(launch: Launch) -> None:
    """Start it and see its end."""
    child = spawn(launch)
    status = os.waitpid(child.pid, 0)[1]
    problem = read_report(child) if child.report_fd is not None else None
    if problem is not None or status:
        raise SystemExit(f"{launch.argv}: {problem or status}")


def begin_words(words: list[str]) -> None:
    pid = os.posix_spawn(words[0], words, {"PATH": "/usr/bin:/bin"})
    if os.waitpid(pid, 0)[1]:
        raise SystemExit(f"{words} failed")


def others(folder: Path, group: str) -> dict[str, list[str]]:
    """Programs of others that do the same, and one in C that does nothing else."""
    found: dict[str, list[str]] = {"posix_spawn alone": ["/bin/true"]}
    chpst = shutil.which("chpst")
    if chpst:
        as_user = ["-u", "nobody"] if os.geteuid() == 0 else []
        found["chpst: user, limits"] = [chpst, *as_user, "-o", "256", "-c", "0", "/bin/true"]
    setpriv = shutil.which("setpriv")
    if setpriv and os.geteuid() == 0:
        as_user = ["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]
        found["setpriv: user"] = [setpriv, *as_user, "/bin/true"]
    run = shutil.which("systemd-run")
    if run and Path("/run/systemd/system").exists() and os.geteuid() == 0:
        words = ["--wait", "--quiet", "--collect", "-p", "User=nobody", "-p", "LimitNOFILE=256", "/bin/true"]
        found["systemd-run: user, limits, group"] = [run, *words]
    return found


def in_c(folder: Path, group: str) -> dict[str, list[str]]:
    """The ways of a small program in C."""
    compiler, program = shutil.which("cc") or shutil.which("gcc"), folder / "into_group"
    if compiler is None or not group:
        return {}
    subprocess.run([compiler, "-O2", "-o", program, _SOURCE], check=True)
    return {f"C: {way}": [str(program), way, str(_AT_ONCE), group] for way in ("plain", "join", "clone3")}


def figures(folder: Path, group: str, rounds: int) -> Iterator[tuple[str, list[float]]]:
    """Microseconds of each start, by way."""
    ways: dict[str, Callable[[], None]] = {}
    for name, launch in launches(str(folder), group).items():
        ways[name] = partial(begin, launch)
    for name, words in others(folder, group).items():
        ways[name] = partial(begin_words, words)
    small = in_c(folder, group)
    taken: dict[str, list[float]] = {name: [] for name in (*ways, *small)}
    for _ in range(rounds):
        for name, way in ways.items():
            for _ in range(_AT_ONCE):
                begun = time.perf_counter()
                way()
                taken[name].append((time.perf_counter() - begun) * 1e6)
        for name, words in small.items():
            said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
            taken[name] += map(float, said.split())
    yield from taken.items()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        group, place = "", None
        with suppress(NoCgroups, OSError):
            place = find_place(str(uuid.uuid4()))
            group = f"{place.folder}/x:1"
            Path(group).mkdir()
        print("| a start of /bin/true, with its end | least, ms | median, ms |\n|---|---|---|")
        for name, taken in figures(Path(folder), group, rounds):
            print(f"| {name} | {min(taken) / 1000:.2f} | {statistics.median(taken) / 1000:.2f} |")
        if place is not None:
            Path(group).rmdir()
            Path(place.folder).rmdir()


if __name__ == "__main__":
    main()
