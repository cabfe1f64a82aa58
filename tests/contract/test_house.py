"""The pages for those who work on pmon3 agree with the tree: modules, laws, traces, decisions."""

from __future__ import annotations

import ast
import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "development"
SUPPORT = ROOT / "tests" / "support"
ARCHITECTURE = (PAGES / "architecture.md").read_text("utf-8")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
WHOLE = {
    "commands/",
    "resources/",
    "formats/",
    "hosts/",
    "probes/",
    "converting/",
    "export_targets/",
    "engines/",
    "shells/",
    "service/",
}
"""Folders that the page explains as a whole."""


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


def defined(file: Path) -> set[str]:
    """Functions of a module, and methods as `Class.method`."""
    found = set()
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{one.name}" for one in node.body if isinstance(one, FUNCTIONS)}
        elif isinstance(node, FUNCTIONS):
            found.add(node.name)
    return found


def test_the_ways_through_the_code_are_ways_through_the_code() -> None:
    rows = re.findall(r"^\| `(\S+\.py)` `(\S+)` \|", ARCHITECTURE, re.M)
    assert len(rows) > 30
    for module, function in rows:
        root = ROOT if module.startswith(("cli/", "schema/")) else ROOT / "controller" / "pmond"
        assert function in defined(root / module), f"architecture.md names {module} {function}"


def test_what_a_newcomer_is_told_to_read_is_there() -> None:
    table = ARCHITECTURE.partition("## The first hour")[2].partition("## Rooms")[0]
    for module in re.findall(r"`((?:core|runtime)/\S+\.py)`", table):
        assert (ROOT / "controller" / "pmond" / module).exists(), module
    for test in re.findall(r"tests/\S+\.py", table):
        assert (ROOT / test).exists(), test


def test_the_rooms_name_every_module() -> None:
    """A folder of one kind (a module per verb, per resource, per tool) is named as a whole."""
    rooms = ARCHITECTURE.split("```")[1]
    folders = set(re.findall(r"\w+/", rooms))
    patterns = re.findall(r"[\w*<>]+\.py", rooms)
    missing = [
        str(path.relative_to(ROOT))
        for package in ("schema/pmon3_schema", "controller/pmond", "cli/pmon3")
        for path in sorted((ROOT / package).rglob("*.py"))
        if not path.name.startswith("__") and path.name != "_version.py"
        if not any(fnmatch(path.name, pattern) for pattern in patterns)
        if not any(f"{parent.name}/" in WHOLE & folders for parent in path.parents)
    ]
    assert not missing, f"add to the rooms of docs/development/architecture.md, in a few words: {missing}"
    names = {
        path.name for package in ("schema", "controller", "cli") for path in (ROOT / package).rglob("*.py")
    }
    stale = [one for one in patterns if "<" not in one and not any(fnmatch(name, one) for name in names)]
    assert not stale, f"gone, so take out of docs/development/architecture.md: {stale}"


def test_the_picture_shows_the_layers_of_the_contract() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    (layers,) = (one["layers"] for one in contracts if "rooms of the runtime" in one["name"])
    rooms = [room.removeprefix("pmond.runtime.") for layer in layers for room in layer.split(" | ")]
    drawn = re.findall(r'class="name"[^>]*>([\w.]+)<', (PAGES / "layers.svg").read_text("utf-8"))
    assert [room for room in drawn if room in rooms] == rooms


def test_every_decision_is_listed() -> None:
    folder = PAGES / "decisions"
    listed = re.findall(r"^\* \[(\d{4})\]\((\S+)\)", (folder / "README.md").read_text("utf-8"), re.M)
    assert [name for _, name in listed] == sorted(path.name for path in folder.glob("0*.md"))
    for number, name in listed:
        text = (folder / name).read_text("utf-8")
        assert text.startswith(f"# {number} ")
        assert all(f"**{part}**" in text for part in ("Why", "Costs")), name


def test_each_library_is_imported_where_its_decision_says() -> None:
    """msgspec and Typer are everywhere in their places; every other library has one address or two."""
    page = (PAGES / "decisions" / "0016-dependencies.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| ([\w.-]+) \| (.*?) \|", page, re.M)[1:])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert {name.lower() for name in rows} == {
        re.split(r"[><]", requirement)[0].lower() for requirement in project["dependencies"]
    }
    modules = {"PyYAML": "yaml", "google-re2": "re2", "sqlite-utils": "sqlite_utils"}
    for library in rows.keys() - {"msgspec", "Typer"}:
        module = re.escape(str(modules.get(library, library)))
        imports = re.compile(rf"^\s*(?:from|import) {module}\b", re.M)
        for package in ("schema", "controller", "cli"):
            for path in (ROOT / package).rglob("*.py"):
                if imports.search(path.read_text("utf-8")):
                    assert re.search(rf"\b{path.name}`", rows[library]), (
                        f"{path} imports {library} (ADR 0016)"
                    )
