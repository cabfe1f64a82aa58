"""What the exit code of every command means, and which error ends with which."""

from __future__ import annotations

from pmon3_schema.errors import ErrorCode

DONE = 0
"""Done; no differences; condition met."""
NEGATIVE = 1
"""A negative answer, nothing changed: differences found, manifest invalid, no such process."""
USAGE = 2
"""Wrong usage, unreadable input, internal error."""
UNREACHABLE = 3
"""The daemon does not answer, or there is no permission on its socket."""
TIMEOUT = 4
"""The time was over; what was asked for goes on."""
CONFLICT = 5
"""Conflict or stale plan; nothing changed."""
REFUSED = 6
"""Refused by a guard or by authorisation; nothing changed."""
UNMET = 7
"""Changed, but the goal was not reached."""
INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""
BROKEN_PIPE = 141
"""128 + SIGPIPE: the reader of the output went away."""

_EXIT_CODES = {
    ErrorCode.NOT_FOUND: NEGATIVE,
    ErrorCode.INVALID: NEGATIVE,
    ErrorCode.BAD_REQUEST: USAGE,
    ErrorCode.CONFLICT: CONFLICT,
    ErrorCode.REFUSED: REFUSED,
    ErrorCode.FORBIDDEN: REFUSED,
    ErrorCode.TIMEOUT: TIMEOUT,
    ErrorCode.INTERNAL: USAGE,
    ErrorCode.UNREACHABLE: UNREACHABLE,
    ErrorCode.UNMET: UNMET,
}


def exit_code(code: ErrorCode) -> int:
    """The exit code of a command that ended with this error."""
    return _EXIT_CODES[code]
