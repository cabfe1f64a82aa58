"""What of a changed configuration a running pmond can take over, by the effect of each setting."""

from __future__ import annotations

from typing import TypeVar

from msgspec.structs import replace

from pmon3_schema.effect import Effect
from pmon3_schema.fields import FieldStruct

Value = TypeVar("Value", bound=FieldStruct)


def live_part(present: Value, read: Value) -> tuple[Value, tuple[str, ...]]:
    """`read`, with the present value of every setting that is read only when pmond starts.

    Also names those settings that therefore wait for a restart of pmond, as ``data.directory``.
    """
    waiting: list[str] = []
    return _live_part(present, read, "", waiting), tuple(waiting)


def _live_part(present: Value, read: Value, above: str, waiting: list[str]) -> Value:
    kept: dict[str, object] = {}
    for name, field in read.declared.items():
        old, new = getattr(present, name), getattr(read, name)
        if isinstance(new, FieldStruct):
            kept[name] = _live_part(old, new, f"{above}{name}.", waiting)
        elif old != new and field.effect is Effect.RESTART:
            kept[name] = old
            if above != "permissions.":  # said by the sections that inherit it
                waiting.append(f"{above}{name}")
    return replace(read, **kept)
