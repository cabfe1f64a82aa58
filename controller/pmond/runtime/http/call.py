"""A request as a resource gets it: who asks, and path, query and body as checked values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

from msgspec import Struct

from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.protocol import Body, Choice, Selection
from pmond.runtime.access.principal import Principal

Given = TypeVar("Given", bound=Body | None)


class Arguments(Struct, frozen=True):
    """The checked query of a request, with defaults filled in."""

    values: Mapping[str, list[str]]

    def text(self, name: str) -> str:
        return self.values[name][0]

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(self.values[name])

    def flag(self, name: str) -> bool:
        return self.values[name][0] in ("1", "true")

    def number(self, name: str) -> int:
        return int(self.values[name][0])


class Call(Struct, Generic[Given], frozen=True):
    """One request; `body` is what its route declares, None where it declares none."""

    peer: Principal
    path: Mapping[str, str]
    """The variables of the path, by name."""
    query: Arguments
    body: Given

    def selection(self) -> Selection:
        """The selection in the query."""
        labels = dict(map(_label, self.query.texts("label")))
        return Selection(self.query.texts("ref"), self.query.texts("group"), labels)


def chosen(body: Choice, verb: str) -> Selection:
    """What a body selects. Raises PmonError when it selects nothing: all are meant only if that is said."""
    if not (body.refs or body.groups or body.labels or body.all):
        raise PmonError(ErrorCode.BAD_REQUEST, f"cannot {verb}: nothing is selected", "all: true means all")
    return body.selection


def _label(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise PmonError(ErrorCode.BAD_REQUEST, f"cannot read the query: {text!r} is not a label", "key=value")
    return key, value
