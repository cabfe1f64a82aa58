"""How carefully a rollout goes unless somebody says otherwise, and a word on it that both programs know."""

from __future__ import annotations

MAX_PARALLEL = 10
"""Restarts of different processes that may be under way at once."""

PATIENCE = 60.0
"""Seconds after which a process of a rollout that gets no further has failed."""

AWAITS_TURN = "waits for its turn in a rollout"
"""Why a wait for a process that is held back goes on: nothing was done to it yet."""
