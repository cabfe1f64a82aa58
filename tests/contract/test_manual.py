"""The manual pages are those that the code makes now, and roff has nothing against them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from docs import manual

from pmon3.verbs import ALIASES

PAGES = manual.pages()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.name))
def test_a_manual_page_agrees_with_the_code(page: Path) -> None:
    assert page.read_text("utf-8") == PAGES[page], f"{page} is stale (run: make reference)"


@pytest.mark.skipif(not shutil.which("groff"), reason="there is no groff here")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.name))
def test_roff_understands_it(page: Path) -> None:
    done = subprocess.run(
        ["groff", "-man", "-Kutf8", "-Tutf8", "-wall", "-rLL=78n", str(page)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    text = re.sub(r"\x1b\[[0-9;]*m|.\x08", "", done.stdout)  # bold, in either way of a terminal
    if page.suffix == ".1":
        for verb, others in ALIASES.items():
            for name in (verb, *others):
                assert re.search(rf"(?<![\w-]){name}(?![\w-])", text), name
