"""`log`: what processes have written, and with --follow what they write."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from pmon3 import follow, options, output
from pmon3.address import connect
from pmon3.client import Client, path_segment
from pmon3.names import resolve
from pmon3_schema.errors import ErrorCode, PmonError

if TYPE_CHECKING:
    from pmon3.log_view import WantedLines

_LAST = "10"
Raw = Annotated[bool, typer.Option("--raw", help="Leave what steers a terminal as it is written.")]
Lines = Annotated[
    str | None,
    typer.Option(
        "--lines", "-n", metavar="K", help="The last K lines; +K: from line K; all. 10, or all found."
    ),
]
Everything = Annotated[bool, typer.Option("--all", "-a", help="Rotated files first, and all lines.")]
Since = Annotated[
    str, typer.Option("--since", metavar="TIME", help="Written since then: 10m ago, 14:30, 2026-12-31T14:30.")
]
Until = Annotated[str, typer.Option("--until", metavar="TIME", help="Written until then.")]
Grep = Annotated[
    list[str] | None,
    typer.Option("--grep", metavar="REGEX", help="Only lines in which this is found; repeatable."),
]
IgnoreCase = Annotated[bool, typer.Option("--ignore-case", "-i", help="With --grep: in either case.")]
Invert = Annotated[bool, typer.Option("--invert-match", "-v", help="With --grep: all other lines.")]
Stderr = Annotated[bool, typer.Option("--stderr", "-e", help="The separate file of standard error.")]
Both = Annotated[bool, typer.Option("--both", help="Standard output and standard error, by time.")]
Run = Annotated[
    str, typer.Option("--run", metavar="last|N", help="What that run wrote; its number is that of `runs`.")
]
Json = Annotated[bool, typer.Option("--json", help="One object a line: name, time, text, stream.")]
Timestamps = Annotated[bool, typer.Option("--timestamps", "-t", help="The time before each line.")]


def command(
    references: options.References = None,
    groups: options.Groups = None,
    labels: options.Labels = None,
    lines: Lines = None,
    everything: Everything = False,
    since: Since = "",
    until: Until = "",
    grep: Grep = None,
    ignore_case: IgnoreCase = False,
    invert: Invert = False,
    stderr: Stderr = False,
    both: Both = False,
    run: Run = "",
    as_json: Json = False,
    timestamps: Timestamps = False,
    goes_on: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is new, as logf.")] = False,
    raw: Raw = False,
) -> None:
    """Show the last lines that processes have written.

    Or those of a time, of a run, or with a text in them: then all of these, unless --lines says how many.
    Several logs are merged by time, each line behind the name of its process. Programs write their logs
    themselves; when a line was written is known from how long the log was when pmond looked, every two
    seconds while it grows: a time is never too early, and late by that at most; of old lines it is rougher.

    On a terminal, what they have written can paint and do nothing else: anything that would move the
    cursor, change the title or the order of letters is shown as an escape. --raw leaves it as it is.
    """
    client = connect()
    names = resolve(client, options.selection(references, groups, labels))
    streams = ["stdout", "stderr"] if both else ["stderr"] if stderr else ["stdout"]
    plain = not (since or until or grep or run or as_json or timestamps or both)
    if plain and (len(names) == 1 or goes_on):
        _show_bytes(client, names, lines or _LAST, everything, stderr, goes_on, raw)
        return
    wanted = _wanted(lines, everything, since, until, grep or [], ignore_case, invert, run, goes_on)
    _show_lines(
        client, names, streams, wanted, as_json=as_json, timestamps=timestamps, raw=raw, goes_on=goes_on
    )


def _wanted(
    lines: str | None,
    everything: bool,
    since: str,
    until: str,
    grep: list[str],
    ignore_case: bool,
    invert: bool,
    run: str,
    goes_on: bool,
) -> WantedLines:
    from pmon3.log_lines import LineSearch, parse_moment
    from pmon3.log_view import WantedLines

    if run and not re.fullmatch(r"last|\d{1,18}", run):
        raise PmonError(
            ErrorCode.BAD_REQUEST, f"cannot show run {run!r}: it is no number", "write last, or 3"
        )
    if run and goes_on and run != "last":
        raise PmonError(
            ErrorCode.BAD_REQUEST, f"cannot follow run {run}: another may have begun", "--run last"
        )
    if lines is not None and not re.fullmatch(r"all|\+?[0-9]{1,18}", lines):
        why = f"cannot read {lines!r} as a number of lines"
        raise PmonError(ErrorCode.BAD_REQUEST, why, "write 10, +5 (from line 5) or all")
    searched = bool(since or until or grep or run or everything)
    now = time.time()
    return WantedLines(
        pattern=LineSearch(grep, ignore_case, invert),
        lines=lines or ("" if searched else _LAST),
        since=parse_moment(since, now) if since else None,
        until=parse_moment(until, now) if until else None,
        run=run,
        everything=everything,
    )


def _show_lines(
    client: Client,
    names: list[str],
    streams: list[str],
    wanted: WantedLines,
    *,
    as_json: bool,
    timestamps: bool,
    raw: bool,
    goes_on: bool,
) -> None:
    from pmon3 import log_view

    sources = log_view.open_sources(client, names, streams, goes_on)
    screen = log_view.LinePrinter(sources, as_json, timestamps, raw)
    try:
        log_view.show(sources, wanted, screen)
        if goes_on:
            log_view.follow(sources, wanted, screen)
    finally:
        screen.end()


def _show_bytes(
    client: Client, names: list[str], lines: str, everything: bool, stderr: bool, goes_on: bool, raw: bool
) -> None:
    """As the files have them: nothing is chosen, so nobody has to take them apart."""
    query = [("lines", lines), ("follow", "1" if goes_on else "0"), ("all", "1" if everything else "0")]
    query += [("stderr", "1")] if stderr else []
    streams = {name: client.stream(f"/v1/logs/{path_segment(name)}", query) for name in names}
    if len(streams) == 1:
        show(streams[names[0]], raw)
        return
    follow.interleave(streams, output.coloured(), raw)


def show(stream: Iterable[bytes], raw: bool) -> None:
    """Print one log, piece by piece; a terminal is left without its colours, however that ends."""
    text = output.LogWriter(raw)
    try:
        for piece in stream:
            text.feed(piece)
    finally:
        text.end()
