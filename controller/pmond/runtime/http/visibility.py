"""What of an answer a caller may see: what may be secret is for those who may know it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pmon3_schema.answers import Description, Event, Plan, WaitFailure
from pmon3_schema.masking import (
    masked,
    masked_action,
    masked_condition,
    masked_description,
    masked_event,
    masked_row,
)
from pmon3_schema.program_words import without_words
from pmon3_schema.status import ProcessStatus, Status
from pmond.runtime.access.authority import Authority, Right
from pmond.runtime.access.principal import Principal
from pmond.runtime.base.long_work import cooperative_map, release


class Visibility:
    """Masks by the caller and by the user of a process, as config.yml says it now."""

    def __init__(self, authority: Callable[[], Authority]) -> None:
        self._authority = authority

    async def rows(self, rows: list[ProcessStatus], peer: Principal) -> list[ProcessStatus]:
        """Status objects without the arguments of processes whose secrets the caller may not see."""
        if self._authority().is_administrator(peer):  # no look-up of users where it makes no difference
            return rows
        may_read = self._of_users(peer)
        return await cooperative_map(
            rows, lambda row: _own(row) if may_read(row["user"]) else masked_row(row)
        )

    def description(self, found: Description, peer: Principal) -> Description:
        """The same of all that is known of one."""
        if self._authority().is_administrator(peer):
            return found
        if self._of_users(peer)(found["user"]):
            if not _waits(found):
                return found
            conditions = [masked_condition(condition, _own(found)) for condition in found["conditions"]]
            return {**found, **_own(found), "conditions": conditions}
        return masked_description(found)

    def events(self, peer: Principal, user_of: Callable[[str], str | None]) -> Callable[[Event], Event]:
        """The same of lines of history. `user_of`: as whom a process of that name runs, if there is one."""
        if self._authority().is_administrator(peer):
            return lambda event: event
        may_read = self._of_users(peer)

        def visible(event: Event) -> Event:
            user = user_of(event["name"])
            return event if user is not None and may_read(user) else masked_event(event)

        return visible

    def failures(
        self, found: list[WaitFailure], rows: Mapping[str, ProcessStatus], peer: Principal
    ) -> list[WaitFailure]:
        """The same of why a wait failed; `rows`: the processes by name, as the caller may see them."""
        if self._authority().is_administrator(peer):
            return found
        may_read = self._of_users(peer)

        def is_open(name: str) -> bool:
            row = rows.get(name)
            return row is not None and may_read(row["user"]) and not _waits(row)

        return [
            one if is_open(one["name"]) else {**one, "reason": without_words(one["reason"])} for one in found
        ]

    def specs(self, peer: Principal) -> Callable[[dict[str, Any]], dict[str, Any]]:
        """The same of manifest data, one entry after another."""
        may_read = self._of_users(peer)
        return lambda entry: entry if may_read(entry.get("user", "")) else masked(entry)

    async def plan(self, plan: Plan, peer: Principal) -> Plan:
        """A plan without what may be secret, unless the caller administers pmond.

        A caller can name any process in its documents; a plan must not tell what is in them.
        """
        if self._authority().is_administrator(peer):
            return plan
        actions = await cooperative_map(plan["actions"], masked_action)
        release(plan["actions"])
        return {**plan, "actions": actions}

    def _of_users(self, peer: Principal) -> Callable[[str], bool]:
        return self._authority().over_users(peer, Right.READ_SECRETS)


def _own(row: ProcessStatus) -> ProcessStatus:
    """A row of the caller's, without what others' programs have said that it waits for."""
    return {**row, "reason": without_words(row["reason"])} if _waits(row) else row


def _waits(row: ProcessStatus) -> bool:
    return row["status"] == Status.WAITING.word
