"""`signal`: send a signal to what runs."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pmon3 import options
from pmon3 import output as out
from pmon3.address import connect
from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.scalars import parse_signal, signal_name


def command(
    references: options.References = None,
    signal: Annotated[
        str, typer.Argument(metavar="SIGNAL", help="Its name or number: HUP, SIGHUP, 1.")
    ] = ...,  # type: ignore[assignment]
    groups: options.Groups = None,
    labels: options.Labels = None,
    tree: Annotated[
        bool, typer.Option("--tree", help="To the whole trees, not to the main programs alone.")
    ] = False,
    output: options.Output = options.OutputFormat.TABLE,
) -> None:
    """Send a signal to processes that run.

    The signal comes last. What ends by it ends by itself: its restart policy decides what follows, and stop
    is the verb for what is to stay down.
    """
    number = _number(signal, references or [])
    body: dict[str, Any] = options.selection(references, groups, labels) | {"signal": number, "tree": tree}
    names = connect().post("/v1/signal", body)["names"]
    told = [{"name": name, "signal": signal_name(number)} for name in names]
    out.emit(
        told, output.value, lambda _: "".join(f"{one['signal']} sent to {one['name']}\n" for one in told)
    )


def _number(word: str, references: list[str]) -> int:
    try:
        return parse_signal(word)
    except ValueError:
        hint = "the signal comes last: pmon3 signal web HUP"
        if references and _is_signal(references[0]):
            hint = f"the signal comes last: pmon3 signal {' '.join([*references[1:], word, references[0]])}"
        raise PmonError(ErrorCode.BAD_REQUEST, f"cannot signal: {word!r} is no signal", hint) from None


def _is_signal(word: str) -> bool:
    try:
        parse_signal(word)
    except ValueError:
        return False
    return True
