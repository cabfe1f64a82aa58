"""Fields as other tools call them, and how the same is written here.

Theory of operation: the word is looked up as it is pronounced, without case, dashes and underscores. A
hint is given only where the field that it names is there, so it appears with the field.
"""

from __future__ import annotations

from collections.abc import Collection

_SAID: tuple[tuple[str, str, str], ...] = (
    ("file", "write the program as `file`, its arguments as `args`", "command cmd entrypoint execstart"),
    ("file", "write it as `file`", "script program executable path"),
    ("file", "write the interpreter as `file`, the script first in `args`",
     "interpreter interpreterargs nodeargs"),
    ("file", "it belongs to containers: processes are programs of this host",
     "image build ports volumes networks containername expose links"),
    ("env_vars", "write `env_vars`", "environment env environ setenv"),
    ("env_file", "write `env_file`", "environmentfile dotenv envfiles"),
    ("cwd", "write `cwd`", "directory workingdirectory workingdir workdir dir chdir"),
    ("dependencies", "write `dependencies`", "dependson requires after wants needs"),
    ("restart", "write `restart: {policy: always}`, or on-failure, or never",
     "autorestart restartpolicy availability respawn"),
    ("restart", "write `restart: {delay: 5s}`", "restartsec restartdelay backoffseconds restartinterval"),
    ("restart", "write `restart: {max_failures: 3}`", "startretries maxrestarts startlimitburst maxretry"),
    ("restart", "write `restart: {stable_after: 10s}`", "minuptime startsecs"),
    ("restart", "write `restart: {success_exit_codes: [0]}`", "exitcodes successexitstatus stopexitcodes"),
    ("stop", "write `stop: {signal: SIGINT}`", "stopsignal killsignal"),
    ("stop", "write `stop: {timeout: 10s}`",
     "stopwaitsecs timeoutstopsec killtimeout stopgraceperiod shutdowntimeout gracefultimeout"),
    ("stop", "write `stop: {signal, timeout, command}`", "shutdown execstop"),
    ("stop", "write `stop: {kill_group: true}`, which is the default", "killasgroup stopasgroup"),
    ("log", "write `log`", "stdoutlogfile outfile logfile loglocation standardoutput stdout"),
    ("stderr_log", "write `stderr_log`", "stderrlogfile errorfile errfile standarderror stderr"),
    ("stderr_log", "both go to `log`, unless `stderr_log` is set", "redirectstderr mergelogs combinelogs"),
    ("log_rotate", "write `log_rotate: {size: 10MiB, keep: 5}`",
     "stdoutlogfilemaxbytes stdoutlogfilebackups stderrlogfilemaxbytes stderrlogfilebackups logging"),
    ("autostart", "write `autostart: false`", "disabled isdisabled enabled enable"),
    ("priority", "write `priority`", "nice niceness"),
    ("user", "write `user`", "uid runas runasuser"),
    ("groups", "write `groups`", "namespace namespaces"),
    ("watch", "write `watch: {debounce: 1s}`", "watchdelay"),
    ("watch", "write `watch: {ignore: [...]}`", "ignorewatch watchignore"),
    ("reload", "write `reload: {command: ...}`, and on_change", "execreload"),
    ("limits", "write `limits: {nofile: 65536}`", "limitnofile ulimits rlimits rlimitnofile"),
    ("ready", "write `ready` and `live`", "healthcheck livenessprobe readinessprobe waitready health"),
    ("replicas", "write `replicas: 4`", "numprocs instances numprocesses scale execmode"),
    ("schedule", "write `schedule: {cron: ...}`", "cron cronrestart oncalendar onunitactivesec"),
    ("resources", "write `resources: {memory_max: 1GiB}`",
     "memorymax memlimit maxmemoryrestart cpus cpuquota deploy"),
    ("hooks", "write `hooks: {pre_start: [...]}`", "execstartpre prestart execstoppost poststop"),
)  # fmt: skip
"""The field that is meant, what is said, and the words of other tools for it."""

_HINTS = {word: (field, said) for field, said, words in _SAID for word in words.split()}


def hint(word: str, fields: Collection[str]) -> str:
    """How a field of another tool is written here, if by one of `fields`; empty where nothing is known."""
    field, said = _HINTS.get(word.replace("_", "").replace("-", "").lower(), ("", ""))
    return said if field in fields else ""


def known() -> dict[str, tuple[str, str]]:
    """Every word, with the field it is about and what is said."""
    return dict(_HINTS)
