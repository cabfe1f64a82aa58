"""The modules that a start leaves for later, imported when nobody waits for them any more.

A start without a configuration file needs no reader of YAML, and most manifests are in one format
only. But the files of an installation may be replaced while pmond runs (`pip install --upgrade`, then
`pmon3 upgrade`), and what it imported only then would be of another version than the rest of it.
"""

from __future__ import annotations

from importlib import import_module

AFTER = 1.0
"""Seconds after the start."""
MODULES = (
    "pmon3_schema.formats.json",
    "pmon3_schema.formats.toml",
    "pmon3_schema.formats.yaml",
    "pmon3_schema.formats.yaml_places",
)
"""All of ours that some function imports."""


def import_rest() -> None:
    """Import what has not been needed yet."""
    for name in MODULES:
        import_module(name)
