"""Variables and profiles: what is there, with which values, and where a mistake is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from pmon3_schema.diagnostics import Diagnostic
from pmon3_schema.manifest import ManifestFile, Reading, read, texts
from pmon3_schema.origins import positions
from pmon3_schema.process import ProcessSpec
from pmon3_schema.profiles import OPTIONS, chosen_words, options_document, profile_names

BASE = """\
variables:
  PORT: 8080
  TOKEN:
processes:
  - name: web
    file: /bin/web
    args: "--port ${PORT}"
    env_vars: A=1 B=2
    restart: {delay: 1s, max_failures: 3}
  - name: mail
    file: /bin/mail
    profiles: [dev, test]
profiles:
  prod:
    variables: {PORT: 443}
    processes:
      - name: web
        env_vars: {B: null, TOKEN: "${TOKEN}"}
        restart: {delay: 5s}
      - name: extra
        file: ./extra
  dev:
    processes: []
"""


def of(
    *files: tuple[str, str],
    profiles: Sequence[str] | None = None,
    variables: Mapping[str, str] | None = None,
) -> Reading:
    documents = [ManifestFile(path, text.encode()) for path, text in files]
    if profiles is not None or variables is not None:
        documents.append(options_document(profiles or [], variables or {}))
    return read(documents)


def specs(reading: Reading) -> dict[str, ProcessSpec]:
    assert reading.diagnostics == ()
    return {entry.spec.name: entry.spec for entry in reading.entries}


def only(reading: Reading) -> Diagnostic:
    assert len(reading.diagnostics) == 1, reading.diagnostics
    return reading.diagnostics[0]


def base(profiles: Sequence[str] = (), **variables: str) -> Reading:
    return of(("/m/base.yaml", BASE), profiles=profiles, variables=variables)


def test_without_a_profile_the_defaults_hold_and_processes_of_profiles_are_absent() -> None:
    found = specs(base())
    assert list(found) == ["web"]
    assert found["web"].args == ("--port", "8080")


def test_a_process_of_a_profile_is_there_with_it_and_is_not_marked_by_it() -> None:
    found = specs(base(["dev"]))
    assert list(found) == ["web", "mail"]
    assert found["mail"].profiles == ()


def test_a_profile_merges_mappings_replaces_the_rest_and_takes_away_what_is_null() -> None:
    web = specs(base(["prod"], TOKEN="t"))["web"]
    assert web.args == ("--port", "443")
    assert web.env_vars == {"A": "1", "TOKEN": "t"}
    assert (web.restart.delay, web.restart.max_failures) == (5.0, 3)


def test_a_profile_adds_processes_whose_paths_are_those_of_its_own_folder() -> None:
    reading = base(["prod"], TOKEN="t")
    assert specs(reading)["extra"].file == "/m/extra"
    assert [(entry.line, entry.column) for entry in reading.entries] == [(5, 5), (20, 9)]


def test_an_overlay_may_be_a_file_of_its_own() -> None:
    overlay = "[[profiles.prod.processes]]\nName = 'web'\nArgs = 'fast'\ncwd = 'here'\n"
    found = of(("/m/base.yaml", BASE), ("/o/prod.toml", overlay), profiles=["prod"], variables={"TOKEN": "t"})
    web = specs(found)["web"]
    assert (web.args, web.cwd) == (("fast",), "/o/here")


def test_later_profiles_and_the_callers_values_win() -> None:
    text = "{variables: {A: 1}, processes: [{name: w, file: /w, args: '${A}'}]," + (
        "profiles: {one: {variables: {A: 2}}, two: {variables: {A: 3}}},"
        "use: {profiles: [two], variables: {A: 9}}}"
    )
    assert specs(of(("/p.yaml", text)))["w"].args == ("9",)
    assert specs(of(("/p.yaml", text), profiles=["two", "one"]))["w"].args == ("2",)
    assert specs(of(("/p.yaml", text), profiles=["one", "two"]))["w"].args == ("3",)
    assert specs(of(("/p.yaml", text), profiles=[], variables={"A": "4"}))["w"].args == ("4",)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("${A}", "a"), ("x${A}y$", "xay$"), ("$A ${B:-d e}", "$A d e"), ("$${A}", "${A}"), ("${A:-d}", "a"),
        ("${E:-d}", "d"), ("${E}", ""), ("$$ $(x) $", "$$ $(x) $"),
    ],
)  # fmt: skip
def test_what_a_text_becomes(text: str, meaning: str) -> None:
    document = f"{{variables: {{A: a, B: null, E: ''}}, processes: [{{file: /w, description: '{text}'}}]}}"
    assert specs(of(("/p.yaml", document)))["w"].description == meaning


def test_nothing_is_replaced_in_a_file_that_declares_no_variables() -> None:
    other = "processes: [{file: /x, args: 'sh -c ${HOME}'}]"
    found = specs(of(("/m/base.yaml", BASE), ("/m/x.yaml", other)))
    assert found["x"].args == ("sh", "-c", "${HOME}")


@pytest.mark.parametrize(
    ("text", "code", "place", "said"),
    [
        ("variables: {PORT: 1}\nprocesses: [{file: /w, args: '${PROT}'}]", "PM024", (2, 30), "PORT"),
        ("variables: {}\nprocesses: [{file: /w, args: '${A'}]", "PM012", (2, 30), "$${"),
        ("variables: {}\nprocesses: [{file: /w, args: '${a b}'}]", "PM012", (2, 30), "$${"),
        ("variables: {A: }\nprocesses: [{file: /w, args: '${A}'}]", "PM024", (2, 30), "--var A="),
        ("variables: {A: x}\nprocesses: [{file: /w, name: 'w${A}'}]", "PM012", (2, 30), "name"),
        ("variables: {V: 1.10}\nprocesses: []", "PM010", (1, 16), "quotes"),
        ("variables: [A]\nprocesses: []", "PM010", (1, 12), ""),
        ("use: {profiles: [prd]}\nprofiles: {prod: {}}", "PM023", (1, 17), "prod"),
        ("use: {variables: {A: 1}}\nprofiles: {prod: {}}", "PM024", (1, 19), "declare"),
        ("use: {profile: [prod]}\nprofiles: {prod: {}}", "PM014", (1, 7), "profiles"),
        ("profiles: {p: {process: []}}", "PM014", (1, 16), "processes"),
        ("profiles: {p: {processes: [{name: wbe}]}}\nuse: {profiles: p}\nprocesses: [{file: /web}]", "PM023",
         (1, 35), "web"),
        ("profiles: {p: {processes: [{name: w, cwd: 1}]}}\nuse: {profiles: p}\nprocesses: [{file: /w}]",
         "PM010", (1, 43), ""),
        ("profiles: {p: {processes: [{name: w, cdw: x}]}}\nuse: {profiles: p}\nprocesses: [{file: /w}]",
         "PM014", (1, 38), "cwd"),
        ("processes: [{file: /a, dependencies: [b]}, {file: /b, profiles: [dev]}]", "PM020", (1, 39), "dev"),
        ("processes: [{file: /a, profiles: dev}]", "PM010", (1, 34), ""),
    ],
)  # fmt: skip
def test_a_mistake_is_shown_where_it_is(text: str, code: str, place: tuple[int, int], said: str) -> None:
    found = only(of(("/p.yaml", text)))
    assert (found.code, (found.line, found.column)) == (code, place)
    assert said in found.hint


def test_use_is_given_once_and_the_caller_counts_more() -> None:
    files = ("/a.yaml", "{use: {}, profiles: {p: {}}}"), ("/b.yaml", "{use: {profiles: [p]}, processes: []}")
    assert only(of(*files)).code == "PM002"
    assert of(*files, profiles=["p"]).ok


def test_values_of_the_caller_are_never_shown() -> None:
    documents = [ManifestFile("/p.yaml", b"processes: []"), options_document([], {"TOKEN": "secret"})]
    reading = read(documents)
    assert reading.diagnostics[0].file == OPTIONS
    assert "secret" not in str(reading.diagnostics) + str(texts(documents))


@pytest.mark.parametrize(
    ("text", "profiles"),
    [
        ("use: {profiles: [p]}", ["p"]),
        ('{"use": {}}', []),
        ("processes: []", []),
        (options_document(["p"], {}).content.decode(), ["p"]),
    ],
)
def test_a_choice_may_be_written_in_any_way(text: str, profiles: list[str]) -> None:
    """Whoever talks to the socket may send any; what is told of the sets must not fail for it."""
    assert chosen_words(ManifestFile(OPTIONS, text.encode())) == {"profiles": profiles, "variables": []}


def test_the_place_of_a_value_is_that_of_the_layer_in_force() -> None:
    documents = [
        ManifestFile("/m/base.yaml", BASE.encode()),
        ManifestFile(
            "/o/prod.yaml", b"profiles:\n  prod:\n    processes:\n      - name: web\n        cwd: /\n"
        ),
        options_document(["prod"], {"TOKEN": "t"}),
    ]
    found = positions(documents, "/m/base.yaml", "web")
    assert found["args"] == ("/m/base.yaml", 7, 5)
    assert found["restart.delay"] == ("/m/base.yaml", 19, 19)
    assert found["restart.max_failures"][1] == 9
    assert found["cwd"] == ("/o/prod.yaml", 5, 9)
    assert positions(documents, "/m/base.yaml", "extra")["file"] == ("/m/base.yaml", 21, 9)


def test_the_names_of_all_profiles() -> None:
    assert profile_names([ManifestFile("/m/base.yaml", BASE.encode()), ManifestFile("/x", b"{")]) == [
        "dev",
        "prod",
        "test",
    ]
