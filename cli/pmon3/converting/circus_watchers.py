"""One watcher of circus as processes, one for each of `numprocesses`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from pmon3.converting import values
from pmon3.converting.drafts import Draft, Table
from pmon3.converting.folding import folded
from pmon3.converting.settings import Books, Left, NotCarried, Section, Setting
from pmon3.converting.sources import InputFiles

_TRUTH = values.truth()
_VARIABLE = re.compile(r"\$\(((?:circus\.)?[\w.-]+)\)|\(\(((?:circus\.)?[\w.-]+)\)\)", re.I)
_FILLED_AT_STARTS = ("cmd", "args")
_GRACE = 30.0  # seconds
_LIMITS = {
    "rlimit_nofile": "limits.nofile", "rlimit_nproc": "limits.nproc", "rlimit_core": "limits.core",
    "rlimit_cpu": "limits.cpu_seconds", "rlimit_as": "limits.memory",
}  # fmt: skip
_FILE_STREAMS = ("FileStream", "WatchedFileStream")
_SOCKET = Left("sockets are not handed to programs", "let the program open it")
_STREAM = Left("lines are kept as the program writes them")
_WHY = {
    **dict.fromkeys(("use_sockets", "stdin_socket", "on_demand", "papa_redirect"), _SOCKET),
    "gid": Left("the group is the main one of `user`", "choose a user of that group"),
    "warmup_delay": Left("processes start as soon as what they depend on runs", "see `dependencies`"),
    "priority": Left("the order of starts follows from `dependencies`", "name there what has to run before"),
    "max_retry": Left("starts that fail are repeated without end", "see `restart.max_failures`"),
    "max_age_variance": Left("the share is fixed", "see `max_runtime`"),
    "singleton": Left("there is one process anyway, unless more are asked for"),
    "executable": Left("the program is the first word of `cmd`", "write its path there"),
    "check_flapping": Left("there are no plugins"),
    "close_child_stdin": Left("standard input is /dev/null"),
    "close_child_stdout": Left("what a program writes goes to its log", "see `log`"),
    "close_child_stderr": Left("what a program writes goes to its log", "see `stderr_log`"),
    "virtualenv": Left("paths are not changed for a virtual environment", "write the path of its python"),
    "virtualenv_py_ver": Left("paths are not changed for a virtual environment"),
    "shell_args": Left("a shell gets the command alone", "write them into `cmd`"),
}


def _limit(value: Any) -> int:
    if not values.text(value).strip():
        raise NotCarried("without end cannot be said here", "leave it out, or write a number")
    return values.whole(value, 0)


_TABLE: Table = {
    "autostart": ("autostart", values.unless(True, _TRUTH)),
    "stop_signal": ("stop.signal", values.signal_word),
    "uid": ("user", values.text),
    "max_age": ("max_runtime", values.seconds),
    **{key: (field, _limit) for key, field in _LIMITS.items()},
}


def of_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Variables by the names that `$(circus.env.NAME)` has for them, whose case does not count."""
    return {f"env.{name}".lower(): value for name, value in variables.items()}


def filled_in(text: str, known: Mapping[str, str]) -> tuple[str, list[str]]:
    """The text with `$(circus.NAME)` replaced, once, and those that are not known."""
    left: list[str] = []

    def value(found: re.Match[str]) -> str:
        name = (found[1] or found[2]).lower().removeprefix("circus.")
        if name not in known:
            left.append(found[0])
        return known.get(name, found[0])

    return _VARIABLE.sub(value, text), left


def as_read(setting: Setting, known: Mapping[str, str], books: Books) -> Setting:
    """The setting with the variables that circus fills in when it reads the file; what it leaves is told."""
    text, left = filled_in(setting.value, known)
    for name in left if setting.key not in _FILLED_AT_STARTS else ():
        reason = f"circus does not fill in {name} here"
        books.lose(setting, reason, "write the value out", key=f"{setting.key} {name}")
    return Setting(setting.key, text, setting.place)


