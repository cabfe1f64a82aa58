"""One command line on several hosts at once, and what they say brought together.

Theory of operation: each host gets a run of the same command line in a process of its own, some at a time.
JSON is brought together as JSON, with the host in each item; processes are one table with a column of hosts;
whatever else they print comes line by line with the host before it. The exit code is the worst of all.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from queue import SimpleQueue
from typing import IO, Any, NamedTuple

from pmon3 import exit_codes, output
from pmon3.host_variable import HOST
from pmon3.hosts.hosts_file import RemoteHost
from pmon3.table import visible
from pmon3.verbs import VERB_OF
from pmon3_schema.errors import ErrorCode, PmonError

_AT_ONCE = 16
"""Hosts that are asked at the same time."""
_LIVE = frozenset({"--watch", "-w"})


class _Said(NamedTuple):
    """What the run for one host has said, all of it."""

    host: RemoteHost
    code: int
    out: str


class _Line(NamedTuple):
    host: RemoteHost
    text: str
    is_error: bool


def run(hosts: Sequence[RemoteHost], words: list[str]) -> int:
    """Run it on all of them; the worst exit code. Raises PmonError."""
    given = _standard_input(words)
    if output.wants_json(words):
        return _as_json(_gathered(hosts, words, given))
    if VERB_OF.get(words[0]) == "ls" and not _LIVE.intersection(words):
        return _as_table(hosts, words)
    return _worst(said.code for said in _each(hosts, words, given, keep=False))


def _as_json(found: Iterable[_Said]) -> int:
    items: list[Any] = []
    codes = []
    for said in found:
        codes.append(said.code)
        answer = json.loads(said.out) if said.out.strip() else []
        items += [
            {"host": said.host.name, **item}
            if isinstance(item, dict)
            else {"host": said.host.name, "value": item}
            for item in (answer if isinstance(answer, list) else [answer])
        ]
    output.write(output.json_text(items))
    return _worst(codes)


def _as_table(hosts: Sequence[RemoteHost], words: list[str]) -> int:
    plain, shape = _without_shape(words)
    if shape == output.NAME:
        return _worst(said.code for said in _each(hosts, words, None, keep=False))
    rows: list[dict[str, Any]] = []
    codes = []
    for said in _gathered(hosts, [*plain, "-o", "json"], None, for_people=True):
        codes.append(said.code)
        rows += [{**row, "host": said.host.name} for row in json.loads(said.out or "[]")]
    output.emit_processes(rows, shape)
    return _worst(codes)


def _gathered(
    hosts: Sequence[RemoteHost], words: list[str], given: bytes | None, *, for_people: bool = False
) -> list[_Said]:
    return list(_each(hosts, words, given, keep=True, for_people=for_people))


def _each(
    hosts: Sequence[RemoteHost],
    words: list[str],
    given: bytes | None,
    *,
    keep: bool,
    for_people: bool = False,
) -> list[_Said]:
    """Run it for each.

    `keep`: what they print is for the caller, errors aside. `for_people`: errors, which are JSON, are told
    in words.
    """
    lines: SimpleQueue[_Line | None] = SimpleQueue()
    width = max(len(host.name) for host in hosts)
    with ThreadPoolExecutor(_AT_ONCE + 1) as threads:
        runs = [threads.submit(_one, host, words, given, keep, lines.put) for host in hosts]
        threads.submit(_close, lines, runs)
        while (line := lines.get()) is not None:
            _print(_in_words(line) if for_people else line, width)
        return [run.result() for run in runs]


def _close(lines: SimpleQueue[_Line | None], runs: Iterable[Future[_Said]]) -> None:
    """No more lines come once all have ended, however they have."""
    wait(runs)
    lines.put(None)


def _one(
    host: RemoteHost, words: list[str], given: bytes | None, keep: bool, tell: Callable[[_Line], None]
) -> _Said:
    command = [sys.executable, "-P", "-m", "pmon3", *words]
    environment = os.environ | {HOST: str(host.address)}
    child = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL if given is None else subprocess.PIPE, text=True, errors="replace",
    )  # fmt: skip
    assert child.stdout is not None and child.stderr is not None
    with ThreadPoolExecutor(2) as readers:
        errors = readers.submit(_read, child.stderr, partial(_as_line, host, tell, True))
        if child.stdin is not None and given is not None:
            readers.submit(_give, child.stdin, given)
        kept: list[str] = []
        _read(child.stdout, kept.append if keep else partial(_as_line, host, tell, False))
        errors.result()
    return _Said(host, child.wait(), "".join(kept))


def _read(stream: IO[str], take: Callable[[str], object]) -> None:
    for line in stream:
        take(line)


def _give(stream: IO[str], given: bytes) -> None:
    try:
        stream.write(given.decode("utf-8", "surrogateescape"))
        stream.close()
    except BrokenPipeError:
        return  # it did not want it; why, it says itself


def _as_line(host: RemoteHost, tell: Callable[[_Line], None], is_error: bool, text: str) -> None:
    tell(_Line(host, text.rstrip("\n"), is_error))


def _print(line: _Line, width: int) -> None:
    text = f"{visible(line.host.name):{width}} | {line.text}\n"
    if line.is_error:
        sys.stderr.write(text)
        sys.stderr.flush()
    else:
        output.write(text)
        sys.stdout.flush()


def _in_words(line: _Line) -> _Line:
    if not line.is_error or not line.text.startswith('{"error"'):
        return line
    error = PmonError.from_json(json.loads(line.text))
    return line._replace(text=output.error_line(error))


def _standard_input(words: Sequence[str]) -> bytes | None:
    """What is read from there once, for all of them."""
    if any(word == "-" or word in ("-f-", "--file=-") for word in words):
        return sys.stdin.buffer.read()
    return None


def _without_shape(words: Sequence[str]) -> tuple[list[str], str]:
    left: list[str] = []
    shape = output.TABLE
    rest = iter(words)
    for word in rest:
        if word in ("-o", "--output"):
            shape = next(rest, shape)
        elif word.startswith("--output="):
            shape = word.removeprefix("--output=")
        elif word.startswith("-o") and not word.startswith("--"):
            shape = word.removeprefix("-o")
        else:
            left.append(word)
    if shape not in (output.TABLE, output.WIDE, output.NAME, output.YAML):
        raise PmonError(
            ErrorCode.BAD_REQUEST, f"cannot print as {shape!r}", "table, wide, json, yaml or name"
        )
    return left, shape


def _worst(codes: Iterable[int]) -> int:
    """Of the codes of exit-codes.md the greatest: those that say that nobody was reached included."""
    return max(codes, default=exit_codes.DONE)
