"""Renames the log of a process with it, where the name alone says where it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pmond.core.model import Intent
from pmond.runtime.base.failpoints import FailPoint, reached
from pmond.runtime.base.journal import Journal


class LogFileRename:
    """In the folder that the configuration names for logs."""

    def __init__(self, folder: Callable[[], str], journal: Journal) -> None:
        self._folder = folder
        self._journal = journal

    def renamed(self, one: Intent, name: str) -> None:
        before, after = (Path(self._folder()) / f"{each}.log" for each in (one.name, name))
        if one.spec.log or one.spec.log_dir or not before.exists() or after.exists():
            return
        try:
            before.rename(after)
            reached(FailPoint.LOG_RENAMED)
        except OSError as error:
            self._journal.warn("log.not_renamed", path=str(before), error=str(error))
