"""The logs of a program of supervisord, and their rotation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pmon3.converting import values
from pmon3.converting.drafts import Draft
from pmon3.converting.settings import Section
from pmon3.converting.supervisord_values import USUAL_BACKUPS, USUAL_SIZE, log_size

_truth = values.truth(values.STRICT_YES, values.STRICT_NO)
_NOT_ROTATED = ("/dev/null", "/dev/stdout", "/dev/stderr", "/dev/fd/1", "/dev/fd/2")


def carry_logs(draft: Draft, section: Section, place_of: Callable[[str], str]) -> None:
    """Where the outputs go; `place_of` expands a name and places it."""
    merged = section.read("redirect_stderr", _truth, False)
    _log(draft, section, "stdout", "log", place_of)
    if merged:
        for key in ("stderr_logfile", "stderr_logfile_maxbytes", "stderr_logfile_backups"):
            section.lose(key, "supervisord does not use it with redirect_stderr=true", "remove it")
    elif section.take("stderr_logfile") is not None:
        _log(draft, section, "stderr", "stderr_log", place_of)
    else:
        section.books.differs(
            "supervisord",
            "what a program writes to standard error without stderr_logfile goes to its one log",
        )
    _rotation(draft, section, merged)
    for key in ("stdout_syslog", "stderr_syslog"):
        if section.read(key, _truth, False):
            section.lose(key, "nothing is written to syslog", "`pmon3 logf` follows the log")


def _log(draft: Draft, section: Section, stream: str, field: str, place_of: Callable[[str], str]) -> None:
    setting = section.take(f"{stream}_logfile")
    if setting is None or setting.value.strip().lower() == "auto":
        return
    if setting.value.strip().lower() == "syslog":
        section.books.lose(setting, "nothing is written to syslog", "name a file")
        return
    draft.carry_one(setting, field, place_of)


def _rotation(draft: Draft, section: Section, merged: bool) -> None:
    """One rotation is for both logs: that of standard output, unless only the other one is kept."""
    stream, other = "stdout", "stderr"
    if draft.get("log") in _NOT_ROTATED:
        for key in ("stdout_logfile_maxbytes", "stdout_logfile_backups"):
            setting = section.take(key)
            if setting is not None and setting.value.strip() != "0":
                section.books.lose(setting, f"{draft.get('log')} is not rotated")
        if not draft.has("stderr_log") or draft.get("stderr_log") in _NOT_ROTATED:
            return
        stream, other = "stderr", ""
    size = section.read(f"{stream}_logfile_maxbytes", log_size, USUAL_SIZE)
    keep = section.read(f"{stream}_logfile_backups", lambda value: values.whole(value, 0), USUAL_BACKUPS)
    if not merged and other:
        _other_rotation(section, f"{other}_logfile_maxbytes", log_size, size)
        _other_rotation(section, f"{other}_logfile_backups", lambda value: values.whole(value, 0), keep)
    backups = section.take(f"{stream}_logfile_backups")
    if size == 0:
        return
    draft.put("log_rotate.size", values.written_size(size), section.take(f"{stream}_logfile_maxbytes"))
    if keep == 0 and backups is not None:
        section.books.lose(backups, "one rotated file is kept at least", "see `log_rotate.keep`")
    draft.put("log_rotate.keep", max(keep, 1), backups)
    draft.put("log_rotate.compress", False)


def _other_rotation(section: Section, key: str, reader: Callable[[Any], int], same: int) -> None:
    setting = section.take(key)
    if setting is not None and section.read(key, reader, same) != same:
        section.books.lose(setting, "both logs are rotated alike", "see `log_rotate`")
