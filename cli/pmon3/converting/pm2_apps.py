"""One app of pm2 as one process, or as one for each of its instances."""

from __future__ import annotations

import posixpath
import re
from typing import Any

from pmon3.converting import values
from pmon3.converting.drafts import Draft, Table
from pmon3.converting.folding import folded
from pmon3.converting.pm2_programs import carry_program, interpreter_of
from pmon3.converting.pm2_restarts import carry_restarts, milliseconds
from pmon3.converting.relaxed_json import in_javascript
from pmon3.converting.settings import Books, Left, NotCarried, Section, Setting
from pmon3.converting.sources import InputFiles
from pmon3_schema.scalars import format_duration

_STOP_SIGNAL, _GRACE = "SIGINT", 1600
"""What pm2 does by default; the grace in milliseconds."""
_UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_TRUTH = values.truth()
_OF_PM2 = Left("it is about pm2 itself")
_LOG_FORM = Left("lines are kept as the program writes them")
_WHY = {
    **dict.fromkeys(
        (
            "vizion",
            "pmx",
            "automation",
            "source_map_support",
            "disable_source_map_support",
            "trace",
            "disable_trace",
            "v8",
            "force",
            "windowsHide",
            "deep_monitoring",
            "event_loop_inspector",
            "post_update",
            "install_url",
            "write",
            "io",
            "kill_retry_time",
            "disable_logs_rotation",
            "node_version",
            "autostart_delay",
        ),
        _OF_PM2,
    ),
    **dict.fromkeys(("log_type", "log_date_format", "time"), _LOG_FORM),
    "log_file": Left("there is one log, and one for standard error", "`pmon3 log` shows both"),
    "pid_file": Left("no file with the pid is written", "`pmon3 ls -o json` has it"),
    "gid": Left("the group is the main one of `user`", "choose a user of that group"),
    "shutdown_with_message": Left("a message over node's channel cannot be sent", "see `stop.signal`"),
    "wait_ready": Left("a message over node's channel is not heard", "see `ready`"),
    "listen_timeout": Left("a message over node's channel is not heard", "see `ready.deadline`"),
    "watch_options": Left("watching has no such options", "see `watch`"),
    "filter_env": Left("what is inherited cannot be chosen by name", "see `env_inherit`"),
    "increment_var": Left("no variable is counted up", "write it out for each process"),
    "append_env_to_name": Left("a profile does not change names"),
    "execute_command": Left("a command is started by itself"),
}


def _memory(value: Any) -> int | str:
    written = re.sub(r"(?i)b\Z", "", values.text(value).strip())
    return values.written_size(values.size_of(_UNITS, written))


def _cron(value: Any) -> str:
    if values.text(value).strip() in ("0", "false"):
        return ""
    raise NotCarried(
        "a running process is not restarted by the clock", "see `max_runtime`, or `schedule` for what ends"
    )


_TABLE: Table = {
    "autostart": ("autostart", values.unless(True, _TRUTH)),
    "stop_exit_codes": ("restart.no_restart_exit_codes", values.exit_codes(",")),
    "kill_timeout": ("stop.timeout", milliseconds),
    "treekill": ("stop.kill_group", values.unless(True, _TRUTH)),
    "user": ("user", values.text),
    "max_memory_restart": ("restart.above_memory", _memory),
    "cron_restart": ("", _cron),
}


