"""`validate`: are these manifests correct? Works without pmond."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from enum import StrEnum
from itertools import chain
from typing import Annotated

import typer

from pmon3 import documents, exit_codes, options, output, reports
from pmon3_schema import manifest
from pmon3_schema.diagnostics import Diagnostic, has_errors, summary


class Form(StrEnum):
    """The forms of a report."""

    TEXT = "text"
    CONCISE = "concise"
    JSON = "json"
    JSONL = "jsonl"
    GITHUB = "github"
    GITLAB = "gitlab"
    SARIF = "sarif"
    JUNIT = "junit"


class EngineName(StrEnum):
    """What else than pmond could run a manifest."""

    KUBERNETES = "kubernetes"


class FailureThreshold(StrEnum):
    """From which severity on a finding is a failure."""

    ERROR = "error"
    WARNING = "warning"


Check = Callable[[list[manifest.ManifestFile], manifest.Reading], manifest.Reading]
"""What is looked at besides: a reading with what it found."""


def command(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Manifests, or folders of them; - for stdin.")
    ],
    form: Annotated[
        Form, typer.Option("--format", "--output", "-o", help="The form of the report.")
    ] = Form.TEXT,
    host: Annotated[
        bool, typer.Option("--host", help="Check users, programs and folders on this host too.")
    ] = False,
    engine: Annotated[
        EngineName | None,
        typer.Option("--engine", help="Say what this cluster could not be told; none is asked."),
    ] = None,
    fail_on: Annotated[
        FailureThreshold, typer.Option("--fail-on", help="From which severity on the exit code is 1.")
    ] = FailureThreshold.WARNING,
    stdin_name: Annotated[
        str, typer.Option("--stdin-filename", metavar="PATH", help="What to call stdin; tells its format.")
    ] = "stdin.yaml",
    exit_zero: Annotated[bool, typer.Option("--exit-zero", help="Exit code 0 for findings too.")] = False,
    each: Annotated[
        bool, typer.Option("--each", help="Each PATH by itself, as for machines of their own.")
    ] = False,
    profiles: options.Profiles = None,
    variables: options.Variables = None,
) -> int:
    """Check manifests; no pmond is needed.

    Without --profile as they are, and then with each of their profiles by itself.
    Exit code 1 for findings, 2 when there is nothing to check.
    """
    given = [_documents(path, stdin_name) for path in paths]
    found = list(chain.from_iterable(given))
    checks = [*([_on_this_host] if host else []), *([_on_a_cluster] if engine else [])]
    readings = [
        _read_in_all_profiles(one, checks, profiles, variables) for one in (given if each else [found])
    ]
    checked = reports.Checked(
        found,
        tuple(chain.from_iterable(reading.entries for reading in readings)),
        tuple(chain.from_iterable(reading.diagnostics for reading in readings)),
    )
    output.write(reports.REPORTS[form.value](checked))
    if form.value == "text":
        output.note(_counted(checked))
    return exit_codes.NEGATIVE if _fails(checked.diagnostics, fail_on) and not exit_zero else exit_codes.DONE


def _documents(path: str, stdin_name: str) -> list[manifest.ManifestFile]:
    if path == documents.STDIN:
        return [manifest.ManifestFile(stdin_name, sys.stdin.buffer.read())]
    return [manifest.ManifestFile(file, content) for file, content in documents.contents(path)]


def _read_in_all_profiles(
    found: list[manifest.ManifestFile],
    checks: Sequence[Check],
    profiles: list[str] | None,
    variables: list[str] | None,
) -> manifest.Reading:
    """What they say as they are chosen; without a choice also what is wrong only in some profile."""
    from pmon3_schema.profiles import profile_names

    chosen = options.choice(profiles, variables)
    reading = _read(_with(found, chosen), checks)
    if profiles is not None:
        return reading
    diagnostics = dict.fromkeys(reading.diagnostics)
    for name in profile_names(found):
        choice = options.choice([name], variables)
        diagnostics |= dict.fromkeys(_read(_with(found, choice), checks).diagnostics)
    order = {document.path: place for place, document in enumerate(found)}
    in_order = sorted(diagnostics, key=lambda one: (order.get(one.file, -1), one.line, one.column))
    return manifest.Reading(reading.entries, tuple(in_order))


def _with(found: list[manifest.ManifestFile], choice: dict[str, str] | None) -> list[manifest.ManifestFile]:
    return [*found, manifest.ManifestFile(choice["path"], choice["text"].encode())] if choice else found


def _read(found: list[manifest.ManifestFile], checks: Sequence[Check]) -> manifest.Reading:
    reading = manifest.read(found)
    for check in checks:
        reading = check(found, reading)
    return reading


def _on_this_host(found: list[manifest.ManifestFile], _: manifest.Reading) -> manifest.Reading:
    from pmon3.host import check, search_path, user_exists

    reading = manifest.read(found, search_path=search_path(), user_exists=user_exists)
    return manifest.Reading(reading.entries, (*reading.diagnostics, *check(found, reading)))


def _on_a_cluster(found: list[manifest.ManifestFile], reading: manifest.Reading) -> manifest.Reading:
    from pmon3.engines.kubernetes.checking import check

    return manifest.Reading(reading.entries, (*reading.diagnostics, *check(found, reading)))


def _fails(diagnostics: Sequence[Diagnostic], fail_on: FailureThreshold) -> bool:
    return has_errors(diagnostics) if fail_on is FailureThreshold.ERROR else bool(diagnostics)


def _counted(checked: reports.Checked) -> str:
    processes = f"{checked.processes} process{'' if checked.processes == 1 else 'es'}"
    files = f"{len(checked.documents)} file{'' if len(checked.documents) == 1 else 's'}"
    return f"{files}, {processes}, {summary(checked.diagnostics)}"
