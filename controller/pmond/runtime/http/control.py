"""What callers may ask of the daemon: the seam between the API and the controller."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol

from pmon3_schema.protocol import Apply, Rollback, Selection, Wait
from pmon3_schema.status import Target
from pmond.runtime.access.principal import Principal
from pmond.runtime.files.log_files import LogFile


class Control(Protocol):
    """What callers may ask of the daemon. Every method may raise PmonError.

    Methods that take a peer raise `forbidden` for what `auth` does not allow it: `act` (and the
    user of its `changes`, by `may_submit`), `submit`, `apply`, `plan`, `log_files`.
    """

    def version(self) -> dict[str, Any]: ...
    async def list(self, selection: Selection, usage: bool) -> Sequence[Mapping[str, Any]]: ...
    async def describe(self, ref: str) -> dict[str, Any]: ...
    def submit(self, spec: dict[str, Any], cwd: str, peer: Principal, replace: bool) -> Sequence[Target]: ...
    async def act(
        self, verb: str, selection: Selection, peer: Principal, *, force: bool, changes: dict[str, Any]
    ) -> Sequence[Target]: ...
    async def apply(self, body: Apply, peer: Principal) -> dict[str, Any]: ...
    async def plan(self, body: Apply, peer: Principal) -> dict[str, Any]: ...
    async def hold(
        self, selection: Selection, peer: Principal, up: bool, reason: str, seconds: float | None
    ) -> Sequence[Target]: ...
    async def unhold(self, selection: Selection, peer: Principal) -> Sequence[Target]: ...
    async def release(self, selection: Selection, peer: Principal) -> Sequence[str]: ...
    async def approve(self, selection: Selection, peer: Principal) -> Sequence[Target]: ...
    async def sets(self, peer: Principal) -> Sequence[dict[str, Any]]:
        """Of those that the peer may not change, nothing that stands in their source."""

    def history(self, name: str, limit: int) -> Sequence[dict[str, Any]]:
        """Of the set of the process config file when the name is empty."""

    def suspend(self, name: str, peer: Principal, reason: str, seconds: float | None) -> None: ...
    async def resume(self, name: str, peer: Principal) -> None: ...
    async def rollback(self, body: Rollback, peer: Principal) -> dict[str, Any]: ...
    async def init(self, peer: Principal, process_config_only: bool) -> dict[str, Any]: ...
    async def reconcile(self) -> Sequence[Target]:
        """What should run, once the process config file and all processes were looked at again."""

    async def wait(self, body: Wait, peer: Principal) -> dict[str, Any]: ...
    def log_files(self, ref: str, peer: Principal) -> Sequence[LogFile]:
        """The log, and the log of standard error when it is a separate file."""

    async def graph(self, process_config_only: bool) -> dict[str, Any]: ...
    async def export(self, order: str, selection: Selection, peer: Principal) -> dict[str, Any]: ...
    def groups(self) -> Sequence[dict[str, Any]]: ...
    def create_group(self, name: str) -> dict[str, Any]: ...
    async def delete_group(self, ref: str) -> None: ...
    async def describe_group(self, ref: str) -> dict[str, Any]: ...
    async def assign(self, groups: Sequence[str], refs: Sequence[str]) -> Sequence[str]:
        """Names of the groups."""

    async def remove(self, groups: Sequence[str], refs: Sequence[str]) -> Sequence[str]:
        """Names of the groups."""

    def events(self, since: int, name: str | None) -> Sequence[Mapping[str, Any]]:
        """Events with a greater id, oldest first; of one process or of all."""

    def subscribe(self) -> AsyncIterator[Mapping[str, Any]]:
        """Events from this call on (not from the first step of the iterator on)."""

    async def upgrade(self) -> None:
        """Begin to replace pmond by the code that is installed now, if that can be used."""

    def doctor(self) -> Sequence[Mapping[str, Any]]:
        """What this host offers and what of it is in use."""

    def shutdown(self, stop_processes: bool) -> None:
        """Begin to end; returns at once."""
