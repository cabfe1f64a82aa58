"""Replacing a file as a whole, or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from pmon3_schema.errors import ErrorCode, PmonError


def replace_content(path: str, before: bytes, content: bytes) -> None:
    """Give the file other content and keep its mode and owner; a link stays one.

    `before` is the content that the new one was made from. Raises OSError, and PmonError when somebody
    else has changed the file since.
    """
    real = os.path.realpath(path)
    status = Path(real).stat()
    descriptor, new = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=Path(real).parent)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123
            os.fchmod(descriptor, status.st_mode & 0o7777)
            if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(descriptor, status.st_uid, status.st_gid)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        if Path(real).read_bytes() != before:
            why = f"cannot write {path}: somebody else has changed it meanwhile"
            raise PmonError(ErrorCode.CONFLICT, why, "nothing was written; try again")
        Path(new).replace(real)
    except BaseException:
        Path(new).unlink(missing_ok=True)
        raise


def difference(path: str, before: bytes, after: bytes) -> str:
    """What replacing it would change, as a unified diff."""
    from difflib import unified_diff

    lines = [content.decode("utf-8", "replace").splitlines(keepends=True) for content in (before, after)]
    return "".join(unified_diff(lines[0], lines[1], path, path))
