"""A pmond that is older than this command line, as after an installation and before its upgrade.

What it does not know it refuses, since all that can be asked is declared; so this is seen by what it says,
whatever its version, and nothing has been done then.
"""

from __future__ import annotations

from pmon3_schema.errors import ErrorCode, PmonError

_REFUSED = "cannot read the request: "
_UNKNOWN_FIELD = "Extra inputs are not permitted"
_UNKNOWN_PATH = "cannot answer: there is no such path"
_HINT = "pmon3 upgrade makes it the installed one"


class OlderPmond(PmonError):
    """It does not know `field` of the question, or, where that is empty, the question."""

    def __init__(self, field: str = "") -> None:
        self.field = field
        what = f" and does not know `{field}`" if field else ""
        why = f"cannot ask that of pmond: it is older than this pmon3{what}"
        super().__init__(ErrorCode.BAD_REQUEST, why, _HINT)


def refused(said: PmonError) -> PmonError:
    """What an error answer means, if it comes from an older pmond; or itself."""
    if said.code is not ErrorCode.BAD_REQUEST and said.code is not ErrorCode.NOT_FOUND:
        return said
    if said.message.startswith(_UNKNOWN_PATH):
        return OlderPmond()
    field, colon, why = said.message.removeprefix(_REFUSED).partition(": ")
    if said.message.startswith(_REFUSED) and colon and why.startswith(_UNKNOWN_FIELD):
        return OlderPmond(field)
    return said
