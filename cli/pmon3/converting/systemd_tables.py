"""Keys of units of systemd: which field each becomes, and why the others do not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pmon3.converting import values
from pmon3.converting.drafts import Table
from pmon3.converting.settings import Left, NotCarried
from pmon3.converting.unit_values import ENDLESS, duration, size, span

TRUTH = values.truth()
USUAL_STOP, USUAL_START, USUAL_DELAY = "90s", "90s", "100ms"
USUAL_BURST, USUAL_WINDOW = 5, "10s"
"""What systemd takes where a unit does not say."""
TARGETS = frozenset(
    {"multi-user.target", "graphical.target", "default.target", "basic.target", "timers.target"}
)
"""What is reached at every start of a machine, as pmond is."""
LISTS = frozenset({
    "ExecStart", "ExecStartPre", "ExecStartPost", "ExecStop", "ExecStopPost", "ExecReload", "ExecCondition",
    "Environment", "EnvironmentFile", "PassEnvironment", "UnsetEnvironment", "After", "Before", "Requires",
    "Wants",
    "BindsTo", "PartOf", "Requisite", "Upholds", "Conflicts", "WantedBy", "RequiredBy", "Also", "Alias",
    "OnCalendar",
    "OnBootSec", "OnActiveSec", "OnStartupSec", "OnUnitActiveSec", "OnUnitInactiveSec", "SuccessExitStatus",
    "RestartPreventExitStatus", "RestartForceExitStatus", "ReadOnlyPaths", "ReadWritePaths",
    "InaccessiblePaths",
    "CapabilityBoundingSet", "AmbientCapabilities", "SupplementaryGroups", "Documentation", "LoadCredential",
    "SystemCallFilter", "RuntimeDirectory", "StateDirectory", "LogsDirectory", "CacheDirectory",
    "DeviceAllow",
    "BindPaths", "BindReadOnlyPaths", "RestrictAddressFamilies", "IPAddressAllow", "IPAddressDeny",
})  # fmt: skip
"""Keys that may be given several times and then say more."""


def _resource_size(value: Any) -> int:
    if str(value).strip() == "infinity":
        raise NotCarried("no limit is what is without it", "leave it out")
    return size(value)


def _cores(value: Any) -> float:
    share = str(value).strip()
    if not share.endswith("%"):
        raise NotCarried(f"{share!r} is no share of a processor", "write 50%")
    return values.number(share[:-1]) / 100


def _weight(value: Any) -> int:
    return values.whole(value, 1, 10_000)


def _tasks(value: Any) -> int:
    if str(value).strip() == "infinity":
        raise NotCarried("no limit is what is without it", "leave it out")
    return values.whole(value, 1)


def _limit(reader: Any) -> Any:
    def read(value: Any) -> Any:
        soft, colon, hard = str(value).partition(":")
        if soft.strip() == "infinity":
            raise NotCarried("without end cannot be said here", "leave it out, or write a number")
        if colon and hard.strip() != soft.strip():
            raise NotCarried(
                "one number is the soft and the hard limit here", f"write one of {soft} and {hard}"
            )
        return reader(soft)

    return read


def _cpu_seconds(value: Any) -> int:
    seconds = span(value)
    if seconds == ENDLESS:
        raise NotCarried("without end cannot be said here", "leave it out, or write a number")
    return int(-(-seconds // 1))


def _network(value: Any) -> str | None:
    return "none" if TRUTH(value) else None


TABLE: Table = {
    "UMask": ("umask", values.octal),
    "Nice": ("priority", lambda value: values.whole(value, -20, 19)),
    "KillSignal": ("stop.signal", values.signal_word),
    "LimitNOFILE": ("limits.nofile", _limit(lambda value: values.whole(value, 0))),
    "LimitNPROC": ("limits.nproc", _limit(lambda value: values.whole(value, 0))),
    "LimitCORE": ("limits.core", _limit(size)),
    "LimitAS": ("limits.memory", _limit(size)),
    "LimitCPU": ("limits.cpu_seconds", _limit(_cpu_seconds)),
    "MemoryMax": ("resources.memory_max", _resource_size),
    "MemoryLimit": ("resources.memory_max", _resource_size),
    "MemoryHigh": ("resources.memory_high", _resource_size),
    "CPUQuota": ("resources.cpu", _cores),
    "CPUWeight": ("resources.cpu_weight", _weight),
    "TasksMax": ("resources.tasks_max", _tasks),
    "IOWeight": ("resources.io_weight", _weight),
    "RuntimeMaxSec": ("max_runtime", duration),
    "NoNewPrivileges": ("sandbox.no_new_privileges", values.unless(False, TRUTH)),
    "PrivateTmp": ("sandbox.private_tmp", values.unless(False, TRUTH)),
    "PrivateNetwork": ("sandbox.network", _network),
}
"""Keys of `[Service]` that are one field each."""

_ISOLATION = Left("nothing isolates the process as this did", "see `sandbox`")
_FOLDER = Left("folders are not made for a process", "create it with the program's package or tmpfiles.d")
_SYSLOG = Left("what a process writes goes to a log file of its own", "`pmon3 log` shows it")
_CONDITION = Left("a start has no conditions", "check it in the program, or leave the process out")
_INSTALL = Left("a process has one name, and nothing else is enabled with it")
_SCHEDULING = Left("only the nice value is set", "see `priority`")

WHY: Mapping[str, Left] = {
    **dict.fromkeys(
        (
            "ProtectKernelTunables",
            "ProtectKernelModules",
            "ProtectKernelLogs",
            "ProtectControlGroups",
            "ProtectClock",
            "ProtectHostname",
            "ProtectProc",
            "ProcSubset",
            "PrivateDevices",
            "PrivateUsers",
            "PrivateMounts",
            "PrivateIPC",
            "DynamicUser",
            "RestrictNamespaces",
            "RestrictRealtime",
            "RestrictSUIDSGID",
            "RestrictAddressFamilies",
            "RestrictFileSystems",
            "LockPersonality",
            "MemoryDenyWriteExecute",
            "SystemCallFilter",
            "SystemCallErrorNumber",
            "SystemCallArchitectures",
            "SecureBits",
            "RemoveIPC",
            "RootDirectory",
            "RootImage",
            "BindPaths",
            "NoExecPaths",
            "ExecPaths",
            "BindReadOnlyPaths",
            "TemporaryFileSystem",
            "DevicePolicy",
            "DeviceAllow",
            "IPAddressAllow",
            "IPAddressDeny",
            "KeyringMode",
            "MountFlags",
            "NetworkNamespacePath",
            "UMaskProtect",
            "SocketBindDeny",
            "SocketBindAllow",
            "ReadOnlyDirectories",
            "ReadWriteDirectories",
            "InaccessibleDirectories",
        ),
        _ISOLATION,
    ),
    **dict.fromkeys(
        (
            "RuntimeDirectory",
            "StateDirectory",
            "LogsDirectory",
            "CacheDirectory",
            "ConfigurationDirectory",
            "RuntimeDirectoryMode",
            "StateDirectoryMode",
            "LogsDirectoryMode",
            "CacheDirectoryMode",
            "RuntimeDirectoryPreserve",
            "ConfigurationDirectoryMode",
        ),
        _FOLDER,
    ),
    **dict.fromkeys(
        ("SyslogIdentifier", "SyslogFacility", "SyslogLevel", "SyslogLevelPrefix", "LogLevelMax"), _SYSLOG
    ),
    **dict.fromkeys(("LogRateLimitIntervalSec", "LogRateLimitBurst", "LogExtraFields"), _SYSLOG),
    **dict.fromkeys(("Alias", "Also", "RequiredBy", "UpheldBy"), _INSTALL),
    **dict.fromkeys(
        (
            "CPUSchedulingPolicy",
            "CPUSchedulingPriority",
            "CPUSchedulingResetOnFork",
            "CPUAffinity",
            "NUMAPolicy",
            "IOSchedulingClass",
            "IOSchedulingPriority",
            "OOMScoreAdjust",
            "OOMPolicy",
            "CPUShares",
            "BlockIOWeight",
        ),
        _SCHEDULING,
    ),
    "ExecCondition": _CONDITION,
    "RestartForceExitStatus": Left("no exit code forces a restart", "see `restart.policy`"),
    "PIDFile": Left("pmond knows the program that it started", "keep it in the foreground"),
    "BusName": Left("names on D-Bus are not looked at", "see `ready`"),
    "NotifyAccess": Left("whatever belongs to the process may notify"),
    "SupplementaryGroups": Left("the groups are those of `user`", "add the user to the group"),
    "PassEnvironment": Left("what systemd itself was given is not known", "write it into `env_vars`"),
    "UnsetEnvironment": Left("nothing is inherited that could be taken away", "leave the variable out"),
    "FinalKillSignal": Left("what does not end is ended with SIGKILL"),
    "SendSIGKILL": Left("what does not end is ended with SIGKILL"),
    "SendSIGHUP": Left("one signal asks a process to end", "see `stop.signal`"),
    "TimeoutAbortSec": Left("one time limit holds for every stop", "see `stop.timeout`"),
    "WatchdogSignal": Left("a process that does not live any more is stopped like any other"),
    "RestartKillSignal": Left("one signal asks a process to end", "see `stop.signal`"),
    "TTYPath": Left("standard input is /dev/null"),
    "Sockets": Left("sockets are not handed to programs", "let the program open it"),
    "FileDescriptorStoreMax": Left("descriptors are not kept for programs"),
    "LoadCredential": Left(
        "credentials are not handed over", "see `env_file`, or let the program read the file"
    ),
    "SetCredential": Left("credentials are not handed over", "see `env_file`"),
    "Delegate": Left("control groups are pmond's own"),
    "Slice": Left("control groups are pmond's own", "see `resources`"),
    "OnFailure": Left("no other process is started by a failure", "see the event handlers of config.yml"),
    "OnSuccess": Left("no other process is started by an end", "see the event handlers of config.yml"),
    "Conflicts": Left("processes do not exclude each other"),
    "Upholds": Left("every process is kept running for itself"),
    "RequiresMountsFor": Left("mounts are not waited for", "start pmond after them"),
    "DefaultDependencies": Left("there are no dependencies but those that are declared"),
    "JoinsNamespaceOf": _ISOLATION,
    "FailureAction": Left("the machine is left alone"),
    "SuccessAction": Left("the machine is left alone"),
    "StartLimitAction": Left("the machine is left alone"),
    "WakeSystem": Left("the machine is left alone"),
    "AccuracySec": Left("a schedule is kept to the second"),
    "DefaultInstance": Left("an instance has been named"),
    "FixedRandomDelay": Left("see `schedule.jitter`"),
}


def why(key: str) -> Left | None:
    """Why a key is not carried, where it is one of a family."""
    if key.startswith(("Condition", "Assert")):
        return _CONDITION
    if key.startswith("X-"):
        return Left("it is for another program")
    return None
