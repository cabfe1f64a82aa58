"""`pmond --check`: what would keep a valid configuration from working on this machine.

Looks, and changes nothing. The same questions are asked again at start, where they are errors or
warnings in the journal; here all of them are answered at once.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pmon3_schema import paths
from pmon3_schema.diagnostics import Diagnostic, render_text
from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.manifest import ManifestFile, read, texts
from pmon3_schema.profiles import chosen_by_caller, chosen_words
from pmon3_schema.settings import EventHandling, PermissionSettings, Settings
from pmond.runtime.files.documents import read_documents, unpack
from pmond.runtime.files.folders import group_of, owner_of
from pmond.runtime.program.state_folder import STATE_FILE
from pmond.runtime.state.preview import CannotPeek, accepted_content


def problems(settings: Settings, places: paths.Places) -> Iterator[str]:
    """Each one as a sentence that says what to do."""
    sections: dict[str, PermissionSettings] = {
        "logs": settings.logs,
        "data": settings.data,
        "message_queue": settings.message_queue,
    }
    for name, section in sections.items():
        yield from _access(name, section)
    yield from _folder("logs.directory", settings.logs.directory)
    yield from _folder("data.directory", settings.data.directory)
    yield from _socket(settings, places)
    yield from _handlers(settings.event_handling)
    manifest = settings.process_config_file
    if manifest != places.process_config_file and not Path(manifest).exists():
        yield f"process_config_file {manifest}: no such file or folder (create it, or correct the name)"


def manifest(settings: Settings) -> tuple[tuple[Diagnostic, ...], str]:
    """The diagnostics of the process config file, and them as text; a missing file has none.

    It is read with the profiles and variables that were chosen when it was applied last, as pmond
    reads it; the text says so. Raises PmonError when it cannot be read.
    """
    path = settings.process_config_file
    try:
        documents = [ManifestFile(name, content) for name, content in read_documents(path)]
    except PmonError as error:
        if error.code is ErrorCode.NOT_FOUND:
            return (), ""
        raise
    choice, remark = _choice(settings, documents)
    found = read([*documents, *choice]).diagnostics
    return found, (render_text(found, texts(documents)) if found else "") + remark


def _choice(settings: Settings, documents: Sequence[ManifestFile]) -> tuple[list[ManifestFile], str]:
    """What was chosen for the manifest, and that in words. The values of variables may be secrets."""
    path = settings.process_config_file
    try:
        packed = accepted_content(Path(settings.data.directory) / STATE_FILE, path)
    except CannotPeek as error:
        if not any(word in one.content.lower() for one in documents for word in (b"profiles", b"variables")):
            return [], ""  # nothing in it could have been chosen
        return (
            [],
            f"pmond: {path} is read without what may be chosen for it: cannot read the state: {error}\n",
        )
    choice = chosen_by_caller([ManifestFile(*one) for one in unpack(packed)] if packed else [])
    if choice is None:
        return [], ""
    words = chosen_words(choice)
    kinds = [("profiles", words["profiles"]), ("variables", words["variables"])]
    said = ", ".join(f"{kind} {' '.join(names)}" for kind, names in kinds if names)
    return [choice], f"pmond: {path} is read with what was chosen for it: {said or 'no profile'}\n"


def _access(name: str, section: PermissionSettings) -> Iterator[str]:
    try:
        owner_of(section, name)
        if section.group:
            group_of(section.group, name)
    except PmonError as error:
        yield f"{error.message} ({error.hint})"
    if section.user and os.geteuid() != 0:
        yield f"cannot give files to {section.user}: only root may (remove {name}.user)"
    if section.group and not section.user:
        yield f"{name}.group is not used for files without {name}.user (add the user)"


def _folder(name: str, path: str) -> Iterator[str]:
    place = Path(path)
    if place.exists() and not place.is_dir():
        yield f"cannot use {name}: {path} is not a folder (correct {name})"
        return
    nearest = next(folder for folder in (place, *place.parents) if folder.exists())
    if not os.access(nearest, os.W_OK | os.X_OK):
        yield f"cannot use {name}: {nearest} may not be written (correct {name} or its permissions)"


def _socket(settings: Settings, places: paths.Places) -> Iterator[str]:
    queue = settings.message_queue
    try:
        path = paths.socket_path(queue.directory.shmem, queue.name_suffix, places.runtime)
    except paths.PathError as error:
        yield str(error)
        return
    yield from _folder("message_queue.directory", str(Path(path).parent))


def _handlers(handling: EventHandling) -> Iterator[str]:
    named: Mapping[str, tuple[tuple[str, ...], ...]] = {
        "process_restart": handling.process_restart,
        "process_failure": handling.process_failure,
        "process_backoff": handling.process_backoff,
        "process_ready": handling.process_ready,
        "process_unhealthy": handling.process_unhealthy,
    }
    for name, commands in named.items():
        for command in commands:
            if command and not Path(command[0]).is_file() and shutil.which(command[0]) is None:
                yield f"cannot run event_handling.{name}: there is no {command[0]} (correct it)"
