"""Each faulty manifest in `problems/` beside the exact text that `validate` shows for it.

When a change of the text is intended: run with PMON3_ACCEPT=1 and read the difference before committing.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pmon3_schema.diagnostics import CODES, render_text
from pmon3_schema.manifest import ManifestFile, read, texts

PROBLEMS = Path(__file__).parent / "problems"
FILES = sorted(path.name for path in PROBLEMS.iterdir() if path.suffix != ".txt")


def shown(name: str) -> str:
    documents = [ManifestFile(name, (PROBLEMS / name).read_bytes())]
    return render_text(read(documents, base="/etc/app").diagnostics, texts(documents))


@pytest.mark.parametrize("name", FILES)
def test_problem(name: str) -> None:
    expected = PROBLEMS / f"{name}.txt"
    found = shown(name)
    if os.environ.get("PMON3_ACCEPT"):
        expected.write_text(found)
    assert expected.exists(), f"{expected.name} is missing: run again with PMON3_ACCEPT=1"
    message = f"the text for {name} changed; if that is intended, run again with PMON3_ACCEPT=1"
    assert found == expected.read_text(), message


def test_every_code_of_a_manifest_is_shown_somewhere() -> None:
    everything = "".join(shown(name) for name in FILES)
    elsewhere = {"PM004", "PM006", "PM030", "PM031", "PM032", "PM033", "PM034", "PM042", "PM050"}
    assert {code for code in CODES if f"[{code}]" not in everything} == elsewhere
