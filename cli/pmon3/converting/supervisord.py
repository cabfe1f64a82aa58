"""A supervisord.conf: `[program:x]` and `[group:x]` sections."""

from __future__ import annotations

import configparser
import re
import shlex
from collections.abc import Mapping
from typing import Any

from pmon3.converting import CannotConvert, Converted, entry, unknown

_YES = {"true", "yes", "on", "1"}
_NO = {"false", "no", "off", "0"}
_RESTART = {"unexpected": "on-failure", **dict.fromkeys(_YES, "always"), **dict.fromkeys(_NO, "never")}
_BY_DEFAULT_HERE = {"redirect_stderr", "stdout_logfile", "stderr_logfile"}
_KNOWN = _BY_DEFAULT_HERE | {
    "command", "process_name", "numprocs", "numprocs_start", "autostart", "autorestart", "exitcodes",
    "stopsignal", "stopwaitsecs", "stopasgroup", "killasgroup", "user", "stdout_logfile_maxbytes",
    "stdout_logfile_backups", "environment", "directory", "umask",
}  # fmt: skip
_WHY = {
    "priority": "the order of starts follows from `dependencies`",
    "startsecs": "a process counts as running at once",
    "startretries": "see `restart.max_failures` and `restart.window`",
    "stderr_logfile_maxbytes": "`log_rotate` is for both logs",
    "stderr_logfile_backups": "`log_rotate` is for both logs",
}
_OWN_SECTIONS = {"supervisord", "supervisorctl", "unix_http_server", "inet_http_server", "rpcinterface"}


def convert(text: str) -> Converted:
    """The processes of a supervisord.conf. Raises CannotConvert."""
    parser = configparser.RawConfigParser(strict=False, inline_comment_prefixes=(";",))
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise CannotConvert(" ".join(str(error).split())) from error
    processes: list[dict[str, Any]] = []
    losses: list[str] = []
    groups = {
        program.strip(): section.partition(":")[2]
        for section in parser.sections()
        if section.startswith("group:")
        for program in parser[section].get("programs", "").split(",")
    }
    for section in parser.sections():
        kind, _, name = section.partition(":")
        if kind == "program":
            processes += _copies(name, parser[section], groups.get(name, ""), losses)
        elif kind not in _OWN_SECTIONS | {"group"}:
            losses.append(f"[{section}] is left out: there is no counterpart")
    return Converted({"processes": processes}, losses)


def _copies(name: str, section: Mapping[str, str], group: str, losses: list[str]) -> list[dict[str, Any]]:
    losses += unknown(name, section, _KNOWN, _WHY)
    first, count = int(section.get("numprocs_start", 0)), int(section.get("numprocs", 1))
    pattern = section.get("process_name", "%(program_name)s")
    return [_one(name, pattern, number, section, group, losses) for number in range(first, first + count)]


def _one(
    program: str, pattern: str, number: int, section: Mapping[str, str], group: str, losses: list[str]
) -> dict[str, Any]:
    known = {"program_name": program, "process_num": number, "group_name": group or program, "here": "."}

    def expanded(text: str) -> str:
        try:
            return text % known
        except (KeyError, ValueError, TypeError):
            losses.append(f"{program}: `{text}` is kept as it is: it refers to what only supervisord knows")
            return text

    words = shlex.split(expanded(section.get("command", "")))
    log, errors = section.get("stdout_logfile", "AUTO"), section.get("stderr_logfile", "AUTO")
    rotated = section.get("stdout_logfile_maxbytes", "")
    merged = section.get("redirect_stderr", "false").lower() in _YES
    as_group = section.get("stopasgroup", section.get("killasgroup", "true")).lower() in _YES
    return entry(
        {
            "name": expanded(pattern),
            "file": words[0] if words else "",
            "args": words[1:],
            "env_vars": _environment(expanded(section.get("environment", ""))),
            "cwd": expanded(section.get("directory", "")),
            "user": section.get("user", ""),
            "umask": section.get("umask", ""),
            "autostart": None if section.get("autostart", "true").lower() in _YES else False,
            "groups": [group] if group else [],
            "log": _log(expanded(log)),
            "stderr_log": "" if merged else _log(expanded(errors)),
            "log_rotate": {
                "size": "" if rotated in ("", "0") else rotated,
                "keep": int(section.get("stdout_logfile_backups", 10)) or None if rotated else None,
            },
            "restart": {
                "policy": _RESTART.get(section.get("autorestart", "unexpected").lower(), "always"),
                "success_exit_codes": [int(code) for code in section.get("exitcodes", "0").split(",")],
            },
            "stop": {
                "signal": section.get("stopsignal", ""),
                "timeout": f"{section['stopwaitsecs']}s" if "stopwaitsecs" in section else "",
                "kill_group": None if as_group else False,
            },
        }
    )


def _log(name: str) -> str:
    return {"AUTO": "", "NONE": "/dev/null"}.get(name.upper(), name)


def _environment(text: str) -> dict[str, str]:
    pairs = re.findall(r"""([A-Za-z_]\w*)\s*=\s*("[^"]*"|'[^']*'|[^,]*)""", text)
    return {key: value.strip().strip("\"'") for key, value in pairs}
