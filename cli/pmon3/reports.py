"""Findings about manifests in the forms that other programs read: CI services and editors.

Theory of operation: one pure function per form, from diagnostics to text. Each form is that of
its owner: GitHub's workflow commands, GitLab's code quality report, SARIF 2.1.0 of OASIS, and
JUnit as CI services read it (one test case per process). Services read these forms line by line on
standard output, so no name or message may begin a line of its own or steer whoever looks at the log.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape, quoteattr

from pmon3.neutral import harmless
from pmon3.table import visible
from pmon3_schema._version import __version__
from pmon3_schema.characters import escaped_json
from pmon3_schema.diagnostics import CODES, Diagnostic, render_concise, render_text
from pmon3_schema.manifest import Entry, ManifestFile, texts

if TYPE_CHECKING:  # as in `errors`
    from pmon3_schema.answers import DiagnosticObject

_NO_PROCESS = "(file)"
_SARIF = "https://json.schemastore.org/sarif-2.1.0.json"


class Checked:
    """What was checked and what was found."""

    def __init__(
        self, documents: Sequence[ManifestFile], entries: Sequence[Entry], diagnostics: Sequence[Diagnostic]
    ) -> None:
        self.entries = entries
        self.diagnostics = diagnostics
        self.documents = documents

    @property
    def processes(self) -> int:
        """How many are declared, those with mistakes included."""
        return sum(name != _NO_PROCESS for _, name in self.cases())

    def cases(self) -> dict[tuple[str, str], list[Diagnostic]]:
        """What was found, by file and process; what belongs to no process is under the file alone."""
        cases: dict[tuple[str, str], list[Diagnostic]] = {
            (entry.file, entry.spec.name): [] for entry in self.entries
        }
        for item in self.diagnostics:
            cases.setdefault((item.file, _process_of(item)), []).append(item)
        return cases

    @property
    def sources(self) -> Mapping[str, str]:
        return texts(self.documents)


def text(checked: Checked) -> str:
    """Paragraphs with the offending characters underlined."""
    return render_text(checked.diagnostics, checked.sources)


def concise(checked: Checked) -> str:
    """One line each."""
    return render_concise(checked.diagnostics)


def as_json(checked: Checked) -> str:
    """One array."""
    return _json(list(_objects(checked)), indent=2)


def jsonl(checked: Checked) -> str:
    """One object a line; the first says which form this is, the last counts."""
    errors = sum(diagnostic.is_error for diagnostic in checked.diagnostics)
    lines = [
        {"type": "version", "format": "pmon3/1.0", "pmon3": __version__},
        *({"type": "diagnostic", **item} for item in _objects(checked)),
        {
            "type": "summary",
            "files": len(checked.documents),
            "processes": checked.processes,
            "errors": errors,
            "warnings": len(checked.diagnostics) - errors,
        },
    ]
    return "".join(map(_json, lines))


def github(checked: Checked) -> str:
    """Workflow commands, which GitHub shows at the lines of a change."""
    return "".join(
        f"::{item.severity.value} file={_property(item.file)},line={item.line},col={item.column},"
        f"endLine={item.end_line},endColumn={item.end_column},title={_property(item.code)}"
        f"::{_message(_said(item))}\n"
        for item in checked.diagnostics
    )


def gitlab(checked: Checked) -> str:
    """GitLab's code quality report."""
    severities = {"error": "major", "warning": "minor"}
    items = [
        {
            "description": _said(item),
            "check_name": item.code,
            "fingerprint": _fingerprint(item),
            "severity": severities[item.severity.value],
            "location": {"path": item.file, "lines": {"begin": item.line, "end": item.end_line}},
        }
        for item in checked.diagnostics
    ]
    return _json(items, indent=2)


def sarif(checked: Checked) -> str:
    """SARIF 2.1.0: one run, its rules from the table of codes."""
    used = sorted({item.code for item in checked.diagnostics})
    rules = [{"id": code, "shortDescription": {"text": CODES.get(code, code)}} for code in used]
    driver = {"name": "pmon3", "version": __version__, "rules": rules}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(item, used) for item in checked.diagnostics],
    }
    return json.dumps({"$schema": _SARIF, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def junit(checked: Checked) -> str:
    """One test case per process; what belongs to no process is a case of its file."""
    cases = checked.cases()
    failed = sum(any(item.is_error for item in found) for found in cases.values())
    head = f'<testsuite name="pmon3 validate" tests="{len(cases)}" failures="{failed}" errors="0">'
    body = "".join(_case(file, name, found) for (file, name), found in cases.items())
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>{head}\n{body}</testsuite></testsuites>\n'


REPORTS: Mapping[str, Callable[[Checked], str]] = {
    "text": text, "concise": concise, "json": as_json, "jsonl": jsonl, "github": github,
    "gitlab": gitlab, "sarif": sarif, "junit": junit,
}  # fmt: skip
"""Every form by its name."""


def _json(value: Any, indent: int | None = None) -> str:
    return escaped_json(json.dumps(value, ensure_ascii=False, indent=indent)) + "\n"


def _objects(checked: Checked) -> Iterator[DiagnosticObject]:
    sources = checked.sources
    return (item.to_json(sources.get(item.file)) for item in checked.diagnostics)


def _process_of(item: Diagnostic) -> str:
    """From its pointer, such as ``/processes/web/args``."""
    parts = item.path.split("/")
    return (
        parts[2].replace("~1", "/").replace("~0", "~")
        if parts[1:2] == ["processes"] and parts[2:]
        else _NO_PROCESS
    )


def _said(item: Diagnostic) -> str:
    return f"{item.message} ({item.hint})" if item.hint else item.message


def _message(value: str) -> str:
    return harmless(value).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _message(value).replace(":", "%3A").replace(",", "%2C")


def _fingerprint(item: Diagnostic) -> str:
    """The same for the same mistake although it moved to another line."""
    return blake2b(
        "\0".join((item.code, item.file, item.path, item.message)).encode(), digest_size=16
    ).hexdigest()


def _result(item: Diagnostic, rules: Sequence[str]) -> dict[str, Any]:
    region = {
        "startLine": item.line,
        "startColumn": item.column,
        "endLine": item.end_line,
        "endColumn": item.end_column,
    }
    location = {"physicalLocation": {"artifactLocation": {"uri": _uri(item.file)}, "region": region}}
    return {
        "ruleId": item.code,
        "ruleIndex": rules.index(item.code),
        "level": item.severity.value,
        "message": {"text": _said(item)},
        "locations": [location],
        "partialFingerprints": {"pmon3/v1": _fingerprint(item)},
    }


def _uri(path: str) -> str:
    from urllib.parse import quote

    return ("file://" if path.startswith("/") else "") + quote(path)


def _case(file: str, name: str, found: Sequence[Diagnostic]) -> str:
    head = f"<testcase classname={quoteattr(visible(file))} name={quoteattr(visible(name))}"
    if not found:
        return f"{head}/>\n"
    inner = "".join(_failure(item) for item in found)
    return f"{head}>{inner}</testcase>\n"


def _failure(item: Diagnostic) -> str:
    said = escape(visible(f"{item.file}:{item.line}:{item.column}: {_said(item)}"))
    if not item.is_error:
        return f"<system-out>{said}</system-out>"
    return f"<failure type={quoteattr(item.code)} message={quoteattr(visible(item.message))}>{said}</failure>"
