"""Variables of an environment as other tools write them in YAML: a mapping, or a list of `NAME=value`."""

from __future__ import annotations

from collections.abc import Iterator

from pmon3.converting.settings import Books, Setting
from pmon3.converting.values import text


def environment(setting: Setting | None, books: Books) -> dict[str, str]:
    """The variables; what is none, and a name that takes its value from outside, is told."""
    return dict(_pairs(setting, books)) if setting is not None else {}


def _pairs(setting: Setting, books: Books) -> Iterator[tuple[str, str]]:
    value = setting.value
    if isinstance(value, dict):
        for name, content in value.items():
            if content is None:
                _tell(setting, str(name), books)
            elif isinstance(content, dict | list):
                books.lose(setting, "a variable is text", key=f"{setting.key} {name}")
            else:
                yield str(name), text(content)
        return
    if not isinstance(value, list):
        books.lose(setting, "it is neither a mapping nor a list of NAME=value")
        return
    for word in value:
        name, equals, content = str(word).partition("=")
        if equals and name:
            yield name, content
        else:
            _tell(setting, name, books)


def _tell(setting: Setting, name: str, books: Books) -> None:
    reason = "its value comes from where the tool was started"
    books.lose(setting, reason, "write it out", key=f"{setting.key} {name}")
