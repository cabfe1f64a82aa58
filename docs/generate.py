"""Writes the manual pages, the tables of docs/reference, and one of README.md, all from the code.

Theory of operation: a page holds `<!-- generated: NAME -->` … `<!-- end -->`; between the two
stands what the function of that name makes. Nothing else of a page is touched. `--check` changes
nothing and ends with 1 when a page is not what it would be. What a table says stands in the code:
descriptions and effects on fields, docstrings below constants, help texts on options.

    python -m docs.generate            write
    python -m docs.generate --check    compare
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Le
from docs import commands, manual, words
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from pmon3_schema.models import model_of
from pmon3_schema.process import ProcessSpec
from pmon3_schema.scalars import format_duration, signal_name
from pmon3_schema.settings import Settings
from pmon3_schema.settings_reading import variable_names

ROOT = Path(__file__).resolve().parent

_BLOCK = re.compile(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- end -->)", re.S)
_SECONDS = {"delay", "max_delay", "stable_after", "window", "timeout", "debounce", "age"}
_TWO_FORMS = {
    "args": "text or list",
    "env_vars": "text or map",
    "env_file": "text or list",
    "paths": "text or list",
    "ignore": "text or list",
    "command": "text or list",
}
_OCTAL = {"umask", "directory_mode", "file_mode"}
_SIZES = {"above_memory", "memory", "core", "size", "total"}


def fields() -> str:
    """Every field of a process."""
    rows = []
    for path, name, info, inner in _walk(model_of(ProcessSpec)):
        extra = info.json_schema_extra
        assert isinstance(extra, dict) and info.description, f"{path} has no effect or description"
        shown = "" if inner else _default(name, info)
        rows.append(
            (f"`{path}`", _kind(name, info, inner), shown, extra["effect"], extra["since"], info.description)
        )
    return words.table(("field", "type", "default", "a change costs", "since", "meaning"), rows)


def settings() -> str:
    """Every key of config.yml, with the variable that overrides it."""
    rows = []
    for path, name, info, inner in _walk(model_of(Settings)):
        if inner:
            continue
        extra = info.json_schema_extra
        assert isinstance(extra, dict) and info.description, f"{path} has no effect or description"
        applies = "at the next reload" if extra["effect"] == "in place" else "at start"
        variables = variable_names(tuple(path.split(".")))
        variable = next(v for v in variables if v.startswith("CONFIGOR_"))
        rows.append(
            (
                f"`{path}`",
                _kind(name, info, None),
                _default(name, info),
                applies,
                f"`{variable}`",
                info.description,
            )
        )
    return words.table(("key", "type and range", "default", "applies", "variable", "meaning"), rows)


_TOOLS = {
    "words-supervisorctl": "supervisorctl",
    "words-systemctl": "systemctl, journalctl",
    "words-node": "pm2",
    "words-docker": "docker, docker compose",
    "words-kubectl": "kubectl",
    "words-terraform": "terraform",
}
PAGES: Mapping[str, Callable[[], str]] = {
    **{block: partial(words.of_tool, tool) for block, tool in _TOOLS.items()},
    "fields": fields,
    "settings": settings,
    "commands": commands.reference,
    "exit-codes": words.exit_codes,
    "error-codes": words.error_codes,
    "statuses": words.statuses,
    "events": words.event_types,
    "diagnostics": words.diagnostics,
    "requests": words.requests,
    "roles": words.roles,
    "rights": words.rights,
    "metrics": words.metrics,
    "places": words.places,
    "benchmarks": words.benchmarks,
}
"""What can stand between markers."""


def pages() -> Iterator[Path]:
    """The pages that have markers."""
    candidates = [ROOT.parent / "README.md", *sorted(ROOT.rglob("*.md"))]
    return (page for page in candidates if _BLOCK.search(page.read_text("utf-8")))


def generated(text: str) -> str:
    """The text of a page with all its generated parts made anew."""
    return _BLOCK.sub(lambda found: found[1] + PAGES[found[2]]() + found[3], text)


def main(arguments: list[str]) -> int:
    """Write all pages or, with `--check`, name those that are stale."""
    made = {page: generated(page.read_text("utf-8")) for page in pages()} | dict(manual.pages())
    stale = [page for page, text in made.items() if not page.exists() or page.read_text("utf-8") != text]
    for page in stale:
        if "--check" in arguments:
            sys.stderr.write(f"{page.relative_to(ROOT.parent)} is stale (run: make reference)\n")
        else:
            page.write_text(made[page], "utf-8")
    return 1 if stale and "--check" in arguments else 0


def _walk(
    model: type[BaseModel], above: str = ""
) -> Iterator[tuple[str, str, FieldInfo, type[BaseModel] | None]]:
    for name, info in model.model_fields.items():
        kind = info.annotation
        inner = kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None
        yield above + name, name, info, inner
        if inner:
            yield from _walk(inner, f"{above}{name}.")


def _kind(name: str, info: FieldInfo, inner: type[BaseModel] | None) -> str:
    if inner:
        return "section"
    if name in _OCTAL:
        return "octal"
    if name in _SECONDS and info.annotation is float:
        return "duration"
    if name in _SIZES:
        return "size"
    if name == "signal":
        return "signal"
    return _TWO_FORMS.get(name) or _type(info.annotation) + _range(info)


def _type(annotation: Any) -> str:
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{word}`" for word in parts)
    if origin in (UnionType, Union):
        return ", ".join(_type(part) for part in parts if part is not type(None))
    if origin is Annotated:
        return _type(parts[0])
    if origin in (tuple, list):
        return "list"
    if origin is dict:
        return "map"
    return {str: "text", int: "whole number", float: "number", bool: "true or false"}.get(annotation, "text")


def _range(info: FieldInfo) -> str:
    low = next((m.ge for m in info.metadata if isinstance(m, Ge)), None)
    high = next((m.le for m in info.metadata if isinstance(m, Le)), None)
    if low is None and high is None:
        return ""
    return f", {low} or more" if high is None else f", {low} to {high}"


def _default(name: str, info: FieldInfo) -> str:
    value: Any = info.default
    if value is PydanticUndefined:
        return "**required**"
    if value in (None, "", (), {}):
        return "–"
    if name == "signal":
        return f"`{signal_name(value)}`"
    if name in _OCTAL:
        return f"`0{value:o}`"
    if _kind(name, info, None) == "duration":
        return f"`{format_duration(value)}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`[{', '.join(str(item) for item in value)}]`"
    return f"`{value}`"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
