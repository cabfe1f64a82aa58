"""A service unit of systemd as a process."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from functools import partial

from pmon3.converting import values
from pmon3.converting.drafts import Draft
from pmon3.converting.settings import Books, CannotConvert, NotCarried, Place, Section, Setting
from pmon3.converting.sources import InputFiles
from pmon3.converting.specifiers import Specifiers, process_name
from pmon3.converting.systemd_exec import ExecLine, chained, hook, read_exec, signal_of, tell_prefixes
from pmon3.converting.systemd_order import carry_order
from pmon3.converting.systemd_restarts import carry_restarts, carry_stops
from pmon3.converting.systemd_sandbox import carry_sandbox
from pmon3.converting.systemd_tables import TABLE, TRUTH, USUAL_START, WHY, why
from pmon3.converting.unit_values import ENDLESS, assignments, duration, span

_USUAL_MASK = "0022"
_USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_KILLED_HERE = "what goes into the background is ended here when the program that was started ends"
_BY_WATCHING = "name the files that it reads in `watch`, with `on_change` and `reload`"
_FOREGROUND = "keep it in the foreground: look for an option such as --foreground or --no-daemon"


_READY_DEADLINE = 60  # seconds, that of a manifest that says nothing
_WITHOUT_INSTALL = (
    "without [Install] systemd starts it only for another unit; here it starts with pmond, unless"
    " `autostart: false` is said"
)
_SLEEP = re.compile(r"(?:/usr)?/bin/sleep\s+([0-9]+(?:\.[0-9]+)?)\Z")


class ServiceUnit:
    """One service: its sections, and the process that comes of them."""

    def __init__(
        self,
        name: str,
        file: str,
        sections: Mapping[str, Section],
        books: Books,
        sources: InputFiles,
        is_user: bool,
    ) -> None:
        self._name, self._file, self._books, self._sources = name, file, books, sources
        empty = Section("", Place(file, 1), (), books)
        self._unit = sections.get("Unit", empty)
        self._service = sections.get("Service", empty)
        self._install = sections.get("Install", empty)
        self._is_user = is_user
        self._user = self._service.value("User", "")
        self._specifiers = Specifiers(name, is_user)

    def draft(self, is_started_by_timer: bool) -> Draft:
        """The process. Raises CannotConvert where there is no program."""
        commands = self._service.every("ExecStart")
        if not commands:
            raise CannotConvert("it has no ExecStart")
        draft = Draft(process_name(self._name), self._books, commands[0])
        draft.aliases.append(self._name)
        self._program(draft, commands)
        self._surroundings(draft)
        self._environment(draft)
        self._outputs(draft)
        self._kind(draft)
        self._commands_beside(draft)
        draft.carry(self._service, TABLE)
        if not draft.has("umask"):
            draft.put("umask", _USUAL_MASK)
        is_root = not self._is_user and draft.get("user", "root") in ("root", "0")
        carry_sandbox(draft, self._service, self._expand, is_root=is_root)
        carry_restarts(draft, self._service, self._unit)
        carry_stops(draft, self._service)
        carry_order(draft, self._unit, self._install, self._expand)
        if not self._install.keys and not is_started_by_timer:
            self._books.differs(draft.name, _WITHOUT_INSTALL)
        self._texts(draft)
        for section in (self._unit, self._service, self._install):
            section.close({key: reason for key in section.keys if (reason := why(key) or WHY.get(key))})
        return draft

    def _expand(self, value: str) -> str:
        return self._specifiers.expand(value)

    def _program(self, draft: Draft, commands: Sequence[Setting]) -> None:
        try:
            lines = [read_exec(setting, self._specifiers) for setting in commands]
        except NotCarried as reason:
            raise CannotConvert(f"line {commands[0].place.line}: ExecStart: {reason.reason}") from None
        for line, setting in zip(lines, commands, strict=True):
            tell_prefixes(line, setting, self._books, is_main=True)
        if len(lines) > 1 and self._service.value("Type", "") != "oneshot":
            for setting in commands[1:]:
                self._books.lose(
                    setting, "there is one program, unless Type=oneshot", "declare another process"
                )
            lines = lines[:1]
        program, *arguments = chained(lines)
        draft.put("file", program, commands[0])
        draft.put("args", arguments, commands[0])
        if len(lines) == 1 and not lines[0].needs_shell:
            draft.put("argv0", lines[0].argv0, commands[0])
        elif any(line.argv0 for line in lines):
            self._books.lose(commands[0], "a shell starts it under its own name", key="ExecStart @")

    def _surroundings(self, draft: Draft) -> None:
        user = self._service.take("User")
        if user is not None:
            draft.carry_one(user, "user", self._expand)
        group = self._service.take("Group")
        if group is not None and group.value != self._user:
            self._books.lose(group, "the group is the main one of `user`", "choose a user of that group")
        elif group is not None and not self._user:
            self._books.lose(group, "the group is the main one of `user`", "set User=")
        folder = self._service.take("WorkingDirectory")
        if folder is None:
            draft.put("cwd", self._home(folder) if self._is_user else "/")
            return
        draft.carry_one(folder, "cwd", lambda value: self._folder(value, folder))
        if folder.value.startswith("-"):
            why_not = "without the folder it does not start here"
            self._books.lose(folder, why_not, "create it", key="WorkingDirectory -")

    def _folder(self, value: str, setting: Setting) -> str:
        path = self._expand(value.lstrip("-"))
        return self._home(setting) if path == "~" else path

    def _home(self, setting: Setting | None) -> str:
        if not self._user and not self._is_user:
            return "/root"
        home = posixpath.expanduser("~" if self._is_user else f"~{self._user}")
        if home.startswith("~"):
            raise NotCarried(
                f"there is no user {self._user} here whose home it would be", "write the folder out"
            )
        return home

    def _environment(self, draft: Draft) -> None:
        variables: dict[str, str] = {}
        given = self._service.every("Environment")
        for setting in given:
            try:
                variables |= assignments(setting.value, self._expand)
            except NotCarried as reason:
                self._books.lose(setting, reason.reason, reason.advice)
        draft.put("env_inherit", False)
        usual = {} if "PATH" in variables else {"PATH": _USUAL_PATH}
        draft.put("env_vars", usual | variables, given[0] if given else None)
        files = self._service.every("EnvironmentFile")
        paths = []
        for setting in files:
            try:
                paths.append(self._expand(setting.value.lstrip("-")))
            except NotCarried as reason:
                self._books.lose(setting, reason.reason, reason.advice)
            if setting.value.startswith("-"):
                reason_ = "without the file it does not start here"
                self._books.lose(setting, reason_, "create it, even if it is empty", key="EnvironmentFile -")
        draft.put("env_file", paths, files[0] if files else None)
        if given and files:
            self._books.differs(
                draft.name,
                "variables of `env_vars` win over those of `env_file`; systemd has it the other way round",
            )

    def _outputs(self, draft: Draft) -> None:
        for key, field in (("StandardOutput", "log"), ("StandardError", "stderr_log")):
            setting = self._service.take(key)
            if setting is not None:
                draft.carry_one(setting, field, partial(self._output, setting))
        given = self._service.take("StandardInput")
        if given is not None and given.value not in ("null", ""):
            self._books.lose(given, "standard input is /dev/null", "let the program open what it reads")

    def _output(self, setting: Setting, value: str) -> str:
        kind, _, path = value.partition(":")
        if kind in ("file", "append", "truncate"):
            if kind == "truncate":
                self._books.lose(setting, "the file is appended to", key=f"{setting.key} truncate")
            return self._expand(path)
        if kind == "null":
            return "/dev/null"
        if kind in ("journal", "inherit", "syslog", "kmsg+console", "journal+console"):
            if kind not in ("journal", "inherit"):
                raise NotCarried("what it writes goes to a log file", "`pmon3 log` shows it")
            return ""
        raise NotCarried(f"{kind!r} cannot be written to", "name a file")

    def _kind(self, draft: Draft) -> None:
        setting = self._service.take("Type")
        kind = setting.value if setting is not None else "simple"
        limit = self._service.take("TimeoutStartSec") or self._service.take("TimeoutSec")
        if kind in ("notify", "notify-reload") and setting is not None:
            draft.put("ready.notify", True, setting)
            if limit is None:
                draft.put("ready.deadline", USUAL_START)
            else:
                draft.carry_one(
                    limit,
                    "ready.deadline",
                    lambda value: "0s" if span(value) in (0, ENDLESS) else duration(value),
                )
            if kind == "notify-reload":
                reason = "nothing is watched whose change would have it reload"
                self._books.lose(setting, reason, _BY_WATCHING, key="Type notify-reload")
        elif kind == "oneshot" and setting is not None:
            draft.put("type", "oneshot", setting)
            if limit is not None and limit.key == "TimeoutStartSec" and limit.value != "infinity":
                draft.carry_one(limit, "max_runtime", duration)
        elif kind == "forking" and setting is not None:
            self._books.lose(setting, _KILLED_HERE, _FOREGROUND)
        elif kind == "dbus" and setting is not None:
            self._books.lose(setting, "names on D-Bus are not looked at", "see `ready`")
        elif kind not in ("simple", "exec", "idle", "oneshot") and setting is not None:
            self._books.lose(setting, f"{kind!r} is no type of a service")
        if kind in ("simple", "exec", "idle", "forking", "dbus"):
            reason = "a plain program has no start that could take too long"
            self._service.lose("TimeoutStartSec", reason, "see `ready.deadline`")
        remain = self._service.take("RemainAfterExit")
        if remain is not None and self._service.read("RemainAfterExit", TRUTH, False) and kind != "oneshot":
            self._books.lose(remain, "a process that has ended does not run any more", "see `type: oneshot`")
        watchdog = self._service.take("WatchdogSec")
        if watchdog is not None and watchdog.value not in ("0", "infinity"):
            draft.put("live.notify", True, watchdog)
            draft.carry_one(watchdog, "live.interval", duration)
            draft.put("live.failures", 1, watchdog)
            draft.put("live.start_period", "0s", watchdog)

    def _commands_beside(self, draft: Draft) -> None:
        for key, field in (("ExecStartPre", "hooks.pre_start"), ("ExecStopPost", "hooks.post_stop")):
            given = self._service.every(key)
            commands = [hook(line) for line, _ in self._read_all(given)]
            if commands:
                draft.put_all(field, commands, given)
        self._pause(draft)
        for setting in self._service.every("ExecStop"):
            lines = self._read_all([setting])
            if lines:
                draft.put("stop.command", lines[0][0].command(), setting)
        self._reload(draft)

    def _pause(self, draft: Draft) -> None:
        """A pause after the start, which others wait for too: a process is ready after a time."""
        commands = self._service.every("ExecStartPost")
        pause = _SLEEP.match(commands[0].value) if len(commands) == 1 else None
        if pause and not draft.has("ready.notify") and draft.get("type") != "oneshot":
            draft.carry_one(commands[0], "ready.delay", lambda _: values.seconds(pause[1]))
            if float(pause[1]) >= _READY_DEADLINE:
                draft.put("ready.deadline", "0s", commands[0])
            return
        for setting in commands:
            why = "nothing is run after a start"
            self._books.lose(setting, why, "see `ready` for what waits until it serves")

    def _reload(self, draft: Draft) -> None:
        """What `systemctl reload` does is what `pmon3 reload` does."""
        given = self._service.every("ExecReload")
        if len(given) == 1 and (signal := signal_of(given[0])):
            draft.put("reload.signal", signal, given[0])
            return
        lines = self._read_all(given)
        if lines:
            draft.put_all("reload.command", chained([line for line, _ in lines]), given)

    def _read_all(self, settings: Sequence[Setting]) -> list[tuple[ExecLine, Setting]]:
        found = []
        for setting in settings:
            try:
                line = read_exec(setting, self._specifiers)
            except NotCarried as reason:
                self._books.lose(setting, reason.reason, reason.advice)
                continue
            tell_prefixes(line, setting, self._books, is_main=False)
            found.append((line, setting))
        return found

    def _texts(self, draft: Draft) -> None:
        description = self._unit.take("Description")
        if description is not None:
            draft.carry_one(description, "description", self._expand)
        pages = self._unit.every("Documentation")
        if pages:
            draft.put("labels", {"documentation": " ".join(one.value for one in pages)}, pages[0])
