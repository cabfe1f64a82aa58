"""Which logs are to be rotated: those of running processes that say so."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from pmon3_schema.trust import stranger
from pmond.runtime.intent.registry import Registry
from pmond.runtime.observers.log_rotator import RotatedLog
from pmond.runtime.processes.instances import Instances
from pmond.runtime.views.publishing import Publisher


class RotatedLogs:
    """Looks it up in what is wanted and what runs."""

    def __init__(self, registry: Registry, instances: Instances, publisher: Publisher) -> None:
        self._registry = registry
        self._instances = instances
        self._publisher = publisher

    def by_path(self) -> dict[str, RotatedLog]:
        running = (self._registry.processes.get(one.name) for one in self._instances)
        return {
            str(log.path): RotatedLog(log, one.spec.log_rotate)
            for one in running
            if one is not None and one.spec.log_rotate.wanted
            for log in self._publisher.logs(one)
        }

    def folders(self) -> frozenset[str]:
        """Their folders, as far as pmond may try there with its own rights what can be done."""
        folders = {str(Path(path).parent) for path in self.by_path()}
        return frozenset(folder for folder in folders if not stranger(folder, os.geteuid()))

    def any_of(self, names: Iterable[str]) -> bool:
        """Whether the log of one of these processes is to be rotated."""
        processes = self._registry.processes
        return any((one := processes.get(name)) is not None and one.spec.log_rotate.wanted for name in names)
