"""Settings of an input with their places, and the books that are kept of them: none may disappear.

Theory of operation: a reader makes a `Section` of the settings of one entry. Whoever wants a setting takes
it from the section; `close` tells every setting that nobody took. A setting that was taken but cannot be
carried is told by whoever took it, with `Books.lose`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from msgspec import Struct

_T = TypeVar("_T")


class CannotConvert(Exception):
    """The text says why an input cannot be read ; `losses` has what was met until then."""

    def __init__(self, why: str, losses: Sequence[Loss] = ()) -> None:
        super().__init__(why)
        self.losses = tuple(losses)


class NotCarried(Exception):
    """A value that has no counterpart: the reason, and what to do instead."""

    def __init__(self, reason: str, advice: str = "") -> None:
        super().__init__(reason)
        self.reason, self.advice = reason, advice


class Place(Struct, frozen=True):
    """A line of a file, as it was named."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Setting(Struct, frozen=True):
    """One key of an input: text where the format has nothing but text, else plain data."""

    key: str
    value: Any
    place: Place


class Loss(Struct, frozen=True):
    """Something of the input that the manifest does not have."""

    place: Place
    key: str
    reason: str
    advice: str = ""

    def __str__(self) -> str:
        advice = f" ({self.advice})" if self.advice else ""
        return f"{self.place}: {self.key}: {self.reason}{advice}"


class Left(Struct, frozen=True):
    """Why a key is not carried, and what to do instead: a row of a tool's table."""

    reason: str
    advice: str = ""


NO_COUNTERPART = Left("there is no counterpart")


class Books:
    """What was lost, and what will be different, in the order in which it was met."""

    def __init__(self) -> None:
        self.losses: list[Loss] = []
        self.differences: dict[str, None] = {}
        self.notes: dict[str, None] = {}

    def lose(self, setting: Setting, reason: str, advice: str = "", *, key: str = "") -> None:
        """Tell that a setting is not carried; `key` where one value has several keys in it."""
        self.losses.append(Loss(setting.place, key or setting.key, reason, advice))

    def lose_at(self, place: Place, key: str, reason: str, advice: str = "") -> None:
        """Tell of something that is no setting: a section, a line, a file."""
        self.losses.append(Loss(place, key, reason, advice))

    def differs(self, owner: str, text: str) -> None:
        """Tell what is carried and yet will not be the same; once, however often it is met."""
        self.differences[f"{owner}: {text}"] = None

    def note(self, text: str) -> None:
        self.notes[text] = None


class Section:
    """The settings of one entry. What is not taken until it is closed is told."""

    def __init__(self, title: str, place: Place, settings: Iterable[Setting], books: Books) -> None:
        self.title, self.place, self.books = title, place, books
        self._settings: dict[str, list[Setting]] = {}
        for setting in settings:
            self._settings.setdefault(setting.key, []).append(setting)
        self._taken: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self._settings

    @property
    def keys(self) -> tuple[str, ...]:
        """Its keys in the order of the text."""
        return tuple(self._settings)

    def mentions(self, text: str) -> bool:
        """Whether any value has the text in it; nothing is taken with that."""
        return any(text in str(setting.value) for found in self._settings.values() for setting in found)

    def every(self, key: str) -> tuple[Setting, ...]:
        """All settings of a key, which are taken with that."""
        self._taken.add(key)
        return tuple(self._settings.get(key, ()))

    def take(self, key: str) -> Setting | None:
        """The setting of a key that is in force, the last one; earlier ones that say otherwise are told."""
        found = self.every(key)
        for earlier in found[:-1]:
            if earlier.value != found[-1].value:
                self.books.lose(earlier, f"it is given again in line {found[-1].place.line}, which counts")
        return found[-1] if found else None

    def value(self, key: str, default: Any = None) -> Any:
        """The value of a key, or the default where it is not given."""
        setting = self.take(key)
        return default if setting is None else setting.value

    def read(self, key: str, reader: Callable[[Any], _T], default: _T) -> _T:
        """The value as the reader understands it; the default where it is not given, or told."""
        setting = self.take(key)
        if setting is None:
            return default
        try:
            return reader(setting.value)
        except NotCarried as why:
            self.books.lose(setting, why.reason, why.advice)
            return default

    def lose(self, key: str, reason: str, advice: str = "") -> None:
        """Tell all settings of a key."""
        for setting in self.every(key):
            self.books.lose(setting, reason, advice)

    def note(self, key: str, text: str) -> None:
        """Name a key by which nothing is lost."""
        for setting in self.every(key):
            self.books.note(f"{setting.place}: {key}: {text}")

    def abandon(self, reason: str, advice: str = "") -> None:
        """Tell the section as a whole, with all that stands in it."""
        self._taken |= self._settings.keys()
        self.books.lose_at(self.place, f"[{self.title}]", reason, advice)

    def close(self, why: Mapping[str, Left]) -> None:
        """Tell what nobody has taken, with the reasons of a table."""
        for key, found in self._settings.items():
            if key not in self._taken:
                left = why.get(key, NO_COUNTERPART)
                for setting in found:
                    self.books.lose(setting, left.reason, left.advice)
        self._taken |= self._settings.keys()
