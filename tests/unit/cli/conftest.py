"""A fake daemon at the place where the command line looks for the caller's own."""

from __future__ import annotations

from tests.support.caller import daemon, folders, manifest, run

__all__ = ["daemon", "folders", "manifest", "run"]
