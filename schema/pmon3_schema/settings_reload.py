"""What of a changed configuration a running pmond can take over, by the effect of each setting."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel

from pmon3_schema.effect import Effect, effect_of

Model = TypeVar("Model", bound=BaseModel)


def live_part(present: Model, read: Model) -> tuple[Model, tuple[str, ...]]:
    """`read`, with the present value of every setting that is read only when pmond starts.

    Also names those settings that therefore wait for a restart of pmond, as ``data.directory``.
    """
    waiting: list[str] = []
    return _live_part(present, read, "", waiting), tuple(waiting)


def _live_part(present: Model, read: Model, above: str, waiting: list[str]) -> Model:
    kept: dict[str, object] = {}
    for name, info in type(read).model_fields.items():
        old, new = getattr(present, name), getattr(read, name)
        if isinstance(new, BaseModel):
            kept[name] = _live_part(old, new, f"{above}{name}.", waiting)
        elif old != new and effect_of(info) is Effect.RESTART:
            kept[name] = old
            if above != "permissions.":  # said by the sections that inherit it
                waiting.append(f"{above}{name}")
    return read.model_copy(update=kept)
