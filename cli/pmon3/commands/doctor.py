"""`doctor`: what this host offers to pmond, and what is in use."""

from __future__ import annotations

from typing import Any

from pmon3 import exit_codes, options, output
from pmon3.address import connect
from pmon3.fitting import WRAP, Column
from pmon3.table import GREEN, RED, YELLOW, Style, table
from pmon3_schema.errors import ErrorCode, PmonError


def command(shape: options.Output = options.OutputFormat.TABLE) -> int:
    """Show which mechanisms pmond found and uses here.

    And what you are to it, by `access` in config.yml; who does not administer pmond is told that alone.
    Exit code 1 when a mechanism has failed.
    """
    client = connect()
    version = client.get("/v1/version")
    try:
        checks = client.get("/v1/doctor")["checks"]
    except PmonError as error:
        if error.code is not ErrorCode.FORBIDDEN:
            raise
        checks = []
    checks.append(_access(version, everything=bool(checks)))
    output.emit(checks, shape.value, lambda style: _table(checks, style))
    return exit_codes.NEGATIVE if any(check["status"] == "failed" for check in checks) else exit_codes.DONE


def _access(version: dict[str, Any], everything: bool) -> dict[str, Any]:
    message = version.get("user", "")
    if not everything:
        message += ": what pmond uses of this host is told to its administrators"
    role = version.get("you_are", "unknown")  # to one of an older version
    return {"name": "access", "status": "ok", "in_use": f"you are: {role}", "message": message}


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
