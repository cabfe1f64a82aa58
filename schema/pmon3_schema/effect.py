"""What a changed field costs; declared on the field itself, used by the planner and `explain`."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field
from pydantic.fields import FieldInfo


class Effect(StrEnum):
    """The cost of changing one field of a running process, cheapest first."""

    NONE = "none"
    """Nothing that runs is touched: a label, a description, a group."""
    IN_PLACE = "in place"
    """The next decision or the live process uses the new value; no restart."""
    RELOAD = "reload"
    """The process is told to read its files again; no field costs that by itself (see `on_change`)."""
    RESTART = "restart"
    """The process is stopped and started."""


def field(
    default: Any = ..., *, effect: Effect, since: str = "0.1", instead: Any = None, **settings: Any
) -> Any:
    """A pydantic field that also says what changing it costs and since when it exists.

    `instead` replaces a value out of range where that is not the default (settings only).
    """
    extra: dict[str, Any] = {"effect": effect.value, "since": since}
    if instead is not None:
        extra["instead"] = instead
    if default is ...:
        return Field(json_schema_extra=extra, **settings)
    return Field(default, json_schema_extra=extra, **settings)


def effect_of(info: FieldInfo) -> Effect:
    """The declared effect of one model field; RESTART, the safe answer, when none is declared."""
    extra = info.json_schema_extra
    return Effect(str(extra["effect"])) if isinstance(extra, dict) and "effect" in extra else Effect.RESTART