class Pm2App:
    """One entry of `apps`."""

    def __init__(self, section: Section, file: str, sources: InputFiles, books: Books) -> None:
        self._section, self._sources, self._books = section, sources, books
        self._folder = posixpath.dirname(file)
        self._cwd = section.read("cwd", values.text, "")

    def drafts(self) -> list[Draft]:
        """The processes; none where there is no script."""
        section = self._section
        script = section.take("script")
        if script is None or not isinstance(script.value, str) or not script.value.strip():
            section.abandon("it has no script", "write script: …")
            return []
        name = self._name(script.value)
        copies = self._copies()
        drafts = []
        for number in range(copies):
            told = len(self._books.losses)
            draft = Draft(name if copies == 1 else f"{name}-{number}", self._books, script)
            draft.aliases.append(name)
            self._fill(draft, script, number if copies > 1 else None)
            drafts.append(draft)
            if number:
                del self._books.losses[told:]  # the first copy has told them
        section.close({**_WHY, **{key: _PROFILE for key in section.keys if key.startswith("env_")}})
        return folded(drafts, name)

    def _name(self, script: str) -> str:
        stem = posixpath.splitext(posixpath.basename(script.split()[0]))[0]
        given = self._section.read("name", values.text, "") or (script if " " in script else stem)
        return self._section.read("name_prefix", values.text, "") + given

    def _copies(self) -> int:
        section = self._section
        setting, mode = section.take("instances"), section.take("exec_mode")
        count = 1
        if setting is not None:
            word = values.text(setting.value).strip().lower()
            if word in ("max", "0", "-1") or word.startswith("-"):
                section.books.lose(
                    setting, "processors are not counted: there is one copy", "write how many there are to be"
                )
            else:
                count = section.read("instances", lambda value: values.whole(value, 1, 1000), 1)
        is_cluster = mode is not None and str(mode.value).startswith("cluster")
        by_default = (
            mode is None
            and setting is not None
            and interpreter_of(section, section.value("script", "")) == "node"
        )
        shared = "copies do not share a port, as those of node's cluster do"
        advice = "give each its port, such as by NODE_APP_INSTANCE, and a proxy before them"
        if is_cluster and mode is not None:
            section.books.lose(mode, shared, advice)
        elif by_default and setting is not None and count > 1:
            section.books.lose(setting, shared, advice, key="instances (cluster)")
        elif mode is not None and not str(mode.value).startswith("fork"):
            section.books.lose(mode, f"{mode.value!r} is no mode of pm2")
        return count

    def _fill(self, draft: Draft, script: Setting, number: int | None) -> None:
        section = self._section
        cwd = self._sources.seen_from_home(self._cwd or ".", self._folder)
        draft.put("cwd", cwd, section.take("cwd"))
        carry_program(draft, section, script, cwd, self._sources)
        self._variables(draft, number)
        draft.put("stop.signal", _STOP_SIGNAL)
        draft.put("stop.timeout", format_duration(_GRACE / 1000))
        draft.carry(section, _TABLE)
        carry_restarts(draft, section)
        self._logs(draft, number)
        self._watch(draft)
        namespace = section.take("namespace")
        if namespace is not None:
            draft.carry_one(
                namespace, "groups", lambda value: [] if value == "default" else [values.text(value)]
            )

    def _variables(self, draft: Draft, number: int | None) -> None:
        section = self._section
        found = _texts(section.take("env"), self._books)
        port = section.take("port")
        if port is not None:
            found["PORT"] = values.text(port.value)
        variable = section.read("instance_var", values.text, "NODE_APP_INSTANCE")
        own = {variable: str(number)} if number is not None else {}
        if number is None:
            section.lose("instance_var", "it changes nothing: there is one copy", "remove it")
        draft.put("env_vars", {**found, **own}, section.take("env"))
        for key in section.keys:
            if key.startswith("env_") and key != "env_file":
                changed = _texts(section.take(key), self._books)
                if changed:
                    draft.profiles[key.removeprefix("env_")] = {"env_vars": changed}
        files = section.take("env_file")
        if files is not None:
            names = [
                self._sources.seen_from_home(name, draft.get("cwd", ""), self._sources.home)
                for name in values.texts(files.value)
            ]
            draft.put("env_file", names, files)

    def _logs(self, draft: Draft, number: int | None) -> None:
        section = self._section
        off = section.read("disable_logs", _TRUTH, False)
        shared = section.read("merge_logs", _TRUTH, False) or number is None
        for key, field in (("out_file", "log"), ("error_file", "stderr_log")):
            setting = section.take(key)
            if setting is not None and not off:
                draft.carry_one(
                    setting,
                    field,
                    lambda value: self._log(values.text(value), draft, None if shared else number),
                )
        if "merge_logs" in section and (
            off or number is None or not ({"out_file", "error_file"} & set(section.keys))
        ):
            section.lose("merge_logs", "it changes nothing: each process has a log of its own", "remove it")
        if off:
            for key in ("out_file", "error_file"):
                section.lose(key, "nothing is logged with disable_logs", "remove it")
            draft.put("log", "/dev/null", section.take("disable_logs"))
        elif "error_file" not in section:
            self._books.differs("pm2", "standard error goes to the one log, where there is no error_file")

    def _log(self, name: str, draft: Draft, number: int | None) -> str:
        if name in ("NULL", "/dev/null"):
            return "/dev/null"
        if number is not None:  # as pm2 does where logs are not merged
            stem, ending = posixpath.splitext(name)
            name = f"{stem}-{number}{ending}"
        return self._sources.seen_from_home(name, draft.get("cwd", ""), self._sources.home)

    def _watch(self, draft: Draft) -> None:
        section = self._section
        watch, ignored = section.take("watch"), section.take("ignore_watch")
        if watch is None or watch.value in (False, [], "false"):
            section.lose("ignore_watch", "nothing is watched", "see `watch`")
            section.lose("watch_delay", "nothing is watched", "see `watch.debounce`")
            return
        cwd = draft.get("cwd", ".")
        names = ["."] if watch.value in (True, "true") else values.texts(watch.value)
        draft.put(
            "watch.paths",
            [self._sources.seen_from_home(name, cwd, self._sources.home) for name in names],
            watch,
        )
        if ignored is not None:
            draft.carry_one(ignored, "watch.ignore", values.texts)
        delay = section.take("watch_delay")
        if delay is not None:
            draft.carry_one(delay, "watch.debounce", milliseconds)


_PROFILE = Left("it cannot be a profile", "variables are a mapping")


def _texts(setting: Setting | None, books: Books) -> dict[str, str]:
    """Variables as JavaScript writes them as text."""
    if setting is None:
        return {}
    if not isinstance(setting.value, dict):
        books.lose(setting, "variables are a mapping", "write NAME: value")
        return {}
    return {str(key): in_javascript(value) for key, value in setting.value.items()}
