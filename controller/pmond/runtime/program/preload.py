"""The modules that a start leaves for later, imported by a thread when nobody waits for them any more.

A start without a configuration file needs no reader of YAML and nothing that checks what people
write, and most manifests are in one format only. But the files of an installation may be replaced while pmond
runs (`pip install --upgrade`, then `pmon3 upgrade`), and what it imported only then would be of another
version than the rest of it.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module

from pmon3_schema.process import ProcessSpec
from pmond.runtime.base.threads import ThreadShortage, start_thread
from pmond.runtime.http.routes import ROUTES

AFTER = 0.3
"""Seconds after the start."""
MODULES = (
    "pmon3_schema.cron",
    "pmon3_schema.formats.json",
    "pmon3_schema.formats.toml",
    "pmon3_schema.formats.yaml",
    "pmon3_schema.formats.yaml_anchors",
    "pmon3_schema.formats.yaml_places",
    "pmon3_schema.models",
    "pmon3_schema.sandbox_setup",
)
"""All of ours that some function imports."""


def begin() -> None:
    """Import what has not been needed yet, beside the loop."""
    with suppress(ThreadShortage):  # then each is imported when it is needed
        start_thread(import_rest, "late imports")


def import_rest() -> None:
    """Import what has not been needed yet, and have ready what reads requests and manifests."""
    for name in MODULES:
        import_module(name)
    from pmon3_schema import models

    for declared in (ProcessSpec, *(route.body for route in ROUTES if route.body is not None)):
        models.reader_of(declared)
