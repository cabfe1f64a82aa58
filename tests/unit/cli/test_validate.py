"""`pmon3 validate`: each form as the tool that reads it expects it, and what decides the exit code."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from tests.support.command_line import Run

from pmon3.reports import REPORTS

GOOD = "processes:\n  - name: web\n    file: /bin/sleep\n    args: '10'\n"
BAD = """\
processes:
  - name: web
    file: /bin/sleep
    usr: nobody
    restart: {polici: always}
  - name: db
    file: /bin/sleep
    dependencies: [cache]
  - name: fine
    file: /bin/sleep
"""
PLACES = [(4, 5, "PM014"), (5, 15, "PM014"), (8, 20, "PM020")]
WARNED = "processes:\n  - name: '7'\n    file: /bin/sleep\n"
"""A name that reads like an id."""


@pytest.fixture
def bad(folders: Path) -> str:
    """Its name has what the forms must escape: a space, a comma, a colon, a percent sign, an ampersand."""
    file = folders / "a, b:50% & c.yaml"
    file.write_text(BAD)
    return str(file)


def write(folders: Path, text: str, name: str = "app.yaml") -> str:
    file = folders / name
    file.write_text(text)
    return str(file)


@pytest.mark.parametrize("form", REPORTS)
def test_every_form_is_empty_of_findings_for_a_good_file(run: Run, folders: Path, form: str) -> None:
    ran = run("validate", write(folders, GOOD), "--format", form)
    assert ran.code == 0
    assert not re.search(r"PM\d{3}", ran.out)


def test_text_shows_the_line(run: Run, bad: str) -> None:
    ran = run("validate", bad)
    assert ran.code == 1
    assert f" --> {bad}:4:5\n" in ran.out and "    usr: nobody\n" in ran.out
    assert ran.err == "pmon3: 1 file, 3 processes, 3 errors, 0 warnings\n"


def test_concise_is_a_line_each(run: Run, bad: str) -> None:
    lines = run("validate", bad, "--format", "concise").out.splitlines()
    assert [line.split(" ", 1)[0:1] for line in (line.removeprefix(bad) for line in lines)] == [
        [f":{line}:{column}:"] for line, column, _ in PLACES
    ]


def test_json_is_one_list_with_places_and_pointers(run: Run, bad: str) -> None:
    found = json.loads(run("validate", bad, "-o", "json").out)
    assert [(f["range"]["start"]["line"], f["range"]["start"]["column"], f["code"]) for f in found] == PLACES
    assert [f["path"] for f in found] == [
        "/processes/web/usr", "/processes/web/restart/polici", "/processes/db/dependencies/0"
    ]  # fmt: skip
    offset = found[0]["range"]["start"]["offset"]
    assert BAD[offset:].startswith("usr:")


def test_jsonl_begins_with_its_version_and_ends_with_the_sum(run: Run, bad: str) -> None:
    lines = [json.loads(line) for line in run("validate", bad, "--format", "jsonl").out.splitlines()]
    assert [line["type"] for line in lines] == ["version", *["diagnostic"] * 3, "summary"]
    assert lines[-1] == {"type": "summary", "files": 1, "processes": 3, "errors": 3, "warnings": 0}


def test_github_commands_escape_names_and_messages(run: Run, bad: str) -> None:
    lines = run("validate", bad, "--format", "github").out.splitlines()
    name = bad.replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
    assert lines[0].startswith(f"::error file={name},line=4,col=5,endLine=4,endColumn=8,title=PM014::")
    assert len(lines) == 3
    for line in lines:
        command, properties, message = re.fullmatch(r"::(\w+) ([^:]*)::(.+)", line).groups()  # type: ignore[union-attr]
        assert command == "error" and message
        assert all("=" in one for one in properties.split(","))


def test_gitlab_reports_code_quality(run: Run, bad: str) -> None:
    found = json.loads(run("validate", bad, "--format", "gitlab").out)
    assert [(f["location"]["lines"]["begin"], f["check_name"]) for f in found] == [
        (line, code) for line, _, code in PLACES
    ]
    assert all({"description", "check_name", "fingerprint", "severity", "location"} == set(f) for f in found)
    assert {f["severity"] for f in found} <= {"info", "minor", "major", "critical", "blocker"}


def test_a_fingerprint_does_not_follow_the_line(run: Run, folders: Path) -> None:
    before = json.loads(run("validate", write(folders, BAD), "--format", "gitlab").out)
    after = json.loads(run("validate", write(folders, "# one more line\n" + BAD), "--format", "gitlab").out)
    assert [f["location"]["lines"]["begin"] for f in after] == [5, 6, 9]
    assert [f["fingerprint"] for f in after] == [f["fingerprint"] for f in before]
    assert len({f["fingerprint"] for f in after}) == 3


def test_sarif_names_its_rules_and_quotes_paths(run: Run, bad: str) -> None:
    found = json.loads(run("validate", bad, "--format", "sarif").out)
    assert found["version"] == "2.1.0"
    (sarif,) = found["runs"]
    rules = [rule["id"] for rule in sarif["tool"]["driver"]["rules"]]
    assert all(rule["shortDescription"]["text"] for rule in sarif["tool"]["driver"]["rules"])
    places = []
    for result in sarif["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"] and result["level"] == "error"
        place = result["locations"][0]["physicalLocation"]
        assert re.fullmatch(r"file:///[\w./%~-]+", place["artifactLocation"]["uri"])
        places.append((place["region"]["startLine"], place["region"]["startColumn"], result["ruleId"]))
    assert places == PLACES


def test_junit_has_a_case_for_each_process(run: Run, bad: str) -> None:
    suite = ElementTree.fromstring(run("validate", bad, "--format", "junit").out)[0]
    cases = {case.get("name"): [inner.tag for inner in case] for case in suite}
    assert cases == {"web": ["failure", "failure"], "db": ["failure"], "fine": []}
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "2", "0")
    assert {case.get("classname") for case in suite} == {bad}


def test_stdin_is_called_what_it_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    text = b'[[processes]]\nname = "web"\nfile = "/bin/sleep"\nusr = "x"\n'
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text)))
    ran = run("validate", "-", "--stdin-filename", "deploy/app.toml", "--format", "concise")
    assert ran.code == 1
    assert ran.out.startswith("deploy/app.toml:4:1: error[PM014]")


def test_a_warning_fails_unless_only_errors_do(run: Run, folders: Path) -> None:
    file = write(folders, WARNED)
    assert "warning[" in run("validate", file).out
    codes = {
        words: run("validate", file, *words).code
        for words in ((), ("--fail-on", "warning"), ("--fail-on", "error"), ("--exit-zero",))
    }
    assert codes == {(): 1, ("--fail-on", "warning"): 1, ("--fail-on", "error"): 0, ("--exit-zero",): 0}
    assert run("validate", write(folders, BAD), "--fail-on", "error").code == 1
    assert run("validate", write(folders, BAD), "--exit-zero").code == 0


def test_the_host_is_looked_at_only_when_asked(run: Run, folders: Path) -> None:
    file = write(
        folders,
        "processes:\n"
        "  - {name: a, file: /no/such/program}\n"
        "  - {name: b, file: /bin/sleep, user: no-such-user}\n"
        "  - {name: c, file: /bin/sleep, cwd: /no/such/folder}\n"
        "  - {name: d, file: /bin/sleep, env_file: /no/such/env}\n",
    )
    assert run("validate", file).code == 0
    ran = run("validate", "--host", file, "--format", "concise")
    assert ran.code == 1
    assert [line.removeprefix(f"{file}:")[0] for line in ran.out.splitlines()] == ["2", "3", "4", "5"]


def test_what_cannot_be_read_and_nothing_at_all_are_exit_code_2(run: Run, folders: Path) -> None:
    (folders / "empty").mkdir()
    assert run("validate", str(folders / "empty")).code == 2
    ran = run("validate", str(folders / "missing.yaml"))
    assert ran.code == 2 and "missing.yaml" in ran.err
    assert run("validate", write(folders, GOOD), "--format", "xml").code == 2


def test_bounds_are_told_in_words(run: Run, folders: Path) -> None:
    file = write(folders, "processes:\n  - {file: /bin/true, priority: 99, restart: {max_failures: -1}}\n")
    said = run("validate", file, "--format", "concise").out
    assert "`priority` must be at most 19\n" in said
    assert "`restart.max_failures` must be at least 0\n" in said


def test_a_pipe_in_a_folder_is_refused_instead_of_waited_for(run: Run, folders: Path) -> None:
    folder = folders / "conf.d"
    folder.mkdir()
    os.mkfifo(folder / "a.yaml")
    ran = run("validate", str(folder))
    assert (ran.code, ran.err) == (2, f"pmon3: cannot use {folder}/a.yaml: it is not a regular file\n")


def test_a_pipe_that_is_named_is_read(run: Run, folders: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, GOOD.encode())
    os.close(writing)
    assert run("validate", f"/dev/fd/{reading}").code == 0
    os.close(reading)


@pytest.mark.parametrize("path", ["/dev/zero", "/proc/self/mem", ""])
def test_what_has_no_end_or_cannot_be_read_is_exit_code_2(run: Run, path: str) -> None:
    ran = run("validate", path)
    assert ran.code == 2 and ran.err.startswith(f"pmon3: cannot use {path or repr('')}: ")


def test_each_path_by_itself_may_have_the_same_names(run: Run, folders: Path) -> None:
    one, two = write(folders, GOOD, "one.yaml"), write(folders, GOOD, "two.yaml")
    assert run("validate", one, two).code == 1
    assert run("validate", "--each", one, two).code == 0
    ran = run("validate", "--each", one, write(folders, BAD, "bad.yaml"), "--format", "concise")
    assert ran.code == 1
    assert len(ran.out.splitlines()) == len(PLACES)
