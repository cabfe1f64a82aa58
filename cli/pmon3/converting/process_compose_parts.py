"""Logs, schedules and watched files of a process-compose.yaml."""

from __future__ import annotations

from typing import Any

from pmon3.converting import values
from pmon3.converting.data_files import mapping
from pmon3.converting.drafts import Draft, Table
from pmon3.converting.nested import NestedEntry
from pmon3.converting.settings import Left, NotCarried
from pmon3.converting.sources import InputFiles

_TRUTH = values.truth()


def _cron(value: Any) -> str:
    line = values.text(value).strip()
    if len(line.split()) == 6:
        raise NotCarried("a schedule has five fields, without seconds")
    return line


def _megabytes(value: Any) -> str:
    return f"{values.whole(value, 1)}MiB"


def _age(value: Any) -> str:
    return f"{values.whole(value, 0)}d"


_LOG_FORM = Left("lines are kept as the program writes them")
_ROTATION: Table = {
    "max_size_mb": ("log_rotate.size", _megabytes),
    "max_age_days": ("log_rotate.age", _age),
    "max_backups": ("log_rotate.keep", lambda value: values.whole(value, 1)),
    "compress": ("log_rotate.compress", _TRUTH),
}

_SCHEDULE: Table = {
    "cron": ("schedule.cron", _cron),
    "interval": ("schedule.every", values.text),
    "timezone": ("schedule.timezone", values.text),
    "run_on_start": ("schedule.at_start", _TRUTH),
}


def carry_log(entry: NestedEntry, draft: Draft, sources: InputFiles, folder: str) -> None:
    """The log and its rotation."""
    setting = entry.section.take("log_location")
    if setting is not None:
        draft.carry_one(
            setting,
            "log",
            lambda value: sources.seen_from_home(values.text(value), folder),
        )
    part = entry.part("log_configuration")
    rotation = part.take("log_configuration.rotation")
    title = "log_configuration.rotation"
    inner = entry.inner(title, mapping(rotation.value if rotation is not None else None), *title.split("."))
    draft.carry(inner, {f"{title}.{key}": row for key, row in _ROTATION.items()})
    inner.close({})
    part.close(dict.fromkeys(part.keys, _LOG_FORM))


def carry_schedule(entry: NestedEntry, draft: Draft) -> None:
    """When it runs."""
    part = entry.part("schedule")
    draft.carry(part, {f"schedule.{key}": row for key, row in _SCHEDULE.items()})
    most = part.take("schedule.max_concurrent")
    if most is not None and most.value not in (1, "1"):
        entry.books.lose(most, "one run at a time is made", "see `schedule.overlap`")
    part.close({})


def carry_watch(entry: NestedEntry, draft: Draft, sources: InputFiles, cwd: str) -> None:
    """What it is restarted for."""
    part = entry.part("watch")
    paths = part.take("watch.paths")
    names, ignored = [], []
    for index, one in enumerate(paths.value if paths is not None and isinstance(paths.value, list) else []):
        inner = entry.inner("watch.paths", mapping(one), "watch", "paths", index)
        names.append(str(one) if isinstance(one, str) else str(inner.value("watch.paths.path", ".")))
        ignored += values.texts(inner.value("watch.paths.exclude", []))
        inner.close({"watch.paths.include": Left("all files below it count", "see `watch.ignore`")})
    draft.put(
        "watch.paths",
        [sources.seen_from_home(name, cwd, sources.home) for name in names],
        paths,
    )
    draft.put("watch.ignore", ignored, paths)
    debounce = part.take("watch.debounce")
    if debounce is not None:
        draft.carry_one(debounce, "watch.debounce", values.text)
    part.close(
        {"watch.cascade": Left("what depends on it is not restarted", "see `restart: true` of a dependency")}
    )
