"""No module of ours is left to be imported after an installation was replaced."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

from pmond.runtime.program.preload import MODULES, import_rest

ROOT = Path(__file__).parents[3]
OWN = ("pmond", "pmon3_schema")
ELSEWHERE = {
    "pmond.runtime.files.watch_polling": "it imports a library for systems whose watches are used up",
    "pmon3_schema.formats.source": "every reader of a format imports it",
    "pmond.runtime.base.path_access": "a launcher of a sandbox; pmond has it anyway",
}


def imported_in_functions(file: Path) -> set[str]:
    found: set[str] = set()
    for function in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(OWN):
                    found |= {module_of(node.module, alias.name) for alias in node.names}
    return found


def module_of(package: str, name: str) -> str:
    """`from package import name` is about a module of that name, or about something in the package."""
    try:
        import_module(f"{package}.{name}")
    except ModuleNotFoundError:
        return package
    return f"{package}.{name}"


def test_all_that_a_function_of_pmond_imports_is_in_the_list() -> None:
    late = set[str]()
    for folder in ("controller/pmond", "schema/pmon3_schema"):
        for file in (ROOT / folder).rglob("*.py"):
            late |= imported_in_functions(file)
    assert late - ELSEWHERE.keys() == set(MODULES)
    import_rest()
