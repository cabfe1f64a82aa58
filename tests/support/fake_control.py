"""A `Control` that remembers what it was asked and answers plausibly; it runs nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.protocol import Apply, Rollback, Selection, Wait
from pmon3_schema.status import Target
from pmond.runtime.access.principal import Principal
from pmond.runtime.files.log_files import LogFile

TARGET: Target = {"name": "web", "generation": 3, "token": 7}
PLAN: dict[str, Any] = {
    "format": 1,
    "set": "file:/etc/app.yml",
    "summary": {"change": 1},
    "actions": [
        {
            "action": "restart",
            "name": "web",
            "effect": "restart",
            "changes": [
                {
                    "path": "/env_vars/TOKEN",
                    "before": "old-secret",
                    "after": "new-secret",
                    "effect": "restart",
                },
                {"path": "/cwd", "before": "/a", "after": "/b", "effect": "restart"},
            ],
            "causes": [],
        }
    ],
    "notes": [],
    "diagnostics": [],
}


SET: dict[str, Any] = {
    "name": "file:/etc/app.yml",
    "sync": "Synced",
    "health": "Healthy",
    "accepted": True,
    "reason": "",
    "message": "",
    "diagnostics": [],
    "suspended": None,
    "chosen": None,
    "version": 3,
    "revision": 7,
    "checked_at": "2025-03-04T05:06:07Z",
    "processes": 1,
    "inventory": [{"name": "web", "prune": True, "declared": True, "file": "/etc/app.yml", "line": 2}],
    "conditions": [],
}
REVISION: dict[str, Any] = {
    "revision": 7,
    "set": "file:/etc/app.yml",
    "time": "2025-03-04T05:06:07Z",
    "by": "ana",
    "message": "more workers",
    "digest": "b2:00",
    "commit": "",
    "outcome": "done",
    "summary": {"create": 1},
}


class FakeControl:
    """`calls` lists method names with their arguments; `processes` maps names to users."""

    def __init__(self, processes: Mapping[str, str] | None = None) -> None:
        self.processes = dict(processes or {"web": "root", "mail": "nobody"})
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.files: list[LogFile] = []
        self.past: list[dict[str, Any]] = []
        self.waits = 0  # waits in progress
        self.subscriptions: list[asyncio.Queue[Mapping[str, Any]]] = []
        self.failure: Exception | None = None

    def happen(self, name: str, reason: str) -> None:
        event = {"id": len(self.past) + 1, "name": name, "reason": reason, "message": ""}
        self.past.append(event)
        for queue in self.subscriptions:
            queue.put_nowait(event)

    def _called(self, method: str, *arguments: Any) -> None:
        self.calls.append((method, arguments))
        if self.failure is not None:
            raise self.failure

    def _spec(self, name: str) -> dict[str, Any]:
        return {
            "file": "/bin/app",
            "name": name,
            "user": self.processes[name],
            "env_vars": {"TOKEN": "secret"},
        }

    def version(self) -> dict[str, Any]:
        self._called("version")
        return {"version": "0", "api": 1}

    async def list(self, selection: Selection, usage: bool) -> Sequence[Mapping[str, Any]]:
        self._called("list", selection, usage)
        unknown = [ref for ref in selection.refs if ref not in self.processes]
        if unknown:
            raise PmonError(ErrorCode.NOT_FOUND, f"cannot find {unknown[0]}: there is no such process")
        return [{"name": name, "user": self.processes[name]} for name in selection.refs or self.processes]

    async def describe(self, ref: str) -> dict[str, Any]:
        self._called("describe", ref)
        if ref not in self.processes:
            raise PmonError(
                ErrorCode.NOT_FOUND, f"cannot show {ref}: there is no such process", "see pmon3 ls"
            )
        return {"name": ref, "user": self.processes[ref], "spec": self._spec(ref)}

    def submit(self, spec: dict[str, Any], cwd: str, peer: Principal, replace: bool) -> Sequence[Target]:
        self._called("submit", spec, cwd, peer, replace)
        return [TARGET]

    async def act(
        self, verb: str, selection: Selection, peer: Principal, *, force: bool, changes: dict[str, Any]
    ) -> Sequence[Target]:
        self._called("act", verb, selection, peer, force, changes)
        return [TARGET]

    async def apply(self, body: Apply, peer: Principal) -> dict[str, Any]:
        self._called("apply", body, peer)
        return {"plan": PLAN, "targets": [TARGET], "revision": 0}

    async def plan(self, body: Apply, peer: Principal) -> dict[str, Any]:
        self._called("plan", body, peer)
        return PLAN

    async def hold(
        self, selection: Selection, peer: Principal, up: bool, reason: str, seconds: float | None
    ) -> Sequence[Target]:
        self._called("hold", selection, peer, up, reason, seconds)
        return [TARGET]

    async def unhold(self, selection: Selection, peer: Principal) -> Sequence[Target]:
        self._called("unhold", selection, peer)
        return [TARGET]

    async def release(self, selection: Selection, peer: Principal) -> Sequence[str]:
        self._called("release", selection, peer)
        return list(selection.refs)

    async def approve(self, selection: Selection, peer: Principal) -> Sequence[Target]:
        self._called("approve", selection, peer)
        return [TARGET]

    async def sets(self, peer: Principal) -> Sequence[dict[str, Any]]:
        self._called("sets")
        return [SET]

    def history(self, name: str, limit: int) -> Sequence[dict[str, Any]]:
        self._called("history", name, limit)
        return [REVISION]

    def suspend(self, name: str, peer: Principal, reason: str, seconds: float | None) -> None:
        self._called("suspend", name, peer, reason, seconds)

    async def resume(self, name: str, peer: Principal) -> None:
        self._called("resume", name, peer)

    async def rollback(self, body: Rollback, peer: Principal) -> dict[str, Any]:
        self._called("rollback", body, peer)
        return {"plan": PLAN, "targets": [TARGET], "revision": 0}

    async def init(self, peer: Principal, process_config_only: bool) -> dict[str, Any]:
        self._called("init", peer, process_config_only)
        return {"plan": PLAN, "targets": [TARGET], "revision": 0, "lifted": []}

    async def wait(self, body: Wait, peer: Principal) -> dict[str, Any]:
        self._called("wait", body.targets, body.until, body.timeout)
        self.waits += 1
        try:
            await asyncio.sleep(body.timeout)
        finally:
            self.waits -= 1
        return {"outcome": "timeout", "processes": [], "failures": []}

    def log_files(self, ref: str, peer: Principal) -> Sequence[LogFile]:
        self._called("log_files", ref, peer)
        return self.files

    async def graph(self, process_config_only: bool) -> dict[str, Any]:
        self._called("graph", process_config_only)
        return {"order": list(self.processes), "dependents": [], "edges": [], "cycles": []}

    async def export(self, order: str, selection: Selection, peer: Principal) -> dict[str, Any]:
        self._called("export", order, selection, peer)
        return {"processes": [self._spec(name) for name in self.processes]}

    def groups(self) -> Sequence[dict[str, Any]]:
        self._called("groups")
        return []

    def create_group(self, name: str) -> dict[str, Any]:
        self._called("create_group", name)
        return {"id": 1, "name": name, "processes": []}

    async def delete_group(self, ref: str) -> None:
        self._called("delete_group", ref)

    async def describe_group(self, ref: str) -> dict[str, Any]:
        self._called("describe_group", ref)
        return {"id": 1, "name": ref, "processes": []}

    async def assign(self, groups: Sequence[str], refs: Sequence[str]) -> Sequence[str]:
        self._called("assign", groups, refs)
        return groups

    async def remove(self, groups: Sequence[str], refs: Sequence[str]) -> Sequence[str]:
        self._called("remove", groups, refs)
        return groups

    def events(self, since: int, name: str | None) -> Sequence[Mapping[str, Any]]:
        self._called("events", since, name)
        return [event for event in self.past if event["id"] > since and name in (None, event["name"])]

    def subscribe(self) -> AsyncIterator[Mapping[str, Any]]:
        self._called("subscribe")
        queue: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
        self.subscriptions.append(queue)
        return self._live(queue)

    async def _live(self, queue: asyncio.Queue[Mapping[str, Any]]) -> AsyncIterator[Mapping[str, Any]]:
        try:
            while True:
                yield await queue.get()
        finally:
            self.subscriptions.remove(queue)

    async def reconcile(self) -> Sequence[Target]:
        self._called("reconcile")
        return [TARGET]

    async def upgrade(self) -> None:
        self._called("upgrade")

    def doctor(self) -> Sequence[Mapping[str, Any]]:
        self._called("doctor")
        return [{"name": "pidfd", "status": "ok", "in_use": "pidfd", "message": ""}]

    def shutdown(self, stop_processes: bool) -> None:
        self._called("shutdown", stop_processes)
