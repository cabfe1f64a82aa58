"""The C programs of the benchmarks, compiled when they are needed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent


def compiler() -> str | None:
    """The C compiler of this machine: $CC, else cc; None if there is none."""
    return shutil.which(os.environ.get("CC", "cc"))


def compile_c(name: str, folder: Path) -> Path:
    """Compile NAME.c of this folder to `folder`/NAME.

    Raises subprocess.CalledProcessError if it does not compile (the compiler has said why).
    """
    command = compiler()
    if command is None:
        raise FileNotFoundError("cannot compile: no C compiler (install gcc, or set CC)")
    program = folder / name
    subprocess.run([command, "-O2", "-Wall", "-o", str(program), str(_HERE / f"{name}.c")], check=True)
    return program


def worker(folder: Path) -> tuple[str, ...]:
    """The command of the supervised program: worker.c, or worker.py where nothing compiles."""
    if compiler() is not None:
        return (str(compile_c("worker", folder)),)
    print(
        "benchmarks: no C compiler (install gcc, or set CC): there is no floor, "
        "and all restart times include the start of an interpreter",
        file=sys.stderr,
    )
    return (sys.executable, "-I", "-S", str(_HERE / "worker.py"))
