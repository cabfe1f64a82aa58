"""The proof, in the environment of an instance, that pmond started it, and with what.

Theory of operation: anybody can write a marker into the environment of his own processes. So beside it stands
the revision of the spec, and a code over both that only who has the key can make. The environment of a
program can be read by its user and root alone; so whoever has the code of an instance is of it, or runs as
its user anyway, also a server that has given up the rights that it was started with.
"""

from __future__ import annotations

import hmac
from hashlib import blake2b

from msgspec import Struct

_CODE_BYTES = 16


class Unsealed(Struct, frozen=True):
    """What a sealed text says."""

    revision: str
    proven: bool
    """It was sealed with our key, for this marker."""


class Seal(Struct, frozen=True):
    """Seals with one key."""

    key: bytes

    def close(self, marker: str, revision: str) -> str:
        """The text for the environment of the instance with this marker."""
        return f"{revision}:{self._code(marker, revision)}"

    def open(self, marker: str, text: str) -> Unsealed:
        """What somebody has in his environment beside this marker; whatever it is, this raises nothing."""
        revision, _, code = text.rpartition(":")
        expected = self._code(marker, revision).encode()
        return Unsealed(revision, hmac.compare_digest(code.encode("utf-8", "surrogatepass"), expected))

    def _code(self, marker: str, revision: str) -> str:
        text = f"{marker}\0{revision}".encode("utf-8", "surrogatepass")
        return blake2b(text, key=self.key, digest_size=_CODE_BYTES).hexdigest()
