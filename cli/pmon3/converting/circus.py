"""A circus.ini: its watchers, with the `[env]` sections that apply to each.

Theory of operation: keys keep their case and the first of two counts; a `;` after a space begins a comment.
What `include` and `include_dir` name is read too. `$(circus.env.X)` and `((circus.env.X))` are filled in as
circus does it: in all values of a watcher when the file is read, in `cmd` and `args` once more at a start,
then with `$(circus.wid)` too; in `[env]` from the environment of circus alone, in `[env:NAME]` not at all.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from pmon3.converting.circus_watchers import CircusWatcher, as_read, filled_in, of_environment
from pmon3.converting.drafts import Draft
from pmon3.converting.ini import IniRules, IniSection, read_ini
from pmon3.converting.settings import Books, CannotConvert, Left, Section, Setting
from pmon3.converting.sources import InputFiles, text

_RULES = IniRules(inline_comments=(";",), small_keys=False)
_ABOUT_ITSELF = Left("it is about circus itself", "pmond has a configuration of its own")
_CIRCUS = {"umask": Left("circus itself has it, and its programs inherit it", "see `umask`")}
_SOCKET = Left("sockets are not handed to programs", "let the program open it")
_PLUGIN = Left("there are no plugins")
_PLUGINS = {
    "circus.plugins.flapping.Flapping": Left(
        "each watcher has its own brake", "see `restart.max_failures` and `restart.window`"
    ),
    "circus.plugins.resource_watcher.ResourceWatcher": Left(
        "nothing is restarted for what it uses", "see `resources`"
    ),
}
_MEANING = (
    "a program that ends is started again at once, later ones after 100 ms, doubling up to 60 s; circus looks"
    " once in `check_delay`",
    "what a program writes goes to its log, where circus writes it to nowhere or to its own output",
)


def convert(path: str, content: bytes, sources: InputFiles, books: Books) -> list[Draft]:
    """The processes of a circus.ini. Raises CannotConvert."""
    sections = read_ini(text(content), path, _RULES)
    sections += _included(sections, posixpath.dirname(path), sources, books)
    whole = [_first_wins(name, sections) for name in dict.fromkeys(section.name for section in sections)]
    shared = _shared_variables(whole)
    drafts: list[Draft] = []
    for section in whole:
        kind, _, name = section.name.partition(":")
        if kind == "watcher":
            variables = {**shared, **_variables([one for one in whole if _applies(one.name, name)])}
            opened = Section(section.name, section.place, _as_read(section, variables, books), books)
            umask = _umask(whole)
            drafts += CircusWatcher(
                name, opened, variables, umask, posixpath.dirname(path), sources, books
            ).drafts()
        elif kind in ("socket", "plugin"):
            _tell(section, kind, books)
        elif kind not in ("env", "circus"):
            books.lose_at(section.place, f"[{section.name}]", "there is no counterpart")
    _settings_of_circus(whole, books)
    _tell_what_is_left_as_it_stands(whole, books)
    _unused_variables(whole, books)
    if not drafts:
        raise CannotConvert("it has no [watcher:…] section")
    for difference in _MEANING:
        books.differs("circus", difference)
    return drafts


def _first_wins(name: str, sections: Sequence[IniSection]) -> IniSection:
    same = [section for section in sections if section.name == name]
    settings: dict[str, Setting] = {}
    for section in same:
        for setting in section.settings:
            value = "" if setting.value == '""' else setting.value
            settings.setdefault(setting.key, Setting(setting.key, value, setting.place))
    return IniSection(name, same[0].place, tuple(settings.values()))


def _included(
    sections: Sequence[IniSection], folder: str, sources: InputFiles, books: Books
) -> list[IniSection]:
    found: list[IniSection] = []
    for setting in (one for section in sections if section.name == "circus" for one in section.settings):
        if setting.key not in ("include", "include_dir"):
            continue
        for word in setting.value.split():
            pattern = word if setting.key == "include" else posixpath.join(word, "*.ini")
            names = sources.matching(folder, pattern)
            if not names:
                books.lose(setting, f"no file matches {pattern}", "convert it where the files are")
            for name in names:
                found += read_ini(sources.text_of(name), name, _RULES)
    return found


def _applies(section: str, watcher: str) -> bool:
    if not section.startswith("env:"):
        return False
    return any(fnmatchcase(watcher, pattern.strip()) for pattern in section.removeprefix("env:").split(","))


def _variables(sections: Sequence[IniSection]) -> dict[str, Setting]:
    return {setting.key: setting for section in sections for setting in section.settings}


def _shared_variables(sections: Sequence[IniSection]) -> dict[str, Setting]:
    known = of_environment(os.environ)
    found = _variables([section for section in sections if section.name == "env"])
    return {key: Setting(key, filled_in(one.value, known)[0], one.place) for key, one in found.items()}


def _as_read(section: IniSection, variables: Mapping[str, Setting], books: Books) -> tuple[Setting, ...]:
    known = of_environment({**os.environ, **{name: setting.value for name, setting in variables.items()}})
    return tuple(as_read(setting, known, books) for setting in section.settings)


def _tell_what_is_left_as_it_stands(sections: Sequence[IniSection], books: Books) -> None:
    """Values that a program gets as they are written, with what looks as if circus would fill it in."""
    known = of_environment(os.environ)
    for section in sections:
        if section.name == "env" or section.name.startswith("env:"):
            for setting in section.settings:
                as_read(setting, known if section.name == "env" else {}, books)


def _umask(sections: Sequence[IniSection]) -> Setting | None:
    return next(
        (one for s in sections if s.name == "circus" for one in s.settings if one.key == "umask"), None
    )


def _tell(section: IniSection, kind: str, books: Books) -> None:
    use = next((setting.value for setting in section.settings if setting.key == "use"), "")
    left = _SOCKET if kind == "socket" else _PLUGINS.get(use, _PLUGIN)
    books.lose_at(section.place, f"[{section.name}]", left.reason, left.advice)


def _settings_of_circus(sections: Sequence[IniSection], books: Books) -> None:
    for section in sections:
        if section.name == "circus":
            opened = Section(section.name, section.place, section.settings, books)
            for key in ("include", "include_dir", "umask"):
                opened.take(key)
            opened.close({key: _CIRCUS.get(key, _ABOUT_ITSELF) for key in opened.keys})


def _unused_variables(sections: Sequence[IniSection], books: Books) -> None:
    watchers = [
        section.name.removeprefix("watcher:") for section in sections if section.name.startswith("watcher:")
    ]
    for section in sections:
        if section.name.startswith("env:") and not any(_applies(section.name, name) for name in watchers):
            books.lose_at(section.place, f"[{section.name}]", "there is no watcher of that name")
