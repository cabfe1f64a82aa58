"""What entries of a manifest share: anchors, merge keys, `x-…` keys, `defaults`; and where it is found."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft7Validator

from pmon3_schema.edit_text import CannotEdit, set_value
from pmon3_schema.formats import format_of, yaml
from pmon3_schema.formats.source import Unreadable
from pmon3_schema.jsonschema import manifest_schema
from pmon3_schema.manifest import ManifestFile, Reading, read
from pmon3_schema.origins import positions
from pmon3_schema.process import ProcessSpec
from pmon3_schema.reading import read_value
from pmon3_schema.write_back import written_back


def of(text: str, name: str = "m.yaml") -> Reading:
    return read([ManifestFile(f"/etc/app/{name}", text.encode())])


def specs(text: str, name: str = "m.yaml") -> dict[str, ProcessSpec]:
    reading = of(text, name)
    assert reading.diagnostics == ()
    return {entry.spec.name: entry.spec for entry in reading.entries}


MERGED = """\
x-base: &base
  user: root
  stop: &stop {signal: INT, timeout: 5s}
x-more: &more {<<: *base, priority: 3, user: nobody}
processes:
  - <<: *more
    name: a
    file: /bin/a
  - {name: b, file: /bin/b, stop: *stop}
  - name: c
    stop: {timeout: 1s}
    <<: [*base, *more]
    file: /bin/c
"""


def test_a_merge_key_lays_a_mapping_under_an_entry() -> None:
    found = specs(MERGED)
    a, b, c = found["a"], found["b"], found["c"]
    assert (a.user, a.priority, a.stop.signal, a.stop.timeout) == ("nobody", 3, 2, 5)
    assert (b.stop.signal, b.user) == (2, "")
    # What the entry says wins as a whole, wherever it stands; of two, the first.
    assert (c.stop.timeout, c.stop.signal, c.user, c.priority) == (1, 15, "root", 3)


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("a: {<<: {x: 1}, x: 2}", {"a": {"x": 2}}),
        ("a: &a {x: 1}\nb: &b {<<: *a, y: 1}\nc: {<<: *b}", {"a": {"x": 1}, "b": {"x": 1, "y": 1},
        "c": {"x": 1, "y": 1}}),
        ("'<<': 1\nb: {'<<': {x: 1}}", {"<<": 1, "b": {"<<": {"x": 1}}}),
        ("a: {<<: []}", {"a": {}}),
    ],
)  # fmt: skip
def test_what_a_merge_key_comes_to(text: str, data: object) -> None:
    loaded = yaml.load(text)
    assert (loaded.data, loaded.problems) == (data, ())


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: &a 5\nb: {<<: *a}", "PM010"),
        ("a: {<<: }", "PM010"),
        ("a: &a {x: 1}\nb: {<<: [*a, 5]}", "PM010"),
        ("a: &a {x: 1}\nb: {<<: *a, <<: *a}", "PM002"),
    ],
)
def test_what_cannot_be_merged_is_said(text: str, code: str) -> None:
    assert [problem.code for problem in yaml.load(text).problems] == [code]


def test_a_merge_inside_of_its_own_anchor_is_refused() -> None:
    with pytest.raises(Unreadable, match="inside its own anchor"):
        yaml.load("a: &a {<<: *a}")


def test_merging_is_bounded_as_aliases_are() -> None:
    wide = ", ".join(f"k{n}: 1" for n in range(3_000))
    uses = "\n".join(f"u{n}: {{<<: *a}}" for n in range(900))
    with pytest.raises(Unreadable) as refused:
        yaml.load(f"a: &a {{{wide}}}\n{uses}")
    assert refused.value.problem.code == "PM004"


def places(text: str, *paths: tuple[str | int, ...]) -> list[str | None]:
    found = format_of("m.yaml", text).trace(text, paths)
    return [text[found[p].value.start : found[p].value.end] if p in found else None for p in paths]


def test_a_value_that_comes_by_an_anchor_is_found_where_it_is_written() -> None:
    assert places(
        MERGED,
        ("processes", 0, "priority"),
        ("processes", 0, "stop", "signal"),
        ("processes", 1, "stop", "signal"),
        ("processes", 2, "stop", "timeout"),
        ("processes", 2, "user"),
        ("processes", 1, "user"),
    ) == ["3", "INT", "INT", "1s", "root", None]


def test_an_anchor_that_is_given_again_counts_from_there_on() -> None:
    text = "a: &a {x: 1}\nb: {<<: *a}\nc: &a {x: 2}\nd: {<<: *a}\n"
    assert places(text, ("b", "x"), ("d", "x")) == ["1", "2"]


def test_a_mistake_in_an_anchor_is_shown_there() -> None:
    (found,) = of("x-b: &b\n  umask: '9'\nprocesses:\n- {<<: *b, file: /bin/a}\n").diagnostics
    assert (found.code, found.line, found.path) == ("PM012", 2, "/processes/a/umask")


DEFAULTS = """\
defaults:
  user: nobody
  env_vars: {A: "1", B: "2"}
  log_dir: logs
  restart: {policy: on-failure, max_failures: 5}
processes:
  - {name: a, file: /bin/a, env_vars: B=3}
  - {name: b, file: /bin/b, user: root, restart: {policy: always}}
profiles:
  more: {processes: [{name: c, file: /bin/c}, {name: a, restart: {max_failures: 7}}]}
