"""Groups of processes."""

from __future__ import annotations

from pmon3_schema.answers import Group, GroupDescription, GroupNames, Nothing
from pmon3_schema.protocol import CreateGroup, Membership
from pmond.runtime.http.call import Call
from pmond.runtime.http.visibility import Visibility
from pmond.runtime.intent.group_editor import GroupEditor
from pmond.runtime.intent.registry import Registry
from pmond.runtime.views.publishing import Publisher


class GroupResource:
    """Answers about groups and has them changed."""

    def __init__(self, registry: Registry, publisher: Publisher, visibility: Visibility) -> None:
        self._registry = registry
        self._publisher = publisher
        self._visibility = visibility
        self._editor = GroupEditor(registry)

    async def list_groups(self, call: Call[None]) -> list[Group]:
        return self._editor.groups()

    async def describe_group(self, call: Call[None]) -> GroupDescription:
        number = self._registry.group_id(call.path["ref"])
        rows = await self._publisher.rows(self._registry.in_group(number), usage=True)
        visible = await self._visibility.rows(rows, call.peer)
        return {"id": number, "name": self._registry.groups[number], "processes": visible}

    async def create_group(self, call: Call[CreateGroup]) -> Group:
        return self._editor.create(call.body.name)

    async def delete_group(self, call: Call[None]) -> Nothing:
        await self._editor.delete(call.path["ref"])
        return {}

    async def assign(self, call: Call[Membership]) -> GroupNames:
        return {"groups": await self._editor.change(call.body.groups, call.body.refs, add=True)}

    async def remove(self, call: Call[Membership]) -> GroupNames:
        return {"groups": await self._editor.change(call.body.groups, call.body.refs, add=False)}
