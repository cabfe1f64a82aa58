"""Real-looking files of every tool beside the manifest, the losses and the differences that come of them.

Two looks at each: as a pmon3 that has every field of which the tables speak, which stands in files beside the
inputs, and as the present one, which tells what it has no field for.

When a change is intended: run with PMON3_ACCEPT=1 and read the difference before committing.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pmon3.converting import Converted, drafts, reading, writing
from pmon3.converting.writing import ConversionMistake, mistakes, text_of
from pmon3_schema.manifest import ManifestFile, read

CASES = Path(__file__).parent / "converting"
INPUTS = {
    "supervisord": ["site/supervisord.conf"],
    "systemd": ["units"],
    "pm2-js": ["app/ecosystem.config.js"],
    "pm2-json": ["app/process.json"],
    "pm2-yaml": ["app/apps.yaml"],
    "pm2-dump": ["dump.pm2"],
    "procfile": ["shop/Procfile"],
    "process-compose": ["project/process-compose.yaml"],
    "compose": ["stack/docker-compose.yml"],
    "circus": ["farm/circus.ini"],
    "go-pmon3": ["data.db"],
}
TOLD_TODAY = ("this version of pmon3 has no field", "cannot be said here")


def test_every_case_is_looked_at() -> None:
    assert set(INPUTS) == {path.name for path in CASES.iterdir() if path.is_dir()}


@pytest.fixture
def in_case(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Path]:
    """Stand in the folder of the case; a database is made of its text, in a folder of its own."""
    folder = CASES / request.getfixturevalue("case")
    monkeypatch.setenv("HOME", "/home/you")
    monkeypatch.delenv("WEB_PORT", raising=False)
    if (folder / "data.sql").exists():
        connection = sqlite3.connect(tmp_path / "data.db")
        connection.executescript((folder / "data.sql").read_text("utf-8"))
        connection.close()
        folder = tmp_path
    monkeypatch.chdir(folder)
    yield folder


def as_whole(case: str, monkeypatch: pytest.MonkeyPatch) -> Converted:
    """As if the manifest had every field; what is wrong for want of one is passed over."""

    def without_unknown(manifest: Any) -> list[ConversionMistake]:
        known = [found for found in mistakes(manifest) if found.code not in ("PM010", "PM014")]
        return [found for found in known if not found.field.startswith("dependencies")]

    monkeypatch.setattr(drafts, "is_declared", lambda field: True)
    monkeypatch.setattr(drafts, "takes", lambda field, value: True)
    monkeypatch.setattr(writing, "mistakes", without_unknown)
    return reading.convert(INPUTS[case], b"", "")


def shown(converted: Converted, folder: Path) -> tuple[str, str]:
    told = [*map(str, converted.losses), "", *converted.notes, "", *converted.differences]
    texts = text_of(converted.manifest, "yaml"), "\n".join(told) + "\n"
    return texts[0].replace(str(folder), "HERE"), texts[1].replace(str(folder), "HERE")


@pytest.mark.parametrize("case", INPUTS)
def test_what_comes_of_it(case: str, in_case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest, told = shown(as_whole(case, monkeypatch), in_case)
    files = CASES / f"{case}.yaml", CASES / f"{case}.txt"
    if os.environ.get("PMON3_ACCEPT"):
        files[0].write_text(manifest, "utf-8")
        files[1].write_text(told, "utf-8")
    assert manifest == files[0].read_text("utf-8")
    assert told == files[1].read_text("utf-8")


@pytest.mark.parametrize("case", INPUTS)
def test_what_the_present_manifest_has_no_field_for_is_told(case: str, in_case: Path) -> None:
    converted = reading.convert(INPUTS[case], b"", "")
    text = text_of(converted.manifest, "yaml")
    assert read([ManifestFile("/m/m.yaml", text.encode())]).diagnostics == ()
    _, told = shown(converted, in_case)
    today, ever = told.splitlines(), (CASES / f"{case}.txt").read_text("utf-8").splitlines()
    assert [line for line in ever if line not in today] == []
    more = [line for line in today if line not in ever]
    assert [line for line in more if not any(word in line for word in TOLD_TODAY)] == []
    declared = {
        entry["name"] for entry in yaml.safe_load((CASES / f"{case}.yaml").read_text("utf-8"))["processes"]
    }
    assert {entry["name"] for entry in converted.manifest["processes"]} == declared
