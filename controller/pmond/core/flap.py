"""Flap detection: a process that keeps failing is left alone for a while.

Counts of process-monitor intervals from the configuration arrive here as seconds. A process
that was restarted `threshold` times after failures, within one countdown, is in a backoff
period from the last of these restarts on. The period lasts one `countdown`. In it, every
`decrement` seconds one restart is given back, so a process may try again before the end;
with decrement 0 it may not. At the end the count starts from nothing.

With the defaults at an interval of 500 ms: fifth restart, 30 s later one more, 60 s after
the fifth the process restarts as normal.
"""

from __future__ import annotations

from pmond.core.model import Flap, FlapPolicy

CLEAR = Flap()


def current(flap: Flap, policy: FlapPolicy, now: float) -> Flap:
    """The flap state as of `now`: a period that has passed is over, old restarts do not count."""
    if not policy.enabled:
        return CLEAR
    if flap.since is not None:
        return CLEAR if now >= flap.since + policy.countdown else flap
    if flap.restarts and flap.restarts[0] <= now - policy.countdown:
        return Flap(tuple(at for at in flap.restarts if at > now - policy.countdown))
    return flap


def restarted(flap: Flap, policy: FlapPolicy, now: float) -> Flap:
    """The state after one restart that followed a failure."""
    flap = current(flap, policy, now)
    if not policy.enabled:
        return CLEAR
    if flap.since is not None:
        return Flap(flap.restarts, flap.since, flap.forgiven + 1)
    restarts = (*flap.restarts, now)
    return Flap(restarts, now if len(restarts) >= policy.threshold else None)


def allowed_at(flap: Flap, policy: FlapPolicy, now: float) -> float | None:
    """When the next restart is allowed, if flap detection holds it back at `now`; else None."""
    flap = current(flap, policy, now)
    if flap.since is None:
        return None
    end = flap.since + policy.countdown
    if policy.decrement <= 0:
        return end
    given_back = min(flap.since + (flap.forgiven + 1) * policy.decrement, end)
    return given_back if given_back > now else None


def used(flap: Flap, policy: FlapPolicy, now: float) -> int:
    """How many of the threshold's restarts are used at `now`, for people to see."""
    flap = current(flap, policy, now)
    if flap.since is None or policy.decrement <= 0:
        return len(flap.restarts)
    given_back = int((now - flap.since) / policy.decrement)
    return max(0, min(policy.threshold, policy.threshold + flap.forgiven - given_back))
