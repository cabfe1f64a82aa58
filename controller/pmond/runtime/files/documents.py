"""Reading a manifest, or a folder of them, whole or not at all.

A file that changes while it is read is read again, and refused when it goes on changing: half
a manifest may be a valid one that lacks processes. An empty file is returned as it is; what it
means is for the caller to say.
"""

# Paths are text here: there are many per look, and links stay as they are written.
# ruff: noqa: PTH116, PTH118, PTH123
from __future__ import annotations

import base64
import json
import os
import stat
import zlib

from pmon3_schema.diagnostics import UNREADABLE, Diagnostic, Severity
from pmon3_schema.discovery import MOST_BYTES
from pmon3_schema.errors import ErrorCode, PmonError
from pmond.runtime.files.watch_paths import Stamp, manifest_names, stamp

_TRIES = 3
_FAST = 1
"""Of the levels of zlib: the others are slower and hardly smaller."""
_COMPRESSED = "zlib"

Document = tuple[str, bytes]
"""Path and content."""


class _Refused(Exception):
    """The text says why a file cannot be read."""


def read_documents(path: str | os.PathLike[str]) -> list[Document]:
    """The file at `path`, or the manifests of the folder at `path` sorted by name.

    Raises PmonError (not_found, or invalid) "cannot read PATH: why"; its diagnostics list every
    file that could not be read.
    """
    source = os.fspath(path)
    try:
        if not stat.S_ISDIR(os.stat(source).st_mode):
            return _read_all([source])
        for _ in range(_TRIES):
            names = manifest_names(source)
            documents = _read_all([os.path.join(source, name) for name in names])
            if manifest_names(source) == names:
                return documents
    except OSError as error:
        raise _error(error, [(source, error.strerror or str(error))]) from error
    raise _error(None, [(source, "its files change while they are read")])


def _read_all(paths: list[str]) -> list[Document]:
    documents: list[Document] = []
    failures: list[tuple[str, str]] = []
    cause: OSError | None = None
    for path in paths:
        try:
            documents.append((path, _read_unchanged(path)))
        except _Refused as refusal:
            failures.append((path, str(refusal)))
        except OSError as error:
            cause = error
            failures.append((path, error.strerror or str(error)))
    if failures:
        raise _error(cause, failures)
    return documents


def _read_unchanged(path: str) -> bytes:
    for _ in range(_TRIES):
        before, content = read_file(path)
        # By name, so that a file that was replaced meanwhile is read again.
        if stamp(os.stat(path)) == before and len(content) == before[2]:
            return content
    raise _Refused("it changes while it is read (save it again)")


def read_file(path: str) -> tuple[Stamp, bytes]:
    # A FIFO or a device must not block us or be disturbed.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    status = os.fstat(descriptor)
    if stat.S_ISDIR(status.st_mode):
        os.close(descriptor)
        raise _Refused("it is not a regular file")
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(status.st_mode):
            raise _Refused("it is not a regular file")
        if status.st_size > MOST_BYTES:
            raise _Refused(f"it is larger than {MOST_BYTES // 1024**2} MiB")
        return stamp(status), file.read(MOST_BYTES + 1)


def _error(cause: OSError | None, failures: list[tuple[str, str]]) -> PmonError:
    path, reason = failures[0]
    more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
    code = ErrorCode.NOT_FOUND if isinstance(cause, FileNotFoundError) else ErrorCode.INVALID
    diagnostics = [
        Diagnostic(Severity.ERROR, UNREADABLE, f"cannot read it: {why}", printable(file)).to_json()
        for file, why in failures
    ]
    return PmonError(code, f"cannot read {printable(path)}: {reason}{more}", diagnostics=diagnostics)


def printable(path: str) -> str:
    """A path for people and logs; bytes that are not UTF-8 are written ``\\xNN``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def as_json(documents: list[Document]) -> bytes:
    """Documents as text, whatever bytes they are."""
    return json.dumps([[path, base64.b64encode(content).decode()] for path, content in documents]).encode()


def pack(documents: list[Document]) -> bytes:
    """Documents as one value, for `SourceRecord.content`: small, and its paths can be read."""
    packed = [
        [path, base64.b64encode(zlib.compress(content, _FAST)).decode(), _COMPRESSED]
        for path, content in documents
    ]
    return json.dumps(packed).encode()


def unpack(content: bytes) -> list[Document]:
    """The inverse of `pack`. Raises ValueError or TypeError for anything else."""
    return [_unpacked(*packed) for packed in json.loads(content)]


def _unpacked(path: str, text: str, form: str = "") -> Document:
    content = base64.b64decode(text, validate=True)
    if form != _COMPRESSED:  # an earlier pmond kept them as they are
        return path, content
    try:
        return path, zlib.decompress(content)
    except zlib.error as error:
        raise ValueError(f"the documents are damaged: {error}") from error
