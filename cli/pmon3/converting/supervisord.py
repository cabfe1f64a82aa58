"""A supervisord.conf: its programs, with what the file as a whole says for all of them.

Theory of operation: `[include]` is followed first, from the folder of the file, as supervisord does;
sections of one name are one. Each `[program:x]`, with `numprocs` each copy of it, becomes a process. Values
are expanded (`%(here)s`, `%(ENV_X)s` …) before they are read.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Mapping
from functools import partial

from pmon3.converting.drafts import Draft
from pmon3.converting.ini import IniRules, IniSection, merged_sections, read_ini
from pmon3.converting.settings import Books, CannotConvert, Left, Section, Setting
from pmon3.converting.sources import InputFiles, text
from pmon3.converting.supervisord_programs import DeclaredProgram, OfAllPrograms, environment, programs_of
from pmon3.converting.supervisord_values import MEANING, expanded

_RULES = IniRules(inline_comments=(";", "#"))
_TOOL = "supervisord"
_OF_SUPERVISORD = Left("it is about supervisord itself", "pmond has a configuration of its own")
_AS_DAEMON = (
    "umask and directory of [supervisord] hold for its programs; supervisord itself takes them as a daemon"
    " only, not with nodaemon=true"
)
_OWN = dict.fromkeys(
    (
        "logfile", "logfile_maxbytes", "logfile_backups", "loglevel", "pidfile", "nodaemon", "silent",
        "minfds", "minprocs",
        "nocleanup", "childlogdir", "strip_ansi", "identifier",
    ),
    _OF_SUPERVISORD,
)  # fmt: skip
_MINIMUM = "supervisord raises its own limits to it, and its programs inherit them"
_OWN |= {
    "minfds": Left(_MINIMUM, "see `limits.nofile`"),
    "minprocs": Left(_MINIMUM, "see `limits.nproc`"),
    "strip_ansi": Left("logs are kept as they are written"),
    "childlogdir": Left("logs without a path go to the log folder of pmond", "see `log_dir`"),
}
_SERVERS = {"supervisorctl", "unix_http_server", "inet_http_server", "rpcinterface", "ctlplugin"}
_GROUP = {
    "priority": Left("the order of starts follows from `dependencies`", "name there what has to run before")
}


def convert(path: str, content: bytes, sources: InputFiles, books: Books) -> list[Draft]:
    """The processes of a supervisord.conf and of what it includes. Raises CannotConvert."""
    folder = posixpath.dirname(path)
    own = read_ini(text(content), path, _RULES)
    sections = [(section, folder) for section in own]
    sections += _included(own, folder, sources, books)
    folders = {section.name: where for section, where in reversed(sections)}
    whole = list(merged_sections([section for section, _ in sections]))
    defaults = _defaults(whole, folder, books)
    groups = _groups(whole, books)
    drafts: list[Draft] = []
    for section in whole:
        kind, _, name = section.name.partition(":")
        if kind in ("program", "fcgi-program", "eventlistener"):
            program = DeclaredProgram(kind, name.strip(), folders[section.name], groups.get(name.strip(), ""))
            drafts += programs_of(program, _section(section, books), defaults, sources)
        elif kind.partition(":")[0] in _SERVERS:
            _tell(section, books, _OF_SUPERVISORD)
        elif section.name not in ("supervisord", "include") and kind != "group":
            _tell(section, books, Left("there is no counterpart"))
    if not any(section.name.startswith("program:") for section in whole):
        raise CannotConvert("it has no [program:…] section, and includes no file that has one")
    for difference in MEANING:
        books.differs(_TOOL, difference)
    return drafts


def _section(section: IniSection, books: Books) -> Section:
    return Section(section.name, section.place, section.settings, books)


def _tell(section: IniSection, books: Books, left: Left) -> None:
    books.lose_at(section.place, f"[{section.name}]", left.reason, left.advice)


def _included(
    own: Iterable[IniSection], folder: str, sources: InputFiles, books: Books
) -> list[tuple[IniSection, str]]:
    found: list[tuple[IniSection, str]] = []
    for section in own:
        if section.name != "include":
            continue
        include = _section(section, books)
        files = include.take("files")
        known = {"here": os.path.abspath(folder), "host_node_name": os.uname().nodename}  # noqa: PTH100
        patterns = include.read("files", partial(expanded, known=known), "").split()
        for pattern in patterns:
            names = sources.matching(folder, pattern)
            if not names and files is not None:
                books.lose(
                    files,
                    f"no file matches {pattern}",
                    "convert it where the files are",
                    key=f"files {pattern}",
                )
            for name in names:
                where = posixpath.dirname(name)
                found += [(part, where) for part in read_ini(sources.text_of(name), name, _RULES)]
        include.close({})
    return found


def _defaults(sections: Iterable[IniSection], folder: str, books: Books) -> OfAllPrograms:
    """What `[supervisord]` says for all programs."""
    found = OfAllPrograms(folder=folder)
    for section in sections:
        if section.name == "supervisord":
            whole = _section(section, books)
            if "nodaemon" in whole and ("umask" in whole or "directory" in whole):
                books.differs(_TOOL, _AS_DAEMON)
            found = OfAllPrograms(
                folder=folder,
                user=whole.take("user"),
                umask=whole.take("umask"),
                directory=whole.read("directory", lambda value: expanded(value, _known(folder)), ""),
                environment=environment(whole.take("environment"), _known(folder), books),
            )
            whole.close(_OWN)
    return found


def _known(folder: str) -> Mapping[str, str]:
    return {"here": os.path.abspath(folder)}  # noqa: PTH100


def _groups(sections: Iterable[IniSection], books: Books) -> dict[str, str]:
    """The group of each program that is in one."""
    found: dict[str, str] = {}
    names = {section.name.partition(":")[2].strip() for section in sections if "program:" in section.name}
    for section in sections:
        if not section.name.startswith("group:"):
            continue
        group = _section(section, books)
        listed = group.take("programs") or Setting("programs", "", section.place)
        for program in filter(None, (word.strip() for word in listed.value.split(","))):
            found[program] = section.name.removeprefix("group:").strip()
            if program not in names:
                books.lose(listed, f"there is no [program:{program}]", key=f"programs {program}")
        group.close(_GROUP)
    return found
