"""What of a manifest a cluster cannot be told, at the fields that say it; no cluster is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pmon3.engines.kubernetes.objects import objects_of
from pmon3.export_targets.leaving import Leaving, Unsaid
from pmon3_schema.diagnostics import Diagnostic, Severity
from pmon3_schema.manifest import ManifestFile, Reading
from pmon3_schema.origins import ranges

UNSAYABLE = "PM050"
_NEEDED = "file"
"""Of what is told about this, there would be nothing to run: no image is known."""


def check(documents: Sequence[ManifestFile], reading: Reading) -> Iterator[Diagnostic]:
    """A warning for each field that is not carried, an error where there would be nothing to run."""
    by_path = {document.path: document for document in documents}
    leaving = [Leaving(entry.spec) for entry in reading.entries]
    objects_of(leaving)
    for entry, process in zip(reading.entries, leaving, strict=True):
        for loss in dict.fromkeys(process.told):
            at = ranges(by_path[entry.file], entry.spec.name, loss.field.split("."))
            path = f"/processes/{_pointer(entry.spec.name)}/{_pointer_of(loss)}"
            severity = Severity.ERROR if loss.field == _NEEDED else Severity.WARNING
            message = f"`{loss.field}` cannot be said on Kubernetes: {loss.reason}"
            yield Diagnostic(severity, UNSAYABLE, message, entry.file, *at, path=path, hint=loss.advice)


def _pointer_of(loss: Unsaid) -> str:
    section, dot, rest = loss.field.partition(".")
    if section in ("labels", "env_vars"):  # whose keys may have dots in them
        return f"{section}/{_pointer(rest)}" if dot else section
    return loss.field.replace(".", "/")


def _pointer(text: str) -> str:
    return text.replace("~", "~0").replace("/", "~1")
