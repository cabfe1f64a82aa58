"""Where output goes and in which shape: results on stdout, everything else on stderr.

Theory of operation: one function per shape. Colour is decided in one place: `NO_COLOR` and
`FORCE_COLOR` first (no-color.org, force-color.org), then whether stdout is a terminal. Whatever is
printed passes `neutral` at the end, so that nothing that others have chosen steers a terminal or a CI
service; data is escaped before, in the words of its format, so that it means the same.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Container, Sequence
from typing import TYPE_CHECKING, Any

from pmon3 import terminal
from pmon3.neutral import LogText, harmless
from pmon3.table import Style, visible
from pmon3_schema.characters import STEERS, escaped_json
from pmon3_schema.errors import ErrorCode, PmonError

if TYPE_CHECKING:  # as in `errors`
    from pmon3_schema.answers import DiagnosticObject, ErrorAnswer, WaitFailure

TABLE, WIDE, JSON, YAML, NAME = "table", "wide", "json", "yaml", "name"


_FAILURES_SHOWN = 20
_ALIKE = 3
"""Names that are said of many with the same reason."""


class ReaderGone(Exception):
    """Nobody reads stdout any more. Not an OSError: Typer would end the program with another code."""


class MissedGoal(PmonError):
    """The goal was not reached; `failures` says for whom and why."""

    def __init__(self, code: ErrorCode, message: str, failures: list[WaitFailure]) -> None:
        super().__init__(code, message)
        self.failures = failures

    def to_json(self) -> ErrorAnswer:
        body = super().to_json()
        body["error"]["failures"] = self.failures
        return body

    def lines(self) -> list[str]:
        """One line for each process that is not there, followed by the end of its log; of many the first.

        Of one that is in the way of others the log is shown once, under what says whose it is. Many of the
        same reason that have no log to show share a line.
        """
        alike = _alike(self.failures)
        together = {name for names in alike.values() for name in names}
        single = [failure for failure in self.failures if failure["name"] not in together]
        lines, told = [], {failure["name"] for failure in single[:_FAILURES_SHOWN]}
        for failure in single[:_FAILURES_SHOWN]:
            lines += _lines_of(failure, told)
            told.add(failure.get("blocker", ""))
        more = len(single) - _FAILURES_SHOWN
        lines += [f"  and {more} more (pmon3 ls --failed)"] if more > 0 else []
        for reason, names in alike.items():
            lines.append(visible(f"  {', '.join(names[:_ALIKE])} and {len(names) - _ALIKE} more: {reason}"))
        return lines


def _lines_of(failure: WaitFailure, told: Container[str]) -> list[str]:
    line, blocker = visible(f"  {failure['name']}: {failure['reason']}"), failure.get("blocker", "")
    tail = [f"    | {visible(line)}" for line in failure["log_tail"].splitlines()]
    if not blocker or not tail:
        return [line, *tail]
    return [line] if blocker in told else [line, visible(f"    the end of the log of {blocker}:"), *tail]


def _alike(failures: Sequence[WaitFailure]) -> dict[str, list[str]]:
    """Names by reason, of those that share one with many and have nothing else to show."""
    names: dict[str, list[str]] = {}
    for failure in failures:
        if not failure["log_tail"]:
            names.setdefault(failure["reason"], []).append(failure["name"])
    return {reason: found for reason, found in names.items() if len(found) > _ALIKE}


def coloured(stream: Any = None) -> bool:
    """Whether text for this stream (stdout by default) has colours."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return terminal.is_terminal(stream or sys.stdout) and not terminal.is_dumb(os.environ)


def style(shape: str = "table") -> Style:
    """How text for people is written on stdout: in colours or not, as wide as the terminal or as it is."""
    narrow = shape != WIDE and terminal.is_terminal(sys.stdout)
    return Style(coloured(), terminal.size(sys.stdout)[0] if narrow else None)


def write(text: str) -> None:
    """A result; of what steers a terminal only our own colours are left. Raises ReaderGone."""
    text = harmless(text, coloured())
    if terminal.is_terminal(sys.stdout) and terminal.only_ascii(os.environ):
        text = terminal.in_ascii(text)
    try:
        sys.stdout.write(text)
    except BrokenPipeError:
        raise ReaderGone from None


def write_now(text: str) -> None:
    """A result that somebody may be waiting for. Raises ReaderGone."""
    write(text)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise ReaderGone from None


