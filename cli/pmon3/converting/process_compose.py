"""process-compose.yaml: the processes of a project, with their order, probes and shutdowns."""

from __future__ import annotations

import posixpath
from pathlib import Path

from pmon3.converting.data_files import DataFile, mapping, read_data
from pmon3.converting.drafts import Draft
from pmon3.converting.process_compose_entries import ComposedProcess, Project
from pmon3.converting.settings import Books, CannotConvert, Left
from pmon3.converting.sources import STDIN, InputFiles, text
from pmon3.converting.variables import environment

_ABOUT_ITSELF = Left("it is about process-compose itself")
_TOP = {
    **dict.fromkeys(
        ("log_level", "log_length", "log_format", "is_tui_disabled", "mcp_server", "name",
        "is_strict",
         "disable_env_expansion", "log_location", "log_configuration", "theme", "is_dotenv_disabled"),
        _ABOUT_ITSELF,
    ),
    "log_location": Left("there is no log of all processes", "see `pmon3 logf '*'`"),
    "log_configuration": Left("what holds for all logs is not carried", "see `defaults:` and `log_rotate`"),
    "env_cmds": Left("no command is run for a value", "write it into `env_vars`, or `env_file`"),
    "vars": Left("templates ({{ }}) are not filled in", "write the values out, or see `variables:`"),
    "extends": Left("another project is not read", "convert that file too"),
    "ordered_shutdown": Left("processes always end before what they depend on"),
    "is_strict": Left("a manifest is always read strictly"),
}  # fmt: skip
_MEANING = (
    "what goes on the screen there goes to logs here (`pmon3 logf '*'`), and pmond does not end with them",
    "PC_PROC_NAME and PC_REPLICA_NUM are set only where they are written out",
)


def convert(path: str, content: bytes, sources: InputFiles, books: Books) -> list[Draft]:
    """The processes of a project. Raises CannotConvert."""
    data = read_data(text(content), path)
    if not isinstance(data.data, dict) or not isinstance(data.data.get("processes"), dict):
        raise CannotConvert("it has no mapping `processes`")
    top = data.section((), books)
    processes = mapping(top.value("processes"))
    top.note("version", "a manifest has none")
    folder = posixpath.dirname(path)
    project = Project(
        folder=folder,
        shell=_shell(data, books),
        env_file=_dot_env(folder, path, bool(mapping(data.data).get("is_dotenv_disabled"))),
        environment=environment(top.take("environment"), books),
    )
    top.take("shell")
    for key in [key for key in top.keys if key.startswith("x-")]:
        top.take(key)  # a place to refer to: what refers to it is carried
    top.close(_TOP)
    drafts: list[Draft] = []
    for name, value in processes.items():
        at = ("processes", name)
        if not isinstance(value, dict):
            books.lose_at(data.place(at), str(name), "it is no mapping", "write command: …")
            continue
        drafts += ComposedProcess(str(name), at, data, project, sources, books).drafts()
    if not drafts:
        raise CannotConvert("it declares no process")
    for difference in _MEANING:
        books.differs("process-compose", difference)
    return drafts


def _shell(data: DataFile, books: Books) -> tuple[str, str]:
    given = mapping(mapping(data.data).get("shell"))
    section = data.section(("shell",), books) if given else None
    if section is None:
        return "/bin/bash", "-c"
    command = str(section.value("shell_command", "bash"))
    argument = str(section.value("shell_argument", "-c"))
    section.close({})
    return command, argument


def _dot_env(folder: str, path: str, off: bool) -> str:
    return ".env" if not off and path != STDIN and Path(posixpath.join(folder, ".env")).is_file() else ""
