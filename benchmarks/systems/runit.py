"""runit: runsvdir over a folder of services, one runsv per worker."""

from __future__ import annotations

import os
import shlex
import time

from benchmarks.systems.base import Declaration, Defaults, missing_program, package_version, write_script


class Runit(Defaults):
    name = "runit"
    settings = (
        "usual two-line `run` scripts, no loggers; a folder of services that has not changed within the last "
        "second, since runsvdir sleeps for one otherwise; it serves at most 1,000 services."
    )

    def missing(self) -> str | None:
        return missing_program("runsvdir", "apt-get install runit")

    def version(self) -> str:
        return package_version("runit")

    def write(self, declaration: Declaration) -> None:
        for index in range(declaration.count):
            service = declaration.folder / "services" / declaration.name(index)
            service.mkdir(parents=True)
            write_script(service / "run", f"exec {shlex.join(declaration.command(index))}")
        # runsvdir sleeps for a second when its folder has changed in the current one.
        an_hour_ago = time.time() - 3600
        os.utime(declaration.folder / "services", (an_hour_ago, an_hour_ago))

    def start_command(self, declaration: Declaration) -> list[str]:
        return ["runsvdir", "-P", str(declaration.folder / "services")]

    def list_command(self, declaration: Declaration) -> list[str] | None:
        services = declaration.folder / "services"
        names = [declaration.name(index) for index in range(declaration.count)]
        return ["sv", "status", *(str(services / name) for name in names)]