def note(text: str) -> None:
    """Progress or a warning, on stderr; after the results so far, also where both go to one file."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise ReaderGone from None
    sys.stderr.write(f"pmon3: {visible(text)}\n")


def detail(text: str) -> None:
    """What belongs to a note, in lines of its own."""
    sys.stderr.write(harmless(text))


def emit(value: Any, shape: str, as_table: Callable[[Style], str]) -> None:
    """Print a result: as data (json, yaml), as names, or as the text `as_table(style)` makes."""
    write(text_of(value, shape, as_table))


def text_of(value: Any, shape: str, as_table: Callable[[Style], str]) -> str:
    """A result as text in one of the shapes."""
    if shape == JSON:
        return json_text(value)
    if shape == YAML:
        return yaml_text(value)
    if shape == NAME:
        return "".join(f"{visible(item['name'])}\n" for item in _items(value))
    return as_table(style(shape))


def emit_processes(processes: Sequence[dict[str, Any]], shape: str) -> None:
    """Print processes as `ls` does; people are told of what is scaled."""
    from pmon3.listing import overrides
    from pmon3.render import process_table

    emit(list(processes), shape, lambda style: process_table(processes, style, shape == WIDE))
    for line in overrides(processes) if shape in (TABLE, WIDE) else ():
        note(line)


def json_text(value: Any) -> str:
    """One JSON document: a list with one item per line, anything else indented."""
    if not isinstance(value, list):
        return escaped_json(json.dumps(value, ensure_ascii=False, indent=2)) + "\n"
    # Indenting is done by the slow encoder: 1,000 processes would take longer than asking for them.
    items = ",\n ".join(json.dumps(item, ensure_ascii=False) for item in value)
    return f"[{escaped_json(items)}]\n"


def json_line(value: Any) -> str:
    """One JSON document in one line."""
    return escaped_json(json.dumps(value, ensure_ascii=False)) + "\n"


def yaml_text(value: Any) -> str:
    """Plain data as block-style YAML, keys in their order."""
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    try:
        text: str = yaml.dump(value, Dumper=dumper, sort_keys=False, allow_unicode=True)
    except UnicodeEncodeError:  # half of a surrogate pair, which libyaml cannot take
        dumper, text = yaml.SafeDumper, "\ud800"
    if STEERS.search(text):
        text = yaml.dump(value, Dumper=dumper, sort_keys=False, allow_unicode=False)
    return text


def wants_json(words: list[str]) -> bool:
    """Whether errors are to be JSON: `-o json` in any spelling, before it is known to be valid."""
    if words[:1] == ["export"]:  # there -o is the order, as in the seed
        return False
    if "-ojson" in words or "--output=json" in words:
        return True
    return any(
        flag in ("-o", "--output") and words[place:][:1] == ["json"] for place, flag in enumerate(words, 1)
    )


def report(error: PmonError, as_json: bool) -> None:
    """Print an error on stderr: one JSON object, or `pmon3: cannot X: why (what to do)`."""
    if as_json:
        sys.stderr.write(json_line(error.to_json()))
        return
    lines = [error_line(error), *(diagnostic_line(d) for d in error.diagnostics)]
    lines += error.lines() if isinstance(error, MissedGoal) else []
    sys.stderr.write("\n".join(lines) + "\n")


def error_line(error: PmonError) -> str:
    """`pmon3: cannot X: why (what to do)`, in one line."""
    hint = f" ({error.hint})" if error.hint else ""
    # A message quotes what others have chosen: it must not be able to move the cursor.
    return visible(f"pmon3: {error.message}{hint}")


def diagnostic_line(diagnostic: DiagnosticObject) -> str:
    """One finding about a manifest in one line: `file:line:column: error[PM0xx] message (hint)`."""
    start = (diagnostic.get("range") or {}).get("start") or {}
    place = ":".join(str(x) for x in (diagnostic.get("file"), start.get("line"), start.get("column")) if x)
    code = f"[{diagnostic['code']}]" if diagnostic.get("code") else ""
    head = f"{diagnostic.get('severity', 'error')}{code}"
    hint = f" ({diagnostic['hint']})" if diagnostic.get("hint") else ""
    return visible(f"{place}{': ' if place else ''}{head} {diagnostic.get('message', '')}{hint}")


def _items(value: Any) -> list[dict[str, Any]]:
    return value if isinstance(value, list) else [value]


class LogWriter:
    """Text of one log to stdout, at once: as it is where that is no terminal, for it may be of any encoding.

    On a terminal only colours are left of what would steer it, unless `raw`. Raises ReaderGone.
    """

    def __init__(self, raw: bool = False) -> None:
        self._text = None if raw or not terminal.is_terminal(sys.stdout) else LogText()

    def feed(self, data: bytes) -> None:
        """What the program has written since."""
        self._write(data if self._text is None else self._text.feed(data))

    def end(self) -> None:
        """There is no more of it, or nobody looks any more."""
        if self._text is not None:
            self._write(self._text.end())

    def _write(self, data: bytes | str) -> None:
        try:
            sys.stdout.flush()
            if isinstance(data, str):
                sys.stdout.write(data)
            else:
                sys.stdout.buffer.write(data)
            sys.stdout.flush()
        except BrokenPipeError:
            raise ReaderGone from None
