"""The JSON Schema agrees with the model: what the model takes, the schema takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from tests.property.test_schema import MANIFESTS

from pmon3_schema.formats.export import plain
from pmon3_schema.jsonschema import DRAFTS, manifest_schema
from pmon3_schema.manifest import Document, read
from pmon3_schema.process import ProcessSpec

SHIPPED = Path(__file__).parents[2] / "schema"
VALIDATORS = {draft: jsonschema.validators.validator_for(manifest_schema(draft)) for draft in DRAFTS}


def accepts(draft: str, data: Any) -> bool:
    return bool(VALIDATORS[draft](manifest_schema(draft)).is_valid(data))


@pytest.mark.slow
@pytest.mark.parametrize("draft", DRAFTS)
@given(entries=MANIFESTS)
@settings(max_examples=60, deadline=None)
def test_what_the_model_takes_the_schema_takes(draft: str, entries: list[dict[str, Any]]) -> None:
    written = {"processes": entries}
    assert read([Document("/p.json", json.dumps(written).encode())]).ok
    assert accepts(draft, written)
    assert accepts(draft, {"processes": [plain(ProcessSpec.model_validate(entry)) for entry in entries]})


@pytest.mark.parametrize("draft", DRAFTS)
def test_the_schema_is_one_itself(draft: str) -> None:
    VALIDATORS[draft].check_schema(manifest_schema(draft))


@pytest.mark.parametrize(
    "wrong",
    [
        {}, {"processes": {}}, {"process": []}, {"processes": [{}]},
        {"processes": [{"file": "/a", "fil": 1}]},
        {"processes": [{"file": "/a", "restart": {"policy": "sometimes"}}]},
        {"processes": [{"file": "/a", "restart": {"jitter": 2}}]},
        {"processes": [{"file": "/a", "groups": "web"}]}, {"processes": [{"file": "/a", "priority": 20}]},
        {"processes": [{"file": "/a", "stop": {"timeout": "5 parsecs"}}]},
        {"processes": [{"file": "/a", "limits": {"memory": "lots"}}]},
        {"processes": [{"file": "/a", "name": "a/b"}]}, {"processes": [{"file": "/a", "name": "-a"}]},
        {"processes": [{"file": "/a", "umask": "99"}]}, {"processes": [{"file": "/a", "groups": ["a*"]}]},
        {"processes": [{"file": "/a", "autostart": "yes"}]}, {"processes": [{"file": "/a", "prune": "no"}]},
    ],
)  # fmt: skip
def test_what_an_editor_should_underline_is_refused_by_both(wrong: Any) -> None:
    assert not read([Document("/p.json", json.dumps(wrong).encode())]).ok
    assert not any(accepts(draft, wrong) for draft in DRAFTS)


@pytest.mark.parametrize("draft", DRAFTS)
@pytest.mark.parametrize(
    "fields",
    [
        {"stop": {"timeout": value}}
        for value in ("500ms", "1m30s", " 1.5h ", "10", "1e3", ".5", 2, 0.5, "${T}")
    ] + [{"limits": {"memory": value}} for value in ("64MiB", "10 mb", "512K", "1.5g", "7B", 4096)]
    + [{"umask": value} for value in ("022", "0o22", 18)]
    + [{"name": value} for value in ("a b", "web@1", "ümlaut")],
)  # fmt: skip
def test_whatever_way_it_is_written(draft: str, fields: dict[str, Any]) -> None:
    written = {"processes": [{"file": "/a", **fields}], "variables": {"T": "1s"}}
    assert read([Document("/p.json", json.dumps(written).encode())]).ok
    assert accepts(draft, written)


@pytest.mark.parametrize("draft", DRAFTS)
def test_the_shipped_schema_is_the_present_one(draft: str) -> None:
    """`make reference` writes it anew."""
    shipped = json.loads((SHIPPED / f"manifest.{draft}.json").read_text("utf-8"))
    assert shipped == manifest_schema(draft)
