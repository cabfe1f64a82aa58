"""config.yml: every setting, its default, its range, and how the environment overrides it.

Theory of operation: the file is read as text values, overridden by the environment (text as well)
and converted once. Each field declares its range, what replaces a value out of range, and its
effect: IN_PLACE settings are read again at each reload, RESTART settings once, when pmond starts.
A value out of range or an unknown key is a warning and the rest stands, as with the Go pmon3: a stale
key must not keep a machine's supervisor from starting. Only text that cannot mean the type is an error.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec.structs import replace

from pmon3_schema import paths
from pmon3_schema.diagnostics import Diagnostic
from pmon3_schema.effect import Effect
from pmon3_schema.field_types import Size
from pmon3_schema.fields import Conversion, FieldStruct, field, mistake
from pmon3_schema.settings_reading import SettingsText, read_layers

_LIVE, _START = Effect.IN_PLACE, Effect.RESTART


def _octal(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        mode = int(value, 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o7777:
        raise mistake("range", "must be an octal mode such as 0770")
    return mode


_SHELL_SYNTAX = re.compile(r"[|&;<>()$`*?\[#~{!\n]|^\w+=")
"""What only a shell understands; its quotes and backslashes are understood here."""


def _command(value: Any) -> Any:
    """The words of one command, given as text or as their list.

    Text that only a shell can run is given to one, as the Go pmon3 did with all of it: the text
    alone, which is the administrator's. What is appended to the words arrives in it as ``"$@"``.
    """
    if not isinstance(value, str):
        return tuple(value) if isinstance(value, list) else value
    if _SHELL_SYNTAX.search(value):
        return ("/bin/bash", "-c", f'{value} "$@"', "pmon3")
    try:
        return tuple(shlex.split(value))
    except ValueError as error:
        raise mistake("command", f"cannot be split: {str(error).lower()}") from None


def _commands(value: Any) -> Any:
    """One command as text, or a list of commands."""
    if isinstance(value, str):
        value = [value]
    return tuple(_command(item) for item in value) if isinstance(value, list) else value


def _level(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _folder(value: Any) -> Any:
    return {"shmem": value} if isinstance(value, str) else value


def _people(value: Any) -> Any:
    """Names as a list, or as text with commas or spaces between them."""
    if isinstance(value, str):
        return tuple(value.replace(",", " ").split())
    return tuple(value) if isinstance(value, list) else value


People = Annotated[tuple[str, ...], Conversion(_people)]
Mode = Annotated[int, Conversion(_octal)]
Commands = Annotated[tuple[tuple[str, ...], ...], Conversion(_commands)]
LogLevel = Annotated[Literal["debug", "info", "warn", "error"], Conversion(_level)]


class WaitSettings(FieldStruct, frozen=True):
    """Waits of the command line and between processes."""

    cmd_exec_response: int = field(
        1500,
        effect=_LIVE,
        ge=0,
        le=10_000,
        description="accepted, without effect",
    )
    ipc_connection: int = field(
        0, effect=_LIVE, ge=0, le=5_000, description="accepted, without effect", instead=200
    )
    dependent_process_enqueued: int = field(
        1000, effect=_LIVE, ge=0, le=20_000, description="ms after starting a process that others depend on"
    )
    min_ready: int = field(
        200,
        effect=_LIVE,
        ge=0,
        le=60_000,
        description="ms that a process without a ready probe must have lived to count as running",
    )


class PermissionSettings(FieldStruct, frozen=True):
    """Who owns the files of a folder, and their modes."""

    user: str = field("", effect=_START, description="owner of the folder and its files")
    group: str = field("", effect=_START, description="group of the folder and its files; needs a user")
    directory_mode: Mode = field(0o770, effect=_START, description="mode of the folder, octal")
    file_mode: Mode = field(0o660, effect=_START, description="mode of the files in it, octal")


class Logs(PermissionSettings, frozen=True):
    """The folder of the log files."""

    directory: str = field(paths.SYSTEM_LOGS, effect=_LIVE, description="folder of the log files")
    directory_mode: Mode = field(0o775, effect=_START, description="mode of the folder, octal")


class Data(PermissionSettings, frozen=True):
    """The folder of the database."""

    directory: str = field(paths.SYSTEM_DATA, effect=_START, description="folder of the database")
    file_mode: Mode = field(
        0o600, effect=_START, description="mode of the files in it, octal; 0660 where a user is named"
    )


class QueueDirectory(FieldStruct, frozen=True):
    """The folder of the socket; the seed's shared memory folders stand for the default."""

    shmem: str = field("/dev/shm/", effect=_START, description="folder of the socket")
    posix_mq: str = field("/dev/mqueue/", effect=_START, description="accepted, without effect")


