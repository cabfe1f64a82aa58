"""Builders of core values for stories: what is not said has an unremarkable default."""

from __future__ import annotations

from typing import Any

from pmon3_schema.process import ProcessSpec
from pmon3_schema.reading import read_value
from pmond.core.model import Desired, Hold, Intent, State
from pmond.core.plan import dependants_of

AT = "2024-05-03T06:09:18Z"


def spec(name: str = "web", **values: Any) -> ProcessSpec:
    """A spec; nested parts such as `restart` are given as a dict."""
    return read_value(ProcessSpec, {"file": f"/bin/{name}", "name": name, **values})


def hold(up: bool, reason: str = "") -> Hold:
    return Hold(up=up, by="ana", at=AT, reason=reason)


def wanted(
    name: str = "web",
    *,
    revision: str = "r1",
    token: int = 0,
    held: bool | None = None,
    deferred: bool = False,
    deleting: bool = False,
    forced: bool = False,
    **values: Any,
) -> Intent:
    """What is wanted of `name`; `values` are keys of its spec, `held` is a hold up or down."""
    return Intent(
        spec(name, **values),
        revision,
        token=token,
        hold=None if held is None else hold(held),
        deferred=deferred,
        deleting=deleting,
        forced=forced,
    )


def desired(*all_wanted: Intent, ending: bool = False) -> Desired:
    """Everything that is wanted, with its index of dependants."""
    by_name = {each.spec.name: each for each in all_wanted}
    pairs = [(name, each.spec.needs) for name, each in by_name.items()]
    return Desired(by_name, dependants_of(pairs), ending)


def seen(**states: State) -> dict[str, State]:
    """What is seen, by name."""
    return states
