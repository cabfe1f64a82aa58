"""The documentation says what the code does: nothing is missing, nothing is stale, examples are valid."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from docs import generate

from pmon3.verbs import ALIASES
from pmon3_schema import goals, manifest, settings
from pmon3_schema.status import Status
from pmond.core.events import EventType

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("manifests/*.md")])
FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.M | re.S)
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(#[^)]*)?\)")


def examples(*languages: str) -> list[object]:
    """The code blocks in these languages, as parameters named by page and line."""
    blocks: list[object] = []
    for page in PAGES:
        text = page.read_text("utf-8")
        for found in FENCE.finditer(text):
            if found[1] in languages:
                line = text.count("\n", 0, found.start()) + 1
                blocks.append(pytest.param(found[1], found[2].strip(), found[3], id=f"{page.name}:{line}"))
    return blocks


def calls(function: str, argument: int = 0) -> set[str]:
    """The texts that the daemon's code gives to a function, as written."""
    found = set()
    for file in (ROOT / "controller").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and len(node.args) > argument:
                called = (
                    node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                )
                value = node.args[argument]
                if called.lstrip("_") == function and isinstance(value, ast.Constant):
                    found.add(str(value.value))
    return found


def first_column(page: str) -> set[str]:
    """What stands in backquotes at the beginning of the rows of a page's tables."""
    return set(re.findall(r"^\| `([^`]+)`", (REFERENCE / page).read_text("utf-8"), re.M))


@pytest.mark.parametrize("page", list(generate.pages()), ids=lambda page: str(page.name))
def test_a_page_of_the_reference_agrees_with_the_code(page: Path) -> None:
    text = page.read_text("utf-8")
    assert generate.generated(text) == text, f"{page} is stale (run: make reference)"


def test_everything_that_is_generated_stands_on_a_page() -> None:
    used = {
        name for page in generate.pages() for name in re.findall(r"generated: ([a-z-]+)", page.read_text())
    }
    assert used == set(generate.PAGES)


def test_every_command_and_its_other_names_are_documented() -> None:
    text = (REFERENCE / "cli.md").read_text("utf-8")
    for verb, others in ALIASES.items():
        assert f"## pmon3 {verb}" in text
        assert all(f"`pmon3 {other}`" in text or verb == "group" for other in others)


def test_every_condition_is_documented() -> None:
    types = calls("ConditionValue") | {"Stalled"}
    of_the_host = {"ResourcesApplied"}  # nothing comes of waiting for it
    assert first_column("conditions.md") == types == {*goals.CONDITIONS, *goals.SET_CONDITIONS} | of_the_host


def test_every_event_is_documented() -> None:
    assert first_column("events.md") == calls("announce") | {str(event) for event in EventType}


def test_every_word_has_a_meaning() -> None:
    """A closed set whose member has no text below it would leave an empty cell."""
    for page in ("statuses.md", "events.md", "exit-codes.md", "manifest.md", "settings.md"):
        for row in re.findall(r"^\| `.*$", (REFERENCE / page).read_text("utf-8"), re.M):
            assert not row.endswith("|  |"), f"{page}: {row}"
    assert first_column("statuses.md") == {status.word for status in Status}


@pytest.mark.parametrize(("language", "kind", "text"), examples("yaml", "toml", "json"))
def test_an_example_is_valid(language: str, kind: str, text: str) -> None:
    if kind == "config":
        assert settings.parse(text.encode(), "/etc/pmon3/config/config.yml", {})[1] == ()
    elif kind != "other":
        found = manifest.read([manifest.ManifestFile(f"/etc/example.{language}", text.encode())])
        elsewhere = {"PM023", "PM024"} if kind == "part" else set()
        assert {diagnostic.code for diagnostic in found.diagnostics} <= elsewhere


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target, _ in LINK.findall(page.read_text("utf-8")):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
