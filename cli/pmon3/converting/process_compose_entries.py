"""One process of a process-compose.yaml, with its replicas."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from pmon3.converting import values
from pmon3.converting.data_files import DataFile, mapping
from pmon3.converting.drafts import Draft, Need, Table
from pmon3.converting.folding import folded
from pmon3.converting.nested import NestedEntry
from pmon3.converting.process_compose_parts import carry_log, carry_schedule, carry_watch
from pmon3.converting.process_compose_probes import carry_probe
from pmon3.converting.settings import Books, Left, Setting
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


class ComposedProcess(NestedEntry):
    """One entry of `processes`."""

    def __init__(
        self, name: str, at: Path, data: DataFile, project: Project, sources: InputFiles, books: Books
    ) -> None:
        super().__init__(name, at, data, books)
        self.project, self.sources = project, sources

    def drafts(self) -> list[Draft]:
        """The processes; none where there is no command."""
        section = self.section
        command = section.take("entrypoint") or section.take("command")
        if command is None or not command.value:
            section.abandon("it has no command", "write command: …")
            return []
        if command.key == "entrypoint":
            section.lose("command", "`entrypoint` counts")
        count = section.read("replicas", lambda value: values.whole(value, 1, 1000), 1)
        drafts = []
        for number in range(count):
            told = len(self.books.losses)
            draft = Draft(self.name if count == 1 else f"{self.name}-{number}", self.books, command)
            draft.aliases.append(self.name)
            self._fill(draft, command, number)
            drafts.append(draft)
            if number:
                del self.books.losses[told:]
        section.close(_WHY)
        return folded(drafts, self.name)

    def _fill(self, draft: Draft, command: Setting, number: int) -> None:
        section, folder = self.section, self.project.folder
        cwd = self.sources.seen_from_home(section.read("working_dir", values.text, "") or ".", folder)
        self._program(draft, command, cwd)
        draft.put("cwd", cwd, section.take("working_dir"))
        own = environment(section.take("environment"), self.books)
        count = section.value("replicas", 1)
        replica = {"PC_REPLICA_NUM": str(number)} if count not in (1, "1", None) else {}
        draft.put("env_vars", {**self.project.environment, **own, **replica}, section.take("environment"))
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
        carry_probe(self, draft, "readiness_probe", "ready", self.project.shell[0])
        carry_probe(self, draft, "liveness_probe", "live", self.project.shell[0])
        line = section.take("ready_log_line")
        if line is not None and draft.has("ready.interval"):
            self.books.lose(line, "a process has one probe for being ready", "choose one of them")
        elif line is not None:
            draft.carry_one(
                line, "ready.log", lambda value: re.escape(values.text(value)).replace("\\ ", " ")
            )
            draft.put("ready.deadline", "0s", line)
        carry_log(self, draft, self.sources, self.project.folder)
        carry_schedule(self, draft)
        carry_watch(self, draft, self.sources, cwd)

    def _program(self, draft: Draft, command: Setting, cwd: str) -> None:
        if command.key == "entrypoint":
            words = values.texts(command.value)
            file, arguments = words[0], words[1:]
        else:
            line = values.text(command.value)
            shell, argument = self.project.shell
            file, arguments = values.command_by_shell(line, shell)
            if file == shell and arguments[:1] == ["-c"]:
                arguments = [argument, *arguments[1:]]
            if "{{" in line:
                self.books.lose(
                    command, "templates ({{ }}) are not filled in", "write the values out", key="command {{"
                )
        relative = "/" in file and not file.startswith("/")
        draft.put(
            "file", self.sources.seen_from_home(file, cwd, self.sources.home) if relative else file, command
        )
        draft.put("args", arguments, command)

    def _env_files(self, draft: Draft) -> None:
        setting = self.section.take("env_file")
        names = (
            [self.project.env_file]
            if self.project.env_file and "is_dotenv_disabled" not in self.section
            else []
        )
        if setting is not None:
            names += values.texts(setting.value)
        draft.put(
            "env_file", [self.sources.seen_from_home(name, self.project.folder) for name in names], setting
        )

    def _availability(self, draft: Draft) -> None:
        part = self.part("availability")
        setting = part.take("availability.restart")
        word = str(setting.value) if setting is not None else "no"
        word = {"False": "no", "True": "always"}.get(word, word)
        policy = _POLICIES.get(word)
        if policy is None and setting is not None:
            self.books.lose(setting, f"{word!r} is no restart policy", f"one of {', '.join(_POLICIES)}")
        draft.put("restart.policy", policy or "never", setting)
        if word == "exit_on_failure" and setting is not None:
            self.books.lose(
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
                self.books.lose(ends, "nothing ends because something was left out")
        part.close({})

    def _shutdown(self, draft: Draft) -> None:
        part = self.part("shutdown")
        draft.carry(part, {"shutdown.signal": ("stop.signal", values.signal_word)})
        limit, command = part.take("shutdown.timeout_seconds"), part.take("shutdown.command")
        if limit is not None:
            draft.carry_one(limit, "stop.timeout", values.seconds)
        else:
            draft.put("stop.timeout", "10s" if command is not None else _NO_LIMIT)
        if command is not None:
            draft.put("stop.command", [self.project.shell[0], "-c", values.text(command.value)], command)
        if part.read("shutdown.parent_only", _TRUTH, False):
            draft.put("stop.kill_group", False, part.take("shutdown.parent_only"))
        part.close({"shutdown.send_keys": _SCREEN})

    def _dependencies(self, draft: Draft) -> None:
        part = self.section.take("depends_on")
        for name, value in mapping(part.value if part is not None else None).items():
            at = (*self.at, "depends_on", name)
            inner = self.inner(f"depends_on.{name}", mapping(value), "depends_on", str(name))
            key = f"depends_on.{name}.condition"
            setting = inner.take(key)
            word = str(setting.value) if setting is not None else "process_completed"
            source = setting or Setting(f"depends_on.{name}", value, self.data.place(at))
            if setting is None:
                self.books.differs(
                    self.name, f"it waits for the end of {name}: process-compose takes no condition for that"
                )
            if word not in _CONDITIONS:
                self.books.lose(source, f"{word!r} is no condition", f"one of {', '.join(_CONDITIONS)}")
            if word == "process_completed":
                self.books.lose(
                    source,
                    "it goes on only if that one succeeds",
                    "see `condition: completed`",
                    key=f"{key} process_completed",
                )
            draft.need(Need(str(name), source, condition=_CONDITIONS.get(word, "started")))
            inner.close({})
        if part is not None and not isinstance(part.value, dict):
            self.books.lose(part, "it is no mapping")


def _disabled(value: Any) -> bool | None:
    return False if _TRUTH(value) else None


_TABLE: Table = {
    "disabled": ("autostart", _disabled),
    "is_disabled": ("autostart", _disabled),
    "success_exit_codes": ("restart.success_exit_codes", values.exit_codes(",")),
    "description": ("description", values.text),
}
