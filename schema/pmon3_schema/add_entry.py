"""Adding an entry at the end of the list of processes in the text of a manifest.

Theory of operation: the entry is written as `export` would, laid in at the margin of the last
one, and the result is read again: it stands only if exactly this entry was added. Nothing is
written here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pmon3_schema.edit_text import BY_HAND, CannotEdit, encoded
from pmon3_schema.formats import Format, format_of
from pmon3_schema.formats.export import render
from pmon3_schema.formats.source import Path, Span, Unreadable, decode
from pmon3_schema.path_diagnostics import ManifestFile
from pmon3_schema.spelling import SEED_TEXT_KEYS
from pmon3_schema.top import Top, read_top
from pmon3_schema.variables import literal


def with_entry(document: ManifestFile, entry: Mapping[str, Any]) -> bytes:
    """The content of a manifest with one more process. Raises CannotSplice."""
    try:
        text = decode(document.content)
        form = format_of(document.path, text, text_keys=SEED_TEXT_KEYS)
        top = read_top(form.load(text).data, form.name)
    except Unreadable as error:
        raise CannotEdit(str(error)) from None
    if top.variables is not None:
        entry = literal(entry)
    newline = "\r\n" if "\r\n" in text else "\n"
    if form.name == "toml":
        after = _toml(text, top, entry, newline)
    else:
        after = _in_list(text, form, top, entry, newline)
    again = format_of(document.path, after, text_keys=SEED_TEXT_KEYS).load(after)
    if again.problems or read_top(again.data, form.name).processes[:-1] != top.processes:
        raise CannotEdit(f"the text is written in a way that cannot be added to safely ({BY_HAND})")
    return encoded(document, after)


def _toml(text: str, top: Top, entry: Mapping[str, Any], newline: str) -> str:
    added = render([entry], "toml").replace("[[Processes]]", f"[[{top.key}]]", 1)
    gap = "" if not text else newline if text.endswith("\n") else newline * 2
    return text + gap + added.replace("\n", newline)


def _in_list(text: str, form: Format, top: Top, entry: Mapping[str, Any], newline: str) -> str:
    last: Path = (top.key, len(top.processes) - 1)
    places = form.locate(text, [last])
    if (top.key,) not in places:
        raise CannotEdit(f"there is no list of processes to add to ({BY_HAND})")
    whole = places[(top.key,)].value
    item = places[last].value if top.processes else None
    if text[whole.start : whole.start + 1] == "[":
        return _in_brackets(text, whole, item, entry, newline)
    assert item is not None  # an empty list is in brackets
    return _in_block(text, item, entry, newline)


def _in_brackets(text: str, whole: Span, item: Span | None, entry: Mapping[str, Any], newline: str) -> str:
    if item is None:
        return text[: whole.start] + "[" + json.dumps(dict(entry), ensure_ascii=False) + text[whole.end - 1 :]
    margin = text[text.rfind("\n", 0, item.start) + 1 : item.start]
    if margin.strip():
        return f"{text[: item.end]}, {json.dumps(dict(entry), ensure_ascii=False)}{text[item.end :]}"
    added = json.dumps(dict(entry), ensure_ascii=False, indent=2).replace("\n", newline + margin)
    return f"{text[: item.end]},{newline}{margin}{added}{text[item.end :]}"


def _in_block(text: str, item: Span, entry: Mapping[str, Any], newline: str) -> str:
    start = text.rfind("\n", 0, item.start) + 1
    margin = text[start : item.start].partition("-")[0]
    if margin.strip():
        raise CannotEdit(f"there is no place for another entry ({BY_HAND})")
    lines = render([entry], "yaml").splitlines()[1:]
    depth = len(lines[0]) - len(lines[0].lstrip())
    end = text.find("\n", item.end)
    before, after = (text + newline, "") if end < 0 else (text[: end + 1], text[end + 1 :])
    return before + "".join(f"{margin}{line[depth:]}{newline}" for line in lines) + after
