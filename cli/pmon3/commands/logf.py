"""`logf`: what processes write, as they write it; several at once with their names in front."""

from __future__ import annotations

from pmon3 import options
from pmon3.commands import log


def command(
    references: options.References = None,
    groups: options.Groups = None,
    labels: options.Labels = None,
    lines: log.Lines = None,
    since: log.Since = "",
    until: log.Until = "",
    grep: log.Grep = None,
    ignore_case: log.IgnoreCase = False,
    invert: log.Invert = False,
    stderr: log.Stderr = False,
    both: log.Both = False,
    run: log.Run = "",
    as_json: log.Json = False,
    timestamps: log.Timestamps = False,
    raw: log.Raw = False,
) -> None:
    """Follow what processes write, until Ctrl-C.

    The same as log --follow: the lines that log would show come first. On a terminal, what they write can
    paint and do nothing else.
    """
    log.command(
        references, groups, labels, lines, since=since, until=until, grep=grep, ignore_case=ignore_case,
        invert=invert, stderr=stderr, both=both, run=run, as_json=as_json, timestamps=timestamps,
        goes_on=True, raw=raw,
    )  # fmt: skip