class MessageQueue(PermissionSettings, frozen=True):
    """The socket that commands talk to."""

    directory: Annotated[QueueDirectory, Conversion(_folder)] = field(
        QueueDirectory(), effect=_START, description="folder of the socket"
    )
    name_suffix: str = field("", effect=_START, description="appended to the socket's name after a _")
    directory_mode: Mode = field(0o775, effect=_START, description="mode of the folder, octal")
    file_mode: Mode = field(0o666, effect=_START, description="mode of the socket, octal")


class EventHandling(FieldStruct, frozen=True):
    """Programs run on events, with the process as JSON for their last argument.

    Each is one command, or a list of commands that are run one after the other.
    """

    process_restart: Commands = field((), effect=_LIVE, description="when a process is started again")
    process_failure: Commands = field((), effect=_LIVE, description="when a process fails for good")
    process_backoff: Commands = field((), effect=_LIVE, description="when flap detection backs off")
    process_ready: Commands = field(
        (), effect=_LIVE, description="when a ready probe passes for the first time"
    )
    process_unhealthy: Commands = field(
        (), effect=_LIVE, description="when a live probe has a process replaced"
    )
    timeout: int = field(
        30, effect=_LIVE, ge=1, le=3_600, description="seconds that one run of a program may take"
    )


class ProbesSettings(FieldStruct, frozen=True):
    """Probes of all processes together."""

    parallel: int = field(
        32, effect=_LIVE, ge=1, le=1_000, description="commands of probes that run at once; others wait"
    )


class FlapDetection(FieldStruct, frozen=True):
    """When restarts are paused; intervals are those of process_monitor_interval."""

    is_enabled: bool = field(False, effect=_LIVE, description="whether restarts are ever paused")
    threshold_restarted: int = field(5, effect=_LIVE, ge=1, le=32_767, description="restarts until backoff")
    threshold_countdown: int = field(120, effect=_LIVE, ge=1, description="intervals of backoff")
    threshold_decrement: int = field(
        60, effect=_LIVE, ge=0, description="intervals until a restart is forgiven; 0: never"
    )


class AccessQuota(FieldStruct, frozen=True):
    """Ceilings of each user who is no administrator."""

    processes: int = field(
        200, effect=_LIVE, ge=0, le=1_000_000, description="processes that run as one user, and its sets"
    )
    bytes: Size = field(
        1 << 20, effect=_LIVE, description="size of all specs of one user, and of the documents of its sets"
    )
    requests: int = field(
        32, effect=_LIVE, ge=1, le=1_000, description="requests of one user that are under way at once"
    )
    probes: int = field(
        500, effect=_LIVE, ge=0, le=1_000_000, description="tries a second of all probes of one user"
    )


class AccessSettings(FieldStruct, frozen=True):
    """Who may do what, besides with what runs as himself. Names of users, and of groups with an @."""

    open: bool = field(
        True, effect=_LIVE, description="whether every local user is a viewer, and may run programs as itself"
    )
    viewers: People = field((), effect=_LIVE, description="who may see all processes, without secrets")
    operators: People = field(
        (), effect=_LIVE, description="who may also start, stop, restart, reset and hold all processes"
    )
    administrators: People = field(
        (), effect=_LIVE, description="who may do to this pmond what root may; specs still run as themselves"
    )
    run_as: dict[str, People] = field(
        {}, effect=_LIVE, description="for an administrator the users as whom it may have programs run"
    )
    quota: AccessQuota = AccessQuota()