use: {profiles: [more]}
"""


def test_defaults_are_laid_under_every_process_of_the_file() -> None:
    found = specs(DEFAULTS)
    a, b, c = found["a"], found["b"], found["c"]
    assert (a.user, a.env_vars, a.log_dir) == ("nobody", {"A": "1", "B": "3"}, "/etc/app/logs")
    assert (b.user, b.policy, b.restart.max_failures) == ("root", "always", 5)
    assert (c.user, a.restart.max_failures, a.policy) == ("nobody", 7, "on-failure")


def test_defaults_are_of_one_file() -> None:
    first = ManifestFile("/m/a.yaml", b"defaults: {priority: 1}\nprocesses: [{file: /bin/a}]\n")
    second = ManifestFile("/m/b.yaml", b"processes: [{file: /bin/b}]\n")
    found = {entry.spec.name: entry.spec.priority for entry in read([first, second]).entries}
    assert found == {"a": 1, "b": None}


def test_a_file_in_defaults_is_that_of_processes_without_one() -> None:
    found = specs("defaults: {file: /bin/env}\nprocesses: [{name: a, args: x}, {name: b, file: /bin/b}]\n")
    assert (found["a"].file, found["b"].file) == ("/bin/env", "/bin/b")


def test_defaults_are_there_in_every_format_and_with_variables() -> None:
    toml = '[defaults]\nLogDir = "/l"\n[[Processes]]\nFile = "/bin/a"\n[x-mine]\na = 1\n'
    assert specs(toml, "m.toml")["a"].log_dir == "/l"
    text = json.dumps(
        {"x-a": 1, "variables": {"P": 4}, "defaults": {"priority": "${P}"}, "processes": [{"file": "/b"}]}
    )
    assert specs(text, "m.json")["b"].priority == 4


@pytest.mark.parametrize("field", ["name: x", "renamed_from: y", "profiles: [z]"])
def test_what_is_of_one_process_is_refused_in_defaults(field: str) -> None:
    reading = of(f"defaults: {{{field}}}\nprocesses: [{{file: /bin/a}}]\n")
    assert [(one.code, one.line) for one in reading.diagnostics] == [("PM012", 1)]


def test_a_mistake_in_defaults_is_said_once() -> None:
    entries = ", ".join(f"{{name: p{n}, file: /bin/a}}" for n in range(20))
    (found,) = of(f"defaults: {{priority: 99}}\nprocesses: [{entries}]\n").diagnostics
    assert (found.code, found.line, found.path) == ("PM012", 1, "/defaults/priority")


def test_keys_of_the_author_mean_nothing() -> None:
    assert of("x-a: {processes: 5}\nX-b: 1\nprocesses: []\n").diagnostics[0].message == "unknown field `X-b`"
    assert of("x-a: [1]\nprocesses: []\n").diagnostics == ()


def test_desc_is_told_where_what_is_shared_is_written() -> None:
    file = ManifestFile("/m/m.yaml", DEFAULTS.encode())
    found = positions([file], "/m/m.yaml", "a")
    assert {key: at[1] for key, at in found.items()} == {
        "user": 2, "env_vars.A": 3, "env_vars.B": 3, "log_dir": 4, "restart.policy": 5,
        "restart.max_failures": 10,
        "name": 10, "file": 7, "env_vars": 7,
    }  # fmt: skip
    merged = ManifestFile("/m/m.yaml", MERGED.encode())
    assert positions([merged], "/m/m.yaml", "a")["stop.signal"] == ("/m/m.yaml", 3, 16)


def test_a_change_of_one_process_does_not_touch_what_others_share() -> None:
    file = ManifestFile("/m/m.yaml", MERGED.encode())
    changed = set_value(file, "a", ["priority"], 7).decode()
    assert "x-more: &more {<<: *base, priority: 3, user: nobody}" in changed
    assert (specs(changed)["a"].priority, specs(changed)["c"].priority) == (7, 3)
    with pytest.raises(CannotEdit):
        set_value(file, "b", ["stop"], {"timeout": "9s"})


def test_what_runs_is_written_into_the_entry_and_not_into_defaults() -> None:
    file = ManifestFile(
        "/m/m.yaml",
        b"defaults: {priority: 1}\nprocesses:\n  - {name: a, file: /a}\n  - {name: b, file: /b}\n",
    )
    a = specs(file.content.decode())["a"]
    text = written_back(file, [], {"a": read_value(ProcessSpec, {**a.to_record(), "priority": 5})}).decode()
    assert (specs(text)["a"].priority, specs(text)["b"].priority) == (5, 1)
    with pytest.raises(CannotEdit, match="`defaults`"):
        written_back(file, [], {"a": read_value(ProcessSpec, {"file": "/a", "name": "a"})})


def test_the_json_schema_knows_them() -> None:
    schema = Draft7Validator(manifest_schema("7"))
    good: list[object] = [
        {"x-a": [1], "processes": []},
        {"defaults": {"file": "/bin/a"}, "processes": [{"name": "a"}]},
        {"Defaults": {"LogDir": "/l"}, "processes": [{"file": "/a"}]},
        {"variables": {"A": 1}, "defaults": {"priority": "${A}"}, "processes": [{"file": "/a"}]},
    ]
    bad: list[object] = [
        {"processes": [{"name": "a"}]},
        {"defaults": {"nosuch": 1}, "processes": []},
        {"defaults": {"name": "x"}, "processes": []},
        {"defaults": {"stop": {"signal": "NOPE"}}, "processes": []},
        {"y-a": 1, "processes": []},
    ]
    assert [schema.is_valid(one) for one in good] == [True] * 4
    assert [schema.is_valid(one) for one in bad] == [False] * 5
