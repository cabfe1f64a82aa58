"""Both ways of starting a program directly: by the C library itself, and by Python's way to it."""

from __future__ import annotations

import pytest

from pmond.runtime.processes import spawn

LIBRARIES = ("native", "python")


def choose_library(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have programs started that way."""
    if library == "python":
        monkeypatch.setattr(spawn, "native", lambda: None)
    else:
        assert spawn.spawns_in_threads(), "the C library of this machine is too old"
