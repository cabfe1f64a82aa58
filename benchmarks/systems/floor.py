"""The floor: a bare vfork + execve + epoll loop in C (floor.c), the base of the ratios."""

from __future__ import annotations

from benchmarks import programs
from benchmarks.systems.base import Declaration, Defaults


class Floor(Defaults):
    name = "floor"
    settings = "floor.c: vfork, execve, pidfd and epoll; no configuration, logs, state or interface."

    def missing(self) -> str | None:
        return None if programs.compiler() else "no C compiler (install gcc, or set CC)"

    def version(self) -> str:
        return "C"

    def write(self, declaration: Declaration) -> None:
        programs.compile_c("floor", declaration.folder)

    def start_command(self, declaration: Declaration) -> list[str]:
        return [
            str(declaration.folder / "floor"),
            str(declaration.count),
            str(declaration.reports),
            *declaration.worker,
        ]

    def list_command(self, declaration: Declaration) -> list[str] | None:
        return None