class Settings(FieldStruct, frozen=True):
    """The configuration of one pmond."""

    log_level: LogLevel = field("info", effect=_LIVE, description="least level that pmond logs")
    handle_interrupts: bool = field(True, effect=_LIVE, description="stop the processes with pmond")
    disable_reloads: bool = field(False, effect=_LIVE, description="do not follow changes of the files")
    process_monitor_interval: int = field(
        500, effect=_LIVE, ge=1, description="ms; unit of the flap thresholds, longest wait of a due action"
    )
    initialization_period: int = field(
        30, effect=_START, ge=5, le=32_767, description="seconds after start in which restarts fire no event"
    )
    process_config_file: str = field("", effect=_LIVE, description="the manifest: a file or a folder")
    reload_policy: Literal["defer", "restart"] = field(
        "defer",
        effect=_LIVE,
        description="whether changes that need a restart of a process get one at reload",
    )
    wait: WaitSettings = WaitSettings()
    permissions: PermissionSettings = PermissionSettings()
    logs: Logs = Logs()
    data: Data = Data()
    message_queue: MessageQueue = MessageQueue()
    event_handling: EventHandling = EventHandling()
    flap_detection: FlapDetection = FlapDetection()
    probes: ProbesSettings = ProbesSettings()
    access: AccessSettings = AccessSettings()


def load(
    path: str, environ: Mapping[str, str], defaults: paths.Places | None = None
) -> tuple[Settings, tuple[Diagnostic, ...]]:
    """The settings of a configuration file and the environment; usable ones whatever is wrong.

    A missing file means defaults. `defaults` gives the folders where neither says so; the system's if
    left out. Raises OSError when the file is there but cannot be read.
    """
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        content = b""
    return parse(content, path, environ, defaults)


def parse(
    content: bytes, path: str, environ: Mapping[str, str], defaults: paths.Places | None = None
) -> tuple[Settings, tuple[Diagnostic, ...]]:
    """As `load`, for content that is already read."""
    layer = SettingsText(path, content, environ)
    settings, diagnostics = read_layers(layer, Settings)
    settings = _inherit(settings, layer)
    return _placed(
        settings, layer, posixpath.dirname(posixpath.abspath(path)), environ, defaults
    ), diagnostics


def _inherit(settings: Settings, layer: SettingsText) -> Settings:
    """Fill the sections from `permissions`: a section's own value, else an explicit one there, else default.

    A section's key that is present but empty takes the value of `permissions`, explicit or not.
    """
    general = settings.permissions
    sections: dict[str, Any] = {}
    for name in ("logs", "data", "message_queue"):
        taken = {
            key: getattr(general, key)
            for key in PermissionSettings.declared
            if not layer.says(name, key) and (layer.says("permissions", key) or (name, key) in layer.emptied)
        }
        sections[name] = replace(getattr(settings, name), **taken)
    data = sections["data"]
    if data.user and not (layer.says("data", "file_mode") or layer.says("permissions", "file_mode")):
        sections["data"] = replace(data, file_mode=PermissionSettings().file_mode)
    return replace(settings, **sections)


def _placed(
    settings: Settings,
    layer: SettingsText,
    folder: str,
    environ: Mapping[str, str],
    defaults: paths.Places | None,
) -> Settings:
    """Default folders by kind of pmond; relative paths from the folder of config.yml."""
    where = defaults or paths.system_places()
    logs = settings.logs.directory if layer.says("logs", "directory") else where.logs
    data = settings.data.directory if layer.says("data", "directory") else where.data
    manifest = settings.process_config_file or environ.get("PMON3_PROCESS_CONF") or where.process_config_file
    return replace(
        settings,
        logs=replace(settings.logs, directory=posixpath.join(folder, logs)),
        data=replace(settings.data, directory=posixpath.join(folder, data)),
        process_config_file=posixpath.join(folder, manifest),
    )
