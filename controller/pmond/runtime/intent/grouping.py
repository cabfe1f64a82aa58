"""Groups: named sets of processes that outlive them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic_core import PydanticCustomError

from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.field_types import check_name
from pmond.runtime.intent.registry import Declared, Registry


class Grouping:
    """Creates, deletes and fills groups."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def groups(self) -> list[dict[str, Any]]:
        """All groups by id, with the names of their processes."""
        return [self._json(number) for number in sorted(self._registry.groups)]

    def create(self, name: str) -> dict[str, Any]:
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

    def delete(self, ref: str) -> None:
        """Remove a group; its processes stay, and a later group inherits nothing of it."""
        number = self._registry.group_id(ref)
        with self._registry.edit("the deletion of a group") as edit:
            for one in self._registry.in_group(number):
                present = self._registry.group_ids(one.id)
                edit.set_groups(one.id, present, present - {number})
            edit.delete_group(number)

    def change(self, groups: Sequence[str], refs: Sequence[str], *, add: bool) -> list[str]:
        """Put processes into groups or take them out: all or, when one is unknown, nothing."""
        numbers = frozenset(self._registry.group_id(group) for group in groups)
        chosen: dict[int, Declared] = {}
        for ref in refs:
            chosen.update((one.id, one) for one in self._registry.resolve(ref))
        with self._registry.edit("the members of groups") as edit:
            for number in chosen:
                present = self._registry.group_ids(number)
                edit.set_groups(number, present, present | numbers if add else present - numbers)
        return [self._registry.groups[number] for number in sorted(numbers)]

    def _json(self, number: int) -> dict[str, Any]:
        members = [one.name for one in self._registry.in_group(number)]
        return {"id": number, "name": self._registry.groups[number], "processes": members}


def _check_name(name: str) -> None:
    """The rules of manifests: a group must be one that `groups` could name."""
    try:
        check_name(name)
    except PydanticCustomError as error:
        raise PmonError(ErrorCode.INVALID, f"cannot create this group: {error.message()}") from None
