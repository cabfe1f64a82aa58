"""Law P3 with every field: what says the same in another way, an export above all, changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.declared_world import DeclaredWorld
from tests.support.spec_strategies import FOLDER, IMPLIED, NAMES, NEEDED, entries, spellings

from pmon3_schema.diagnostics import render_text
from pmon3_schema.equivalence import ImpliedValues, meaning, put_like
from pmon3_schema.formats.export import FORMATS, exported, render, render_manifest
from pmon3_schema.manifest import ManifestFile, read
from pmon3_schema.process import ProcessSpec
from pmon3_schema.process_parts import HooksSpec
from pmon3_schema.reading import read_value
from pmon3_schema.revision import changes, revision
from pmond.core.step import CompareOptions

pytestmark = pytest.mark.slow

OPTIONS = CompareOptions("file:/srv/shop/p", prune=True, allow_empty=True, implied=IMPLIED)
MANIFESTS = st.lists(entries(whole=True), min_size=1, max_size=2, unique_by=lambda entry: entry["name"])


def specs_of(text: str, format_name: str) -> list[ProcessSpec]:
    reading = read([ManifestFile(f"{FOLDER}/p.{format_name}", text.encode())], known_names=[NEEDED])
    assert reading.ok, render_text(reading.diagnostics, {f"{FOLDER}/p.{format_name}": text})
    return [entry.spec for entry in reading.entries]


def text_of(written: list[dict[str, Any]], format_name: str) -> str:
    """A manifest of these entries, with all profiles in use that they are for."""
    names = sorted({name for entry in written for name in entry.get("profiles", ())})
    top = {"profiles": {name: {} for name in names}, "use": {"profiles": names}} if names else {}
    return render_manifest({**top, "processes": written}, format_name)


def declared(specs: list[ProcessSpec]) -> DeclaredWorld:
    world = DeclaredWorld()
    world.begin(specs, OPTIONS)
    if not any(map(needs_more_than_programs, specs)):
        world.settle()
    return world


def needs_more_than_programs(spec: ProcessSpec) -> bool:
    """Nobody answers probes here, keeps a schedule, ends what runs too long, or runs hooks."""
    asked = spec.ready.kind or spec.live.kind or spec.watch.paths
    return bool(asked or spec.schedule.wanted or spec.max_runtime or spec.hooks != HooksSpec())


@given(MANIFESTS, st.data())
@settings(max_examples=150, deadline=None)
def test_p03_applying_what_is_exported_changes_nothing(
    written: list[dict[str, Any]], data: st.DataObject
) -> None:
    world = declared(specs_of(text_of(written, "json"), "json"))
    specs = world.entries()
    entry_of = [
        exported(spec, spec.user or IMPLIED.user, data.draw(st.permutations(spec.groups))) for spec in specs
    ]
    before = world.picture()
    for format_name in FORMATS:
        again = specs_of(render(entry_of, format_name), format_name)
        assert world.begin(again, OPTIONS).steps == ()
        assert world.picture() == before


@given(MANIFESTS, st.sampled_from(FORMATS), st.sampled_from(FORMATS), st.data())
@settings(max_examples=150, deadline=None)
def test_p03_p09_no_other_way_of_writing_the_same_changes_anything(
    written: list[dict[str, Any]], one: str, other: str, data: st.DataObject
) -> None:
    specs = specs_of(text_of(written, "json"), "json")
    first = specs_of(text_of([data.draw(spellings(spec)) for spec in specs], one), one)
    world = declared(first)
    before = world.picture()
    second = specs_of(text_of([data.draw(spellings(spec)) for spec in specs], other), other)
    assert world.begin(second, OPTIONS).steps == ()
    assert world.picture() == before


@given(entries(names=st.just("web")), entries(names=st.just("web")))
@settings(max_examples=150, deadline=None)
def test_what_is_put_like_another_means_what_it_meant(one: dict[str, Any], two: dict[str, Any]) -> None:
    before, after = read_value(ProcessSpec, one), read_value(ProcessSpec, two)
    worded = put_like(after, before, IMPLIED)
    assert meaning(worded, IMPLIED) == meaning(after, IMPLIED)
    assert put_like(before, before, IMPLIED) is before
    assert len(changes(before, worded)) <= len(changes(before, after))
    # All that still differs means something else, field by field.
    for name in before.__struct_fields__:
        mixed = {**{n: getattr(worded, n) for n in before.__struct_fields__}, name: getattr(before, name)}
        same = meaning(ProcessSpec(**mixed), IMPLIED) == meaning(worded, IMPLIED)
        assert not same or getattr(worded, name) == getattr(before, name)


def test_what_is_implied_depends_on_the_rest() -> None:
    here = ProcessSpec(file="/a/web", name="web")
    moved = ProcessSpec(file="/b/web", name="web", cwd="/a", argv0="/a/web")
    assert put_like(moved, here, IMPLIED) == moved, "its folder and its first argument stay, and must be said"
    said = ProcessSpec(file="/a/web", name="web", cwd="/a", user="root", log="/var/log/pmon3/web.log")
    assert put_like(said, here, IMPLIED) is here
    assert put_like(said, here, ImpliedValues("ana", "/home/ana")).user == "root"
    assert revision(put_like(said, here, IMPLIED)) == revision(here)


@given(st.lists(NAMES, max_size=3), st.lists(NAMES, max_size=3))
def test_groups_are_a_set(one: list[str], two: list[str]) -> None:
    before, after = (ProcessSpec(file="/a", name="a", groups=tuple(names)) for names in (one, two))
    assert (put_like(after, before, IMPLIED) is before) == (set(one) == set(two))
