"""`pmon3 convert` as a command: what it prints and tells, and how it ends. Whole files: tests/golden."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support.command_line import Run

from pmon3.converting.inputs import ALIASES, kind_named, kind_of
from pmon3_schema.manifest import ManifestFile, read
from pmon3_schema.process import ProcessSpec

ROOT = Path(__file__).parents[3]
UNIT = "[Unit]\nAfter=network.target\n[Service]\nExecStart=/bin/sleep 5\nPrivateDevices=yes\n"


def specs(text: str, form: str = "yaml") -> dict[str, ProcessSpec]:
    reading = read([ManifestFile(f"/m/x.{form}", text.encode())])
    assert reading.diagnostics == ()
    return {entry.spec.name: entry.spec for entry in reading.entries}


def converted(run: Run, folders: Path, name: str, text: str) -> tuple[dict[str, ProcessSpec], str]:
    """The processes, the same in all three formats, and what was said."""
    (folders / name).write_text(text)
    found, said = [], ""
    for form in ("yaml", "toml", "json"):
        ran = run("convert", str(folders / name), "--to", form)
        assert ran.code == 0, ran.err
        found.append(specs(ran.out, form))
        said = ran.err
    assert found[0] == found[1] == found[2]
    return found[0], said


def test_every_loss_says_where_what_and_why(run: Run, folders: Path) -> None:
    _, said = converted(run, folders, "a.service", UNIT)
    file = folders / "a.service"
    assert said.splitlines() == [
        f"pmon3: {file}:2: After network.target: it is reached before pmond starts, or not waited for"
        " (start pmond after it where that matters)",
        f"pmon3: {file}:5: PrivateDevices: nothing isolates the process as this did (see `sandbox`)",
    ]


def test_strict_prints_nothing_where_something_is_left_out(run: Run, folders: Path) -> None:
    (folders / "foo.service").write_text(UNIT)
    ran = run("convert", "--strict", str(folders / "foo.service"))
    assert (ran.code, ran.out) == (1, "")
    assert "PrivateDevices" in ran.err
    (folders / "plain.service").write_text("[Service]\nExecStart=/bin/sleep 5\n")
    assert run("convert", "--strict", str(folders / "plain.service")).code == 0


def test_check_says_what_will_be_different_and_prints_no_manifest(run: Run, folders: Path) -> None:
    (folders / "foo.service").write_text(UNIT)
    ran = run("convert", "--check", str(folders / "foo.service"))
    assert ran.code == 0
    assert "systemd: the first restart comes at once" in ran.out
    assert "processes:" not in ran.out


@pytest.mark.parametrize("name", ["happac.toml", "happac.json", "happac.yaml", "quickstart.yaml"])
def test_a_manifest_in_every_format_says_the_same(run: Run, folders: Path, name: str) -> None:
    text = (ROOT / "manifests" / name).read_text("utf-8")
    found, said = converted(run, folders, name, text)
    assert said == ""
    reading = read([ManifestFile(f"/m/{name}", text.encode())])
    assert [entry.spec for entry in reading.entries] == list(found.values())


def test_variables_profiles_defaults_and_merge_keys_go_along(run: Run, folders: Path) -> None:
    data: dict[str, Any] = {
        "variables": {"A": 5},
        "defaults": {"user": "u"},
        "processes": [{"file": "/w", "priority": "${A}"}],
    }
    found, _ = converted(run, folders, "x.json", json.dumps(data))
    assert (found["w"].priority, found["w"].user) == (5, "u")
    found, _ = converted(run, folders, "z.yaml", "x-a: &a {user: u}\nprocesses: [{<<: *a, file: /w}]\n")
    assert found["w"].user == "u"
    (folders / "y.json").write_text(json.dumps({**data, "variables": {"A": None}}))
    ran = run("convert", str(folders / "y.json"), "--to", "toml")
    assert (ran.code, ran.out) == (1, "")
    assert "TOML has no empty values" in ran.err


def test_several_files_of_several_tools_make_one_manifest(run: Run, folders: Path) -> None:
    (folders / "Procfile").write_text("web: python app.py\n")
    (folders / "a.service").write_text("[Service]\nExecStart=/bin/a\n")
    (folders / "own.yaml").write_text("processes: [{file: /bin/own}]\n")
    ran = run("convert", *(str(folders / name) for name in ("Procfile", "a.service", "own.yaml")))
    assert set(specs(ran.out)) == {"web", "a", "own"}


def test_of_a_folder_every_file_of_a_known_kind_is_read_once(run: Run, folders: Path) -> None:
    folder = folders / "all"
    (folder / "conf.d").mkdir(parents=True)
    (folder / "z.conf").write_text("[include]\nfiles=*.ini\n[program:web]\ncommand=/bin/web\n")
    (folder / "more.ini").write_text("[program:more]\ncommand=/bin/more\n")
    (folder / "a.service").write_text("[Service]\nExecStart=/bin/a\n")
    (folder / "README.md").write_text("nothing\n")
    (folder / "other.json").write_text('{"version": 1}\n')
    ran = run("convert", str(folder))
    assert ran.code == 0
    assert sorted(specs(ran.out)) == ["a", "more", "web"]
    assert "other.json is passed over: it is of no known kind" in ran.err
    assert "README" not in ran.err


def test_two_processes_of_one_name_get_two(run: Run, folders: Path) -> None:
    for name in ("x", "y"):
        (folders / name).mkdir()
        (folders / name / "Procfile").write_text("web: python app.py\n")
    ran = run("convert", str(folders / "x" / "Procfile"), str(folders / "y" / "Procfile"))
    found = specs(ran.out)
    assert list(found) == ["web", "web-2"]
    assert [os.path.normpath(found[name].cwd) for name in found] == ["/m", "/y"]
    assert "name 'web': another one has this name: it is called 'web-2'" in ran.err


def test_stdin_is_told_by_what_is_in_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    text = json.dumps({"apps": [{"name": "api", "script": "api.js"}]})
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    ran = run("convert", "-")
    assert specs(ran.out)["api"].file == "node"


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("anything", "[program:x]\ncommand=/a\n", "supervisord"),
        ("anything", "[watcher:x]\ncmd=/a\n", "circus"),
        ("anything", "[Service]\nExecStart=/a\n", "systemd"),
        ("a@b.service", "", "systemd"),
        ("Procfile.dev", "", "procfile"),
        ("anything", "web: run me\n# and\nworker: run\n", "procfile"),
        ("ecosystem.config.cjs", "", "pm2"),
        ("x.json", '{"apps": []}', "pm2"),
        ("x.json", '[{"script": "a"}]', "pm2"),
        ("x.json", '[{"pm_exec_path": "/a"}]', "pm2"),
        ("x.yaml", "services:\n  web: {image: x}\n", "compose"),
        ("x.yaml", "version: '1'\nprocesses:\n  web: {command: x}\n", "process-compose"),
        ("x.yaml", "processes:\n- {file: /a}\n", "pmon3"),
        ("x.toml", "[[Processes]]\nFile = '/a'\n", "pmon3"),
        ("x", "SQLite format 3\0", "go-pmon3"),
        ("x.yaml", "- a\n", ""),
        ("x.yaml", "web: a\n", ""),
    ],
)
def test_the_kind_is_told_from_name_and_content(name: str, text: str, kind: str) -> None:
    assert kind_of(name, text.encode()) == kind


def test_kinds_have_the_names_that_people_use() -> None:
    assert kind_named("Docker-Compose") == "compose"
    assert {kind_named(word) for word in ALIASES} <= {"compose", "supervisord", "procfile", "pm2", "go-pmon3"}


def test_a_kind_that_there_is_not_is_said(run: Run, folders: Path) -> None:
    (folders / "x").write_text("")
    ran = run("convert", "--from", "runit", str(folders / "x"))
    assert ran.code == 2
    assert "there is no such kind (one of pmon3, procfile" in ran.err


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("Procfile", "web server\n", "line 1 is not `name: command`"),
        ("Procfile", "# nothing\n", "no line `name: command`"),
        ("a.service", "[Service]\nUser=x\n", "no ExecStart"),
        ("a.service", "[Service]\nExecStart=/a 'b\n", "line 2: ExecStart: the quote ' is not closed"),
        ("a.service", "[Service]\nExecStart=-\n", "it is empty"),
        ("a.service", "ExecStart=/a\n", "line 1 is neither"),
        ("a.timer", "[Timer]\nOnCalendar=daily\n", "a.service, is not there"),
        ("a@.service", "[Service]\nExecStart=/a\n", "is a template"),
        ("a.socket", "[Socket]\nListenStream=1\n", "sockets are not handed"),
        ("s.conf", "[program:x]\ncommand\n", "line 2 is neither a [section] nor `key = value`"),
        ("s.conf", "[supervisord]\nnodaemon=true\n", "no [program:…] section"),
        ("s.conf", "[program:x]\ncommand=/a 'b\n", "close the quote"),
        ("e.json", '{"apps": 5}', "no list `apps`"),
        ("e.json", '{"apps": [{"name": 1\n 2}]}', "line 2 has neither `,` nor `}`"),
        ("e.js", "module.exports = {apps: [}", "node"),
        ("compose.yaml", "services: {web: {image: x}}\n", "the programs are in the images"),
        ("process-compose.yaml", "processes: {}\n", "it declares no process"),
        ("circus.ini", "[circus]\ncheck_delay=1\n", "no [watcher:…] section"),
        ("x.db", "SQLite format 3\0 and nothing", "no state of the Go pmon3"),
        ("x.json", '{"processes": [', "cannot convert"),
        ("x.yaml", "- a\n", "cannot be told of which tool"),
        ("none.yaml", None, "cannot read"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_an_error_and_no_empty_manifest(
    run: Run, folders: Path, name: str, text: str | None, said: str
) -> None:
    if text is not None:
        (folders / name).write_text(text)
    ran = run("convert", str(folders / name))
    assert ran.code == (2 if text is None else 1), ran.err
    assert ran.out == "" and said in ran.err


def test_an_empty_folder_is_an_error(run: Run, folders: Path) -> None:
    (folders / "empty").mkdir()
    ran = run("convert", str(folders / "empty"))
    assert (ran.code, ran.out) == (1, "")
    assert "no file of a known kind" in ran.err


def test_without_node_the_command_to_run_is_told(
    run: Run, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folders / "ecosystem.config.js").write_text(
        "const a = 1;\nmodule.exports = {apps: [{script: 'a.js'}]};\n"
    )
    monkeypatch.setenv("PATH", str(folders))
    ran = run("convert", str(folders / "ecosystem.config.js"))
    assert ran.code == 1
    assert (
        """node -p 'JSON.stringify(require("./ecosystem.config.js"))' | pmon3 convert --from pm2 -"""
        in ran.err
    )


def test_a_template_is_read_for_the_instance_that_is_named(run: Run, folders: Path) -> None:
    (folders / "w@.service").write_text("[Service]\nExecStart=/bin/w --queue %i\n")
    ran = run("convert", str(folders / "w@mail.service"))
    assert specs(ran.out)["w@mail"].args == ("--queue", "mail")
    ran = run("convert", str(folders / "w@2.service"))
    assert list(specs(ran.out)) == ["w-2"]  # NAME@NUMBER is a replica


def test_paths_count_from_the_folder_of_the_first_file(run: Run, folders: Path) -> None:
    (folders / "a").mkdir()
    (folders / "b").mkdir()
    (folders / "a" / "Procfile").write_text("web: ./web\n")
    (folders / "b" / "e.json").write_text(
        '{"apps": [{"name": "x", "script": "./x", "interpreter": "none", "cwd": "sub"}]}'
    )
    ran = run("convert", str(folders / "a" / "Procfile"), str(folders / "b" / "e.json"))
    reading = read([ManifestFile(str(folders / "a" / "m.yaml"), ran.out.encode())])
    found = {entry.spec.name: os.path.normpath(entry.spec.file) for entry in reading.entries}
    assert found == {"web": str(folders / "a" / "web"), "x": str(folders / "b" / "sub" / "x")}


@pytest.mark.parametrize(
    "line",
    [
        "numprocs=100000000",
        "environment=A=%(process_num)099999999d",
        "environment=A=%(program_name).99999999s",
    ],
)
def test_no_number_in_a_supervisord_conf_takes_the_memory(run: Run, folders: Path, line: str) -> None:
    (folders / "big.conf").write_text(f"[program:a]\ncommand=/bin/sleep 5\n{line}\n")
    ran = run("convert", str(folders / "big.conf"))
    assert (ran.code, list(specs(ran.out))) == (0, ["a"])
    assert f"big.conf:3: {line.partition('=')[0]}: " in ran.err
    assert len(ran.out) < 2000


def test_a_percent_sign_before_a_large_number_is_a_percent_sign(run: Run, folders: Path) -> None:
    found, said = converted(
        run, folders, "x.conf", "[program:a]\ncommand=/bin/echo 5%%2000 %(process_num)03d\n"
    )
    assert list(found["a"].args) == ["5%2000", "000"]
    assert said == ""
