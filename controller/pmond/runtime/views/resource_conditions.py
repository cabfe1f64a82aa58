"""Whether the limits of a process are kept: a condition of those alone that declare some."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pmon3_schema.bounds import ResourcesSpec
from pmond.core.condition import ConditionValue
from pmond.runtime.processes.instances import Running


def resources_applied(
    resources: ResourcesSpec, running: Running | None, unkept: Callable[[ResourcesSpec], str]
) -> Iterator[ConditionValue]:
    """By what the group of the instance was given; of what does not run by what this host offers.

    `unkept`: which limits this host does not keep, and why.
    """
    if not resources.wanted:
        return
    runs = running is not None and not running.ended
    problem = running.unbounded if running is not None and runs else unkept(resources)
    if problem:
        yield ConditionValue("ResourcesApplied", False, "NotOnThisHost", problem)
    elif runs:
        yield ConditionValue("ResourcesApplied", True, "InItsGroup")
