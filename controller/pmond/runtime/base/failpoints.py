"""Named places at which a test lets pmond die, to see what the next pmond makes of it.

Theory of operation: every boundary between two effects that belong together has a point. With
PMON3_FAILPOINT=POINT, or POINT:COUNT for the COUNT-th time that it is reached, the process kills
itself there with SIGKILL, so nothing is tidied up and nothing is handled. Outside
tests the variable is unset, and `reached` does nothing.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from enum import StrEnum

VARIABLE = "PMON3_FAILPOINT"


class FailPoint(StrEnum):
    """All of them; a test runs each (`tests/chaos/test_fail_points.py`)."""

    STATE_CREATED = "state_created"
    """The state file exists and is empty."""
    STATE_MIGRATING = "state_migrating"
    """A step of a migration is done, its count is not written."""
    STATE_MOVING_ASIDE = "state_moving_aside"
    """A damaged file has its new name, what belongs to it does not."""
    STATE_COPIED = "state_copied"
    """A copy of the state is complete, and does not bear its name yet."""
    STATE_REPLACING = "state_replacing"
    """The copy counts, and what is in its place was moved aside."""
    UUID_WRITTEN = "uuid_written"
    """The name of the state was written, and is not in its place."""

    INTENT_WRITTEN = "intent_written"
    INTENT_COMMITTED = "intent_committed"
    """It is on the disk, and nothing in memory knows."""
    ANSWER_READY = "answer_ready"
    ANSWER_SENT = "answer_sent"
    MANY_BEGUN = "many_begun"
    """Some rows of a large change are written, in a transaction that stays open."""
    FACTS_WRITTEN = "facts_written"
    FACTS_COMMITTED = "facts_committed"
    """What a turn brought about is saved; the notes of its starts and stops are still there."""
    MANIFEST_READ = "manifest_read"
    WAVE_RELEASED = "wave_released"
    """Some processes of a rollout were let go."""
    ROLLOUT_FAILED = "rollout_failed"
    """It is saved that a rollout is to be undone, and nothing of it is undone."""
    DELETE_SAVED = "delete_saved"
    """A process is gone from what is wanted, and what is remembered of it is still there."""
    RENAME_SAVED = "rename_saved"
    LOG_RENAMED = "log_renamed"

    HOOK_NOTED = "hook_noted"
    HOOK_SPAWNED = "hook_spawned"
    """A command of a hook runs, and only the note of it is written."""
    START_NOTED = "start_noted"
    START_SPAWNED = "start_spawned"
    """The program runs, and only the note of it is written."""
    GROUP_MADE = "group_made"
    """The control group of a program is there, and the program is not in it."""
    EXIT_SEEN = "exit_seen"
    EXIT_TOLD = "exit_told"
    EXIT_REAPED = "exit_reaped"
    STOP_NOTED = "stop_noted"
    STOP_SENT = "stop_sent"
    KILL_SENT = "kill_sent"
    TREE_EMPTY = "tree_empty"

    ADOPTION_BEGUN = "adoption_begun"
    INSTANCE_ADOPTED = "instance_adopted"
    ADOPTION_DONE = "adoption_done"
    FOUND_DECLARED = "found_declared"
    """What runs of a lost state is declared again, and not adopted."""
    ORPHAN_ASKED = "orphan_asked"
    KEEPER_STARTED = "keeper_started"
    """It runs, and no file says so."""
    KEEPER_TAKEN = "keeper_taken"
    KEEPER_MARKED = "keeper_marked"
    KEEPER_COPIED = "keeper_copied"
    """A message of its queue is at both ends of it."""
    KEEPER_REFILLED = "keeper_refilled"
    SOCKET_BOUND = "socket_bound"
    """The socket has its name, and does not listen."""

    UPGRADE_CHECKED = "upgrade_checked"
    UPGRADE_HANDED_OVER = "upgrade_handed_over"
    """Nothing is left to be done by the old code."""
    UPGRADE_BEGUN = "upgrade_begun"
    """The new code runs, and has read nothing."""
    UPGRADE_ADOPTED = "upgrade_adopted"


def _pass(point: FailPoint) -> None:
    """Outside tests: nothing."""


def _armed(order: str) -> Callable[[FailPoint], None]:
    name, _, count = order.partition(":")
    wanted, left = FailPoint(name), int(count or 1)

    def reached(point: FailPoint) -> None:
        nonlocal left
        if point is not wanted:
            return
        left -= 1
        if left == 0:
            os.write(2, f"fail-point {point}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)

    return reached


reached: Callable[[FailPoint], None] = _armed(os.environ[VARIABLE]) if VARIABLE in os.environ else _pass
