"""Error codes that cross the socket, and the one exception that carries them.

Every message a person sees reads "cannot X: why", with what to do in `hint`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # to make so many types costs a command that has no use for them two milliseconds
    from pmon3_schema.answers import DiagnosticObject, ErrorAnswer, ErrorBody


class ErrorCode(StrEnum):
    """Who must act, told to programs. The command line maps each to an exit code."""

    NOT_FOUND = "not_found"
    """No process or group of that name, id or pattern."""
    INVALID = "invalid"
    """A manifest or a value in the request is wrong."""
    BAD_REQUEST = "bad_request"
    """The request or the command line cannot be understood."""
    CONFLICT = "conflict"
    """It belongs to somebody else, or is already so; nothing changed."""
    REFUSED = "refused"
    """A guard is in the way; nothing changed."""
    FORBIDDEN = "forbidden"
    """The caller may not do this; nothing changed."""
    TIMEOUT = "timeout"
    """The time was over; what was asked for goes on."""
    INTERNAL = "internal"
    """A mistake of pmon3 itself."""
    UNREACHABLE = "unreachable"
    """No pmond answers, or its socket is closed to the caller."""
    UNMET = "unmet"
    """Done as asked, but the goal (ready, stopped, ...) was not reached."""


class PmonError(Exception):
    """A request that cannot be done: `code` for programs, `message` and `hint` for people."""

    def __init__(
        self, code: ErrorCode, message: str, hint: str = "", diagnostics: list[DiagnosticObject] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.diagnostics = diagnostics or []

    def to_json(self) -> ErrorAnswer:
        """The body of an error answer, and what `-o json` prints on standard error."""
        error: ErrorBody = {"code": self.code.value, "message": self.message, "hint": self.hint}
        if self.diagnostics:
            error["diagnostics"] = self.diagnostics
        return {"error": error}

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> PmonError:
        """The error of an answer; an unknown code of a newer daemon is read as `internal`."""
        error = body["error"]
        code = error.get("code", "")
        known = ErrorCode(code) if code in {c.value for c in ErrorCode} else ErrorCode.INTERNAL
        return cls(known, error.get("message", ""), error.get("hint", ""), error.get("diagnostics"))
