"""Who needs whom, as callers see it."""

from __future__ import annotations

from msgspec.structs import replace

from pmon3_schema.process import ProcessSpec
from pmon3_schema.reading import read_value
from pmond.runtime.views.graph_view import graph_json


def spec(name: str, *needs: str) -> ProcessSpec:
    found = read_value(ProcessSpec, {"name": "x", "file": "/bin/true", "dependencies": list(needs)})
    return replace(found, name=name)  # replicas have names that nobody may write


def test_the_name_of_an_entry_means_all_its_replicas() -> None:
    specs = [spec("aa", "web", "gone"), spec("web@0"), spec("web@1", "db"), spec("db")]
    found = graph_json(specs, {"web": ("web@0", "web@1")})
    assert found["edges"] == [["aa", "web@0"], ["aa", "web@1"], ["web@1", "db"]]
    assert found["order"].index("aa") > found["order"].index("web@1")
    assert {(one["process"], one["needs"]) for one in found["dependencies"]} == {
        ("aa", "web@0"), ("aa", "web@1"), ("web@1", "db")
    }  # fmt: skip
