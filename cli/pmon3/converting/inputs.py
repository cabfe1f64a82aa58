"""What is to be converted: files and folders as they were named, and which tool each file is of."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pmon3.converting import KINDS
from pmon3.converting.settings import CannotConvert
from pmon3.converting.sources import text

ALIASES = {
    "docker-compose": "compose", "docker": "compose", "supervisor": "supervisord", "foreman": "procfile",
    "honcho": "procfile", "overmind": "procfile", "ecosystem": "pm2", "data.db": "go-pmon3",
}  # fmt: skip
"""Other words that `--from` takes."""
_BY_NAME: Sequence[tuple[str, str]] = (
    (r"(?i)procfile(\..+)?|.+\.procfile", "procfile"),
    (r".+\.(service|timer|socket|target|path|mount|slice)", "systemd"),
    (r".+\.(js|cjs|mjs|ts)|dump\.pm2", "pm2"),
)
_UNIT = r"^\[(Unit|Service|Timer|Install|Socket)\]\s*$"
_BY_SECTION: Sequence[tuple[str, str]] = (
    (r"^\[(watcher:.+|circus)\]", "circus"),
    (r"^\[(program|group|supervisord|fcgi-program|eventlistener|include|unix_http_server)\b", "supervisord"),
    (_UNIT, "systemd"),
)
_BY_KEY: Sequence[tuple[str, str]] = (
    ("apps", "pm2"), ("services", "compose"), ("pm_exec_path", "pm2"), ("script", "pm2"),
    ("profiles", "pmon3"), ("variables", "pmon3"), ("use", "pmon3"), ("defaults", "pmon3"),
)  # fmt: skip
_BY_TEXT: Sequence[tuple[str, str]] = (
    (r"(?i)^\s*\[\[\s*processes\s*\]\]", "pmon3"),
    (r"^[\s{\[(]*[\"']?(apps|script|pm_exec_path)[\"']?\s*:", "pm2"),
    (r"""^[\s{]*["']?processes["']?\s*:""", "pmon3"),
    (r"^services\s*:", "compose"),
    (r"^[A-Za-z0-9_-]+:\s*\S+(\s+\S+)*$", "procfile"),
)
"""For texts that are no data, or none that can be read; then the reader of the tool says what is wrong."""
_PROCFILE_LINE = re.compile(r"[A-Za-z0-9_-]+:\s*\S.*|\s*#.*|\s*")
_SQLITE = b"SQLite format 3\0"
_CONFIGURATION = (".conf", ".ini", ".yaml", ".yml", ".json", ".toml", ".db", ".cfg")
_LARGEST_GUESSED = 16 * 1024 * 1024


def kind_named(word: str) -> str:
    """The kind that `--from` means. Raises ValueError."""
    kind = ALIASES.get(word.lower(), word.lower())
    if kind not in KINDS:
        raise ValueError(word)
    return kind


def kind_of(path: str, content: bytes) -> str:
    """The tool whose file it is; empty where that cannot be told."""
    name = posixpath.basename(path)
    if content.startswith(_SQLITE):
        return "go-pmon3"
    for pattern, kind in _BY_NAME:
        if re.fullmatch(pattern, name):
            return kind
    try:
        written = text(content)
    except CannotConvert:
        return ""
    for pattern, kind in _BY_SECTION:
        if re.search(pattern, written, re.M):
            return kind
    return _kind_of_data(name, written)


def _kind_of_data(name: str, written: str) -> str:
    """The tool whose data it is, by the keys that say so."""
    data = _data(written)
    if isinstance(data, list):
        data = next((one for one in data if isinstance(one, dict)), None)
    if not isinstance(data, dict):
        return next((kind for pattern, kind in _BY_TEXT if re.search(pattern, written, re.M)), "")
    keys = {str(key).lower(): value for key, value in data.items()}
    if "processes" in keys:
        return "process-compose" if isinstance(keys["processes"], dict) else "pmon3"
    for key, kind in _BY_KEY:
        if key in keys:
            return kind
    lines = all(_PROCFILE_LINE.fullmatch(line) for line in written.splitlines())
    return "procfile" if lines and not name.endswith(_CONFIGURATION) else ""


def _data(written: str) -> Any:
    from pmon3_schema.formats import format_of
    from pmon3_schema.formats.source import Unreadable

    try:
        return format_of("", written).load(written).data
    except Unreadable:
        return None


def files_in(
    folder: str, is_read: Callable[[str], bool], skipped: Callable[[str], None]
) -> Iterator[tuple[str, str]]:
    """Every file of a known kind in a folder, with its kind,
    in order; `skipped` is told of configuration of none."""
    paths = sorted(
        path for path in Path(folder).iterdir() if path.is_file() and not path.name.startswith(".")
    )
    found = []
    for path in paths:
        if path.stat().st_size > _LARGEST_GUESSED:
            continue
        kind = kind_of(path.name, path.read_bytes())
        if kind:
            found.append((posixpath.join(folder, path.name), kind))
        elif path.suffix in _CONFIGURATION:
            skipped(posixpath.join(folder, path.name))
    # Those first that name others: what they include is read with them.
    found.sort(key=lambda one: not _includes(one[0]))
    for name, kind in found:
        if not is_read(name):
            yield name, kind


def _includes(path: str) -> bool:
    return re.search(rb"(?m)^\[(include|circus)\]", Path(path).read_bytes()) is not None
