"""What the documentation shows of a terminal is what a terminal shows."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from tests.support import console

PAGES = [
    page
    for page in [console.ROOT / "README.md", *sorted(console.ROOT.glob("docs/**/*.md"))]
    if "```console\n" in page.read_text("utf-8")
]


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(console.ROOT)))
def test_the_commands_of_a_page_show_what_it_says(page: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="page-") as home:  # short: the path of a socket has 107 bytes
        session = console.Session(Path(home))
        try:
            for step in console.steps(page.read_text("utf-8")):
                shown = session.run(step.command)
                lacking = console.missing(step, shown)
                again = f"record anew: python -m tests.support.console {page.relative_to(console.ROOT)}"
                assert not lacking, f"$ {step.command}\ndoes not show {lacking!r} but\n{shown}({again})"
        finally:
            session.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["quickstart.yaml", "happac.yaml", "happac.toml", "happac.json"])
def test_a_sample_manifest_comes_up(name: str) -> None:
    with tempfile.TemporaryDirectory(prefix="page-") as home:
        session = console.Session(Path(home))
        try:
            shown = session.run(f"pmon3 up -f manifests/{name} && pmon3 wait '*' --timeout 30s -o json")
            assert shown.count('"status": "running"') == 3, shown
        finally:
            session.close()
