"""`metrics`: figures for monitoring systems, as pmond writes them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from pmon3 import output
from pmon3.address import connect


class MetricsFormat(StrEnum):
    """How they are written."""

    OPENMETRICS = "openmetrics"
    PROMETHEUS = "prometheus"


def command(
    form: Annotated[
        MetricsFormat,
        typer.Option("--format", help="prometheus: the older form, for the files of node_exporter."),
    ] = MetricsFormat.OPENMETRICS,
) -> None:
    """Print figures for Prometheus and its like.

    Of every process, set and probe, and of pmond itself.
    """
    for piece in connect().stream("/metrics", [("format", form.value)]):
        output.write(piece.decode())
