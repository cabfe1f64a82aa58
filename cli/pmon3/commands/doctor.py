"""`doctor`: what this host offers to pmond, and what is in use."""

from __future__ import annotations

from typing import Any

from pmon3 import exit_codes, options, output
from pmon3.address import connect
from pmon3.fitting import WRAP, Column
from pmon3.table import GREEN, RED, YELLOW, Style, table


def command(shape: options.Output = options.OutputFormat.TABLE) -> int:
    """Show which mechanisms pmond found and uses here.

    Exit code 1 when one of them has failed.
    """
    checks = connect().get("/v1/doctor")["checks"]
    output.emit(checks, shape.value, lambda style: _table(checks, style))
    return exit_codes.NEGATIVE if any(check["status"] == "failed" for check in checks) else exit_codes.DONE


def _table(checks: list[dict[str, Any]], style: Style) -> str:
    colours = {"ok": GREEN, "limited": YELLOW, "failed": RED}
    columns = [
        Column("Mechanism", 9, fit=WRAP),
        Column("Status", 6),
        Column("In use", 6, fit=WRAP),
        Column("Message", 7, fit=WRAP),
    ]
    rows = [[check["name"], check["status"], check["in_use"], check["message"]] for check in checks]
    return table(columns, rows, lambda row, place: colours.get(rows[row][1]) if place == 1 else None, style)
