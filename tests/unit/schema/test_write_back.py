"""A manifest is brought to what is in force, and every byte that need not change stays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import to_builtins

from pmon3_schema.edit_text import CannotEdit
from pmon3_schema.formats.export import plain
from pmon3_schema.manifest import read
from pmon3_schema.path_diagnostics import ManifestFile
from pmon3_schema.process import ProcessSpec
from pmon3_schema.reading import read_value
from pmon3_schema.write_back import written_back

YAML = """\
# the shop
processes:
    # in front
    -   name:  'web'      # its name
        file: /usr/bin/web
        # the port
        args:  "-p 80"   # as ever
        env_vars:
            A: "1"  # first
            # second
            B: two
        dependencies:
            - worker   # the back
        restart: { policy: always,   delay: 1s }   # soon
        stop:
            timeout: 3s # short
        labels: &l {tier: front}

    -   file: ./worker  # behind
        labels: *l
# the end
"""
TOML = """\
# the shop
[[Processes]]   # in front
File = "/bin/web" # x
  Name   = 'web'
env_vars = { A = "1", B = 'two' }   # both
[Processes.restart]
delay = "1s" # soon
policy = "always"
# the back
[[Processes]]
File = "/bin/worker"
"""
JSON = (
    '{"processes": [\n  {"file": "/bin/web",\n   "name": "web", "restart": {"delay": "1s"},'
    '\n   "args": ["-p",   "80"]}\n]}\n'
)
TEXTS = {"/m/a.yaml": YAML, "/m/a.toml": TOML, "/m/a.json": JSON}
ALL = [(path, text.replace("\n", newline)) for path, text in TEXTS.items() for newline in ("\n", "\r\n")]


def specs(path: str, text: str) -> dict[str, ProcessSpec]:
    reading = read([ManifestFile(path, text.encode())], known_names=["worker", "other"])
    assert reading.ok, reading.diagnostics
    return {entry.spec.name: entry.spec for entry in reading.entries}


def after(path: str, text: str, in_force: Mapping[str, ProcessSpec], **more: Any) -> str:
    document = ManifestFile(path, text.encode())
    return written_back(document, (), in_force, known=["worker", "other"], **more).decode()


def changed(path: str, text: str, **fields: Any) -> dict[str, ProcessSpec]:
    """The processes of a text, the first of them with other fields."""
    present = specs(path, text)
    entry = {**plain(present["web"]), **fields}
    kept = {key: value for key, value in entry.items() if value is not None}
    return {**present, "web": read_value(ProcessSpec, kept)}


@pytest.mark.parametrize(("path", "text"), ALL)
def test_what_is_in_force_already_changes_no_byte(path: str, text: str) -> None:
    assert after(path, text, specs(path, text)) == text


@pytest.mark.parametrize(
    ("path", "fields", "old", "new"),
    [
        ("/m/a.yaml", {"args": "-p 81"}, '"-p 80"', '"-p 81"'),
        ("/m/a.yaml", {"env_vars": {"A": "2", "B": "two"}}, '"1"  # first', '"2"  # first'),
        ("/m/a.yaml", {"env_vars": {"A": "1"}}, "            B: two\n", ""),
        ("/m/a.yaml", {"dependencies": ["other"]}, "- worker   #", "- other   #"),
        ("/m/a.yaml", {"dependencies": ["other", "worker"]}, "- worker ", "- other\n            - worker "),
        ("/m/a.yaml", {"restart": {"policy": "always", "delay": "2s"}}, "delay: 1s", "delay: 2s"),
        ("/m/a.yaml", {"restart": {"delay": "1s", "policy": "never"}}, "always", "never"),
        ("/m/a.yaml", {"stop": {"timeout": "4s"}}, "timeout: 3s", "timeout: 4s"),
        ("/m/a.toml", {"restart": {"delay": "2s"}}, '"1s" # soon', '"2s" # soon'),
        ("/m/a.toml", {"env_vars": {"B": "two"}}, 'A = "1", B', "B"),
        ("/m/a.toml", {"env_vars": {"A": "1"}}, ", B = 'two' }", " }"),
        ("/m/a.json", {"args": ["-p", "81"]}, '"80"', '"81"'),
        ("/m/a.json", {"args": ""}, ',\n   "args": ["-p",   "80"]', ""),
    ],
)  # fmt: skip
def test_one_difference_is_one_edit(path: str, fields: dict[str, Any], old: str, new: str) -> None:
    text = TEXTS[path]
    assert text.count(old) == 1
    for newline in ("\n", "\r\n"):
        whole, one, other = (part.replace("\n", newline) for part in (text, old, new))
        assert after(path, whole, changed(path, whole, **fields)) == whole.replace(one, other)


@pytest.mark.parametrize(("path", "text"), ALL)
def test_a_process_that_is_named_is_added_at_the_end_of_the_list(path: str, text: str) -> None:
    new = read_value(ProcessSpec, {"file": "/bin/new", "name": "new", "args": "a 'b c'", "user": "ana"})
    both = {**specs(path, text), "new": new}
    result = after(path, text, both)
    assert specs(path, result) == both
    left = [line for line in text.split("\n") if line.rstrip("\r").rstrip(",") not in result]
    assert left == []
    assert ("\r\n" in text) == ("\r\n" in result)
    assert result.count("\r\n") in (0, result.count("\n"))
    assert after(path, result, {"new": new}, own_users={"ana"}) == result


@pytest.mark.parametrize(
    ("path", "text"),
    [("/m/e.yaml", "processes: []  # none yet\n"), ("/m/e.json", '{"processes": []}'), ("/m/e.toml", "")],
)
def test_the_first_process_of_a_manifest(path: str, text: str) -> None:
    new = read_value(ProcessSpec, {"file": "/bin/new", "name": "new"})
    text = text or "[[processes]]\nfile = '/bin/old'\n"
    assert specs(path, after(path, text, {"new": new}))["new"] == new


def test_a_user_that_is_left_out_stays_so_for_who_applies_it() -> None:
    path, text = "/m/a.json", JSON
    mine = changed(path, text, user="ana")
    assert after(path, text, mine, own_users={"ana", "root"}) == text
    assert '"user": "ana"' in after(path, text, mine)


def test_texts_are_meant_literally_where_there_are_variables() -> None:
    path, text = "/m/v.yaml", "variables: {P: 80}\nprocesses:\n  - {file: /w, name: web, cwd: /}\n"
    wanted = changed(path, text, args=["${HOME}"], description="$${x}")
    new = read_value(ProcessSpec, {"file": "/bin/new", "name": "new", "args": ["${P}"]})
    result = after(path, text, {**wanted, "new": new})
    assert specs(path, result) == {**wanted, "new": new}


@pytest.mark.parametrize(
    ("text", "fields", "why"),
    [
        ("variables: {P: 80}\nprocesses: [{file: /w, name: web, args: '${P}'}]", {"args": "81"}, "variables"),
        ("x: &a [b]\nprocesses: [{file: /w, name: web, args: [c]}]", {"args": "81"}, "unknown field"),
        ("processes: [{file: /w, name: web, labels: &a {b: c}}, {file: /v, labels: *a}]",
         {"labels": {"b": "d"}}, "safely"),
        ("use: {profiles: p}\nprofiles: {p: {processes: [{name: web, args: x}]}}\n"
         "processes: [{file: /w, name: web, args: y}]", {"args": "z"}, "profile"),
    ],
)  # fmt: skip
def test_what_would_change_more_is_refused(text: str, fields: dict[str, Any], why: str) -> None:
    path = "/m/a.yaml"
    wanted = {"web": read_value(ProcessSpec, {"file": "/w", "name": "web", **fields})}
    with pytest.raises(CannotEdit, match=why):
        after(path, text, wanted)


FIELDS: dict[str, list[Any]] = {
    "args": ["", "-p 81", "a 'b c' \"d\"", ["x", "#y: z"]],
    "description": ["", "a: b # c", "'q'", "päß"],
    "cwd": ["", "/srv/a b"],
    "env_vars": [{}, {"A": "1"}, {"A": "#", "B": "two", "C": "x=y z"}, {"B": "${B}"}],
    "dependencies": [[], ["worker"], ["other", "worker"]],
    "autostart": [True, False],
    "priority": [None, 5],
    "umask": [None, "0027"],
    "restart": [{}, {"delay": "7s"}, {"policy": "never", "max_failures": 3}],
    "stop": [{}, {"timeout": "1s", "signal": "SIGINT"}],
    "labels": [{}, {"tier": "back"}, {"a": "b", "tier": "front"}],
}
WORDS = {
    "args": ("args", "Args"),
    "env_vars": ("env_vars", "A:", "B:", "C:", "# second"),
    "dependencies": ("dependencies", "worker", "- other"),
    "restart": ("restart", "delay", "policy", "max_failures"),
    "stop": ("stop", "timeout", "signal"),
}
"""What a line has that says something of a field, where that is not its name alone."""
CHANGES = st.fixed_dictionaries({}, optional={key: st.sampled_from(values) for key, values in FIELDS.items()})


@pytest.mark.slow
@given(st.sampled_from(ALL), CHANGES, CHANGES)
@settings(max_examples=250, deadline=None)
def test_only_lines_of_what_differs_change(
    file: tuple[str, str], first: dict[str, Any], second: dict[str, Any]
) -> None:
    """Twice in a row: the second time in a text that an edit has made."""
    path, text = file
    for fields in (first, second):
        wanted = changed(path, text, **fields)
        before = specs(path, text)
        try:
            result = after(path, text, wanted)
        except CannotEdit as refusal:
            assert ("labels" in fields and "anchor" in str(refusal)) or "hand" in str(refusal)
            return
        assert specs(path, result) == wanted
        assert after(path, result, wanted) == result
        assert result.count("\r\n") in (0, result.count("\n"))
        if path.endswith(".json"):  # several fields may share a line there
            gone = [line for line in text.splitlines() if line.strip(" ,{}[]") not in result]
        else:
            gone = [line for line in text.splitlines() if line not in result.splitlines()]
        old, new = to_builtins(before["web"]), to_builtins(wanted["web"])
        differing = {key for key in old if old[key] != new[key]}
        for line in gone:
            words = [word for key in differing for word in WORDS.get(key, (key,))]
            assert any(word in line for word in words), f"{line!r} is lost, though only {differing} differ"
        text = result
