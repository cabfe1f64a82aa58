"""The one error of the state file."""

from __future__ import annotations

from pmon3_schema.errors import ErrorCode, PmonError


class StoreError(PmonError):
    """Something could not be made durable; the command that asked for it must be refused."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(ErrorCode.INTERNAL, message, hint)
