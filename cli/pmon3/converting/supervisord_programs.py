"""One program of a supervisord.conf as one process, or as one for each copy."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from pmon3.converting import values
from pmon3.converting.drafts import Draft, Table
from pmon3.converting.folding import folded
from pmon3.converting.settings import Books, Left, NotCarried, Section, Setting
from pmon3.converting.sources import InputFiles
from pmon3.converting.supervisord_logs import carry_logs
from pmon3.converting.supervisord_values import (
    expanded,
    partly_expanded,
    variables,
)
from pmon3_schema.process_parts import RestartSpec
from pmon3_schema.scalars import LONGEST_DURATION

_truth = values.truth(values.STRICT_YES, values.STRICT_NO)
_LASTING, _RETRIES = 1, 3  # what supervisord takes where the file does not say; seconds, times
_MOST_COPIES = 1000  # as many as a process can have replicas; of more, one is taken and that is told
_MOST_FIRST = 10**9
_FIRST_DELAY = 2  # seconds, so that as many tries take as long as there
_LONGEST_DELAY = 60  # seconds, that of a manifest that says nothing
_AS_GOOD_AS_ENDLESS = 365 * 86400  # seconds in which supervisord goes on trying
_READY_DEADLINE = 60  # seconds, that of a manifest that says nothing


def _policy(value: str) -> str:
    if value.strip().lower() == "unexpected":
        return "on-failure"
    return "always" if _truth(value) else "never"


def _success_codes(value: str) -> list[int]:
    codes = values.exit_codes(",")(value)
    if not codes:
        raise NotCarried("that no exit code is a success cannot be said", "name one that never comes")
    return codes


_TABLE: Table = {
    "autostart": ("autostart", values.unless(True, _truth)),
    "exitcodes": ("restart.success_exit_codes", _success_codes),
    "stopsignal": ("stop.signal", values.signal_word),
    "stopwaitsecs": ("stop.timeout", values.seconds),
    "umask": ("umask", values.octal),
}
_EVENTS = Left("supervisord's protocol of events is not spoken", "see the event handlers of config.yml")
_WHY = {
    "priority": Left("the order of starts follows from `dependencies`", "name there what has to run before"),
    "stdout_capture_maxbytes": _EVENTS,
    "stderr_capture_maxbytes": _EVENTS,
    "stdout_events_enabled": _EVENTS,
    "stderr_events_enabled": _EVENTS,
    "serverurl": Left("there is no supervisord to speak to"),
    "socket": Left("sockets are not handed to programs", "let the program open it"),
    "socket_backlog": Left("sockets are not handed to programs"),
    "socket_owner": Left("sockets are not handed to programs"),
    "socket_mode": Left("sockets are not handed to programs"),
}
_NOT_PROGRAMS = {
    "fcgi-program": Left(
        "its socket is not handed to it here", "let the program open it, or run it by itself"
    ),
    "eventlistener": _EVENTS,
}


class DeclaredProgram(Struct, frozen=True):
    """A section that declares a program."""

    kind: str
    name: str
    folder: str
    """Of the file that it stands in."""
    group: str


class OfAllPrograms(Struct, frozen=True):
    """What `[supervisord]` says for every program."""

    folder: str
    user: Setting | None = None
    umask: Setting | None = None
    directory: str = ""
    environment: Mapping[str, str] = {}


def environment(setting: Setting | None, known: Mapping[str, Any], books: Books) -> dict[str, str]:
    """A list of variables; one that cannot be read is told."""
    if setting is None:
        return {}
    text, left = partly_expanded(setting.value, known)
    if left is not None:
        books.lose(setting, left.reason, left.advice)
    try:
        return variables(text)
    except NotCarried as why:
        books.lose(setting, why.reason, why.advice)
        return {}


def programs_of(
    program: DeclaredProgram, section: Section, defaults: OfAllPrograms, sources: InputFiles
) -> Iterator[Draft]:
    """The processes of a section; what is not a plain program is told as a whole."""
    if program.kind in _NOT_PROGRAMS:
        left = _NOT_PROGRAMS[program.kind]
        section.abandon(left.reason, left.advice)
        return
    count = section.read("numprocs", lambda value: values.whole(value, 1, _MOST_COPIES), 1)
    first = section.read("numprocs_start", lambda value: values.whole(value, 0, _MOST_FIRST), 0)
    if first and not section.mentions("process_num"):
        section.lose("numprocs_start", "it changes nothing: no value has %(process_num)", "remove it")
    told, copies = len(section.books.losses), []
    for number in range(first, first + count):
        copy = _Copy(program, section, defaults, sources, number, count)
        draft = copy.draft()
        if draft is not None:
            copies.append(draft)
        if number > first:
            del section.books.losses[told:]  # the first copy has told them
        told = len(section.books.losses)
    section.close(_WHY)
    yield from folded(copies, program.name)


class _Copy:
    """One of the processes of a program."""

    def __init__(
        self,
        program: DeclaredProgram,
        section: Section,
        defaults: OfAllPrograms,
        sources: InputFiles,
        number: int,
        count: int,
    ) -> None:
        self._program, self._section, self._defaults, self._sources = program, section, defaults, sources
        self._known: dict[str, Any] = {
            "here": os.path.abspath(program.folder),  # noqa: PTH100
            "program_name": program.name,
            "group_name": program.group or program.name,
            "host_node_name": os.uname().nodename,
            "process_num": number,
            "numprocs": count,
        }
        own = environment(section.take("environment"), self._known, section.books)
        self._own = own
        self._known |= {f"ENV_{name}": value for name, value in {**defaults.environment, **own}.items()}

    def draft(self) -> Draft | None:
        """The process; None where it has no command."""
        section, books = self._section, self._section.books
        command = section.take("command")
        if command is None:
            section.abandon("it has no command", "write command=…")
            return None
        line, left = partly_expanded(command.value, self._known)
        try:
            found = values.words(line)
        except NotCarried as why:
            section.abandon(f"of its command, {why.reason}", why.advice)
            return None
        if not found:
            section.abandon("its command is empty")
            return None
        if left is not None:
            books.lose(command, left.reason, left.advice)
        draft = Draft(self._read("process_name", str, self._program.name), books, command)
        draft.aliases.append(self._program.name)
        directory = self._directory()
        draft.put("file", self._file(found[0], directory), command)
        draft.put("args", found[1:], command)
        draft.put("cwd", directory)
        draft.put("env_vars", {**self._defaults.environment, **self._own}, section.take("environment"))
        user = section.take("user") or self._defaults.user
        if user is not None:
            name, wrong = partly_expanded(user.value, self._known)
            draft.put(
                "user", name, user
            )  # also one that cannot exist: nothing may run as root for want of a name
            if wrong is not None:
                books.lose(user, wrong.reason, wrong.advice)
        if self._defaults.umask is not None:
            draft.carry_one(self._defaults.umask, "umask", values.octal)
        draft.carry(section, _TABLE)
        draft.put("groups", [self._program.group] if self._program.group else [])
        self._restarts(draft)
        self._stops(draft)
        carry_logs(draft, section, self._log_name)
        return draft

    def _read(self, key: str, reader: Any, default: Any) -> Any:
        return self._section.read(key, lambda value: reader(expanded(value, self._known)), default)

    def _directory(self) -> str:
        """Where it runs: what the program says, else supervisord's folder, else where that is started."""
        text = self._read("directory", str, "")
        if text or self._defaults.directory:
            return self._sources.seen_from_home(text, self._defaults.directory, self._defaults.folder)
        full = os.path.abspath(self._defaults.folder)  # noqa: PTH100
        if full == "/etc" or full.startswith("/etc/"):
            return "/"  # where an init system starts supervisord
        self._section.books.differs(
            "supervisord",
            "programs without `directory` run in the folder of the file, not where supervisord was started",
        )
        return self._sources.seen_from_home(".", self._defaults.folder)

    def _file(self, program: str, directory: str) -> str:
        if "/" not in program or program.startswith("/"):
            return program
        return self._sources.seen_from_home(program, directory, self._sources.home)

    def _restarts(self, draft: Draft) -> None:
        section = self._section
        policy = section.read("autorestart", _policy, "on-failure")
        draft.put("restart.policy", policy, section.take("autorestart"))
        lasting = section.read("startsecs", values.length, float(_LASTING))
        retries = section.read("startretries", lambda value: values.whole(value, 0), _RETRIES)
        given = section.take("startsecs")
        if given is not None and lasting > 0:
            draft.put("ready.delay", values.seconds(lasting), given)
            if lasting >= _READY_DEADLINE:
                draft.put("ready.deadline", "0s", given)
        if policy == "never":
            section.lose("startretries", "with `restart.policy: never` a start that fails is not repeated")
            return
        if lasting == 0:
            section.lose("startretries", "with startsecs=0 every start is a success", "remove it")
            draft.put("restart.stable_after", "0s", given)
            return
        self._brake(draft, retries, lasting, given)

    def _brake(self, draft: Draft, retries: int, lasting: float, given: Setting | None) -> None:
        """A start that does not last is tried again so often, 1 s, 2 s, … apart; here 0 s, 2 s, 4 s, …"""
        said = self._section.take("startretries")
        longest = float(max(_FIRST_DELAY, min(retries, _LONGEST_DELAY)))
        draft.put("restart.delay", f"{_FIRST_DELAY}s")
        draft.put("restart.max_delay", values.seconds(longest))
        draft.put("restart.stable_after", values.seconds(lasting), given)
        if retries * (retries + 1) / 2 > _AS_GOOD_AS_ENDLESS:
            draft.put("restart.max_failures", 0, said)
            return
        here = RestartSpec(delay=float(_FIRST_DELAY), max_delay=longest)
        pauses = sum(here.delay_after(streak) for streak in range(1, retries + 1)) * (1 + here.jitter)
        window = math.ceil(pauses + (retries + 1) * max(lasting, 1.0))
        draft.put("restart.max_failures", retries + 1, said)
        draft.put("restart.window", values.seconds(min(window, LONGEST_DURATION)), said)

    def _stops(self, draft: Draft) -> None:
        section = self._section
        as_group = section.read("stopasgroup", _truth, False)
        kill = section.read("killasgroup", _truth, as_group)
        if as_group and not kill:
            section.lose("killasgroup", "supervisord refuses it beside stopasgroup=true", "remove it")
        elif kill and not as_group:
            section.lose(
                "killasgroup",
                "the signal that asks it to end goes to the whole tree too",
                "see `stop.kill_group`",
            )
        elif "stopasgroup" in section and not as_group:
            draft.put("stop.kill_group", False, section.take("stopasgroup"))
        elif not as_group:
            section.books.differs(
                "supervisord", "a stop ends the whole tree of a process; supervisord ends the main program,"
                " unless stopasgroup or killasgroup is set (`stop.kill_group: false` does as it does)"
            )  # fmt: skip

    def _log_name(self, value: str) -> str:
        name = expanded(value, self._known)
        if name.strip().lower() in ("none", "off"):
            return "/dev/null"
        return self._sources.seen_from_home(name, self._defaults.directory, self._defaults.folder)
