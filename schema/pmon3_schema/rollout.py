"""How carefully a rollout goes unless somebody says otherwise; both programs have to agree on it."""

from __future__ import annotations

MAX_PARALLEL = 10
"""Restarts of different processes that may be under way at once."""

PATIENCE = 60.0
"""Seconds after which a process of a rollout that gets no further has failed."""
