"""The generated description is complete and refers only to what it defines."""

from __future__ import annotations

import json
import re
from typing import Any

from pmond.runtime.http import openapi
from pmond.runtime.http.routes import ROUTES

DOCUMENT = openapi.document()
OPERATIONS = [operation for path in DOCUMENT["paths"].values() for operation in path.values()]


def every(value: Any, key: str) -> list[Any]:
    """All values under `key`, at any depth."""
    if isinstance(value, dict):
        here = [value[key]] if key in value else []
        return here + [found for part in value.values() for found in every(part, key)]
    return [found for part in value for found in every(part, key)] if isinstance(value, list) else []


def test_every_route_is_described_under_a_name_of_its_own() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    assert {op["operationId"] for op in OPERATIONS} == {route.operation for route in ROUTES}
    assert len(OPERATIONS) == len(ROUTES)


def test_every_reference_is_defined_and_every_definition_used() -> None:
    references = set(every(DOCUMENT, "$ref"))
    defined = {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}
    assert references == defined


def test_variables_of_paths_are_parameters() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for operation in methods.values():
            declared = [p["name"] for p in operation["parameters"] if p["in"] == "path"]
            assert declared == re.findall(r"\{(\w+)\}", path)


def test_bodies_are_closed_and_required_keys_exist() -> None:
    for route in ROUTES:
        if route.body is not None:
            assert DOCUMENT["components"]["schemas"][route.body.__name__]["additionalProperties"] is False
    for schema in DOCUMENT["components"]["schemas"].values():
        assert set(schema.get("required", ())) <= set(schema["properties"])


def test_it_is_json() -> None:
    assert json.loads(json.dumps(DOCUMENT)) == DOCUMENT
