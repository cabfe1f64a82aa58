"""Declarations of other tools as entries of a manifest, for `convert`.

Theory of operation, in the order of the modules:

* `inputs` reads files and folders and tells which tool each is of; `ini`, `unit_files`, `data_files` and
  `relaxed_json` turn a text into settings that know their file and line (`settings`).
* one module per tool takes the settings of an entry out of a `Section` and puts fields into a `Draft`, most
  of them by a table from key to field. A setting that nobody takes is told when the section is closed: so
  none can disappear, whoever forgets it. What a value cannot say here is told where it is read (`values`).
* `drafts` knows which fields the manifest has: a row of a table whose field is not there is told by itself.
* `writing` validates what came out; a value that is refused is taken out again and told at its own line.

What a tool does by default and pmond does otherwise is written out. What stays different although every key
is carried is a *difference*, which `--check` prints. Nothing is started (but node, for an ecosystem file in
JavaScript) or looked up, so that the result is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from pmon3.converting.settings import Loss

KINDS = (
    "pmon3", "procfile", "supervisord", "pm2", "systemd", "process-compose", "compose", "circus", "go-pmon3",
)  # fmt: skip
"""What can be read; `--from` takes these words."""


class Converted(Struct, frozen=True):
    """A manifest as plain data, what of the input it does not have, and what it does otherwise."""

    manifest: Mapping[str, Any]
    losses: tuple[Loss, ...] = ()
    differences: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What a reader should know and nothing is lost by: files of no known kind in a folder, say."""
