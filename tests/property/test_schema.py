"""Laws of manifests: places lie in their file, formatting means nothing, export reads back."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.spec_strategies import TEXT, entries

from pmon3_schema.diagnostics import Diagnostic, render_text
from pmon3_schema.field_types import split_words
from pmon3_schema.formats.export import FORMATS, plain, render
from pmon3_schema.formats.yaml import core_scalar
from pmon3_schema.manifest import ManifestFile, read, texts
from pmon3_schema.process import ProcessSpec
from pmon3_schema.reading import read_value
from pmon3_schema.revision import changes, revision

ENTRIES = entries(file=TEXT.filter(bool).map(lambda text: "/bin/" + text.replace("/", "") + "x"))
MANIFESTS = st.lists(ENTRIES, max_size=3, unique_by=lambda entry: entry["name"])


def specs_of(text: str, path: str) -> list[ProcessSpec]:
    reading = read([ManifestFile(path, text.encode())])
    assert reading.ok, render_text(reading.diagnostics, {path: text})
    return [entry.spec for entry in reading.entries]


@pytest.mark.slow
@given(MANIFESTS, st.sampled_from(FORMATS))
@settings(max_examples=200, deadline=None)
def test_export_reads_back_as_the_same_specs(entries: list[dict[str, Any]], format_name: str) -> None:
    specs = [read_value(ProcessSpec, entry) for entry in entries]
    text = render([plain(spec) for spec in specs], format_name)
    assert specs_of(text, f"/p.{format_name}") == specs
    assert render([plain(spec) for spec in specs_of(text, f"/p.{format_name}")], format_name) == text


@pytest.mark.slow
@given(MANIFESTS, st.integers(0, 4), st.booleans())
@settings(max_examples=100, deadline=None)
def test_formatting_changes_no_entry(entries: list[dict[str, Any]], indent: int, ascii_only: bool) -> None:
    plain_text = json.dumps({"processes": entries})
    other = json.dumps({"processes": entries}, indent=indent, ensure_ascii=ascii_only, sort_keys=True)
    before, after = specs_of(plain_text, "/p.json"), specs_of(other, "/p.json")
    assert before == after
    assert [revision(spec) for spec in before] == [revision(spec) for spec in after]
    assert all(changes(old, new) == [] for old, new in zip(before, after, strict=True))


def assert_inside(diagnostic: Diagnostic, text: str) -> None:
    lines = text.split("\n")
    assert 1 <= diagnostic.line <= diagnostic.end_line <= len(lines)
    assert 1 <= diagnostic.column <= len(lines[diagnostic.line - 1]) + 1
    assert 1 <= diagnostic.end_column <= len(lines[diagnostic.end_line - 1]) + 1
    assert (diagnostic.line, diagnostic.column) <= (diagnostic.end_line, diagnostic.end_column)


BROKEN = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=60),
    st.text("processes:[]{}-,\n \"'#=&*!|>x1.", max_size=60),
    st.text("-{}[]:, \n\"'=.\u2028\x85\r\té", max_size=30).map(
        lambda tail: f"processes:\n- file: /a\n  {tail}"
    ),
    st.text("-{}[]:, \n\"'=.é", max_size=30).map(lambda tail: f"[[processes]]\nfile='/a'\nx{tail}"),
    st.text("-{}[]:, \n\"'=.é", max_size=30).map(lambda tail: f'{{"processes":[{{"a":1{tail}'),
)


@pytest.mark.slow
@given(BROKEN, st.sampled_from(["yaml", "toml", "json", "conf"]))
@settings(max_examples=600, deadline=None)
def test_whatever_the_text_every_place_lies_inside_it(text: str, suffix: str) -> None:
    document = ManifestFile(f"/p.{suffix}", text.encode())
    shown = texts([document])
    reading = read([document])
    for diagnostic in reading.diagnostics:
        assert_inside(diagnostic, shown[document.path])
        assert Diagnostic.from_json(diagnostic.to_json()) == diagnostic
    render_text(reading.diagnostics, shown)


WRONG = st.sampled_from(
    [("stopp", 1), ("args", 5), ("restart", {"policy": "alwayss"}), ("user", ["x"]), ("limits", {"nofil": 1})]
)


@pytest.mark.slow
@given(MANIFESTS.filter(bool), WRONG, st.sampled_from(["yaml", "toml", "json"]))
@settings(max_examples=150, deadline=None)
def test_p19_the_text_at_the_place_is_the_offending_key_or_value(
    entries: list[dict[str, Any]], wrong: tuple[str, Any], suffix: str
) -> None:
    specs = [plain(read_value(ProcessSpec, entry)) for entry in entries]
    key, value = wrong
    specs[-1][key] = value
    text = render(specs, suffix)
    if key == "args" and suffix == "yaml":
        return  # the seed's text keys take numbers in YAML
    reading = read([ManifestFile(f"/p.{suffix}", text.encode())])
    (found,) = (diagnostic for diagnostic in reading.diagnostics if diagnostic.is_error)
    assert_inside(found, text)
    there = text.split("\n")[found.line - 1][found.column - 1 : found.column + 8]
    offending = {"stopp": "stopp", "args": "5", "restart": "alwayss", "limits": "nofil", "user": ""}
    assert offending[key] in there


@given(st.text("ab '\"\\\t\n#$é", max_size=12))
def test_quick_splitting_is_that_of_a_shell(text: str) -> None:
    try:
        expected = shlex.split(text)
    except ValueError:
        expected = None
    try:
        assert split_words(text) == expected
    except ValueError:
        assert expected is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"), ("on", "on"), ("22:22", "22:22"), ("0755", "0755"), ("0o17", 15), ("0x1F", 31),
        ("-7", -7),
        ("1e3", 1000.0), (".5", 0.5), ("1.", 1.0),
        ("1_000", "1_000"), ("2024-01-01", "2024-01-01"), ("~", None),
        ("True", True), ("tRue", "tRue"), ("-.inf", float("-inf")), ("+", "+"),
        (".", "."), ("-", "-"), ("1.2.3", "1.2.3"),
    ],
)  # fmt: skip
def test_plain_scalars_are_those_of_yaml_1_2(text: str, value: Any) -> None:
    assert core_scalar(text) == value
    assert type(core_scalar(text)) is type(value)
