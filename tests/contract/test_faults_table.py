"""The page of faults has each number once, and the tests that it names exist."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "explanation" / "faults.md").read_text("utf-8")
HIGHEST = 62
"""Number of the last fault of the list."""
ROW = re.compile(r"^\| (\d+) \|.*$", re.M)
PROOF = re.compile(r"`([\w/]+\.py)::(\w+)`")


@cache
def named_in(file: Path) -> frozenset[str]:
    """The test functions of a file."""
    nodes = ast.walk(ast.parse(file.read_text("utf-8")))
    functions = (node for node in nodes if isinstance(node, ast.FunctionDef))
    return frozenset(node.name for node in functions if node.name.startswith("test_"))


def proofs() -> dict[int, set[tuple[str, str]]]:
    """The tests that the rows of the first table name, by number."""
    made = PAGE[: PAGE.index("## Not made by tests")]
    return {int(row[1]): set(PROOF.findall(row[0])) for row in ROW.finditer(made)}


def numbers(test: str) -> list[int]:
    """The numbers that a test bears: `test_26_28_words` bears two."""
    leading = re.match(r"test_((?:\d+_)*)", test)
    return [int(number) for number in leading[1].split("_") if number] if leading else []


def test_every_fault_has_one_row() -> None:
    found = [int(row[1]) for row in ROW.finditer(PAGE)]
    assert sorted(found) == sorted(set(found)), "a fault has two rows"
    assert set(range(1, HIGHEST + 1)) <= set(found)


def test_every_row_of_the_first_table_names_tests_that_exist() -> None:
    for number, tests in proofs().items():
        assert tests, f"fault {number} is shown by nothing"
        for file, test in tests:
            assert test in named_in(ROOT / "tests" / file), f"fault {number}: {file} has no {test}"


def test_every_numbered_test_is_named_in_its_rows() -> None:
    named = proofs()
    borne = defaultdict(set)
    for file in (ROOT / "tests" / "chaos").glob("test_*.py"):
        for test in named_in(file):
            for number in numbers(test):
                borne[number].add((f"chaos/{file.name}", test))
    for number, tests in borne.items():
        if number <= HIGHEST:
            assert tests <= named.get(number, set()), f"row {number} does not name {tests}"
