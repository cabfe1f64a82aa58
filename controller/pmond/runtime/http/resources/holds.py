"""What a person lays over what is declared: holds, their ends, numbers, releases and approvals."""

from __future__ import annotations

from pmon3_schema.answers import Names, Scaled, Targets
from pmon3_schema.protocol import Choice, LayHold, Scale
from pmond.runtime.http.call import Call, chosen
from pmond.runtime.intent.ownership import Ownership
from pmond.runtime.intent.replication import Replication


class HoldResource:
    """Has them laid and lifted."""

    def __init__(self, ownership: Ownership, replication: Replication) -> None:
        self._ownership = ownership
        self._replication = replication

    async def hold(self, call: Call[LayHold]) -> Targets:
        body = call.body
        selection = chosen(body, "hold")
        held = await self._ownership.hold(selection, call.peer, body.up, body.reason, body.seconds)
        return {"targets": held}

    async def unhold(self, call: Call[Choice]) -> Targets:
        return {"targets": await self._ownership.unhold(chosen(call.body, "unhold"), call.peer)}

    async def scale(self, call: Call[Scale]) -> Scaled:
        scaled = self._replication.scale(call.body.counts, call.peer)
        return {"targets": scaled.targets, "gone": scaled.gone}

    async def release(self, call: Call[Choice]) -> Names:
        return {"names": await self._ownership.release(chosen(call.body, "release"), call.peer)}

    async def approve(self, call: Call[Choice]) -> Targets:
        return {"targets": await self._ownership.approve(chosen(call.body, "approve"), call.peer)}
