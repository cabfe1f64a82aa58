"""Ecosystem files of pm2 (JavaScript, JSON as people write it, YAML) and its dump of what runs.

Theory of operation: what pm2 does to an app before it starts it is done here too: other names of keys, the
interpreter by the ending of the script, arguments taken apart, a script with spaces handed to bash. Each
`env_NAME` becomes a profile.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Any

from pmon3.converting.data_files import DataFile, read_data
from pmon3.converting.drafts import Draft
from pmon3.converting.javascript import read_javascript
from pmon3.converting.pm2_apps import Pm2App
from pmon3.converting.settings import Books, CannotConvert, Left, Section, Setting
from pmon3.converting.sources import InputFiles, text

ALIASES = {
    "exec": "script", "cmd": "script", "command": "script", "exec_interpreter": "interpreter",
    "interpreter_args": "node_args", "interpreterArgs": "node_args", "out": "out_file", "output": "out_file",
    "out_log": "out_file", "error": "error_file", "err": "error_file", "err_file": "error_file",
    "err_log": "error_file",
    "uid": "user", "cron": "cron_restart", "log": "log_file", "combine_logs": "merge_logs", "pid": "pid_file",
}  # fmt: skip
_OF_DUMP = {
    "pm_exec_path": "script", "pm_cwd": "cwd", "pm_out_log_path": "out_file", "pm_err_log_path": "error_file",
    "pm_log_path": "log_file", "pm_pid_path": "pid_file",
}  # fmt: skip
_TOP = {
    "deploy": Left("nothing is deployed to other machines", "see the how-to on GitOps"),
    "module_conf": Left("there are no modules of pm2"),
}
_MEANING = (
    "NODE_APP_INSTANCE is set where there are several copies; pm_id, PM2_HOME and others of pm2 are not",
    "a program that ends by itself `max_failures` times within `restart.window` is given up, whenever that"
    " is; pm2 counts short runs alone, and only in the first moments of an app",
    "logs have the names of pmond (`pmon3 log NAME`), not those below ~/.pm2/logs",
)


def convert(path: str, content: bytes, sources: InputFiles, books: Books) -> list[Draft]:
    """The processes of an ecosystem file or a dump. Raises CannotConvert."""
    data = _data(path, text(content))
    drafts: list[Draft] = []
    for app in _apps(data, books):
        drafts += Pm2App(app, path, sources, books).drafts()
    for difference in _MEANING:
        books.differs("pm2", difference)
    return drafts


def _data(path: str, written: str) -> DataFile:
    ending = posixpath.splitext(path)[1]
    if ending in (".js", ".cjs", ".mjs", ".ts") or re.search(
        r"^\s*(module\.exports|export default)\b", written, re.M
    ):
        return read_javascript(written, path)
    if ending in (".yaml", ".yml"):
        return read_data(written, path)
    from pmon3.converting.relaxed_json import RelaxedReader

    reader = RelaxedReader(written)
    try:
        return DataFile(path, reader.read(), reader.lines)
    except CannotConvert:
        if written.lstrip()[:1] in ("{", "["):
            raise
        return read_data(written, path)


def _apps(data: DataFile, books: Books) -> Iterator[Section]:
    """Every app with its keys in one spelling. Raises CannotConvert where there are none."""
    found = data.data
    at: tuple[Any, ...] = ()
    if isinstance(found, dict) and "apps" in found:
        whole = data.section((), books)
        whole.take("apps")
        whole.close(_TOP)
        found, at = found["apps"], ("apps",)
    apps = found if isinstance(found, list) else [found]
    if not apps or not all(isinstance(app, dict) for app in apps):
        raise CannotConvert("it has no list `apps`")
    for index, app in enumerate(apps):
        path = (*at, index) if isinstance(found, list) else at
        is_dump = "pm_exec_path" in app
        place = data.place(path or ("apps", index))
        settings = data.settings(path, app) if path else data.settings(("apps", index), app)
        renamed = _renamed(settings, is_dump)
        yield Section(str(app.get("name") or f"apps[{index}]"), place, renamed, books)


def _renamed(settings: Iterator[Setting], is_dump: bool) -> Iterator[Setting]:
    kept = dict(ALIASES)
    for setting in settings:
        key = setting.key
        if is_dump:
            if key in _OF_DUMP:
                yield Setting(_OF_DUMP[key], setting.value, setting.place)
                continue
            if key in _STATE or key == "env":
                if key == "env":
                    yield Setting("env", _own_variables(setting.value), setting.place)
                continue
        yield Setting(kept.get(key, key), setting.value, setting.place)


_STATE = frozenset({
    "pm_id", "status", "pm_uptime", "created_at", "restart_time", "unstable_restarts", "axm_actions",
    "axm_dynamic",
    "axm_monitor", "axm_options", "versioning", "vizion_running", "vizion_runing", "version",
    "node_version", "unique_id", "exit_code",
    "prev_restart_delay", "km_link", "pmx_module", "NODE_APP_INSTANCE", "monit", "pid", "command", "username",
})  # fmt: skip
"""What a dump says about the run, not about the app."""
_SHELL = frozenset({
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD", "OLDPWD", "SHLVL", "TERM", "LANG", "_", "MAIL",
    "HOSTNAME",
    "PM2_HOME", "PM2_USAGE", "PM2_JSON_PROCESSING", "PM2_INTERACTOR_PROCESSING", "unique_id", "SSH_CLIENT",
    "SSH_CONNECTION", "SSH_TTY", "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR", "XDG_SESSION_ID", "LS_COLORS", "DISPLAY",
    "COLORTERM", "TERM_PROGRAM", "NVM_DIR", "NVM_BIN", "NVM_INC", "NVM_CD_FLAGS", "DBUS_SESSION_BUS_ADDRESS",
})  # fmt: skip


def _own_variables(variables: Any) -> Any:
    """The variables of a dump without those of the shell that pm2 was started from, and of pm2 itself."""
    if not isinstance(variables, dict):
        return variables
    return {
        key: value
        for key, value in variables.items()
        if key not in _SHELL and not isinstance(value, dict | list) and not key.startswith(("npm_", "LC_"))
    }
