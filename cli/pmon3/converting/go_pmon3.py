"""The state of the Go pmon3, `data.db`: a SQLite file, only read; what ran comes as it was declared."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pmon3.converting.drafts import Draft, Need
from pmon3.converting.settings import Books, CannotConvert, Place, Setting
from pmon3.converting.sources import InputFiles

_OF_THE_RUN = frozenset({
    "id", "created_at", "updated_at", "deleted_at", "pid", "status", "restart_count", "uid", "gid",
    "username", "memory_usage", "cpu_usage",
    "process_file", "auto_restart", "args", "env_vars", "name", "log", "log_dir", "no_auto_restart", "user",
    "version",
})  # fmt: skip
_STOPPED = 3
"""The number of the status of what a person stopped."""
_MEANING = (
    "a program finds its file in argv[0], not the name of the process (`argv0` sets it)",
    "a process of another user does not inherit what pmond has in its environment",
)


def convert(path: str, content: bytes, sources: InputFiles, books: Books) -> list[Draft]:
    """The processes of a state file. Raises CannotConvert."""
    with tempfile.TemporaryDirectory(prefix="pmon3-convert-") as folder:
        # A copy: the real one may be in use, and SQLite would write beside it.
        copy = Path(folder, "data.db")
        copy.write_bytes(content)
        for suffix in ("-wal",):
            beside = Path(f"{path}{suffix}")
            if path != "-" and beside.is_file():
                Path(f"{copy}{suffix}").write_bytes(beside.read_bytes())
        try:
            rows, groups = _read(copy)
        except sqlite3.Error as error:
            raise CannotConvert(f"it is no state of the Go pmon3: {error}") from error
    drafts = [_draft(row, groups, path, books) for row in rows if not row.get("deleted_at")]
    if not drafts:
        raise CannotConvert("it has no process")
    for difference in _MEANING:
        books.differs("go-pmon3", difference)
    return drafts


def _read(file: Path) -> tuple[list[dict[str, Any]], dict[int, list[str]]]:
    connection = sqlite3.connect(file)
    connection.row_factory = sqlite3.Row
    try:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        if "processes" not in tables:
            raise CannotConvert("it has no table `processes`")
        rows = [dict(row) for row in connection.execute("SELECT * FROM processes ORDER BY id")]
        groups: dict[int, list[str]] = {}
        if {"groups", "process_groups"} <= set(tables):
            query = (
                "SELECT process_groups.process_id, groups.name FROM process_groups"
                " JOIN groups ON groups.id = process_groups.group_id ORDER BY groups.id"
            )
            for process, name in connection.execute(query):
                groups.setdefault(process, []).append(name)
        return rows, groups
    finally:
        connection.close()


def _draft(row: Mapping[str, Any], groups: Mapping[int, list[str]], path: str, books: Books) -> Draft:
    place = Place(path, int(row.get("id") or 1))
    source = Setting("processes", row.get("name"), place)
    draft = Draft(str(row.get("name") or ""), books, source)
    draft.put("file", row.get("process_file"), source)
    draft.put("args", str(row.get("args") or "").split(), source)  # as it was run: quotes meant nothing there
    variables = (word.partition("=") for word in str(row.get("env_vars") or "").split() if "=" in word)
    draft.put("env_vars", {key: value for key, _, value in variables}, source)
    draft.put("user", row.get("username") or row.get("user"), source)
    draft.put("log", row.get("log"), source)
    if not row.get("log"):
        draft.put("log_dir", row.get("log_dir"), source)
    auto = row.get("auto_restart")
    if row.get("no_auto_restart") or (auto is not None and not auto):
        draft.put("no_auto_restart", True, source)
    draft.put("groups", groups.get(int(row.get("id") or 0), []), source)
    if row.get("status") == _STOPPED:
        draft.put("autostart", False, source)
    for key, value in row.items():
        if key not in _OF_THE_RUN and key != "dependencies" and value not in (None, "", 0):
            books.lose_at(place, f"{draft.name}.{key}", "there is no counterpart")
    _dependencies(draft, row, source)
    return draft


def _dependencies(draft: Draft, row: Mapping[str, Any], source: Setting) -> None:
    for name in str(row.get("dependencies") or "").replace(",", " ").split():
        draft.need(Need(name, Setting("dependencies", name, source.place)))
