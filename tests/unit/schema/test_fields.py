"""Classes of fields: what is declared once, read by pydantic, kept as plain data."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Set
from typing import Annotated, Any

import pytest

from pmon3_schema.fields import Conversion, FieldStruct, InvalidValue, field, mistake
from pmon3_schema.process import ProcessSpec
from pmon3_schema.process_parts import Dependency
from pmon3_schema.reading import read_value
from pmon3_schema.revision import changes
from pmon3_schema.settings import Settings


class Inner(FieldStruct, frozen=True):
    """A part."""

    low: int = field(1, ge=0, description="the least")
    high: int = field(5, description="the greatest")

    def check(self, given: Set[str]) -> None:
        if self.low > self.high:
            raise mistake("order", "low is above high")


class Outer(FieldStruct, frozen=True):
    """A whole."""

    name: Annotated[str, Conversion(lambda value: value.upper() if isinstance(value, str) else value)] = (
        field()
    )
    inner: Inner = field(Inner(), description="the part")
    tags: tuple[str, ...] = field(())
    plain: dict[str, str] = {}  # noqa: RUF012 - msgspec makes a new one for each value

    def check(self, given: Set[str]) -> None:
        if "inner.high" in given and not self.tags:
            raise mistake("tags", "high needs tags")


def test_what_is_not_given_has_its_default() -> None:
    assert read_value(Outer, {"name": "a"}) == Outer("A", Inner(1, 5), (), {})


def test_checks_see_what_was_written() -> None:
    assert read_value(Outer, {"name": "a", "inner": {"low": 3}}).inner == Inner(3, 5)
    with pytest.raises(InvalidValue, match="high needs tags"):
        read_value(Outer, {"name": "a", "inner": {"high": 5}})


@pytest.mark.parametrize(
    ("written", "place", "kind"),
    [
        ({"name": "a", "inner": {"low": 9}}, ("inner",), "order"),
        ({"name": "a", "inner": {"low": -1}}, ("inner", "low"), "greater_than_equal"),
        ({"name": "a", "x": 1}, ("x",), "extra_forbidden"),
        ({}, ("name",), "missing"),
    ],
)
def test_a_mistake_is_where_it_stands(written: Any, place: tuple[str, ...], kind: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        read_value(Outer, written)
    assert [(one["loc"], one["type"]) for one in refused.value.errors] == [(place, kind)]


def test_only_what_differs_from_the_defaults_is_kept() -> None:
    value = Outer("A", Inner(high=7), ("x",))
    assert value.to_record() == {"name": "A", "inner": {"high": 7}, "tags": ["x"]}
    assert Outer.from_record(value.to_record()) == value


def test_fields_that_a_newer_version_kept_are_passed_over() -> None:
    record = {"name": "A", "newer": 1, "inner": {"high": 7, "newer": {}}, "plain": {"newer": "x"}}
    assert Outer.from_record(record) == Outer("A", Inner(high=7), (), {"newer": "x"})


@pytest.mark.parametrize(
    "record", [None, {}, {"name": 1}, {"newer": 1}, {"name": "a", "newer": 1, "inner": 3}]
)
def test_what_cannot_have_been_kept_is_an_error(record: Any) -> None:
    with pytest.raises(ValueError, match=r"Expected|Object"):
        Outer.from_record(record)


def test_a_dependency_of_which_only_the_name_is_said_is_kept_as_its_name() -> None:
    """Rows of earlier versions have it so, and earlier versions read it."""
    spec = read_value(ProcessSpec, {"file": "/bin/web", "dependencies": ["db", "cache"]})
    assert spec.needs == ("db", "cache")
    assert spec.to_record() == {"file": "/bin/web", "dependencies": ["db", "cache"]}
    assert ProcessSpec.from_record(spec.to_record()) == spec


def test_a_dependency_that_says_more_is_kept_whole_and_what_is_newer_passed_over() -> None:
    kept = {"file": "/bin/web", "dependencies": ["db", {"name": "cache", "required": False, "newer": 1}]}
    spec = ProcessSpec.from_record(kept)
    assert spec.dependencies == (Dependency("db"), Dependency("cache", required=False))
    assert spec.to_record()["dependencies"] == ["db", {"name": "cache", "required": False}]
    assert [
        one.path
        for one in changes(spec, ProcessSpec("/bin/web", dependencies=tuple(map(Dependency, ["db"]))))
    ] == ["/dependencies/1"]


def test_fields_come_in_the_order_of_their_declaration() -> None:
    assert list(Outer.declared) == ["name", "inner", "tags", "plain"]
    assert Outer.declared["name"].required
    assert Outer.declared["inner"].inner is Inner


@pytest.mark.parametrize("declared", [ProcessSpec, Settings])
def test_every_field_says_what_it_means_and_what_changing_it_costs(declared: type[FieldStruct]) -> None:
    for name, one in declared.declared.items():
        if one.inner is not None:
            test_every_field_says_what_it_means_and_what_changing_it_costs(one.inner)
        else:
            assert one.description and one.effect, name


def test_pmond_comes_up_without_pydantic() -> None:
    """It takes as long to load as all the rest."""
    code = "import sys, pmond.main; print([name for name in sys.modules if name.startswith('pydantic')])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout == "[]\n"
