"""What the documentation shows of a terminal is what a terminal shows."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pytest
from tests.support import console

PAGES = [
    page
    for page in [console.ROOT / "README.md", *sorted(console.ROOT.glob("docs/**/*.md"))]
    if "```console\n" in page.read_text("utf-8")
]


def follow(session: console.Session, page: Path) -> None:
    """Type what a page says, and see that it is shown."""
    for step in console.steps(page.read_text("utf-8")):
        shown = session.run(step.command)
        lacking = console.missing(step, shown)
        again = f"record anew: python -m tests.support.console {page.relative_to(console.ROOT)}"
        where = page.relative_to(console.ROOT)
        assert not lacking, f"{where}: $ {step.command}\ndoes not show {lacking!r} but\n{shown}({again})"


def in_the_order_of_the_index() -> list[Path]:
    """README, then the pages as docs/index.md leads to them; those without sessions have nothing to type."""
    index = console.ROOT / "docs" / "index.md"
    named = re.findall(r"\]\(([\w/-]+\.md)\)", index.read_text("utf-8"))
    pages = [console.ROOT / "README.md", *(index.parent / name for name in named)]
    return [page for page in dict.fromkeys(pages) if page in PAGES]


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page not in in_the_order_of_the_index()],
    ids=lambda page: str(page.relative_to(console.ROOT)),
)
def test_the_commands_of_a_page_beside_show_what_it_says(page: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="page-") as home:  # short: the path of a socket has 107 bytes
        session = console.Session(Path(home))
        try:
            follow(session, page)
        finally:
            session.close()


@pytest.mark.slow
def test_all_pages_can_be_followed_one_after_the_other_in_one_fresh_account() -> None:
    """F17: what a page left behind was in the way of the next one."""
    pages = in_the_order_of_the_index()
    assert {page for page in PAGES if "how-to" in page.parts or "tutorial" in page.parts} <= set(pages)
    with tempfile.TemporaryDirectory(prefix="page-") as home:
        session = console.Session(Path(home))
        try:
            for page in pages:
                follow(session, page)
                left = session.run("pmon3 ls -o name; pmon3 status -o name")
                assert "nothing answers" in left, f"{page.name} leaves a pmond: {left}"
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
