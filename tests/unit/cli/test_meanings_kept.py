"""What public files of other tools meant and lost when they were converted: each finding once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pmon3.converting import Converted, reading
from pmon3.converting.settings import CannotConvert
from pmon3_schema.process import ProcessSpec
from pmon3_schema.reading import read_value


@pytest.fixture
def convert(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Converts a text, or the data of a JSON file, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def made(name: str, written: Any) -> Converted:
        text = written if isinstance(written, str) else json.dumps(written)
        Path(name).write_text(text)
        return reading.convert([name], b"", "")

    return made


def spec(found: Converted, index: int = 0) -> ProcessSpec:
    return read_value(ProcessSpec, found.manifest["processes"][index])


def entry(found: Converted, index: int = 0) -> dict[str, Any]:
    return dict(found.manifest["processes"][index])


def told(found: Converted) -> str:
    return "\n".join(map(str, found.losses))


@pytest.mark.parametrize("mark", ["#", ";"])
def test_a_comment_after_a_value_of_supervisord_is_none(convert: Any, mark: str) -> None:
    lines = ("command=/bin/sleep 6002  {} one worker", "autostart=true   {} at boot", "user=daemon {} x", "")
    text = "[program:a]\n" + "\n".join(lines).replace("{}", mark)
    found = convert("s.conf", text)
    assert (spec(found).args, spec(found).autostart, spec(found).user) == (("6002",), True, "daemon")
    assert found.losses == ()


@pytest.mark.parametrize(
    ("name", "text", "key"),
    [
        ("s.conf", "[program:a]\ncommand=a\nautostart=t\n", "autostart: 't' is neither yes nor no"),
        ("s.conf", "[program:a]\ncommand=a\nautorestart=maybe\n", "autorestart: 'maybe' is neither"),
        ("s.conf", "[program:a]\ncommand=a\nexitcodes=\n", "exitcodes: that no exit code"),
        ("s.conf", "[program:a]\ncommand=a\nnumprocs=two\n", "numprocs: 'two' is not a whole number"),
        ("a.service", "[Service]\nExecStart=/a\nRestart=bogus\n", "Restart: 'bogus' is no restart policy"),
        ("a.service", "[Service]\nExecStart=/a\nUMask=7027\n", "UMask: '7027' has more than permission bits"),
        ("a.service", "[Service]\nExecStart=/a\nTimeoutStopSec=2 moments\n",
        "TimeoutStopSec: '2 moments' is no time span"),
        ("e.json", '{"apps": [{"script": "a.js", "instances": "two"}]}',
        "instances: 'two' is not a whole number"),
    ],
)  # fmt: skip
def test_a_word_that_means_nothing_is_told_and_not_taken_for_something(
    convert: Any, name: str, text: str, key: str
) -> None:
    assert key in told(convert(name, text))


def test_what_is_said_for_all_programs_holds_for_each(convert: Any) -> None:
    text = (
        '[supervisord]\nuser=daemon\nenvironment=GREETING="hello"\numask=077\ndirectory=/srv\nminfds=99\n'
        "[group:g]\nprograms=a\npriority=5\n[program:a]\ncommand=/bin/a\n"
    )
    found = convert("s.conf", text)
    a = spec(found)
    assert (a.user, a.env_vars, a.umask, a.cwd) == ("daemon", {"GREETING": "hello"}, 0o77, "/srv")
    assert "s.conf:6: minfds" in told(found) and "s.conf:9: priority" in told(found)
    found = convert("e.json", {"apps": [{"script": "a.js"}], "deploy": {"x": 1}, "module_conf": {}})
    assert {loss.key for loss in found.losses} == {"deploy", "module_conf"}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_comment_between_joined_lines_of_a_unit_is_passed_over(convert: Any, end: str) -> None:
    lines = (
        "[Service]",
        "ExecStart=/bin/sh -c \\",
        "# keep it simple",
        "  'echo started; exec sleep 6003'",
        "",
    )
    found = convert("a.service", end.join(lines))
    assert spec(found).args == ("-c", "echo started; exec sleep 6003")


@pytest.mark.parametrize(
    ("span", "seconds"),
    [
        ("0", 365 * 86400), ("infinity", 365 * 86400), ("2 minutes", 120), ("1 hour 30 seconds", 3630),
        ("1min 30s", 90),
        ("5", 5), ("500ms", 0.5), ("1h30min", 5400),
    ],
)  # fmt: skip
def test_a_time_of_systemd_means_what_it_meant(convert: Any, span: str, seconds: float) -> None:
    found = convert("a.service", f"[Service]\nExecStart=/a\nTimeoutStopSec={span}\n")
    assert spec(found).stop.timeout == seconds


def test_a_restart_delay_is_not_cut(convert: Any) -> None:
    a = spec(convert("a.service", "[Service]\nExecStart=/a\nRestart=always\nRestartSec=120\n"))
    assert (a.restart.delay_after(2), a.restart.delay_after(9)) == (120, 120)
    a = spec(convert("e.json", {"apps": [{"script": "a.js", "restart_delay": 90000}]}))
    assert (a.restart.delay_after(2), a.restart.delay_after(9)) == (90, 90)


def test_a_program_that_goes_into_the_background_is_told_with_what_happens_to_it(convert: Any) -> None:
    found = convert("a.service", "[Service]\nType=forking\nExecStart=/a\n")
    assert "Type: what goes into the background is ended here" in told(found)
    assert "keep it in the foreground" in told(found)


def test_paths_count_from_where_the_tool_takes_them(convert: Any, tmp_path: Path) -> None:
    found = convert(
        "s.conf", "[program:a]\ncommand=python %(here)s/print.py\n[program:b]\ncommand=./b\ndirectory=sub\n"
    )
    assert entry(found)["args"] == [f"{tmp_path}/print.py"]
    assert (entry(found)["cwd"], entry(found, 1)["file"], entry(found, 1)["cwd"]) == (".", "./sub/b", "./sub")
    app = {
        "script": "./bin/run",
        "cwd": "/srv/app",
        "interpreter": "none",
        "out_file": "out.log",
        "watch": True,
    }
    found = convert("e.json", {"apps": [app]})
    assert (entry(found)["file"], entry(found)["log"], entry(found)["watch"]) == (
        "/srv/app/bin/run", "/srv/app/out.log", {"paths": ["/srv/app"]},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("app", "file", "args"),
    [
        ({"script": "a.js", "args": "--title 'hello world'"}, "node", ["a.js", "--title", "hello world"]),
        ({"script": "a.js", "node_args": "--x 'y z'"}, "node", ["--x", "y z", "a.js"]),
        ({"script": "a.cjs"}, "node", ["a.cjs"]),
        ({"script": "a.ts"}, "bun", ["a.ts"]),
        ({"script": "echo.php"}, "php", ["echo.php"]),
        ({"script": "./bin/www"}, "node", ["./bin/www"]),
        ({"script": "npm run start"}, "bash", ["-c", "exec npm run start"]),
        ({"script": "npm", "args": "start"}, "npm", ["start"]),
        ({"script": "a.py", "interpreter": "./venv/bin/python"}, "./venv/bin/python", ["a.py"]),
    ],
)
def test_pm2_runs_a_script_with_what_its_ending_says(
    convert: Any, app: dict[str, Any], file: str, args: list[str]
) -> None:
    found = convert("e.json", {"apps": [app]})
    assert (entry(found)["file"], entry(found)["args"]) == (file, args)


def test_memory_of_pm2_is_not_taken_for_address_space(convert: Any) -> None:
    found = convert("e.json", {"apps": [{"script": "a.js", "max_memory_restart": "300M"}]})
    assert "limits" not in entry(found)
    assert "above_memory" in told(found) + json.dumps(entry(found))


def test_copies_of_pm2_know_their_number_and_that_they_share_no_port(convert: Any) -> None:
    found = convert("e.json", {"apps": [{"script": "a.js", "instances": "4"}]})
    assert spec(found).replicas == 4 and spec(found).env_vars["NODE_APP_INSTANCE"] == "${REPLICA}"
    assert "instances (cluster): copies do not share a port" in told(found)


@pytest.mark.parametrize(
    ("written", "variables"),
    [
        (r'A="say \"hi\" there"', None),
        ("my.key=1,DASH-KEY=2", {"my.key": "1", "DASH-KEY": "2"}),
        ('A=\'say "hi"\',B="x,y"', {"A": 'say "hi', "B": "x,y"}),  # it strips quotes of both kinds
        ("A=%(nonsense)s,N=%(process_num)d", None),
    ],
)
def test_variables_of_supervisord_are_taken_apart_as_it_does(
    convert: Any, written: str, variables: dict[str, str] | None
) -> None:
    found = convert("s.conf", f"[program:a]\ncommand=/a\nenvironment={written}\n")
    if variables is None:
        assert "s.conf:3: environment" in told(found)
    else:
        assert spec(found).env_vars == variables and found.losses == ()


def test_what_is_not_known_keeps_nothing_else_from_being_known(convert: Any) -> None:
    text = (
        "[program:a]\ncommand=/a %(ENV_NOPE_X)s %(process_num)d\nuser=%(ENV_NOPE_X)s\n"
        'environment=A="%(ENV_NOPE_X)s",N="%(process_num)d"\n'
    )
    found = convert("s.conf", text)
    assert spec(found).args == ("%(ENV_NOPE_X)s", "0")
    assert spec(found).env_vars == {"A": "%(ENV_NOPE_X)s", "N": "0"}
    assert {loss.key for loss in found.losses} == {"command", "environment", "user"}
    assert spec(found).user == "%(ENV_NOPE_X)s"  # nothing may run as root for want of a name


def test_the_rest_of_supervisord(convert: Any) -> None:
    found = convert(
        "s.conf", "[program:a]\ncommand=/a\nkillasgroup=true\nstopasgroup=false\nstdout_logfile=syslog\n"
    )
    assert spec(found).stop.kill_group is True
    assert (spec(found).log_rotate.size, spec(found).log_rotate.keep, spec(found).log) == (50 << 20, 10, "")
    assert {loss.key for loss in found.losses} == {"killasgroup", "stdout_logfile"}
    assert any("standard input is /dev/null" in one for one in found.differences)


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("ExecStart=@/bin/sleep mysleep 5", "argv0", "mysleep"),
        ("ExecStart=@/bin/sleep mysleep 5", "args", ("5",)),
        ("ExecStart=/a\nEnvironment=C=a\\x20b", "env_vars", "a b"),
        ("ExecStart=/a\nSuccessExitStatus=TEMPFAIL 3", "restart.success_exit_codes", (0, 75, 3)),
        ("ExecStart=/a\nEnvironment=A=1", "env_inherit", False),
        ("ExecStart=/a -x $OPTS ${A}b", "args", ("-c", 'exec /a -x $OPTS "${A}b"')),
        ("ExecStart=:/a $OPTS", "args", ("$OPTS",)),
        ("ExecStart=/a\nExecReload=/bin/kill -s USR1 $MAINPID", "reload.signal", 10),
        (
            "ExecStart=/a\nExecReload=/a check\nExecReload=/a -s reload",
            "reload.command",
            ("/bin/sh", "-c", "/a check && exec /a -s reload"),
        ),
        ("ExecStart=/a 50%% $$X", "args", ("50%", "$X")),
    ],
)
def test_a_line_of_a_unit_means_what_it_meant(convert: Any, line: str, field: str, value: Any) -> None:
    found = spec(convert("a.service", f"[Service]\n{line}\n"))
    got: Any = found
    for part in field.split("."):
        got = getattr(got, part)
    assert (got["C"] if field == "env_vars" else got) == value


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("KillMode=mixed", "KillMode"), ("KillMode=none", "KillMode"), ("Restart=on-abnormal", "Restart"),
        ("Restart=on-success", "Restart"), ("SuccessExitStatus=SIGTERM", "SuccessExitStatus SIGTERM"),
        ("RestartPreventExitStatus=SIGABRT", "RestartPreventExitStatus SIGABRT"), ("EnvironmentFile=-/e",
        "EnvironmentFile -"),
        ("LimitNOFILE=1024:4096", "LimitNOFILE"),
    ],
)  # fmt: skip
def test_what_a_unit_says_and_nothing_here_can_is_told(convert: Any, line: str, key: str) -> None:
    assert key in {loss.key for loss in convert("a.service", f"[Service]\nExecStart=/a\n{line}\n").losses}


def test_a_word_for_the_home_is_the_home(convert: Any) -> None:
    found = convert("a.service", "[Service]\nExecStart=/a\nUser=root\nWorkingDirectory=~\n")
    assert spec(found).cwd == "/root"


@pytest.mark.parametrize(
    ("calendar", "cron", "zone"),
    [
        ("daily", "0 0 * * *", ""), ("Mon..Fri *-*-* 02:30:00 Europe/Berlin", "30 2 * * 1-5",
        "Europe/Berlin"),
        ("*-*-01 04:00", "0 4 1 * *", ""), ("*:0/15", "*/15 * * * *", ""), ("Sat,Sun 10:05", "5 10 * * 6,0",
        ""),
        ("*-1..3,6-* 00:00:00", "0 0 * 1-3,6 *", ""), ("hourly UTC", "0 * * * *", "UTC"),
    ],
)  # fmt: skip
def test_a_calendar_of_systemd_as_a_cron_line(calendar: str, cron: str, zone: str) -> None:
    from pmon3.converting.systemd_calendar import cron_of

    assert cron_of(calendar) == (cron, zone)


@pytest.mark.parametrize("calendar", ["*-*-* 02:30:15", "2026-01-01", "*-*~1", "Mon *-*-1 00:00", "nonsense"])
def test_a_calendar_that_no_cron_line_can_say(calendar: str) -> None:
    from pmon3.converting.settings import NotCarried
    from pmon3.converting.systemd_calendar import cron_of

    with pytest.raises(NotCarried):
        cron_of(calendar)


def test_what_cannot_be_waited_for_is_told_and_not_written(convert: Any) -> None:
    data = {"processes": {"db": {"command": "/bin/db"}, "web": {
        "command": "/bin/web", "depends_on": {"db": {"condition": "process_healthy"}}}}}  # fmt: skip
    found = convert("process-compose.yaml", data)
    assert entry(found, 1)["dependencies"] == ["db"]
    assert "depends_on.db.condition: `db` has no `ready` probe" in told(found)


@pytest.mark.parametrize(
    ("name", "text", "key"),
    [
        ("a.service", "[Service]\nExecStart=/a\nLimitCORE={}\n", "LimitCORE"),
        ("a.service", "[Service]\nExecStart=/a\nTimeoutStopSec={}\n", "TimeoutStopSec"),
        ("s.conf", "[program:a]\ncommand=/a\nstdout_logfile_maxbytes={}KB\n", "stdout_logfile_maxbytes"),
        ("s.conf", "[program:a]\ncommand=/a\nstdout_logfile_maxbytes={}\n", "stdout_logfile_maxbytes"),
        ("a.service", "[Service]\nExecStart=/a\nRestart=always\nRestartSec={}\n", "RestartSec"),
        ("c.yaml", "services: {{a: {{command: /a, mem_limit: {}k}}}}", "mem_limit"),
    ],
)
@pytest.mark.parametrize("number", ["9" * 400, "9" * 21, "9" * 30, "1.2.3", "\u00b2", "1e9"])
def test_a_number_that_cannot_be_is_told(convert: Any, name: str, text: str, key: str, number: str) -> None:
    found = convert(name, text.format(number))
    assert f"{key}: " in told(found)
    assert spec(found).file == "/a"


@pytest.mark.parametrize(
    ("written", "name"),
    [("a\u202e\u200bb", "a--b"), ("- web", "web"), (" -\u00a0- web", "web"), ("x" * 127 + " y", "x" * 127)],
)
def test_what_a_name_may_not_have_is_left_out(convert: Any, written: str, name: str) -> None:
    assert spec(convert("e.json", {"apps": [{"name": written, "script": "./a.js"}]})).name == name


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.service", '[Service]\nExecStart=/a "\\UFFFFFFFF"\n'),
        ("a.service", "[Service]\nExecStart=/a\nEnvironment=A=\\UFFFFFFFF\n"),
        ("a.service", "[Service]\nExecStart=/a\nLimitCPU=infinity\n"),
        ("c.yaml", 'services: {a: {command: /a, restart: "on-failure:\u00b2"}}'),
        ("c.yaml", f'services: {{a: {{command: /a, restart: "on-failure:{"9" * 5000}"}}}}'),
    ],
)
def test_what_is_no_number_and_no_character_is_told(convert: Any, name: str, text: str) -> None:
    try:
        found = convert(name, text)
    except CannotConvert as refused:
        assert str(refused)
    else:
        assert told(found)


def test_a_port_that_is_none_is_not_counted_from(convert: Any) -> None:
    Path(".env").write_text(f"PORT={7:05000d}\n")
    assert entry(convert("Procfile", "web: /a\n"))["env_vars"]["PORT"] == "5000"


@pytest.mark.parametrize("name", [".", "..", " . "])
def test_a_name_that_is_none_is_replaced(convert: Any, name: str) -> None:
    found = convert("e.json", {"apps": [{"name": name, "script": "./a.js"}]})
    assert spec(found).name == "process"
    assert "it is called 'process'" in told(found)


def test_only_a_template_itself_names_its_default_instance(convert: Any) -> None:
    Path("a@.service.d").mkdir()
    Path("a@.service.d/x.conf").write_text("[Install]\nDefaultInstance=eu\n")
    assert entry(convert("a@.service", "[Service]\nExecStart=/bin/a %i\n"))["args"] == ["eu"]
    with pytest.raises(CannotConvert):
        convert("b@.service", "[Service]\nExecStart=/bin/a %i\nDefaultInstance=eu\n")


def test_home_in_a_unit_of_the_system_is_that_of_root_whatever_user_says(convert: Any) -> None:
    text = "[Service]\nUser=daemon\nExecStart=/bin/sleep %h %u\n"
    made = spec(convert("web.service", text))
    assert (made.user, list(made.args)) == ("daemon", ["/root", "root"])


@pytest.mark.parametrize(
    ("lines", "capabilities", "key"),
    [
        ("CapabilityBoundingSet=", (), ""),
        ("CapabilityBoundingSet=CAP_CHOWN\nCapabilityBoundingSet=", (), ""),
        ("CapabilityBoundingSet=CAP_CHOWN", ("CAP_CHOWN",), ""),
        ("AmbientCapabilities=CAP_CHOWN", None, "AmbientCapabilities"),
        ("User=daemon\nCapabilityBoundingSet=", (), ""),
        ("User=daemon\nCapabilityBoundingSet=CAP_CHOWN", (), "CapabilityBoundingSet"),
        ("User=daemon\nAmbientCapabilities=CAP_CHOWN", ("CAP_CHOWN",), ""),
        ("User=daemon\nCapabilityBoundingSet=\nAmbientCapabilities=CAP_CHOWN", (), ""),
        ("CapabilityBoundingSet=~CAP_CHOWN", None, "CapabilityBoundingSet"),
    ],
)
def test_a_program_gets_no_capability_that_it_did_not_have(
    convert: Any, lines: str, capabilities: tuple[str, ...] | None, key: str
) -> None:
    found = convert("a.service", f"[Service]\nExecStart=/a\n{lines}\n")
    assert spec(found).sandbox.capabilities == capabilities
    assert {loss.key for loss in found.losses} == ({key} if key else set())


@pytest.mark.parametrize(
    ("key", "field"),
    [("ReadOnlyPaths", "read_only"), ("ReadWritePaths", "writable"), ("InaccessiblePaths", "hidden")],
)
def test_a_path_that_need_not_be_there_is_told(convert: Any, key: str, field: str) -> None:
    found = convert("a.service", f"[Service]\nExecStart=/a\n{key}=/b -/c\n")
    assert getattr(spec(found).sandbox, field) == ("/b", "/c")
    assert f"a.service:3: {key} -/c: without it the process does not start here" in told(found)


@pytest.mark.parametrize(
    ("app", "restart"),
    [
        ({}, (0, 16, 16)),
        ({"max_restarts": 10}, (0, 10, 10)),
        ({"min_uptime": "9s"}, (0, 16, 144)),
        ({"restart_delay": 4000}, (4, 0, 60)),
        ({"restart_delay": 4000, "max_restarts": 10}, (4, 10, 50)),
        ({"exp_backoff_restart_delay": 100}, (15, 0, 60)),
        ({"max_restarts": 10**6, "min_uptime": "9000h"}, (0, 10**6, 36500 * 86400)),
    ],
)
def test_a_program_that_pm2_gives_up_is_given_up(
    convert: Any, app: dict[str, Any], restart: tuple[float, ...]
) -> None:
    """Delays that grow would keep so many ends apart that they never lie within the window."""
    found = convert("e.json", {"apps": [{"script": "a.js", **app}]})
    said = spec(found).restart
    assert (said.delay_after(20), said.max_failures, said.window) == restart
    assert found.losses == ()


@pytest.mark.parametrize("app", [{"max_restarts": 0}, {"restart_delay": "x"}, {"min_uptime": "1.2.3s"}])
def test_a_brake_of_pm2_that_means_nothing_here_is_told(convert: Any, app: dict[str, Any]) -> None:
    assert [loss.key for loss in convert("e.json", {"apps": [{"script": "a.js", **app}]}).losses] == [*app]


@pytest.mark.parametrize("name", ["process-compose.yaml", "compose.yaml"])
def test_the_version_of_a_format_is_nothing_that_could_be_lost(convert: Any, name: str) -> None:
    section = "processes" if name.startswith("process") else "services"
    found = convert(name, {"version": "0.5", section: {"a": {"command": "/bin/a"}}})
    assert found.losses == ()
    assert found.notes == (f"{name}:1: version: a manifest has none",)


def test_a_path_of_an_instance_is_its_own(convert: Any) -> None:
    found = convert("a@eu.service", '[Service]\nExecStart=/a\nReadWritePaths=/srv/%i "/my data"\n')
    assert spec(found).sandbox.writable == ("/srv/eu", "/my data")


@pytest.mark.parametrize(
    ("text", "restart"),
    [
        ("startretries=10", (11, 93)),
        ("startsecs=5\nstartretries=20", (21, 469)),
        ("startretries=1000000", (0, 60)),
        ("startretries=1000000\nstartsecs=999999999", (0, 60)),
    ],
)
def test_a_program_that_supervisord_gives_up_is_given_up(
    convert: Any, text: str, restart: tuple[int, float]
) -> None:
    """All tries, with their pauses, lie within the window; as many as would take a year are without end."""
    said = spec(convert("s.conf", f"[program:a]\ncommand=/a\n{text}\n")).restart
    assert (said.max_failures, said.window) == restart
    pauses = sum(said.delay_after(streak) for streak in range(1, said.max_failures))
    assert pauses + said.max_failures * min(said.stable_after, 1) <= said.window


@pytest.mark.parametrize("seconds", ["9" * 12, "9" * 40])
def test_a_time_that_no_machine_lives_is_told(convert: Any, seconds: str) -> None:
    found = convert("s.conf", f"[program:a]\ncommand=/a\nstartsecs={seconds}\n")
    assert "startsecs: it is longer than a time can be here" in told(found)
    probe = {"exec": {"command": "x"}, "period_seconds": 10**9, "failure_threshold": 1000}
    found = convert("p.json", {"processes": {"a": {"command": "/a", "readiness_probe": probe}}})
    assert spec(found).ready.deadline == 36500 * 86400


def test_a_unit_is_read_line_by_line_as_systemd_reads_it(convert: Any) -> None:
    """U+2028 and U+0085 end no line there, and two backslashes at the end join none."""
    text = "[Unit]\nDescription=a\u2028b\x85c\n[Service]\nExecStart=/a d\\\\\nNice=3\n"
    found = convert("a.service", text)
    assert (spec(found).description, spec(found).args, spec(found).priority) == (
        "a\u2028b\x85c", ("d\\",), 3,
    )  # fmt: skip


def test_a_unit_with_an_escaped_name_has_the_name_that_was_meant(convert: Any) -> None:
    name = r"a\x20\xc3\xa9-z.service"
    Path(name).write_text("[Service]\nExecStart=/a\n")
    Path("b.service").write_text(f"[Unit]\nRequires={name}\n[Service]\nExecStart=/b\n")
    found = reading.convert(["."], b"", "")
    assert {one["name"] for one in found.manifest["processes"]} == {"a é-z", "b"}
    (b,) = (one for one in found.manifest["processes"] if one["name"] == "b")
    assert b["dependencies"] == [{"name": "a é-z", "restart": True}]


def test_the_needs_of_an_instance_are_its_own(convert: Any) -> None:
    Path("db@eu.service").write_text("[Service]\nExecStart=/db\n")
    Path("web@eu.service").write_text(
        "[Unit]\nAfter=db@%i.service\nBindsTo=db@%i.service\n[Service]\nExecStart=/web\n"
    )
    found = reading.convert(["."], b"", "")
    (web,) = (one for one in found.manifest["processes"] if one["name"] == "web@eu")
    assert web["dependencies"] == [{"name": "db@eu", "restart": True}]
    assert "web@eu: the end of db@eu.service does not stop it, as BindsTo= does" in found.differences


@pytest.mark.parametrize(
    ("needs", "dependency"),
    [
        ("After=b.service", {"name": "b", "required": False}),
        ("After=b.service\nWants=b.service", {"name": "b", "required": False}),
        ("Requires=b.service", {"name": "b", "restart": True}),
        ("After=b.service\nPartOf=b.service", {"name": "b", "restart": True, "required": False}),
    ],
)
def test_what_spreads_a_restart_there_does_so_here(convert: Any, needs: str, dependency: Any) -> None:
    Path("b.service").write_text("[Service]\nExecStart=/b\nRestart=always\n")
    Path("a.service").write_text(f"[Unit]\n{needs}\n[Service]\nExecStart=/a\n")
    found = reading.convert(["a.service", "b.service"], b"", "")
    assert entry(found)["dependencies"] == [dependency]
    Path("b.service").write_text("[Service]\nType=oneshot\nExecStart=/b\n")
    found = reading.convert(["a.service", "b.service"], b"", "")
    assert "restart" not in json.dumps(entry(found)["dependencies"])  # what runs again replaces nothing


def test_a_timer_that_first_waits_an_interval_does_not_start_at_once(convert: Any) -> None:
    Path("a.timer").write_text("[Timer]\nOnActiveSec=1h\nOnUnitActiveSec=1h\n")
    found = convert("a.service", "[Service]\nType=oneshot\nExecStart=/a\n")
    assert entry(found)["schedule"] == {"every": "1h"}
    assert found.losses == ()


def test_a_unit_without_install_is_told_to_start_by_itself(convert: Any) -> None:
    text = "[Service]\nExecStart=/a\n"
    assert any("without [Install]" in one for one in convert("a.service", text).differences)
    installed = f"{text}[Install]\nWantedBy=multi-user.target\n"
    assert not any("without [Install]" in one for one in convert("a.service", installed).differences)
