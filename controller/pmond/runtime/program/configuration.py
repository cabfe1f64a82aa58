"""config.yml in force: what decisions need of it, and how a changed file takes effect.

A file that cannot be used changes nothing and is told with its place. What only a restart of
pmond can change keeps its value, and that is told too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from pmon3_schema.diagnostics import Diagnostic
from pmon3_schema.equivalence import ImpliedValues
from pmon3_schema.errors import PmonError
from pmon3_schema.paths import Places, socket_path
from pmon3_schema.settings import Settings
from pmon3_schema.settings import load as load_settings
from pmon3_schema.settings_reload import live_part
from pmond.core.model import FlapPolicy, Policy
from pmond.runtime.access import users
from pmond.runtime.access.authority import Authority
from pmond.runtime.access.rules import rules_of
from pmond.runtime.base.journal import Journal, Level
from pmond.runtime.files.folders import ensure_folder, owner_of
from pmond.runtime.processes import environment
from pmond.runtime.processes.spawn import SpawnContext

_LEVELS = {"debug": Level.DEBUG, "info": Level.INFO, "warn": Level.WARN, "error": Level.ERROR}

Announce = Callable[[str, str], None]
"""Tells an event of pmond itself: its type and a sentence."""


def policy_of(settings: Settings) -> Policy:
    """What decisions need of the configuration; intervals become seconds."""
    interval = settings.process_monitor_interval / 1000
    flap = settings.flap_detection
    return Policy(
        min_ready=settings.wait.min_ready / 1000,
        parallel_probes=settings.probes.parallel,
        settle=settings.wait.dependent_process_enqueued / 1000,
        flap=FlapPolicy(
            enabled=flap.is_enabled,
            threshold=flap.threshold_restarted,
            countdown=flap.threshold_countdown * interval,
            decrement=flap.threshold_decrement * interval,
        ),
    )


def log_level(settings: Settings, environ: Mapping[str, str]) -> Level:
    """PMON3_DEBUG before log_level: `true` means debug, anything unknown means info."""
    asked = environ.get("PMON3_DEBUG", "").lower()
    if asked:
        return Level.DEBUG if asked == "true" else _LEVELS.get(asked, Level.INFO)
    return _LEVELS[settings.log_level]


class Configuration:
    """The settings in force."""

    def __init__(
        self,
        settings: Settings,
        places: Places,
        environ: Mapping[str, str],
        open_files: int,
        journal: Journal,
    ) -> None:
        self.settings = settings
        self.places = places
        self._environ = environ
        self._open_files = open_files
        self._journal = journal
        self._authority = self._decide_access()
        self._context: SpawnContext | None = None

    def authority(self) -> Authority:
        """Who may do what, by the configuration in force."""
        return self._authority

    def implied(self) -> ImpliedValues:
        """What stands for values that specs leave out."""
        return ImpliedValues(users.name_of(self._authority.daemon_uid), self.settings.logs.directory)

    def _decide_access(self) -> Authority:
        def warn(message: str) -> None:
            self._journal.warn("config.access", message=message)

        group = self.settings.message_queue.group
        return Authority(os.geteuid(), rules_of(self.settings.access, group, warn))

    def followed(self) -> str:
        """The set of the process config file."""
        return f"file:{self.settings.process_config_file}"

    def context(self) -> SpawnContext:
        """What every start has in common now. Raises PmonError when the log folder cannot be made."""
        if self._context is None:
            self._context = self._new_context()
        return self._context

    def _new_context(self) -> SpawnContext:
        logs = self.settings.logs
        owner = owner_of(logs, "logs")
        ensure_folder(logs.directory, logs.directory_mode, owner)
        return SpawnContext(
            environment=environment.inheritable(self._environ),
            log_dir=logs.directory,
            file_mode=logs.file_mode,
            folder_mode=logs.directory_mode,
            log_owner=owner,
            open_files=self._open_files,
            oom_score_adj=ordinary_oom_score(),
            notify_socket=self.notify_socket,
        )

    @property
    def socket(self) -> str:
        """The file on which pmond answers."""
        queue = self.settings.message_queue
        return socket_path(queue.directory.shmem, queue.name_suffix, self.places.runtime)

    @property
    def notify_socket(self) -> str:
        """Where programs say of themselves that they are ready: beside the other one."""
        return f"{self.socket.removesuffix('.sock')}.notify"

    def log_level(self) -> Level:
        return log_level(self.settings, self._environ)

    def read_again(self, announce: Announce) -> bool:
        """Take over what the file says now; False when it cannot be used, and then nothing changed."""
        path = self.places.config_file
        try:
            settings, diagnostics = load_settings(path, self._environ, self.places)
        except OSError as error:
            self._journal.warn("config.unreadable", path=path, error=str(error))
            return False
        for found in diagnostics:
            self._journal.warn("config.diagnostic", message=_with_place(found))
        errors = [found for found in diagnostics if found.is_error]
        if errors:
            self._reject(_with_place(errors[0]), announce)
            return False
        return self._take_over(settings, announce)

    def _take_over(self, settings: Settings, announce: Announce) -> bool:
        before = self.settings
        self.settings, waiting = live_part(before, settings)
        try:
            self._context = self._new_context()
        except (PmonError, OSError) as error:
            self.settings = before
            self._reject(str(error), announce)
            return False
        self._authority = self._decide_access()
        if waiting:
            self._journal.warn("config.needs_restart", settings=waiting)
            announce("ConfigNeedsRestart", f"{', '.join(waiting)} changed; that needs a restart of pmond")
        return True

    def _reject(self, why: str, announce: Announce) -> None:
        self._journal.warn("config.rejected", path=self.places.config_file, error=why)
        announce("ConfigRejected", why)


def ordinary_oom_score(file: str = "/proc/self/oom_score_adj") -> int | None:
    """What children get back where pmond itself is protected from the OOM killer; else None."""
    try:
        own = int(Path(file).read_text("ascii"))
    except (OSError, ValueError):
        return None
    return 0 if own < 0 else None


def _with_place(found: Diagnostic) -> str:
    return f"{found.file}:{found.line}:{found.column}: {found.message}"
