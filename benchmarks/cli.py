"""The command: every system at every size, one after the other on the same machine in the same run."""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NoReturn

import psutil
from benchmarks import measures, programs, systems
from benchmarks.fleet import FleetError, become_subreaper, temporary_fleet
from benchmarks.measures import Figures
from benchmarks.results import Result, machine, tables
from benchmarks.systems.base import System
from msgspec.structs import asdict

_HEADING = """\
# Benchmarks: latest run

Written by `benchmarks/run.py`; what is measured, how and why: [README.md](README.md).
In brackets: restart and bring-up as multiples of the floor, a bare vfork + execve + epoll loop in C;
list command, idle processor time and memory as multiples of pmon3.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print the tables, write the files asked for. 0, also when a system is missing or fails."""
    options = _parse(arguments)
    signal.signal(signal.SIGTERM, _terminated)
    become_subreaper()
    results: list[Result] = []
    try:
        with tempfile.TemporaryDirectory(prefix="pmon3-bench-") as folder:
            worker = programs.worker(Path(folder))
            for size in options.sizes:
                for system in options.systems:
                    results.append(_result(system, size, worker, options))
    except KeyboardInterrupt:
        print("benchmarks: interrupted; no files written", file=sys.stderr)
        return 130
    _publish(results, options)
    return 0


def _result(system: System, size: int, worker: tuple[str, ...], options: argparse.Namespace) -> Result:
    if missing := system.missing():
        return Result(system.name, "", size, problem=missing)
    began = time.monotonic()
    figures: Figures = {}
    problem = ""
    try:
        _measure(system, size, worker, options, figures)
    except (FleetError, OSError, subprocess.SubprocessError, psutil.Error) as error:
        # One system that fails must not cost the figures of the others.
        problem = str(error)
    note = f": {problem}" if problem else ""
    print(f"benchmarks: {size} × {system.name}, {time.monotonic() - began:.0f} s{note}", file=sys.stderr)
    return Result(system.name, system.version(), size, figures, problem)


def _measure(
    system: System, size: int, worker: tuple[str, ...], options: argparse.Namespace, figures: Figures
) -> None:
    """Add to `figures` measure by measure, so that a failure keeps those before it."""
    bring_ups = []
    for turn in reversed(range(options.repeat if "bringup" in options.measures else 1)):
        with temporary_fleet(system, worker, size) as fleet:
            bring_ups.append(measures.bring_up(fleet)["bringup"])
            if turn > 0:
                continue
            if "bringup" in options.measures:
                figures["bringup"] = statistics.median(bring_ups)
            if set(options.measures) & set(measures.WHEN_UP):
                time.sleep(measures.SETTLE)
            for name, measure in measures.WHEN_UP.items():
                if name in options.measures:
                    figures.update(measure(fleet))
    if "bringup" in options.measures:
        figures.update(measures.load(system, worker, size))


def _publish(results: list[Result], options: argparse.Namespace) -> None:
    about = machine()
    text = tables(results)
    print(text)
    if options.json:
        document = {"machine": about, "results": [asdict(result) for result in results]}
        options.json.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    if options.markdown:
        options.markdown.write_text("\n".join([_HEADING, text, "", _notes(results, options.systems, about)]))


def _notes(results: list[Result], chosen: Sequence[System], about: dict[str, str]) -> str:
    versions = {result.system: result.version for result in results}
    lines = ["## Versions and settings", ""]
    measured = [system for system in chosen if versions[system.name]]
    lines += [f"* **{system.name}** {versions[system.name]}: {system.settings}" for system in measured]
    lines += ["", f"Machine: {', '.join(f'{key} {value}' for key, value in about.items())}.", ""]
    return "\n".join(lines)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    by_name = {system.name: system for system in systems.ALL}
    parser = argparse.ArgumentParser(prog="benchmarks/run.py", description=__doc__)
    parser.add_argument("--sizes", type=_sizes, default=[20, 200], help="such as 20,200,1000 (20,200)")
    for what, known in (("systems", list(by_name)), ("measures", list(measures.NAMES))):
        out_of = f"out of {','.join(known)} (all)"
        parser.add_argument(f"--{what}", type=_NamesArgument(known), default=known, help=out_of)
    parser.add_argument("--repeat", type=int, default=3, help="bring-ups, of which the median counts (3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables there")
    options = parser.parse_args(arguments)
    if options.repeat < 1:
        parser.error("--repeat is at least 1")
    options.systems = [by_name[name] for name in options.systems]
    return options


def _sizes(text: str) -> list[int]:
    words = text.split(",")
    if not all(word.isdecimal() and int(word) > 0 for word in words):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of sizes (write it as 20,200)")
    return [int(word) for word in words]


class _NamesArgument:
    """A converter for argparse: comma-separated names out of a known set, in the given order."""

    def __init__(self, known: Iterable[str]) -> None:
        self._known = list(known)

    def __call__(self, text: str) -> list[str]:
        names = text.split(",")
        for name in names:
            if name not in self._known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(self._known)}")
        return names


def _terminated(number: int, frame: object) -> NoReturn:
    # As an exception, so that the fleets end on the way out.
    raise SystemExit(128 + number)
