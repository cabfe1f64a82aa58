"""Manifests on their way to pmond: files and folders read here, with the caller's permissions.

Theory of operation: what a person names, a file or a folder, is one *set*; its name is `file:`
and the absolute path, so that applying the same path again prunes what it no longer declares
and nothing else.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pmon3_schema.discovery import MOST_BYTES, discover
from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.work_tree import commit_of

STDIN = "-"


def bodies(
    paths: list[str] | None, set_name: str | None = None, choice: dict[str, str] | None = None
) -> list[dict[str, Any]]:
    """One request body for each named path, in order. Raises PmonError, OSError.

    `choice` is the document of the profiles and variables that were chosen by option.
    """
    if not paths:
        raise PmonError(ErrorCode.BAD_REQUEST, "cannot tell which manifest is meant", "name it with -f PATH")
    found = [_body(path, set_name) for path in paths]
    # At the end: relative names and the set follow from the first document.
    return [{**body, "documents": [*body["documents"], choice]} if choice else body for body in found]


def _body(path: str, set_name: str | None) -> dict[str, Any]:
    if path == STDIN:
        if not set_name:
            raise PmonError(
                ErrorCode.BAD_REQUEST, "cannot tell to which set stdin belongs", "name it with --set"
            )
        text = _text(sys.stdin.buffer.read(), "stdin")
        # Not a file, but its relative paths have to start somewhere: where the caller is.
        return {"set": set_name, "documents": [{"path": str(Path.cwd() / "stdin.yaml"), "text": text}]}
    full = os.path.abspath(path) if path else ""  # noqa: PTH100 - a symbolic link keeps its own name
    found = list(contents(full))
    documents = [{"path": file, "text": _text(content, file)} for file, content in found]
    commit = commit_of(full, found)
    body = {"set": set_name or f"file:{full}", "documents": documents}
    return {**body, "commit": commit} if commit else body


def caller() -> str:
    """The name of whoever runs this command; empty where it has none."""
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return ""


def contents(path: str) -> Iterator[tuple[str, bytes]]:
    """Each manifest at a path, and what is in it. Raises PmonError, OSError."""
    for file in files(path):
        yield file, _read(file, named=file == path)


def files(path: str) -> list[str]:
    """The manifests at a path: the file itself, or those of a folder. Raises PmonError, OSError."""
    if not path:
        raise PmonError(
            ErrorCode.BAD_REQUEST, "cannot use '': a path cannot be empty", "name a file or a folder"
        )
    found = discover(path)
    if not found:
        hint = "its files end in .yaml, .yml, .toml or .json"
        raise PmonError(ErrorCode.BAD_REQUEST, f"cannot find a manifest in {path}", hint)
    return found


def has_manifests(folder: str) -> bool:
    """Whether a folder can be used as a manifest."""
    try:
        return bool(discover(folder))
    except OSError:
        return False


def _read(path: str, named: bool) -> bytes:
    """A whole file. What a person has named may be a pipe, such as `<(envsubst < app.yaml)`; what
    lies in a folder has to be a file: nobody may ever write into a FIFO."""
    if not named and Path(path).exists() and not Path(path).is_file():
        raise _unusable(path, "it is not a regular file")
    with Path(path).open("rb") as file:
        try:
            content = file.read(MOST_BYTES + 1)
        except OSError as error:  # of reading: it does not know the path
            raise _unusable(path, (error.strerror or str(error)).lower()) from None
    if len(content) > MOST_BYTES:
        raise _unusable(path, f"it is larger than {MOST_BYTES // 1024**2} MiB")
    return content


def _unusable(path: str, why: str) -> PmonError:
    return PmonError(ErrorCode.BAD_REQUEST, f"cannot use {path}: {why}")


def _text(content: bytes, path: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"cannot read {path}: it is not UTF-8 text (byte {error.start})"
        raise PmonError(ErrorCode.BAD_REQUEST, message, "save it as UTF-8") from None
