"""Where output goes and in which shape: results on stdout, everything else on stderr.

Theory of operation: one function per shape. Colour is decided in one place: `NO_COLOR` and
`FORCE_COLOR` first (no-color.org, force-color.org), then whether stdout is a terminal.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from pmon3.table import visible
from pmon3_schema.errors import ErrorCode, PmonError

TABLE, JSON, YAML, NAME = "table", "json", "yaml", "name"


class ReaderGone(Exception):
    """Nobody reads stdout any more. Not an OSError: Typer would end the program with another code."""


class MissedGoal(PmonError):
    """The goal was not reached; `failures` says for whom and why."""

    def __init__(self, code: ErrorCode, message: str, failures: list[dict[str, Any]]) -> None:
        super().__init__(code, message)
        self.failures = failures

    def to_json(self) -> dict[str, Any]:
        body = super().to_json()
        body["error"]["failures"] = self.failures
        return body

    def lines(self) -> list[str]:
        """One line for each process that is not there, followed by the end of its log."""
        lines = []
        for failure in self.failures:
            lines.append(visible(f"  {failure['name']}: {failure['reason']}"))
            lines += [f"    | {visible(line)}" for line in failure["log_tail"].splitlines()]
        return lines


def coloured(stream: Any = None) -> bool:
    """Whether text for this stream (stdout by default) has colours."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return bool((stream or sys.stdout).isatty()) and os.environ.get("TERM") != "dumb"


def write(text: str) -> None:
    """A result, as it is. Raises ReaderGone."""
    try:
        sys.stdout.write(text)
    except BrokenPipeError:
        raise ReaderGone from None


def note(text: str) -> None:
    """Progress or a warning, on stderr; after the results so far, also where both go to one file."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise ReaderGone from None
    sys.stderr.write(f"pmon3: {text}\n")


def emit(value: Any, shape: str, as_table: Callable[[bool], str]) -> None:
    """Print a result: as data (json, yaml), as names, or as the text `as_table(coloured)` makes."""
    if shape == JSON:
        write(json_text(value))
    elif shape == YAML:
        write(yaml_text(value))
    elif shape == NAME:
        write("".join(f"{item['name']}\n" for item in _items(value)))
    else:
        write(as_table(coloured()))


def emit_processes(processes: Sequence[dict[str, Any]], shape: str) -> None:
    """Print processes as `ls` does."""
    from pmon3.render import process_table

    emit(list(processes), shape, lambda colour: process_table(processes, colour))


def json_text(value: Any) -> str:
    """One JSON document: a list with one item per line, anything else indented."""
    if not isinstance(value, list):
        return json.dumps(value, ensure_ascii=False, indent=2) + "\n"
    # Indenting is done by the slow encoder: 1,000 processes would take longer than asking for them.
    items = ",\n ".join(json.dumps(item, ensure_ascii=False) for item in value)
    return f"[{items}]\n"


def yaml_text(value: Any) -> str:
    """Plain data as block-style YAML, keys in their order."""
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(value, Dumper=dumper, sort_keys=False, allow_unicode=True)
    return text


def report(error: PmonError, as_json: bool) -> None:
    """Print an error on stderr: one JSON object, or `pmon3: cannot X: why (what to do)`."""
    if as_json:
        sys.stderr.write(json.dumps(error.to_json(), ensure_ascii=False) + "\n")
        return
    hint = f" ({error.hint})" if error.hint else ""
    # A message quotes what others have chosen: it must not be able to move the cursor.
    lines = [visible(f"pmon3: {error.message}{hint}"), *(diagnostic_line(d) for d in error.diagnostics)]
    lines += error.lines() if isinstance(error, MissedGoal) else []
    sys.stderr.write("\n".join(lines) + "\n")


def diagnostic_line(diagnostic: dict[str, Any]) -> str:
    """One finding about a manifest in one line: `file:line:column: error[PM0xx] message (hint)`."""
    start = (diagnostic.get("range") or {}).get("start") or {}
    place = ":".join(str(x) for x in (diagnostic.get("file"), start.get("line"), start.get("column")) if x)
    code = f"[{diagnostic['code']}]" if diagnostic.get("code") else ""
    head = f"{diagnostic.get('severity', 'error')}{code}"
    hint = f" ({diagnostic['hint']})" if diagnostic.get("hint") else ""
    return visible(f"{place}{': ' if place else ''}{head} {diagnostic.get('message', '')}{hint}")


def _items(value: Any) -> list[dict[str, Any]]:
    return value if isinstance(value, list) else [value]


def write_bytes(data: bytes) -> None:
    """Log text, as it is and at once: it may be of any encoding. Raises ReaderGone."""
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise ReaderGone from None