class CircusWatcher:
    """One section `[watcher:NAME]`."""

    def __init__(
        self, name: str, section: Section, variables: Mapping[str, Setting], umask: Setting | None,
        folder: str, sources: InputFiles, books: Books,
    ) -> None:  # fmt: skip
        self._name, self._section, self._variables, self._umask = name, section, variables, umask
        self._folder, self._sources, self._books = folder, sources, books

    def drafts(self) -> list[Draft]:
        """The processes; none where there is no command."""
        command = self._section.take("cmd")
        if command is None:
            self._section.abandon("it has no cmd", "write cmd = …")
            return []
        count = self._section.read("numprocesses", lambda value: values.whole(value, 0, 1000), 1)
        drafts = []
        for number in range(1, count + 1):
            told = len(self._books.losses)
            draft = Draft(self._name if count == 1 else f"{self._name}-{number}", self._books, command)
            draft.aliases.append(self._name)
            if not self._fill(draft, command, number):
                return []
            drafts.append(draft)
            if number > 1:
                del self._books.losses[told:]
        hooks = {
            key: Left("functions of Python are not called", "see `hooks`")
            for key in self._section.keys
            if key.startswith("hooks.")
        }
        streams = {key: _STREAM for key in self._section.keys if "_stream." in key}
        limits = {
            key: Left("this limit cannot be set", "see `limits`")
            for key in self._section.keys
            if key.startswith("rlimit_")
        }
        self._section.close({**_WHY, **hooks, **streams, **limits})
        return folded(drafts, self._name)

    def _fill(self, draft: Draft, command: Setting, number: int) -> bool:
        section = self._section
        cwd = self._sources.seen_from_home(self._text("working_dir") or ".", self._folder)
        if not self._program(draft, command, number, cwd):
            return False
        draft.put("cwd", cwd, section.take("working_dir"))
        own = {key: setting.value for key, setting in self._variables.items()}
        inherits = section.read("copy_env", _TRUTH, False)
        if not inherits:
            draft.put("env_inherit", False)
        if section.read("copy_path", _TRUTH, False):
            section.lose(
                "copy_path",
                "the folders of circus's own modules are not known",
                "set PYTHONPATH in `env_vars`",
            )
        draft.put("env_vars", own, next(iter(self._variables.values()), None))
        if not inherits and "PATH" not in own:
            draft.put(
                "env_vars",
                {"PATH": "/usr/local/bin:/usr/bin:/bin", **own},
                next(iter(self._variables.values()), None),
            )
        draft.carry(section, _TABLE)
        if self._umask is not None:
            draft.carry_one(self._umask, "umask", values.octal)
        if not section.read("respawn", _TRUTH, True):
            draft.put("restart.policy", "never", section.take("respawn"))
        draft.put(
            "stop.timeout",
            section.read("graceful_timeout", values.seconds, values.seconds(_GRACE)),
            section.take("graceful_timeout"),
        )
        children = section.take("stop_children")
        if children is not None and not section.read("stop_children", _TRUTH, False):
            draft.put("stop.kill_group", False, children)
        elif children is None:
            self._books.differs(
                "circus",
                "a stop ends the whole tree of a process, as stop_children does (see `stop.kill_group`)",
            )
        if section.read("send_hup", _TRUTH, False):
            reason = "nothing is watched whose change would have it sent"
            section.lose("send_hup", reason, "see `watch` with `on_change: signal`")
        self._logs(draft)
        return True

    def _program(self, draft: Draft, command: Setting, number: int, cwd: str) -> bool:
        arguments = self._section.take("args")
        line = self._started_with(command, number)
        rest = self._started_with(arguments, number) if arguments is not None else ""
        try:
            words = [*shlex.split(line), *shlex.split(rest)]
        except ValueError as error:
            self._section.abandon(
                f"the quotes of its command cannot be read: {str(error).lower()}", "close the quote"
            )
            return False
        if not words:
            self._section.abandon("its command is empty")
            return False
        if self._section.read("shell", _TRUTH, False):
            reason = "circus quotes every word for the shell, so that none means anything to it"
            self._section.lose("shell", reason, "write cmd = /bin/sh -c '…' where a shell is wanted")
        file = words[0]
        relative = "/" in file and not file.startswith("/")
        draft.put(
            "file", self._sources.seen_from_home(file, cwd, self._sources.home) if relative else file, command
        )
        draft.put("args", words[1:], command)
        return True

    def _text(self, key: str) -> str:
        setting = self._section.take(key)
        return setting.value if setting is not None else ""

    def _started_with(self, setting: Setting, number: int) -> str:
        """The value with what circus fills in at a start; what cannot be known is told and stays."""
        known = {**of_environment({k: v.value for k, v in self._variables.items()}), "wid": str(number)}
        text, left = filled_in(setting.value, known)
        for name in left:
            reason = (
                "sockets are not handed to programs" if ".sockets." in name else f"{name} is not known here"
            )
            self._books.lose(setting, reason, "write the value out", key=f"{setting.key} {name}")
        return text.replace("$WID", str(number))

    def _logs(self, draft: Draft) -> None:
        for stream, field in (("stdout_stream", "log"), ("stderr_stream", "stderr_log")):
            kind = self._section.take(f"{stream}.class")
            name = self._section.take(f"{stream}.filename")
            if kind is not None and name is not None and kind.value not in _FILE_STREAMS:
                self._books.lose(kind, "a log is rotated by its size alone", "see `log_rotate`")
            if name is not None:
                draft.put(field, self._sources.seen_from_home(name.value, self._folder), name)
            elif kind is not None:
                reason = "what a program writes goes to its log"
                self._books.lose(kind, reason, "`pmon3 logf` shows it")
        for key, field, reader in (
            ("max_bytes", "log_rotate.size", lambda value: values.written_size(values.whole(value, 0))),
            ("backup_count", "log_rotate.keep", lambda value: values.whole(value, 1)),
        ):
            setting = self._section.take(f"stdout_stream.{key}")
            if setting is not None and setting.value != "0":
                draft.carry_one(setting, field, reader)
                draft.put("log_rotate.compress", False)
            other = self._section.take(f"stderr_stream.{key}")
            if other is not None and (setting is None or setting.value != other.value):
                self._books.lose(other, "both logs are rotated alike", "see `log_rotate`")
