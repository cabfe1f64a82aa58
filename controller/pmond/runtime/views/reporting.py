"""What is to be said of a process now, also when an error of ours keeps it from being decided on."""

from __future__ import annotations

from pmon3_schema.status import Status
from pmond.core.report import Report, report
from pmond.runtime.supervise.loop import Loop


def reported(loop: Loop, name: str, now: float) -> Report:
    """The report of a process; one that was set aside has failed."""
    aside = loop.quarantined.get(name)
    if aside is not None:
        return Report(Status.FAILED, f"internal error, set aside: {aside}", False, None)
    return report(name, loop.desired, loop.observed, now, loop.policy)
