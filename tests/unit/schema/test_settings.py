"""config.yml: defaults, ranges, inheritance, overrides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pmon3_schema.paths import own_places
from pmon3_schema.revision import changes
from pmon3_schema.settings import Settings, load, parse
from pmon3_schema.settings_reading import variable_names

SEED_VARIABLES = [
    ("LOGLEVEL", "debug", "log_level", "debug"),
    ("HANDLEINTERRUPTS", "F", "handle_interrupts", False),
    ("DISABLERELOADS", "yes", "disable_reloads", True),
    ("PROCESSMONITORINTERVAL", "250", "process_monitor_interval", 250),
    ("INITIALIZATIONPERIOD", "7", "initialization_period", 7),
    ("PROCESSCONFIGFILE", "/p.yaml", "process_config_file", "/p.yaml"),
    ("WAIT_CMDEXECRESPONSE", "1", "wait.cmd_exec_response", 1),
    ("WAIT_IPCCONNECTION", "2", "wait.ipc_connection", 2),
    ("WAIT_DEPENDENTPROCESSENQUEUED", "3", "wait.dependent_process_enqueued", 3),
    *(
        (f"{section}_{key}", value, f"{path}.{field}", expected)
        for section, path in [
            ("PERMISSIONS", "permissions"),
            ("LOGS", "logs"),
            ("DATA", "data"),
            ("MESSAGEQUEUE", "message_queue"),
        ]
        for key, value, field, expected in [
            ("USER", "ana", "user", "ana"),
            ("GROUP", "adm", "group", "adm"),
            ("DIRECTORYMODE", "0711", "directory_mode", 0o711),
            ("FILEMODE", "640", "file_mode", 0o640),
        ]
    ),
    ("LOGS_DIRECTORY", "/l", "logs.directory", "/l"),
    ("DATA_DIRECTORY", "/d", "data.directory", "/d"),
    ("MESSAGEQUEUE_DIRECTORY", "/q", "message_queue.directory.shmem", "/q"),
    ("MESSAGEQUEUE_DIRECTORY_SHMEM", "/s", "message_queue.directory.shmem", "/s"),
    ("MESSAGEQUEUE_DIRECTORY_POSIXMQ", "/m", "message_queue.directory.posix_mq", "/m"),
    ("MESSAGEQUEUE_NAMESUFFIX", "x", "message_queue.name_suffix", "x"),
    ("EVENTHANDLER_PROCESSRESTART", "/e 'a b'", "event_handling.process_restart", (("/e", "a b"),)),
    ("EVENTHANDLING_PROCESSRESTART", "/e", "event_handling.process_restart", (("/e",),)),
    ("EVENTHANDLER_PROCESSFAILURE", "/f", "event_handling.process_failure", (("/f",),)),
    ("EVENTHANDLER_PROCESSBACKOFF", "/b", "event_handling.process_backoff", (("/b",),)),
    ("FLAPDETECTION_ISENABLED", "true", "flap_detection.is_enabled", True),
    ("FLAPDETECTION_THRESHOLDRESTARTED", "9", "flap_detection.threshold_restarted", 9),
    ("FLAPDETECTION_THRESHOLDCOUNTDOWN", "8", "flap_detection.threshold_countdown", 8),
    ("FLAPDETECTION_THRESHOLDDECREMENT", "0", "flap_detection.threshold_decrement", 0),
]


def of(text: str, **environ: str) -> tuple[Settings, list[str]]:
    settings, found = parse(text.encode(), "/etc/pmon3/config/config.yml", environ)
    return settings, [f"{d.line}:{d.column}:{d.severity.value}:{d.code}" for d in found]


def at(settings: Settings, path: str) -> Any:
    value: Any = settings
    for part in path.split("."):
        value = getattr(value, part)
    return value


def test_no_file_means_the_documented_defaults() -> None:
    settings, found = load("/nonexistent/config.yml", {})
    assert found == ()
    documented = {
        "log_level": "info", "handle_interrupts": True, "disable_reloads": False,
        "process_monitor_interval": 500, "initialization_period": 30, "reload_policy": "defer",
        "process_config_file": "/etc/pmon3/config/process.config.json",
        "wait.cmd_exec_response": 1500, "wait.ipc_connection": 0, "wait.dependent_process_enqueued": 1000,
        "permissions.user": "", "permissions.group": "",
        "permissions.directory_mode": 0o770, "permissions.file_mode": 0o660,
        "logs.directory": "/var/log/pmond", "logs.directory_mode": 0o775, "logs.file_mode": 0o660,
        "data.directory": "/etc/pmon3/data", "data.directory_mode": 0o770, "data.file_mode": 0o600,
        "message_queue.directory.shmem": "/dev/shm/", "message_queue.directory.posix_mq": "/dev/mqueue/",
        "message_queue.name_suffix": "",
        "message_queue.directory_mode": 0o775, "message_queue.file_mode": 0o666,
        "event_handling.process_restart": (), "event_handling.process_failure": (),
        "event_handling.process_backoff": (), "flap_detection.is_enabled": False,
        "flap_detection.threshold_restarted": 5, "flap_detection.threshold_countdown": 120,
        "flap_detection.threshold_decrement": 60,
    }  # fmt: skip
    assert {path: at(settings, path) for path in documented} == documented


@pytest.mark.parametrize(("name", "value", "path", "expected"), SEED_VARIABLES)
@pytest.mark.parametrize("prefix", ["CONFIGOR_", "PMON3_"])
def test_every_override(prefix: str, name: str, value: str, path: str, expected: object) -> None:
    settings, found = of("", **{prefix + name: value})
    assert found == []
    assert at(settings, path) == expected
    changed = changes(of("")[0], settings)
    inherits = path.startswith("permissions.")
    shared = {"/data/file_mode"} if path == "data.user" else set()
    expected_paths = {"/" + path.replace(".", "/"), *shared}
    assert inherits or {change.path.rstrip("/01") for change in changed} == expected_paths


def test_every_setting_has_a_variable() -> None:
    from pmon3_schema.settings_reading import settings_in

    derived = {name for path, _ in settings_in(Settings) for name in variable_names(path)}
    assert {"CONFIGOR_" + name for name, *_ in SEED_VARIABLES} <= derived
    assert derived - {p + n for p in ("CONFIGOR_", "PMON3_") for n, *_ in SEED_VARIABLES} == {
        f"{prefix}_{name}"
        for prefix in ("CONFIGOR", "PMON3")
        for name in (
            "RELOADPOLICY",
            "EVENTHANDLING_PROCESSFAILURE",
            "EVENTHANDLING_PROCESSBACKOFF",
            "EVENTHANDLER_TIMEOUT",
            "EVENTHANDLING_TIMEOUT",
            "EVENTHANDLER_PROCESSREADY",
            "EVENTHANDLING_PROCESSREADY",
            "EVENTHANDLER_PROCESSUNHEALTHY",
            "EVENTHANDLING_PROCESSUNHEALTHY",
            "WAIT_MINREADY",
            "PROBES_PARALLEL",
            "ACCESS_OPEN",
            "ACCESS_VIEWERS",
            "ACCESS_OPERATORS",
            "ACCESS_ADMINISTRATORS",
            "ACCESS_RUNAS",
            "ACCESS_QUOTA_PROCESSES",
            "ACCESS_QUOTA_BYTES",
            "ACCESS_QUOTA_PROBES",
            "ACCESS_QUOTA_REQUESTS",
        )
    }


def test_the_environment_beats_the_file_and_empty_variables_do_not_count() -> None:
    text = "log_level: warn\nwait: {ipc_connection: 5}"
    settings, _ = of(
        text, CONFIGOR_LOGLEVEL="error", PMON3_WAIT_IPCCONNECTION="6", CONFIGOR_WAIT_IPCCONNECTION="7"
    )
    assert (settings.log_level, settings.wait.ipc_connection) == ("error", 6)
    assert of(text, CONFIGOR_LOGLEVEL="")[0].log_level == "warn"


@pytest.mark.parametrize(
    ("debug", "level"),
    [("true", "debug"), ("debug", "debug"), ("warn", "warn"), ("what", "info"), ("", "error")],
)
def test_pmon3_debug_beats_everything(debug: str, level: str) -> None:
    assert of("log_level: error", PMON3_DEBUG=debug)[0].log_level == level


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("log_level", "loud", "info"),
        ("process_monitor_interval", "0", 500),
        ("initialization_period", "4", 30),
        ("wait.cmd_exec_response", "10001", 1500),
        ("wait.ipc_connection", "5001", 200),
        ("wait.dependent_process_enqueued", "-1", 1000),
        ("permissions.file_mode", "9", 0o660),
        ("logs.directory_mode", "rwx", 0o775),
        ("flap_detection.threshold_restarted", "0", 5),
    ],
)
def test_out_of_range_warns_and_falls_back(path: str, value: str, expected: object) -> None:
    *sections, key = path.split(".")
    text = "".join(f"{'  ' * i}{section}:\n" for i, section in enumerate(sections))
    text += f"{'  ' * len(sections)}{key}: {value}\n"
    settings, found = of(text)
    assert at(settings, path) == expected
    line, column = len(sections) + 1, 2 * len(sections) + len(key) + 3
    assert found == [f"{line}:{column}:warning:PM042"]


def test_sections_inherit_from_permissions() -> None:
    settings, _ = of(
        "permissions: {user: ana, group: adm, directory_mode: 0750}\nlogs: {user: bo, file_mode: }"
    )
    assert (settings.logs.user, settings.logs.group) == ("bo", "adm")
    assert (settings.logs.directory_mode, settings.logs.file_mode) == (0o750, 0o660)
    assert (settings.data.user, settings.data.directory_mode, settings.data.file_mode) == (
        "ana",
        0o750,
        0o660,
    )
    assert settings.message_queue.file_mode == 0o666
    assert of("message_queue: {file_mode: }")[0].message_queue.file_mode == 0o660


def test_mistakes_have_places_and_the_rest_stands() -> None:
    text = "wait:\n  ipc_conection: 1\nflap_detection: {is_enabled: maybe}\nlog_level: warn\n"
    settings, found = of(text)
    assert found == ["2:3:warning:PM014", "3:30:error:PM010"]
    assert settings.log_level == "warn"
    assert of("a: [", PMON3_LOGLEVEL="warn")[1] == ["1:5:error:PM001"]
    assert of("- a")[1] == ["1:1:error:PM010"]
    assert of("log_level: a\nlog_level: b")[1][1] == "2:1:error:PM002"


def test_a_mistake_in_a_variable_names_the_variable() -> None:
    _, found = parse(b"", "/c.yml", {"CONFIGOR_WAIT_IPCCONNECTION": "soon"})
    assert found[0].file == "$CONFIGOR_WAIT_IPCCONNECTION"


def test_event_handlers_are_a_command_or_a_list_of_commands() -> None:
    text = 'event_handling: {process_restart: "/e \'a b\'", process_failure: ["/f x", [/g, "y z"]]}'
    settings, found = of(text)
    assert found == []
    assert settings.event_handling.process_restart == (("/e", "a b"),)
    assert settings.event_handling.process_failure == (("/f", "x"), ("/g", "y z"))
    assert of('event_handling: {process_restart: "/e \'a"}')[1] == ["1:35:error:PM012"]


def test_places_of_a_user_and_relative_paths() -> None:
    places = own_places({"HOME": "/home/ana"}, 1000)
    settings, _ = parse(b"process_config_file: p.d", "/home/ana/c/config.yml", {}, places)
    assert settings.process_config_file == "/home/ana/c/p.d"
    assert settings.logs.directory == "/home/ana/.local/state/pmon3/logs"
    assert of("", PMON3_PROCESS_CONF="/x.json")[0].process_config_file == "/x.json"
    assert of("process_config_file: /y", PMON3_PROCESS_CONF="/x")[0].process_config_file == "/y"


def test_an_unreadable_file_is_an_error_to_the_caller(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        load(str(tmp_path), {})


@pytest.mark.parametrize("text", ["/e >> /log", "$HOME/e", "a && b", "LANG=C /e", "~/e"])
def test_a_handler_that_only_a_shell_can_run_gets_one_and_the_json_as_its_argument(text: str) -> None:
    settings, found = parse(b"", "/c.yml", {"CONFIGOR_EVENTHANDLER_PROCESSRESTART": text})
    assert found == ()
    assert settings.event_handling.process_restart == (("/bin/bash", "-c", f'{text} "$@"', "pmon3"),)


@pytest.mark.parametrize(
    ("text", "place"),
    [("log_level: [1]", "1:12"), ("log_level: {a: 1}", "1:12"), ("reload_policy: [restart]", "1:16")],
)
def test_what_no_word_can_be_read_from_is_an_error(text: str, place: str) -> None:
    """`log_level: [1]` was a warning, and `pmond --check` said that the file is valid."""
    (found,) = of(text)[1]
    assert found.startswith(f"{place}:error:PM010")
