"""s6: s6-svscan over a scan folder, one s6-supervise per worker."""

from __future__ import annotations

import shlex

from benchmarks.systems.base import Declaration, Defaults, missing_program, package_version, write_script


class S6(Defaults):
    name = "s6"
    settings = (
        "usual two-line `run` scripts, no loggers; `s6-svscan -c` raised to the number of workers; its list "
        "command is a shell loop of `s6-svstat`, as none covers all services; it waits a second before it "
        "restarts what ended, however long that ran (measured; no setting for it found)."
    )

    def missing(self) -> str | None:
        return missing_program("s6-svscan", "apt-get install s6")

    def version(self) -> str:
        return package_version("s6")

    def write(self, declaration: Declaration) -> None:
        for index in range(declaration.count):
            service = declaration.folder / "scan" / declaration.name(index)
            service.mkdir(parents=True)
            write_script(service / "run", f"exec {shlex.join(declaration.command(index))}")
        scan = shlex.quote(str(declaration.folder / "scan"))
        write_script(declaration.folder / "list", f'for service in {scan}/*; do s6-svstat "$service"; done')

    def start_command(self, declaration: Declaration) -> list[str]:
        return ["s6-svscan", "-c", str(declaration.count + 10), str(declaration.folder / "scan")]

    def list_command(self, declaration: Declaration) -> list[str] | None:
        return [str(declaration.folder / "list")]
