"""`schedule`: when a one-shot runs, by the calendar or at intervals.

What is declared stands here, when the next run is due in `cron`; what follows is decided in the core.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Annotated, Any, ClassVar, Literal

from pmon3_schema import input_schema
from pmon3_schema.effect import Effect
from pmon3_schema.field_types import Duration, Flag, FromText, Part
from pmon3_schema.fields import Conversion, field, mistake
from pmon3_schema.substituted_text import as_text

LEAST_INTERVAL = 0.1
"""Seconds; what runs more often is a service."""


def _cron(value: Any) -> Any:
    text = as_text(value)
    if isinstance(text, str) and text:
        from pmon3_schema.cron import check_cron  # only where there is a schedule

        try:
            check_cron(text)
        except ValueError as error:
            raise mistake("cron", str(error)) from None
    return text


def _zone(value: Any) -> Any:
    text = as_text(value)
    if isinstance(text, str) and text:
        from pmon3_schema.cron import check_zone

        try:
            check_zone(text)
        except ValueError as error:
            raise mistake("timezone", str(error)) from None
    return text


class ScheduleSpec(Part, frozen=True):
    """When it runs: by the calendar or at intervals; one of the two is given."""

    needs_one_of: ClassVar[tuple[str, ...]] = ("cron", "every")

    cron: Annotated[str, Conversion(_cron, input_schema.CRON)] = field(
        "", effect=Effect.IN_PLACE, description="minute hour day month weekday, or @hourly … @yearly"
    )
    every: Duration = field(0.0, effect=Effect.IN_PLACE, description="the time from one run to the next")
    timezone: Annotated[str, Conversion(_zone)] = field(
        "",
        effect=Effect.IN_PLACE,
        description="the zone of `cron`, as Europe/Berlin; the machine's by default",
    )
    overlap: Annotated[Literal["skip", "queue", "replace"], FromText] = field(
        "skip",
        effect=Effect.IN_PLACE,
        description="a run is due while one is going on: it is left out, follows, or takes its place",
    )
    catch_up: Annotated[Literal["none", "one"], FromText] = field(
        "none", effect=Effect.IN_PLACE, description="whether one run is made for those missed without a pmond"
    )
    jitter: Duration = field(
        0.0, effect=Effect.IN_PLACE, description="each run begins up to so much later, by its name and time"
    )
    at_start: Flag = field(
        False, effect=Effect.IN_PLACE, description="it also runs when it is new, and at each boot"
    )

    @property
    def wanted(self) -> bool:
        """Whether there is a schedule at all."""
        return bool(self.cron or self.every)

    @property
    def key(self) -> str:
        """What its times follow from: with another one they are worked out anew."""
        return f"{self.cron}|{self.timezone}" if self.cron else f"every {self.every!r}"

    def check(self, given: Set[str]) -> None:
        if bool(self.cron) == bool(self.every):
            both = ", not both" if self.cron else ""
            raise mistake("schedule", f"a schedule has one of cron and every{both}")
        if self.every and self.every < LEAST_INTERVAL:
            raise mistake("schedule", "every is 100ms at least (what runs more often is a service)")
