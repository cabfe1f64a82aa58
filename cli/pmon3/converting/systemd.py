"""Units of systemd: a service is a process; with its drop-ins, its timer and the instance of a template.

Theory of operation: a unit is read as `foo@bar.service` even where only `foo@.service` is there. Timers that
start a service lie beside it and are read with it; a timer that is named leads to its service.
"""

from __future__ import annotations

import errno
import os
import posixpath
import re
from pathlib import Path

from pmon3.converting.drafts import Draft
from pmon3.converting.settings import Books, CannotConvert, Left, Place, Section
from pmon3.converting.sources import STDIN, InputFiles, text
from pmon3.converting.systemd_service import ServiceUnit
from pmon3.converting.systemd_tables import LISTS
from pmon3.converting.systemd_timer import carry_timer
from pmon3.converting.unit_files import Unit, effective, read_unit, with_drop_ins

_OTHERS = {
    "socket": Left("sockets are not handed to programs", "let the program open it"),
    "target": Left("targets have no counterpart", "see `groups`"),
    "path": Left("nothing is started by a file", "see `watch` for restarts"),
    "mount": Left("nothing is mounted"),
    "slice": Left("control groups are pmond's own", "see `resources`"),
}
_MEANING = (
    "a process that a signal ended (TERM, INT, HUP, PIPE) has failed; for systemd that is a clean end",
    "the first restart comes at once; systemd waits RestartSec before that too",
    "LANG and the INVOCATION_ID, JOURNAL_STREAM and SYSTEMD_EXEC_PID of systemd are not set",
    "what a process writes goes to a file in the log folder of pmond, not to the journal",
)


def convert(path: str, content: bytes, sources: InputFiles, books: Books) -> list[Draft]:
    """The process of a service, or of the service that a timer starts. Raises CannotConvert, OSError."""
    folder, name = posixpath.split(path)
    name = name if path != STDIN else "unit.service"
    stem, _, suffix = name.rpartition(".")
    if suffix == "timer":
        service = _service_of(path, text(content))
        return _service(service, sources, books, None)
    if suffix in _OTHERS:
        left = _OTHERS[suffix]
        books.lose_at(Place(path, 1), name, left.reason, left.advice)
        return []
    if not content and path != STDIN and not Path(_template_of(path)).exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    if stem.endswith("@") and not _default_instance(path, content, sources):
        example = posixpath.join(folder, f"{stem}NAME.service")
        books.lose_at(Place(path, 1), name, "it is a template", f"name an instance: pmon3 convert {example}")
        return []
    return _service(path if path != STDIN else name, sources, books, content if content else None)


def _default_instance(path: str, content: bytes, sources: InputFiles) -> str:
    return _last(with_drop_ins(read_unit(text(content), path), path, sources), "Install", "DefaultInstance")


def _service_of(path: str, written: str) -> str:
    timer = read_unit(written, path)
    units = [one.value for one in timer.get("Timer", []) if one.key == "Unit" and one.value]
    service = posixpath.join(posixpath.dirname(path), units[-1] if units else f"{Path(path).stem}.service")
    if not Path(service).exists() and not Path(_template_of(service)).exists():
        raise CannotConvert(f"the service that it starts, {service}, is not there")
    return service


def _template_of(path: str) -> str:
    return re.sub(r"@[^/]*(?=\.service\Z)", "@", path)


def _service(path: str, sources: InputFiles, books: Books, content: bytes | None) -> list[Draft]:
    file = path if content is not None or Path(path).exists() else _template_of(path)
    written = text(content) if content is not None else sources.text_of(file)
    unit = with_drop_ins(read_unit(written, file), path, sources)
    name = posixpath.basename(path)
    if name.startswith(".") or name.partition("@")[2].startswith("."):
        instance = _last(unit, "Install", "DefaultInstance")
        unit["Install"] = [one for one in unit["Install"] if one.key != "DefaultInstance"]
        name = name.replace("@.", f"@{instance}.")
    is_user = "/systemd/user/" in posixpath.abspath(file)
    sections = {
        section: Section(section, Place(file, 1), effective(settings, LISTS), books)
        for section, settings in unit.items()
    }
    timers = _timers_of(path, sources)
    draft = ServiceUnit(name, file, sections, books, sources, is_user).draft(bool(timers))
    for timer in timers:
        carry_timer(draft, read_unit(sources.text_of(timer), timer), timer, books)
    for section in sections.values():
        if section.title not in ("Unit", "Service", "Install"):
            section.abandon("it is not a section of a service")
    for difference in _MEANING:
        books.differs("systemd", difference)
    return [draft]


def _timers_of(path: str, sources: InputFiles) -> list[str]:
    """Timers beside a service that start it."""
    name = posixpath.basename(path)
    if path == name and not Path(path).exists():
        return []
    found = []
    for timer in sources.matching(posixpath.dirname(path) or ".", "*.timer"):
        units = [
            one.value
            for one in read_unit(sources.text_of(timer), timer).get("Timer", [])
            if one.key == "Unit"
        ]
        if (units[-1] if units else f"{Path(timer).stem}.service") == name:
            found.append(timer)
    return found


def _last(unit: Unit, section: str, key: str) -> str:
    found = [one.value for one in unit.get(section, []) if one.key == key]
    return found[-1] if found else ""
