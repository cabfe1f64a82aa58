"""`ProcessSpec`: everything that can be declared about one process.

A spec is a frozen value in its *normal form*: `args` a tuple, `env_vars` a mapping, durations
in seconds, paths absolute. `manifest` does the part that needs the place of the manifest
(relative files, defaults of the name); this module does the part that does not. Every field
declares its effect: what it costs to change it under a running process.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from pmon3_schema.effect import Effect, field
from pmon3_schema.scalars import parse_duration, parse_signal, parse_size

_QUOTING = re.compile(r"['\"\\]")
_WORD = re.compile(r"[^ \t\r\n]+")
_SURROGATE = re.compile("[\ud800-\udfff]")
_FORBIDDEN_IN_NAME = re.compile(r"[\x00-\x1f\x7f/,*?\[\]]")


def _check(code: str, message: str) -> PydanticCustomError:
    # Literal text for pydantic: braces in a value must not be read as a template.
    return PydanticCustomError(code, "{why}", {"why": message})


def _name(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if not value or value in {".", ".."} or value != value.strip():
        raise _check("name", f"{value!r} is not a name (it is empty, a dot or has spaces around it)")
    if len(value.encode("utf-8", "surrogatepass")) > 128:
        raise _check("name", "a name has at most 128 bytes")
    if value.startswith("-") or _FORBIDDEN_IN_NAME.search(value):
        raise _check(
            "name", f"{value!r} is not a name (no leading '-', no / , * ? [ ] and no control characters)"
        )
    return value


def _no_nul(value: Any) -> Any:
    if isinstance(value, str) and "\0" in value:
        raise _check("nul", "the value has a NUL character, which no program can be given")
    if isinstance(value, str) and not value.isascii() and _SURROGATE.search(value):
        raise _check("nul", "the value has half of a surrogate pair, which is no text")
    return value


def split_words(text: str) -> list[str]:
    """Words as a POSIX shell would split them, without expanding anything.

    Raises ValueError for an open quote. `shlex` is slow; most arguments have nothing to unquote.
    """
    return shlex.split(text) if _QUOTING.search(text) else _WORD.findall(text)


def _args(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return tuple(split_words(value))
        except ValueError as error:
            raise _check(
                "args", f"cannot split the arguments: {str(error).lower()} (close the quote)"
            ) from None
    return tuple(value) if isinstance(value, list) else value


def env_map(value: Any) -> Any:
    """Variables as a map where they are written as text that can be read; else the value itself."""
    try:
        return _env(value)
    except PydanticCustomError:
        return value


def _env(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        words = split_words(value)
    except ValueError as error:
        raise _check(
            "env_vars", f"cannot split the variables: {str(error).lower()} (close the quote)"
        ) from None
    pairs = {}
    for word in words:
        key, equals, content = word.partition("=")
        if not equals or not key:
            raise _check("env_vars", f"{word!r} is not NAME=value (quote values that have spaces)")
        pairs[key] = content
    return pairs


def _env_checked(value: Mapping[str, str]) -> Mapping[str, str]:
    for key in value:
        if not key or "=" in key or "\0" in key:
            raise _check("env_vars", f"{key!r} is not the name of a variable")
    return value


def _converted(convert: Any, code: str, written: Any) -> BeforeValidator:
    def validate(value: Any) -> Any:
        if value is None or not isinstance(value, str | int | float):
            return value
        try:
            return convert(value)
        except ValueError as error:
            raise _check(code, str(error)) from None

    return BeforeValidator(validate, json_schema_input_type=written)


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _octal(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return int(value.removeprefix("0o"), 8)
        except ValueError:
            raise _check("umask", f"{value!r} is not octal (write it quoted, such as '0022')") from None
    return value


Name = Annotated[str, BeforeValidator(_name)]
Text = Annotated[str, BeforeValidator(_no_nul)]
Duration = Annotated[float, _converted(parse_duration, "duration", str | float)]
Size = Annotated[int, _converted(parse_size, "size", str | int)]
SignalNumber = Annotated[int, _converted(parse_signal, "signal", str | int)]
ExitCodes = Annotated[tuple[int, ...], BeforeValidator(_tuple, json_schema_input_type=list[int])]
Texts = Annotated[
    tuple[Text, ...],
    BeforeValidator(
        lambda v: (v,) if isinstance(v, str) else _tuple(v), json_schema_input_type=str | list[str]
    ),
]
Names = Annotated[tuple[Name, ...], BeforeValidator(_tuple, json_schema_input_type=list[str])]


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=False)


class Restart(_Declared):
    """When a process that ended by itself is started again, and how soon."""

    policy: Literal["always", "on-failure", "never"] = field(
        "always", effect=Effect.IN_PLACE, description="which endings are followed by a restart"
    )
    success_exit_codes: ExitCodes = field(
        (0,), effect=Effect.IN_PLACE, description="exit codes that count as success"
    )
    no_restart_exit_codes: ExitCodes = field(
        (), effect=Effect.IN_PLACE, description="exit codes after which it is never started again"
    )
    delay: Duration = field(
        0.1,
        effect=Effect.IN_PLACE,
        description="delay before the second restart in a row; the first is at once",
    )
    max_delay: Duration = field(60.0, effect=Effect.IN_PLACE, description="the delay doubles up to this")
    jitter: float = field(
        0.1,
        effect=Effect.IN_PLACE,
        ge=0,
        le=1,
        description="share of the delay that varies between processes",
    )
    stable_after: Duration = field(
        10.0,
        effect=Effect.IN_PLACE,
        description="a run of this length makes the next restart immediate again",
    )
    max_failures: int = field(
        0,
        effect=Effect.IN_PLACE,
        ge=0,
        description="give up after this many failures within the window; 0: never",
    )
    window: Duration = field(60.0, effect=Effect.IN_PLACE, description="the window of max_failures")


class Stop(_Declared):
    """How a process is asked to end, and how long it may take."""

    signal: SignalNumber = field(15, effect=Effect.IN_PLACE, description="the signal that asks it to end")
    timeout: Duration = field(10.0, effect=Effect.IN_PLACE, description="time until SIGKILL")
    kill_group: bool = field(
        True, effect=Effect.IN_PLACE, description="signal the whole process tree, not the main process alone"
    )


class Watch(_Declared):
    """Files that the program reads: what happens when they change says `on_change`."""

    paths: Texts = field(
        (),
        effect=Effect.IN_PLACE,
        description="files, and folders with all below them; each counts as a whole",
    )
    ignore: Texts = field(
        (),
        effect=Effect.IN_PLACE,
        description="names and globs in folders that do not count, besides hidden ones",
    )
    debounce: Duration = field(
        0.1,
        effect=Effect.IN_PLACE,
        ge=0,
        description="how long they must have been still for a change to count",
    )


class Reload(_Declared):
    """How the program is told to read its files again."""

    command: Annotated[tuple[Text, ...], BeforeValidator(_args, json_schema_input_type=str | list[str])] = (
        field(
            (),
            effect=Effect.IN_PLACE,
            description="the program that tells it, run as its user with $MAINPID set (on_change: reload)",
        )
    )
    signal: SignalNumber = field(
        1, effect=Effect.IN_PLACE, description="the signal to its main program (on_change: signal)"
    )
    timeout: Duration = field(
        10.0, effect=Effect.IN_PLACE, description="how long the command may take before it is killed"
    )


class LogRotate(_Declared):
    """When pmond rotates the log, and what it keeps. Off unless a size or an age is given."""

    size: Size = field(
        0, effect=Effect.IN_PLACE, ge=0, description="rotate at this size; 0: whatever its size"
    )
    age: Duration = field(0.0, effect=Effect.IN_PLACE, ge=0, description="rotate after this time; 0: never")
    keep: int = field(5, effect=Effect.IN_PLACE, ge=1, description="rotated files that are kept")
    total: Size = field(
        0,
        effect=Effect.IN_PLACE,
        ge=0,
        description="what the log and its rotated files may take together, the oldest go first; 0: any",
    )
    compress: bool = field(True, effect=Effect.IN_PLACE, description="compress all but the newest of them")

    @model_validator(mode="after")
    def _room(self) -> Self:
        if self.total and not 0 < 2 * self.size <= self.total:
            raise _check(
                "total", "total needs a size of at most half of it (for the log, and one rotated file)"
            )
        return self

    @property
    def wanted(self) -> bool:
        """Whether the log is to be rotated at all."""
        return self.size > 0 or self.age > 0


class Limits(_Declared):
    """Resource limits (soft and hard alike) of the started program."""

    nofile: int | None = field(None, effect=Effect.IN_PLACE, ge=0, description="open files")
    memory: Size | None = field(None, effect=Effect.IN_PLACE, ge=0, description="address space, bytes")
    cpu_seconds: int | None = field(None, effect=Effect.IN_PLACE, ge=0, description="processor time, seconds")
    core: Size | None = field(None, effect=Effect.IN_PLACE, ge=0, description="core file, bytes")
    nproc: int | None = field(None, effect=Effect.IN_PLACE, ge=0, description="processes of the user")


class ProcessSpec(_Declared):
    """One declared process. Fields above `cwd` are those of the Go pmon3, unchanged."""

    file: Text = field(
        effect=Effect.RESTART, min_length=1, description="the program: a path, or a name on PATH"
    )
    name: Name = field("", effect=Effect.IN_PLACE, description="its name; the file's base name by default")
    args: Annotated[tuple[Text, ...], BeforeValidator(_args, json_schema_input_type=str | list[str])] = field(
        (), effect=Effect.RESTART, description="arguments: one string in shell quoting, or a list"
    )
    env_vars: Annotated[
        dict[Text, Text], BeforeValidator(_env, json_schema_input_type=str | dict[str, str])
    ] = field({}, effect=Effect.RESTART, description="environment: 'K=V K2=V2' in shell quoting, or a map")
    user: Text = field(
        "", effect=Effect.RESTART, description="the user it runs as; the submitting user by default"
    )
    log: Text = field("", effect=Effect.RESTART, description="log file; NAME.log in log_dir by default")
    log_dir: Text = field("", effect=Effect.RESTART, description="folder of the log file")
    no_auto_restart: bool = field(
        False, effect=Effect.IN_PLACE, description="the same as restart.policy: never"
    )
    dependencies: Names = field(
        (), effect=Effect.IN_PLACE, description="processes that must run before it starts"
    )
    groups: Names = field((), effect=Effect.NONE, description="groups that it belongs to")

    cwd: Text = field("", effect=Effect.RESTART, description="working folder; the file's folder by default")
    env_file: Texts = field(
        (), effect=Effect.RESTART, description="files of NAME=value lines, read at each start, later ones win"
    )
    env_inherit: bool = field(True, effect=Effect.RESTART, description="start from pmond's environment")
    argv0: Text = field("", effect=Effect.RESTART, description="the program's argv[0]; the file by default")
    umask: Annotated[int | None, BeforeValidator(_octal, json_schema_input_type=str | int | None)] = field(
        None, effect=Effect.RESTART, ge=0, le=0o777, description="file mode creation mask, octal text"
    )
    priority: int | None = field(None, effect=Effect.IN_PLACE, ge=-20, le=19, description="nice value")
    limits: Limits = field(Limits(), effect=Effect.RESTART, description="resource limits")
    log_rotate: LogRotate = field(
        LogRotate(), effect=Effect.IN_PLACE, description="rotation of the log without losing a line"
    )
    stderr_log: Text = field("", effect=Effect.RESTART, description="separate file for standard error")
    autostart: bool = field(True, effect=Effect.IN_PLACE, description="start it without being asked")
    restart: Restart = field(Restart(), effect=Effect.IN_PLACE, description="restart policy and delays")
    stop: Stop = field(Stop(), effect=Effect.IN_PLACE, description="stop signal and time limit")
    exit_on_end: bool = field(
        False,
        effect=Effect.IN_PLACE,
        description="the main program of a container: when it ends for good, pmond ends, with its exit code",
    )
    watch: Watch = field(Watch(), effect=Effect.IN_PLACE, description="files whose changes count")
    reload: Reload = field(Reload(), effect=Effect.IN_PLACE, description="how it is told of such a change")
    on_change: Literal["restart", "reload", "signal", "none"] = field(
        "restart",
        effect=Effect.IN_PLACE,
        description="when watched files change: restart it, run reload.command, send reload.signal, nothing;"
        " with none it is not restarted for changed fields either",
    )
    description: Text = field("", effect=Effect.NONE, description="free text, shown by desc")
    labels: dict[Text, Text] = field({}, effect=Effect.NONE, description="labels for -l selectors")
    profiles: Names = field(
        (), effect=Effect.NONE, description="it is declared only while one of these profiles is in use"
    )
    prune: bool | Literal["confirm"] = field(
        True, effect=Effect.NONE, description="whether it may be deleted when it is no longer declared"
    )
    renamed_from: Text = field(
        "", effect=Effect.NONE, description="its earlier name: the running process is kept"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _env_checked(self.env_vars)
        if (
            self.no_auto_restart
            and "policy" in self.restart.model_fields_set
            and self.restart.policy != "never"
        ):
            raise _check(
                "conflict", f"no_auto_restart and restart.policy {self.restart.policy!r} exclude each other"
            )
        if self.exit_on_end and not self._can_end_for_good:
            raise _check(
                "endless", "exit_on_end and restart.policy 'always' exclude each other: it never ends"
            )
        if self.on_change == "reload" and not self.reload.command:
            raise _check(
                "reload", "on_change: reload needs reload.command (or write on_change: signal for SIGHUP)"
            )
        return self

    @property
    def _can_end_for_good(self) -> bool:
        restart = self.restart
        return self.policy != "always" or restart.max_failures > 0 or bool(restart.no_restart_exit_codes)

    @property
    def policy(self) -> str:
        """The restart policy in force: `no_auto_restart` is the seed's word for never."""
        return "never" if self.no_auto_restart else self.restart.policy
