"""`${REPLICA}` where it is meant and where it is not, and the same text through export and back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pmon3_schema.formats.export import plain, render_manifest
from pmon3_schema.manifest import ManifestFile, Reading, read
from pmon3_schema.process import ProcessSpec
from pmon3_schema.replica_text import as_text_itself, filled, refers

TEXTS = [
    "${REPLICA}",
    "$${REPLICA}",
    "a$$${REPLICA+8000}b",
    "${REPLICATION}",
    "$${REPLICATION}",
    "${REPLICA",
    "$$",
]


def reading(entry: dict[str, Any], **top: Any) -> Reading:
    data = {**top, "processes": [{"file": "/bin/x", "name": "x", **entry}]}
    return read([ManifestFile("/m.json", json.dumps(data).encode())])


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_written_as_the_text_itself_is_that(text: str) -> None:
    written = as_text_itself(text)
    assert filled(written, 7) == text and not refers(written)


def test_a_number_that_there_is_not_is_a_mistake_with_its_place() -> None:
    (found,) = reading({"env_vars": {"A": "${REPLICA}"}}).diagnostics
    assert (found.code, found.path) == ("PM024", "/processes/x/env_vars")
    assert "write $${REPLICA} for the text itself" in found.hint


@pytest.mark.parametrize("variables", [{}, {"variables": {"A": "1"}}])
def test_the_text_itself_can_be_written_with_variables_and_without(variables: dict[str, Any]) -> None:
    (entry,) = reading({"args": ["$${REPLICA}"]}, **variables).entries
    assert entry.spec.args == ("${REPLICA}",)
    (entry,) = reading({"args": ["$${REPLICA}", "${REPLICA}"], "replicas": 2}, **variables).entries
    assert entry.spec.args == ("$${REPLICA}", "${REPLICA}"), "it is told apart when its replicas are made"


@pytest.mark.parametrize("form", ["json", "yaml", "toml"])
def test_what_is_exported_reads_back(form: str) -> None:
    spec = ProcessSpec(
        file="/bin/x", name="x", args=tuple(TEXTS), env_vars={"A": "${REPLICA}"}, description="${REPLICA+1}"
    )
    text = render_manifest({"processes": [plain(spec)]}, form)
    found = read([ManifestFile(f"/m.{form}", text.encode())])
    assert [entry.spec for entry in found.entries] == [spec]
