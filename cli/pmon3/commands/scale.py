"""`scale`: have more or fewer of a process."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from pmon3 import field_edits, options, waiting
from pmon3.address import connect
from pmon3.client import Client
from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.scalars import MOST_REPLICAS

_COUNT = re.compile(r"[0-9]{1,9}\Z")


def command(
    words: Annotated[
        list[str], typer.Argument(metavar="PROCESS=NUMBER...", help="How many of each there are to be.")
    ],
    write: Annotated[
        bool, typer.Option("--write", help="Also write it into the manifest that declares the process.")
    ] = False,
    timeout: options.Timeout = "60s",
    no_wait: options.NoWait = False,
    output: options.Output = options.OutputFormat.TABLE,
) -> None:
    """Have more or fewer of a process.

    They are called web@0, web@1, and so on. For what a manifest declares that holds until unhold,
    or until --write has made it the manifest's word. The highest numbers are stopped first.
    """
    wait_options = waiting.WaitOptions(options.seconds(timeout), no_wait)
    counts = _counts(words)
    client = connect()
    edits = [_edit(client, name, count) for name, count in counts.items()] if write else []
    answer = client.post("/v1/scale", {"counts": counts})
    for edit in edits:
        edit.write()
    settled = waiting.wait(client, answer["gone"], waiting.DELETED, wait_options)
    settled.check()
    settled = waiting.wait(client, answer["targets"], waiting.READY, wait_options)
    rows = client.get("/v1/processes", [*(("ref", name) for name in counts), ("usage", "1")])
    waiting.show_touched(settled._replace(processes=rows), output.value)


def _counts(words: list[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for word in words:
        name, equals, number = word.rpartition("=")
        if not equals or not name or not _COUNT.match(number) or int(number) > MOST_REPLICAS:
            why = f"cannot read {word!r}: it is not PROCESS=NUMBER, with a number of 0 to {MOST_REPLICAS}"
            raise PmonError(ErrorCode.BAD_REQUEST, why, "pmon3 scale web=3")
        if name in counts:
            raise PmonError(ErrorCode.BAD_REQUEST, f"cannot scale {name} twice", "name it once")
        if re.search(r"@[0-9]+\Z", name):
            why = f"cannot scale {name}: it is one of {name.rpartition('@')[0]}"
            raise PmonError(ErrorCode.BAD_REQUEST, why, f"pmon3 scale {name.rpartition('@')[0]}={number}")
        counts[name] = int(number)
    return counts


def _edit(client: Client, name: str, count: int) -> field_edits.Edited:
    return field_edits.edited(name, field_edits.declared_in(client, name), [(["replicas"], count)])
