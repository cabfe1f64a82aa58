"""Processes in the words of other tools, for `export --to`.

Theory of operation: `leaving` opens a spec as its fields, only those that say something; a module per tool
takes what it has words for. What nobody takes is told when the process is closed, with the reason of the
tool's table; so a field of a later version is told before anybody has thought of it. What pmond does by
default and the tool does not is written out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from pmon3.export_targets.leaving import Leaving

TARGETS = ("systemd", "kubernetes", "procfile", "supervisord", "compose")
"""What `--to` takes."""

Render = Callable[[Sequence[Leaving]], Mapping[str, str]]
"""From processes to the text of each file by its name."""


class Handed(Struct, frozen=True):
    """The files for another tool, and what of the processes they do not say."""

    files: Mapping[str, str]
    losses: tuple[str, ...]
    beside: frozenset[str] = frozenset()
    """Names of files that mean something only in a folder with the others."""


def hand_over(processes: Sequence[Leaving], target: str) -> Handed:
    """The files of a tool; each module is loaded when it is asked for."""
    from importlib import import_module

    module = import_module(f"pmon3.export_targets.{target}")
    render: Render = module.render
    beside: frozenset[str] = getattr(module, "BESIDE", frozenset())
    files = render(processes)
    return Handed(files, tuple(loss for process in processes for loss in process.losses), beside)
