"""What of an answer a caller may see: what may be secret is for those who may know it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pmon3_schema.answers import Description, Plan
from pmon3_schema.status import ProcessStatus
from pmond.runtime.access.authority import Authority, Right
from pmond.runtime.access.masking import masked, masked_action, masked_change, masked_row
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
        return await cooperative_map(rows, lambda row: row if may_read(row["user"]) else masked_row(row))

    def description(self, found: Description, peer: Principal) -> Description:
        """The same of all that is known of one."""
        if self._of_users(peer)(found["user"]):
            return found
        pending = [masked_change(change) for change in found["pending"]]
        return {**found, **masked_row(found), "spec": masked(found["spec"]), "pending": pending}

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
