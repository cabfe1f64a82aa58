"""The text of manifests: what is read from it is what was to be written."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from ruamel.yaml import YAML

from pmon3_schema.formats.export import FORMATS, render_manifest

READERS: dict[str, Any] = {"json": json.loads, "toml": tomllib.loads, "yaml": YAML(typ="safe").load}


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("collection", [list, tuple])
def test_words_are_written_as_they_are_at_any_depth(format_name: str, collection: type) -> None:
    words = ["a\x85b", "0", "no", "", "\u2028", "\t"]
    process = {"file": "/srv/web", "hooks": {"pre_start": collection([collection(words)])}}
    text = render_manifest({"processes": [process]}, format_name)
    assert READERS[format_name](text)["processes"][0]["hooks"]["pre_start"] == [words]


def test_what_is_said_twice_is_written_twice() -> None:
    words = ("a", "b")
    text = render_manifest({"processes": [{"file": "/srv/web", "args": words, "groups": words}]}, "yaml")
    assert "&" not in text and "*" not in text
