"""What an edit of one process among many costs, step by step: `python benchmarks/plan.py --size 10000`.

In this process: reading the manifest (YAML), the plan once it has been read (what `diff` answers, and what
a hot reload starts from), the comparison in it, and the decision on one process and on all. `large.py`
measures the same with a pmond.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from typing import Any

from msgspec.structs import replace

from pmon3_schema.manifest import Entry, ManifestFile, Reading, read
from pmon3_schema.process import ProcessSpec
from pmon3_schema.reading import read_value
from pmond.core.compare import compare
from pmond.core.model import Desired, Intent, Policy, SourceLocation
from pmond.core.plan import plan
from pmond.core.replicas import expand
from pmond.core.step import CompareOptions, Existing
from pmond.runtime.access import users
from pmond.runtime.access.authority import Authority
from pmond.runtime.base import clock
from pmond.runtime.intent.apply_order import ApplyOrder, ApplyRequest, CurrentState
from pmond.runtime.intent.apply_planner import ApplyPlanner

_REPEAT = 7
_OWNER = "file:/srv/processes.yaml"


def manifest(size: int, edited: bool = False) -> str:
    """Processes with a few fields each; `edited`: the middle one has another argument."""
    lines = ["processes:"]
    for index in range(size):
        word = "edited" if edited and index == size // 2 else "declared"
        lines += [
            f"  - name: worker-{index:05d}",
            "    file: /usr/bin/sleep",
            f"    args: [infinity, {word}]",
            "    autostart: false",
            f"    env_vars: {{NUMBER: '{index}'}}",
            f"    groups: [group-{index % 20}]",
        ]
    return "\n".join(lines) + "\n"


def in_process(size: int) -> dict[str, tuple[float, float]]:
    """Milliseconds of each step, elapsed and of processor time."""
    path, options = "/srv/processes.yaml", CompareOptions(_OWNER, prune=True)
    documents = [ManifestFile(path, manifest(size, edited=True).encode())]
    before = {
        entry.spec.name: _declared(number, entry)
        for number, entry in enumerate(
            map(_owned, read([ManifestFile(path, manifest(size).encode())]).entries), 1
        )
    }
    # As pmond reads them: what is declared like that already keeps its spec.
    entries = [
        replace(entry, spec=old) if (old := before[entry.spec.name].spec) == entry.spec else entry
        for entry in map(_owned, read(documents).entries)
    ]
    after = [entry.spec for entry in entries]
    groups = {name: number for number, name in enumerate(_groups(before.values()), 1)}
    memberships = {one.id: frozenset(map(groups.__getitem__, one.spec.groups)) for one in before.values()}
    names = {number: name for name, number in groups.items()}
    seen = CurrentState(0, before, memberships, {}, None, names)
    request = ApplyRequest(documents, Reading(tuple(entries), ()), ApplyOrder(options))
    existing = {name: Existing(one.spec, _OWNER) for name, one in before.items()}
    desired = Desired(before)
    planner = ApplyPlanner(lambda: Authority(0))
    assert len(planner.compared(seen, request).plan["actions"]) == 1
    return {
        "parse": _least(lambda: read(documents)),
        "plan, once parsed": _least(lambda: planner.compared(seen, request)),
        "of that: compare": _least(lambda: compare(after, existing, options)),
        "decide one": _least(lambda: plan(desired, {}, 0.0, Policy(), [after[0].name])),
        "decide all": _least(lambda: plan(desired, {}, 0.0, Policy())),
        "validate alone": _least(lambda: [read_value(ProcessSpec, _plain(spec)) for spec in after]),
    }


def of_replicas(count: int = 1_000) -> tuple[float, float]:
    """The plan when one entry changes that stands for so many: milliseconds, as `in_process` says them."""
    path, options = "/srv/processes.yaml", CompareOptions(_OWNER, prune=True)
    documents = [[ManifestFile(path, _replicated(count, word).encode())] for word in ("declared", "edited")]
    old, new = ([*map(_owned, read(files).entries)] for files in documents)
    expanded = expand([entry.spec for entry in old], {}, _OWNER)
    before = {
        spec.name: replace(_declared(number, old[0]), spec=spec, replica=expanded.replicas[spec.name])
        for number, spec in enumerate(expanded.specs, 1)
    }
    seen = CurrentState(0, before, {}, {}, None, {})
    request = ApplyRequest(documents[1], Reading(tuple(new), ()), ApplyOrder(options))
    planner = ApplyPlanner(lambda: Authority(0))
    assert len(planner.compared(seen, request).plan["actions"]) == count
    return _least(lambda: planner.compared(seen, request))


def _replicated(count: int, word: str) -> str:
    return (
        f"processes:\n  - {{name: web, file: /bin/sh, args: [-c, 'echo {word} ${{REPLICA+8000}}'], "
        f"env_vars: {{PORT: '${{REPLICA+8000}}', MODE: {word}}}, ready: {{tcp: '${{REPLICA+8000}}'}}, "
        f"replicas: {count}}}\n"
    )


def _owned(entry: Entry) -> Entry:
    """As it is kept: with the user that it runs as."""
    return replace(entry, spec=replace(entry.spec, user=users.name_of(0)))


def _declared(number: int, entry: Entry) -> Intent:
    at = clock.wall()
    place = SourceLocation(entry.file, entry.line, entry.column)
    return Intent(entry.spec, id=number, owner=_OWNER, place=place, created_at=at, updated_at=at)


def _groups(intents: Iterable[Intent]) -> list[str]:
    return sorted({group for one in intents for group in one.spec.groups})


def _plain(spec: ProcessSpec) -> dict[str, Any]:
    return {"name": spec.name, "file": spec.file, "args": list(spec.args), "autostart": False}


def _least(work: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds elapsed, and of processor time."""
    elapsed, used = [], []
    for _ in range(_REPEAT):
        before, began = time.perf_counter(), time.thread_time()
        work()
        elapsed.append((time.perf_counter() - before) * 1e3)
        used.append((time.thread_time() - began) * 1e3)
    return min(elapsed), min(used)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks/plan.py", description=__doc__)
    parser.add_argument("--size", type=int, default=10_000)
    size = parser.parse_args().size
    print(f"{size} processes; milliseconds, the least of {_REPEAT}\n")
    print("| step in this process | elapsed | processor |\n|---|---:|---:|")
    rows = {**in_process(size), "plan, 1,000 replicas that all change": of_replicas()}
    for name, (elapsed, used) in rows.items():
        print(f"| {name} | {elapsed:.2f} | {used:.2f} |")


if __name__ == "__main__":
    main()
