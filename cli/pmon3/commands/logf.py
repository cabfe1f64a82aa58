"""`logf`: what processes write, as they write it; several at once with their names in front."""

from __future__ import annotations

from pmon3 import follow, options, output
from pmon3.address import connect
from pmon3.client import path_segment
from pmon3.commands.log import Lines, Raw, show
from pmon3.names import resolve


def command(
    references: options.References = None,
    groups: options.Groups = None,
    labels: options.Labels = None,
    lines: Lines = "10",
    raw: Raw = False,
) -> None:
    """Follow what processes write, until Ctrl-C.

    On a terminal, what they write can paint and do nothing else, as with log.
    """
    client = connect()
    names = resolve(client, options.selection(references, groups, labels))
    query = [("lines", lines), ("follow", "1"), ("all", "0")]
    streams = {name: client.stream(f"/v1/logs/{path_segment(name)}", query) for name in names}
    if len(streams) == 1:
        show(streams[names[0]], raw)
        return
    follow.interleave(streams, output.coloured(), raw)
