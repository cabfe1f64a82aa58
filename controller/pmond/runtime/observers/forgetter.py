"""Forgets deleted processes of which nothing is left: drops them from everywhere, together, soon.

What cannot be saved has not happened: everything else comes after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import islice

from pmon3_schema.errors import PmonError
from pmond.core.actions import Action, Forget
from pmond.core.model import NOTHING_SEEN, Intent
from pmond.runtime.base.failpoints import FailPoint, reached
from pmond.runtime.intent.registry import Registry
from pmond.runtime.state.records import Batch
from pmond.runtime.state.store import Store
from pmond.runtime.supervise.bus import Bus
from pmond.runtime.supervise.loop import Loop
from pmond.runtime.views.change_times import ChangeTimes
from pmond.runtime.views.runs import RunList

_AT_ONCE = 200
"""Deleted processes in one transaction: some milliseconds, most of it for the disk."""


class Forgetter:
    """Carries out `Forget`."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        loop: Loop,
        change_times: ChangeTimes,
        runs: RunList,
        bus: Bus,
    ) -> None:
        self._store = store
        self._registry = registry
        self._loop = loop
        self._change_times = change_times
        self._runs = runs
        self._bus = bus
        self._leaving: dict[str, None] = {}

    def perform(self, action: Action) -> bool:
        if not isinstance(action, Forget):
            return False
        if not self._leaving:
            asyncio.get_running_loop().call_soon(self._forget_some)
        self._leaving[action.name] = None
        return True

    def _forget_some(self) -> None:
        some = list(islice(self._leaving, _AT_ONCE))
        for name in some:
            del self._leaving[name]
        if self._leaving:
            asyncio.get_running_loop().call_soon(self._forget_some)
        names = set(filter(self._may_go, some))
        try:
            self._delete([self._registry.processes[name] for name in names & self._registry.processes.keys()])
        except PmonError as error:
            for name in names:
                self._loop.quarantine(name, error)
            return
        for name in names:
            self._loop.forget(name)
            self._change_times.forget(name)
            self._runs.forget(name)
        self._store.flush(Batch(histories=dict.fromkeys(names)))
        self._bus.changed(names)

    def _may_go(self, name: str) -> bool:
        """Unless somebody declared it again meanwhile."""
        one = self._registry.processes.get(name)
        gone = self._loop.observed.get(name, NOTHING_SEEN).instance is None
        return gone and (one is None or one.deleting)

    def _delete(self, chosen: Sequence[Intent]) -> None:
        if not chosen:
            return
        what = f"the deletion of {chosen[0].name}" if len(chosen) == 1 else "the deletion of processes"
        with self._registry.edit(what) as edit:
            edit.delete(chosen)
        reached(FailPoint.DELETE_SAVED)
