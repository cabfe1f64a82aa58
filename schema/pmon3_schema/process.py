"""`ProcessSpec`: everything that can be declared about one process.

A spec is a frozen value in its *normal form*: `args` a tuple, `env_vars` a mapping, durations
in seconds, paths absolute. `manifest` does the part that needs the place of the manifest
(relative files, defaults of the name); this module does the part that does not. Every field
declares its effect: what it costs to change it under a running process.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Annotated, Any, Literal, Self

from msgspec.structs import replace

from pmon3_schema.bounds import ResourcesSpec, SandboxSpec, is_temporary
from pmon3_schema.container import ContainerSpec
from pmon3_schema.effect import Effect
from pmon3_schema.field_types import (
    Duration,
    Environment,
    Flag,
    FromText,
    Mask,
    Names,
    OwnName,
    Part,
    Prune,
    Text,
    Texts,
    Whole,
    Words,
    check_variables,
)
from pmon3_schema.fields import field, mistake
from pmon3_schema.probes import LiveSpec, ReadySpec, parse_address
from pmon3_schema.process_parts import (
    Dependencies,
    Dependency,
    HooksSpec,
    LimitsSpec,
    LogRotateSpec,
    ReloadSpec,
    RestartSpec,
    RolloutSpec,
    StopSpec,
    WatchSpec,
)
from pmon3_schema.replica_text import filled
from pmon3_schema.scalars import MOST_REPLICAS
from pmon3_schema.schedule import ScheduleSpec

REPLICA_FIELDS = (
    "args", "env_vars", "cwd", "log", "stderr_log", "argv0", "ready", "live", "hooks", "description",
)  # fmt: skip
"""In these `${REPLICA}` stands for the number of a replica."""


class ProcessSpec(Part, frozen=True):
    """One declared process. Fields above `cwd` are those of the Go pmon3, unchanged."""

    file: Text = field(
        effect=Effect.RESTART, min_length=1, description="the program: a path, or a name on PATH"
    )
    name: OwnName = field("", effect=Effect.IN_PLACE, description="its name; the file's base name by default")
    args: Words = field(
        (), effect=Effect.RESTART, description="arguments: one string in shell quoting, or a list"
    )
    env_vars: Environment = field(
        {}, effect=Effect.RESTART, description="environment: 'K=V K2=V2' in shell quoting, or a map"
    )
    user: Text = field(
        "", effect=Effect.RESTART, description="the user it runs as; the submitting user by default"
    )
    log: Text = field("", effect=Effect.RESTART, description="log file; NAME.log in log_dir by default")
    log_dir: Text = field("", effect=Effect.RESTART, description="folder of the log file")
    no_auto_restart: Flag = field(
        False, effect=Effect.IN_PLACE, description="the same as restart.policy: never"
    )
    dependencies: Dependencies = field(
        (), effect=Effect.IN_PLACE, description="processes that must run before it starts"
    )
    groups: Names = field((), effect=Effect.NONE, description="groups that it belongs to")

    type: Annotated[Literal["service", "oneshot"], FromText] = field(
        "service",
        effect=Effect.IN_PLACE,
        description="a service runs for ever; a oneshot runs to its end, once, and is then completed",
    )
    schedule: ScheduleSpec = field(
        ScheduleSpec(),
        effect=Effect.IN_PLACE,
        description="when it runs: a one-shot that runs again and again",
    )
    max_runtime: Duration = field(
        0.0,
        effect=Effect.IN_PLACE,
        description="how long a run may take: a one-shot has failed then, a service is replaced; 0: any time",
    )
    hooks: HooksSpec = field(HooksSpec(), effect=Effect.IN_PLACE, description="commands around each run")
    replicas: Whole | None = field(
        None,
        effect=Effect.NONE,
        ge=0,
        le=MOST_REPLICAS,
        description="so many of it run, called NAME@0, NAME@1, …; left out: one, called NAME",
    )
    container: ContainerSpec = field(
        ContainerSpec(), effect=Effect.NONE, description="what a cluster needs to know; unused on one host"
    )
    rollout: RolloutSpec = field(
        RolloutSpec(), effect=Effect.NONE, description="how its replicas are replaced when it changes"
    )
    cwd: Text = field("", effect=Effect.RESTART, description="working folder; the file's folder by default")
    env_file: Texts = field(
        (), effect=Effect.RESTART, description="files of NAME=value lines, read at each start, later ones win"
    )
    env_inherit: Flag = field(
        True,
        effect=Effect.RESTART,
        description="start from pmond's environment; as another user from its PATH, LANG, LC_* and TZ",
    )
    argv0: Text = field("", effect=Effect.RESTART, description="the program's argv[0]; the file by default")
    umask: Mask = field(
        None, effect=Effect.RESTART, ge=0, le=0o777, description="file mode creation mask, octal text"
    )
    priority: Whole | None = field(None, effect=Effect.IN_PLACE, ge=-20, le=19, description="nice value")
    limits: LimitsSpec = field(LimitsSpec(), effect=Effect.RESTART, description="resource limits")
    resources: ResourcesSpec = field(
        ResourcesSpec(), effect=Effect.IN_PLACE, description="limits of the whole tree, by its control group"
    )
    sandbox: SandboxSpec = field(
        SandboxSpec(), effect=Effect.RESTART, description="what it can see, write and reach of the host"
    )
    log_rotate: LogRotateSpec = field(
        LogRotateSpec(), effect=Effect.IN_PLACE, description="rotation of the log without losing a line"
    )
    stderr_log: Text = field("", effect=Effect.RESTART, description="separate file for standard error")
    ready: ReadySpec = field(
        ReadySpec(), effect=Effect.IN_PLACE, description="how it is known that it is ready to serve"
    )
    live: LiveSpec = field(
        LiveSpec(), effect=Effect.IN_PLACE, description="how it is known that it still does its work"
    )
    autostart: Flag = field(True, effect=Effect.IN_PLACE, description="start it without being asked")
    restart: RestartSpec = field(
        RestartSpec(), effect=Effect.IN_PLACE, description="restart policy and delays"
    )
    stop: StopSpec = field(StopSpec(), effect=Effect.IN_PLACE, description="stop signal and time limit")
    exit_on_end: Flag = field(
        False,
        effect=Effect.IN_PLACE,
        description="the main program of a container: when it ends for good, pmond ends, with its exit code",
    )
    watch: WatchSpec = field(WatchSpec(), effect=Effect.IN_PLACE, description="files whose changes count")
    reload: ReloadSpec = field(
        ReloadSpec(), effect=Effect.IN_PLACE, description="how it is told of such a change"
    )
    on_change: Annotated[Literal["restart", "reload", "signal", "none"], FromText] = field(
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
    prune: Prune = field(
        True, effect=Effect.NONE, description="whether it may be deleted when it is no longer declared"
    )
    renamed_from: Text = field(
        "", effect=Effect.NONE, description="its earlier name: the running process is kept"
    )

    def check(self, given: Set[str]) -> None:
        check_variables(self.env_vars)
        if self.no_auto_restart and "restart.policy" in given and self.restart.policy != "never":
            raise mistake(
                "conflict", f"no_auto_restart and restart.policy {self.restart.policy!r} exclude each other"
            )
        if self.exit_on_end and not self._can_end_for_good:
            raise mistake(
                "endless", "exit_on_end and restart.policy 'always' exclude each other: it never ends"
            )
        if self.schedule.wanted and "type" in given and self.type == "service":
            raise mistake("oneshot", "schedule and type: service exclude each other: what is scheduled ends")
        if self.is_oneshot and "restart.policy" in given and self.restart.policy == "always":
            raise mistake(
                "oneshot", "a one-shot and restart.policy 'always' exclude each other: it runs to its end"
            )
        if self.on_change == "reload" and not self.reload.command:
            raise mistake(
                "reload", "on_change: reload needs reload.command (or write on_change: signal for SIGHUP)"
            )
        self._check_sandbox()
        self._check_replicas()

    def _check_sandbox(self) -> None:
        """What the program could never do in there."""
        for name in ("file", "cwd", "log", "log_dir", "stderr_log") if self.sandbox.private_tmp else ():
            if is_temporary(getattr(self, name)):
                raise mistake("sandbox", f"sandbox.private_tmp and a `{name}` in there exclude each other")
        for name in ("ready", "live") if self.sandbox.network == "none" else ():
            if getattr(self, name).uses_network:
                raise mistake(
                    "sandbox",
                    f"sandbox.network: none and `{name}.{getattr(self, name).kind}` exclude each other:"
                    " nobody outside reaches it",
                )

    def _check_replicas(self) -> None:
        """Its fields mean something for each of its replicas, the last one too."""
        if self.replicas is None:
            return
        if self.exit_on_end:
            raise mistake("replicas", "exit_on_end and replicas exclude each other: which one would it be?")
        if problem := last_replica_problem(self):
            raise mistake("replicas", problem)

    @property
    def _can_end_for_good(self) -> bool:
        restart = self.restart
        return self.policy != "always" or restart.max_failures > 0 or bool(restart.no_restart_exit_codes)

    @property
    def watched(self) -> WatchSpec:
        """What counts when it changes: `watch`, and with it `env_file` where `on_change` may restart it.

        A program that runs cannot be given another environment, so telling it of one is no use.
        """
        watch = self.watch
        if not watch.paths or not self.env_file or self.on_change in ("reload", "signal"):
            return watch
        files = [path for path in self.env_file if not watch.ignores(path)]
        return replace(watch, paths=tuple(dict.fromkeys((*watch.paths, *files))))

    @classmethod
    def from_record(cls, record: Any) -> Self:
        if isinstance(record, Mapping) and record.get("dependencies"):
            record = {**record, "dependencies": list(map(Dependency.from_plain, record["dependencies"]))}
        return super().from_record(record)

    @property
    def needs(self) -> tuple[str, ...]:
        """The names of the processes that it depends on."""
        return tuple(one.name for one in self.dependencies)

    @property
    def policy(self) -> str:
        """The restart policy in force: `no_auto_restart` is the seed's word for never.

        A one-shot is not restarted unless that is said, by `on-failure` or by a number of failures.
        """
        if self.no_auto_restart:
            return "never"
        if self.is_oneshot and self.restart.policy == "always":
            return "on-failure" if self.restart.max_failures else "never"
        return self.restart.policy

    @property
    def is_oneshot(self) -> bool:
        """Whether it runs to its end, instead of for ever."""
        return self.type == "oneshot" or self.schedule.wanted


def last_replica_problem(spec: ProcessSpec) -> str:
    """Why the fields of the last replica mean nothing; empty where they do."""
    for probe in (spec.ready, spec.live):
        last = filled(probe.tcp, max(0, (spec.replicas or 0) - 1))
        try:
            if last:
                parse_address(last)
        except ValueError as error:
            return f"of the last replica {error}"
    return ""
