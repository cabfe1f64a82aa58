"""Tests keep their distance: what they hold is what the code promises, not how it is written."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[1]
PLANTS = {TESTS / "property" / f"test_planted_{name}faults.py" for name in ("", "rollout_")}
"""They break the core on purpose, to see that the laws notice."""
OF_PYTHON = {"_replace", "_asdict", "_fields", "_exit", "_getframe"}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in OF_PYTHON


def private_uses(tree: ast.AST) -> Iterator[ast.AST]:
    """Private attributes of anything but `self`, private names of our modules, patches of either."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="self" | "cls")):
                pass
            case ast.Attribute(attr=name) if is_private(name):
                yield node
            case ast.ImportFrom(module=str(module), names=names) if module.startswith(("pmon", "tests")):
                yield from (node for alias in names if is_private(alias.name))
            case ast.Call(func=ast.Attribute(attr="setattr"), args=[*_, ast.Constant(value=str(name)), _]):
                yield from (node for part in name.split(".") if is_private(part))


def test_no_test_looks_behind_what_is_public() -> None:
    found = [
        f"{path.relative_to(TESTS)}:{getattr(node, 'lineno', 0)}"
        for path in sorted(TESTS.rglob("*.py"))
        if path not in PLANTS
        for node in private_uses(ast.parse(path.read_text("utf-8")))
    ]
    assert found == []
