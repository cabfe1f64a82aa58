"""One process of a process-compose.yaml, one for each of its replicas."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from pmon3.converting import values
from pmon3.converting.data_files import DataFile, mapping
from pmon3.converting.drafts import Draft, Need, Table
from pmon3.converting.settings import Books, Left, NotCarried, Section, Setting
from pmon3.converting.sources import InputFiles
from pmon3.converting.variables import environment
from pmon3_schema.formats.source import Path

_TRUTH = values.truth()
_POLICIES = {"no": "never", "on_failure": "on-failure", "always": "always", "exit_on_failure": "on-failure"}
_CONDITIONS = {
    "process_started": "started", "process_healthy": "ready", "process_log_ready": "ready",
    "process_completed_successfully": "completed", "process_completed": "completed",
}  # fmt: skip
_NO_LIMIT = "365d"
_SCREEN = Left("there is no screen that it could be on", "`pmon3 logf` shows what it writes")
_LOG_FORM = Left("lines are kept as the program writes them")
_WHY = {
    **dict.fromkeys(("is_foreground", "is_tty", "is_interactive", "disable_ansi_colors", "monitor_for",
                     "monitor_silence_threshold", "mcp"), _SCREEN),
    "is_elevated": Left("nobody is asked for a password", "see `user`"),
    "is_daemon": Left("what goes into the background is ended here when the program that was started ends",
                      "keep it in the foreground"),
    "launch_timeout_seconds": Left("what goes into the background is ended here"),
    "vars": Left("templates ({{ }}) are not filled in", "write the values out"),
    "is_template_disabled": Left("templates ({{ }}) are not filled in anyway"),
    "extends": Left("it takes nothing over from others", "write the fields out, or see `defaults:`"),
    "env_cmds": Left("no command is run for a value", "write it into `env_vars`"),
    "is_dotenv_disabled": Left("`.env` is named in `env_file`", "remove it there"),
}  # fmt: skip


class Project(Struct, frozen=True):
    """What holds for all processes of a file."""

    folder: str
    shell: tuple[str, str]
    env_file: str
    environment: Mapping[str, str]


class ComposedProcess:
    """One entry of `processes`."""

    def __init__(
        self, name: str, at: Path, data: DataFile, project: Project, sources: InputFiles, books: Books
    ) -> None:
        self._name, self._at, self._data, self._project = name, at, data, project
        self._sources, self._books = sources, books
        self._section = data.section(at, books, name)

    def _part(self, key: str) -> Section:
        """A mapping inside of the entry; its keys are named with it."""
        setting = self._section.take(key)
        value = mapping(setting.value if setting is not None else None)
        if setting is not None and not isinstance(setting.value, dict):
            self._books.lose(setting, "it is no mapping")
        return self._inner(key, value, (*self._at, key))

    def _inner(self, title: str, value: Mapping[str, Any], at: Path) -> Section:
        settings = [
            Setting(f"{title}.{one.key}", one.value, one.place) for one in self._data.settings(at, value)
        ]
        return Section(title, self._data.place(at), settings, self._books)

    def drafts(self) -> list[Draft]:
        """The processes; none where there is no command."""
        section = self._section
        command = section.take("entrypoint") or section.take("command")
        if command is None or not command.value:
            section.abandon("it has no command", "write command: …")
            return []
        if command.key == "entrypoint":
            section.lose("command", "`entrypoint` counts")
        count = section.read("replicas", lambda value: values.whole(value, 1, 1000), 1)
        drafts = []
        for number in range(count):
            told = len(self._books.losses)
            draft = Draft(self._name if count == 1 else f"{self._name}-{number}", self._books, command)
            draft.aliases.append(self._name)
            self._fill(draft, command, number)
            drafts.append(draft)
            if number:
                del self._books.losses[told:]
        section.close(_WHY)
        return drafts

    def _fill(self, draft: Draft, command: Setting, number: int) -> None:
        section, folder = self._section, self._project.folder
        cwd = self._sources.seen_from_home(section.read("working_dir", values.text, "") or ".", folder)
        self._program(draft, command, cwd)
        draft.put("cwd", cwd, section.take("working_dir"))
        own = environment(section.take("environment"), self._books)
        count = section.value("replicas", 1)
        replica = {"PC_REPLICA_NUM": str(number)} if count not in (1, "1", None) else {}
        draft.put("env_vars", {**self._project.environment, **own, **replica}, section.take("environment"))
        self._env_files(draft)
        draft.carry(section, _TABLE)
        namespace = section.take("namespace")
        if namespace is not None:
            draft.carry_one(
                namespace, "groups", lambda value: [one for one in values.texts(value) if one != "default"]
            )
        self._availability(draft)
        self._shutdown(draft)
        self._dependencies(draft)
        self._probe(draft, "readiness_probe", "ready")
        self._probe(draft, "liveness_probe", "live")
        line = section.take("ready_log_line")
        if line is not None and draft.has("ready.interval"):
            self._books.lose(line, "a process has one probe for being ready", "choose one of them")
        elif line is not None:
            draft.carry_one(
                line, "ready.log", lambda value: re.escape(values.text(value)).replace("\\ ", " ")
            )
        self._log(draft)
        self._schedule(draft)
        self._watch(draft, cwd)

    def _program(self, draft: Draft, command: Setting, cwd: str) -> None:
        if command.key == "entrypoint":
            words = values.texts(command.value)
            file, arguments = words[0], words[1:]
        else:
            line = values.text(command.value)
            shell, argument = self._project.shell
            file, arguments = values.command_by_shell(line, shell)
            if file == shell and arguments[:1] == ["-c"]:
                arguments = [argument, *arguments[1:]]
            if "{{" in line:
                self._books.lose(
                    command, "templates ({{ }}) are not filled in", "write the values out", key="command {{"
                )
        relative = "/" in file and not file.startswith("/")
        draft.put(
            "file", self._sources.seen_from_home(file, cwd, self._sources.home) if relative else file, command
        )
        draft.put("args", arguments, command)

    def _env_files(self, draft: Draft) -> None:
        setting = self._section.take("env_file")
        names = (
            [self._project.env_file]
            if self._project.env_file and "is_dotenv_disabled" not in self._section
            else []
        )
        if setting is not None:
            names += values.texts(setting.value)
        draft.put(
            "env_file", [self._sources.seen_from_home(name, self._project.folder) for name in names], setting
        )

    def _availability(self, draft: Draft) -> None:
        part = self._part("availability")
        setting = part.take("availability.restart")
        word = str(setting.value) if setting is not None else "no"
        word = {"False": "no", "True": "always"}.get(word, word)
        policy = _POLICIES.get(word)
        if policy is None and setting is not None:
            self._books.lose(setting, f"{word!r} is no restart policy", f"one of {', '.join(_POLICIES)}")
        draft.put("restart.policy", policy or "never", setting)
        if word == "exit_on_failure" and setting is not None:
            self._books.lose(
                setting,
                "a failure does not end the others",
                "see `exit_on_end`",
                key="availability.restart exit_on_failure",
            )
        if policy not in (None, "never"):
            backoff = part.take("availability.backoff_seconds")
            delay = part.read("availability.backoff_seconds", values.seconds, "1s")
            draft.put("restart.delay", delay, backoff)
            draft.put("restart.max_delay", delay, backoff)
            draft.put("restart.jitter", 0)
            most = part.take("availability.max_restarts")
            count = part.read("availability.max_restarts", lambda value: values.whole(value, 0), 0)
            if most is not None and count:
                draft.put("restart.max_failures", count + 1, most)
                draft.put("restart.window", _NO_LIMIT, most)
        else:
            for key in ("availability.backoff_seconds", "availability.max_restarts"):
                part.lose(key, "nothing is started again", "remove it")
        for key in ("availability.exit_on_end", "availability.exit_on_skipped"):
            ends = part.take(key)
            if ends is not None and key.endswith("end") and part.read(key, _TRUTH, False):
                draft.put("exit_on_end", True, ends)
            elif ends is not None and part.read(key, _TRUTH, False):
                self._books.lose(ends, "nothing ends because something was left out")
        part.close({})

    def _shutdown(self, draft: Draft) -> None:
        part = self._part("shutdown")
        draft.carry(part, {"shutdown.signal": ("stop.signal", values.signal_word)})
        limit, command = part.take("shutdown.timeout_seconds"), part.take("shutdown.command")
        if limit is not None:
            draft.carry_one(limit, "stop.timeout", values.seconds)
        else:
            draft.put("stop.timeout", "10s" if command is not None else _NO_LIMIT)
        if command is not None:
            draft.put("stop.command", [self._project.shell[0], "-c", values.text(command.value)], command)
        if part.read("shutdown.parent_only", _TRUTH, False):
            draft.put("stop.kill_group", False, part.take("shutdown.parent_only"))
        part.close({"shutdown.send_keys": _SCREEN})

    def _dependencies(self, draft: Draft) -> None:
        part = self._section.take("depends_on")
        for name, value in mapping(part.value if part is not None else None).items():
            at = (*self._at, "depends_on", name)
            inner = self._inner(f"depends_on.{name}", mapping(value), at)
            key = f"depends_on.{name}.condition"
            setting = inner.take(key)
            word = str(setting.value) if setting is not None else "process_completed"
            source = setting or Setting(f"depends_on.{name}", value, self._data.place(at))
            if setting is None:
                self._books.differs(
                    self._name, f"it waits for the end of {name}: process-compose takes no condition for that"
                )
            if word not in _CONDITIONS:
                self._books.lose(source, f"{word!r} is no condition", f"one of {', '.join(_CONDITIONS)}")
            if word == "process_completed":
                self._books.lose(
                    source,
                    "it goes on only if that one succeeds",
                    "see `condition: completed`",
                    key=f"{key} process_completed",
                )
            draft.need(Need(str(name), source, condition=_CONDITIONS.get(word, "started")))
            inner.close({})
        if part is not None and not isinstance(part.value, dict):
            self._books.lose(part, "it is no mapping")

    def _probe(self, draft: Draft, key: str, field: str) -> None:
        if key not in self._section:
            return
        part = self._part(key)
        source = self._section.take(key)
        if not self._probed(draft, part, key, field, source):
            part.abandon("it asks nothing that a probe could ask")
            return
        for name, target, usual in (
            ("period_seconds", "interval", "10s"),
            ("timeout_seconds", "timeout", "1s"),
        ):
            given = part.take(f"{key}.{name}")
            draft.put(f"{field}.{target}", part.read(f"{key}.{name}", values.seconds, usual), given)
        failures = part.take(f"{key}.failure_threshold")
        draft.put(
            f"{field}.failures",
            part.read(f"{key}.failure_threshold", lambda value: values.whole(value, 1), 3),
            failures,
        )
        first = part.take(f"{key}.initial_delay_seconds")
        if field == "live":
            draft.put(
                "live.start_period", part.read(f"{key}.initial_delay_seconds", values.seconds, "0s"), first
            )
        elif first is not None and first.value not in (0, "0"):
            self._books.lose(
                first, "it is asked from the start: what fails before it was ready does not count"
            )
        passes = part.take(f"{key}.success_threshold")
        if passes is not None:
            self._books.lose(passes, "process-compose does not use it", "see `ready.successes`")
        part.close({})

    def _probed(self, draft: Draft, part: Section, key: str, field: str, source: Setting | None) -> bool:
        command, request = part.take(f"{key}.exec"), part.take(f"{key}.http_get")
        if command is not None:
            inner = self._inner(f"{key}.exec", mapping(command.value), (*self._at, key, "exec"))
            line = inner.take(f"{key}.exec.command")
            if line is None:
                return False
            draft.put(f"{field}.exec", [self._project.shell[0], "-c", values.text(line.value)], line)
            inner.close({f"{key}.exec.working_dir": Left("it runs in the folder of its process")})
        elif request is not None:
            inner = self._inner(f"{key}.http_get", mapping(request.value), (*self._at, key, "http_get"))
            read = {
                name: inner.value(f"{key}.http_get.{name}") for name in ("scheme", "host", "port", "path")
            }
            path = str(read["path"] or "/")
            host = f"{read['host'] or '127.0.0.1'}:{read['port'] or 80}"
            url = f"{read['scheme'] or 'http'}://{host}/{path.removeprefix('/')}"
            headers, status = inner.take(f"{key}.http_get.headers"), inner.take(f"{key}.http_get.status_code")
            draft.put(f"{field}.http.url", url, request)
            if headers is not None:
                draft.put(
                    f"{field}.http.headers",
                    {str(k): values.text(v) for k, v in mapping(headers.value).items()},
                    headers,
                )
            draft.put(
                f"{field}.http.status", str(status.value) if status is not None else "200", status or source
            )
            inner.close({})
        return command is not None or request is not None

    def _log(self, draft: Draft) -> None:
        setting = self._section.take("log_location")
        if setting is not None:
            draft.carry_one(
                setting,
                "log",
                lambda value: self._sources.seen_from_home(values.text(value), self._project.folder),
            )
        part = self._part("log_configuration")
        rotation = part.take("log_configuration.rotation")
        title = "log_configuration.rotation"
        inner = self._inner(
            title, mapping(rotation.value if rotation is not None else None), (*self._at, *title.split("."))
        )
        draft.carry(inner, {f"{title}.{key}": row for key, row in _ROTATION.items()})
        inner.close({})
        part.close(dict.fromkeys(part.keys, _LOG_FORM))

    def _schedule(self, draft: Draft) -> None:
        part = self._part("schedule")
        draft.carry(part, {f"schedule.{key}": row for key, row in _SCHEDULE.items()})
        most = part.take("schedule.max_concurrent")
        if most is not None and most.value not in (1, "1"):
            self._books.lose(most, "one run at a time is made", "see `schedule.overlap`")
        part.close({})

    def _watch(self, draft: Draft, cwd: str) -> None:
        part = self._part("watch")
        paths = part.take("watch.paths")
        names, ignored = [], []
        for index, one in enumerate(
            paths.value if paths is not None and isinstance(paths.value, list) else []
        ):
            inner = self._inner("watch.paths", mapping(one), (*self._at, "watch", "paths", index))
            names.append(str(one) if isinstance(one, str) else str(inner.value("watch.paths.path", ".")))
            ignored += values.texts(inner.value("watch.paths.exclude", []))
            inner.close({"watch.paths.include": Left("all files below it count", "see `watch.ignore`")})
        draft.put(
            "watch.paths",
            [self._sources.seen_from_home(name, cwd, self._sources.home) for name in names],
            paths,
        )
        draft.put("watch.ignore", ignored, paths)
        debounce = part.take("watch.debounce")
        if debounce is not None:
            draft.carry_one(debounce, "watch.debounce", values.text)
        part.close(
            {
                "watch.cascade": Left(
                    "what depends on it is not restarted", "see `restart: true` of a dependency"
                )
            }
        )


def _disabled(value: Any) -> bool | None:
    return False if _TRUTH(value) else None


def _age(value: Any) -> str:
    return f"{values.whole(value, 0)}d"


def _megabytes(value: Any) -> str:
    return f"{values.whole(value, 1)}MiB"


def _cron(value: Any) -> str:
    line = values.text(value).strip()
    if len(line.split()) == 6:
        raise NotCarried("a schedule has five fields, without seconds")
    return line


_TABLE: Table = {
    "disabled": ("autostart", _disabled),
    "is_disabled": ("autostart", _disabled),
    "success_exit_codes": ("restart.success_exit_codes", values.exit_codes(",")),
    "description": ("description", values.text),
}
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
