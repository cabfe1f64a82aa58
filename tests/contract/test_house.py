"""The pages for those who work on pmon3 agree with the tree: modules, laws, traces, decisions."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "development"
SUPPORT = ROOT / "tests" / "support"


def test_every_module_of_support_is_explained() -> None:
    text = (SUPPORT / "README.md").read_text("utf-8")
    explained = set(re.findall(r"`(\w+\.py)`", text.partition("## ")[0]))
    assert explained == {path.name for path in SUPPORT.glob("*.py") if path.name != "__init__.py"}


def test_a_law_has_a_row_and_a_test() -> None:
    rows = re.findall(r"^\| P(\d+) \|", (PAGES / "laws.md").read_text("utf-8"), re.M)
    named = {
        number
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"def test_((?:p\d\d_)+)", path.read_text("utf-8"))
        for number in re.findall(r"\d\d", name)
    }
    assert [number.zfill(2) for number in rows] == sorted(named)
