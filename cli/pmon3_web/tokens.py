"""Tokens: who may look at the page. Kept are their digests alone, in a file of the page's user.

A token is `pmon3_ID_SECRET` with 256 random bits, so one plain hash keeps it: nobody guesses that many.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_web.access import ROLES, PageRole

_PREFIX = "pmon3"
FILE_NAME = "web-tokens.json"


@dataclass(frozen=True)
class Token:
    """What is kept of one. Times are seconds since 1970; `expires_at` None: never."""

    id: str
    role: str
    digest: str
    name: str
    created_at: float
    expires_at: float | None

    @property
    def rank(self) -> PageRole:
        return ROLES[self.role]

    def is_valid(self, now: float) -> bool:
        return self.expires_at is None or now < self.expires_at


def create(role: str, name: str, now: float, lifetime: float | None) -> tuple[Token, str]:
    """A new token, and the text that is shown once."""
    ident, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
    text = f"{_PREFIX}_{ident}_{secret}"
    expires = None if lifetime is None else now + lifetime
    return Token(ident, role, _digest(text), name, now, expires), text


def matching(tokens: Iterable[Token], text: str, now: float) -> Token | None:
    """The token that somebody shows, if it is one that is valid now."""
    digest, found = _digest(text), None
    for token in tokens:  # all of them, so that time tells nothing
        if hmac.compare_digest(token.digest, digest):
            found = token
    return found if found is not None and found.is_valid(now) else None


class TokenFile:
    """The tokens of one page. Each look reads the file anew: what is revoked is so at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read_at: tuple[int, int, int] | None = None
        self._tokens: tuple[Token, ...] = ()

    def tokens(self) -> tuple[Token, ...]:
        """Those that there are, expired ones too. Raises PmonError."""
        try:
            with self.path.open("rb") as file:
                status = os.fstat(file.fileno())
                if status.st_uid != os.geteuid() or status.st_mode & 0o077:
                    raise self._problem("others may read or write it", f"chmod 600 {self.path}")
                version = (status.st_ino, status.st_mtime_ns, status.st_size)
                if version != self._read_at:
                    self._tokens = self._parsed(file.read())
                    self._read_at = version
        except FileNotFoundError:
            self._tokens, self._read_at = (), None
        except OSError as error:
            raise self._problem((error.strerror or str(error)).lower(), "") from None
        return self._tokens

    def add(self, token: Token) -> None:
        """Keep one more. Raises PmonError."""
        with self._alone():
            self._write((*self.tokens(), token))

    def revoke(self, ident: str) -> Token:
        """Forget one; its sessions end. Raises PmonError: there is none of that id."""
        with self._alone():
            tokens = self.tokens()
            found = next((token for token in tokens if token.id == ident), None)
            if found is None:
                hint = "pmon3 web token list shows them"
                raise PmonError(ErrorCode.NOT_FOUND, f"cannot revoke {ident!r}: there is no such token", hint)
            self._write(token for token in tokens if token is not found)
        return found

    def _parsed(self, content: bytes) -> tuple[Token, ...]:
        try:
            found = tuple(Token(**one) for one in json.loads(content)["tokens"])
        except (ValueError, TypeError, KeyError):
            raise self._problem("it is damaged", "remove it, and create new tokens") from None
        if any(token.role not in ROLES for token in found):
            raise self._problem("it names a role that does not exist", "remove it, and create new tokens")
        return found

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else changes the file meanwhile. Raises PmonError."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise self._problem((error.strerror or str(error)).lower(), "") from None
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _write(self, tokens: Iterable[Token]) -> None:
        content = json.dumps({"tokens": [asdict(token) for token in tokens]}, indent=1)
        try:
            descriptor, new = tempfile.mkstemp(prefix=".tokens-", dir=self.path.parent)  # mode 600
        except OSError as error:
            raise self._problem((error.strerror or str(error)).lower(), "") from None
        try:
            with open(descriptor, "w") as file:  # noqa: PTH123
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            Path(new).replace(self.path)
        except OSError as error:
            Path(new).unlink(missing_ok=True)
            raise self._problem((error.strerror or str(error)).lower(), "") from None

    def _problem(self, why: str, hint: str) -> PmonError:
        return PmonError(ErrorCode.REFUSED, f"cannot use {self.path}: {why}", hint)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
