"""What a changed field costs; declared on the field itself, used by the planner and `explain`."""

from __future__ import annotations

from enum import StrEnum


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
