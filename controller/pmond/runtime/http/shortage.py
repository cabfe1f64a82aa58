"""What a caller is told when the system has nothing left to give to pmond: no mistake of anybody's."""

from __future__ import annotations

import errno

from pmon3_schema.errors import ErrorCode
from pmond.runtime.base.threads import ThreadShortage
from pmond.runtime.http.messages import HttpError

_WORDS = {
    errno.EMFILE: ("pmond has too many open files", "raise the open file limit of pmond, and ask again"),
    errno.ENFILE: ("the system has too many open files", "raise fs.file-max, and ask again"),
    errno.ENOMEM: ("the system has no memory for it", "free memory or raise the memory limit, and ask again"),
}
_NO_THREAD = "raise the process limit of the user, of the control group or kernel.pid_max, and ask again"


def shortage(error: Exception) -> HttpError | None:
    """The answer to a request that could not be done for want of something; None for any other error."""
    if isinstance(error, ThreadShortage):
        return _unavailable("the system refuses pmond one more thread", _NO_THREAD)
    if isinstance(error, MemoryError):
        return _unavailable(*_WORDS[errno.ENOMEM])
    if isinstance(error, OSError) and error.errno in _WORDS:
        return _unavailable(*_WORDS[error.errno])
    return None


def _unavailable(why: str, hint: str) -> HttpError:
    return HttpError(503, ErrorCode.UNREACHABLE, f"cannot answer now: {why}", hint)
