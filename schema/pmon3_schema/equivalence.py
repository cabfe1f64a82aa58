"""Two ways of saying the same thing about a process, and keeping the one that is in force.

Theory of operation: what a manifest leaves out stands for something (the user who applies it, the
folder of the program, a file in pmond's log folder), and some things can be said in two ways. `meaning`
is a spec with all of that written out. `put_like` words a spec like the one that is declared already,
field by field, wherever that changes nothing of its meaning. So what merely says the same differently,
such as what `export` printed, is the same value afterwards: no difference, no restart.
"""

from __future__ import annotations

import posixpath
from itertools import compress
from operator import attrgetter, ne

from msgspec import Struct
from msgspec.structs import replace

from pmon3_schema.process import ProcessSpec

SAID_IN_SEVERAL_WAYS = (
    "user", "log", "log_dir", "no_auto_restart", "groups", "cwd", "argv0", "stderr_log", "restart",
    "profiles",
)  # fmt: skip
"""The fields that `meaning` writes out. Any other one with another value means something else."""
_values = attrgetter(*SAID_IN_SEVERAL_WAYS)


class ImpliedValues(Struct, frozen=True):
    """What a spec that leaves it out stands for, in the pmond that is asked."""

    user: str = ""
    """The user that pmond runs as."""
    log_dir: str = ""


def log_paths(spec: ProcessSpec, log_dir: str) -> tuple[str, str]:
    """The files of standard output and standard error; the same one unless the spec says so."""
    folder = spec.log_dir or log_dir
    stdout = posixpath.join(folder, spec.log or f"{spec.name}.log")
    return stdout, posixpath.join(folder, spec.stderr_log) if spec.stderr_log else stdout


def meaning(spec: ProcessSpec, implied: ImpliedValues) -> ProcessSpec:
    """The spec with all written out that it leaves to others, in one of several ways."""
    stdout, stderr = log_paths(spec, implied.log_dir)
    return replace(
        spec,
        user=spec.user or implied.user,
        cwd=spec.cwd or posixpath.dirname(spec.file),
        argv0=spec.argv0 or spec.file,
        log=stdout,
        log_dir="",
        stderr_log=stderr if stderr != stdout else "",
        no_auto_restart=False,
        restart=replace(spec.restart, policy=spec.policy),
        groups=tuple(sorted({*spec.groups})),
        profiles=(),  # they have said already whether it is declared
    )


def put_like(spec: ProcessSpec, present: ProcessSpec, implied: ImpliedValues) -> ProcessSpec:
    """The spec in the words of the present one, where both mean the same; the present one if all does."""
    if spec is present or spec == present:
        return present
    differing = [*compress(SAID_IN_SEVERAL_WAYS, map(ne, _values(spec), _values(present)))]
    if not differing:  # of a thousand replicas of a changed entry, this is what all of them are
        return spec
    meant = meaning(spec, implied)
    # Twice: what one field says may be said by another one that comes later (no_auto_restart, restart).
    for name in differing * 2:
        value = getattr(present, name)
        if getattr(spec, name) != value:
            reworded = replace(spec, **{name: value})
            if meaning(reworded, implied) == meant:
                spec = reworded
    return present if spec == present else spec
