"""Groups: named sets of processes that outlive them.

A change of many takes several turns, in which groups may go and their numbers come again; so what a caller
calls a group is looked up each time.
"""

from __future__ import annotations

from collections.abc import Sequence

from pmon3_schema.answers import Group
from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.field_types import check_name
from pmon3_schema.protocol import Selection
from pmond.core.model import Intent
from pmond.runtime.intent.bulk_change import change_all
from pmond.runtime.intent.edit import Edit
from pmond.runtime.intent.registry import Registry


class GroupEditor:
    """Creates, deletes and fills groups."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def groups(self) -> list[Group]:
        """All groups by id, with the names of their processes."""
        members: dict[int, list[str]] = {number: [] for number in sorted(self._registry.groups)}
        for one in self._registry.select(Selection()):
            for number in self._registry.group_ids(one.id) & members.keys():
                members[number].append(one.name)
        return [
            {"id": number, "name": self._registry.groups[number], "processes": names}
            for number, names in members.items()
        ]

    def create(self, name: str) -> Group:
        """Add an empty group. Raises PmonError `invalid` for what is no name, `conflict` for a taken one."""
        _check_name(name)
        if name in self._registry.groups.values():
            raise PmonError(
                ErrorCode.CONFLICT,
                f"cannot create group {name}: it is there already",
                "pmon3 group ls lists them",
            )
        with self._registry.edit(f"group {name}") as edit:
            number = edit.group(name)
        return self._json(number)

    async def delete(self, ref: str) -> None:
        """Remove a group; its processes stay, and a later group inherits nothing of it."""

        def choose() -> list[Intent]:
            return self._registry.in_group(self._registry.group_id(ref))

        def write(edit: Edit, chosen: Sequence[Intent]) -> list[Intent]:
            number = self._registry.group_id(ref)
            for one in chosen:
                present = self._registry.group_ids(one.id)
                edit.set_groups(one.id, present, present - {number})
            edit.delete_group(number)
            return [*chosen]

        await change_all(self._registry, "the deletion of a group", choose, write)

    async def change(self, groups: Sequence[str], refs: Sequence[str], *, add: bool) -> list[str]:
        """Put processes into groups or take them out: all or, when one is unknown, nothing."""

        def numbers() -> frozenset[int]:
            return frozenset(self._registry.group_id(group) for group in groups)

        def choose() -> list[Intent]:
            numbers()  # an unknown group is told before an unknown process
            return list({one.id: one for ref in refs for one in self._registry.resolve(ref)}.values())

        def write(edit: Edit, chosen: Sequence[Intent]) -> list[Intent]:
            named = numbers()
            for one in chosen:
                present = self._registry.group_ids(one.id)
                edit.set_groups(one.id, present, present | named if add else present - named)
            return [*chosen]

        await change_all(self._registry, "the members of groups", choose, write)
        return [self._registry.groups[number] for number in sorted(numbers())]

    def _json(self, number: int) -> Group:
        members = [one.name for one in self._registry.in_group(number)]
        return {"id": number, "name": self._registry.groups[number], "processes": members}


def _check_name(name: str) -> None:
    """The rules of manifests: a group must be one that `groups` could name."""
    try:
        check_name(name)
    except ValueError as error:
        raise PmonError(ErrorCode.INVALID, f"cannot create this group: {error}") from None
