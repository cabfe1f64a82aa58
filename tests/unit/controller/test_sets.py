"""What earlier pmonds kept of a set reads as if this one had written it."""

from __future__ import annotations

from typing import Any, cast

from pmond.runtime.base import clock
from pmond.runtime.intent.redaction import redacted
from pmond.runtime.intent.sets import Sets
from pmond.runtime.state.records import SourceRecord
from pmond.runtime.supervise.bus import Bus


def test_a_file_that_an_earlier_pmond_could_not_read_is_a_diagnostic_like_any_other() -> None:
    kept: list[dict[str, Any]] = [{"path": "/etc/app.d/b.yaml", "message": "cannot read it: it is a folder"}]
    record = SourceRecord("/etc/app.d", "file:/etc/app.d", "", b"", False, kept, "", 1)
    sets = Sets(cast(Any, None), Bus(), clock, 0, followed=lambda: "")
    sets.load([record])
    (found,) = sets.one("file:/etc/app.d").diagnostics
    assert (found["code"], found["severity"], found["file"]) == ("PM006", "error", "/etc/app.d/b.yaml")
    assert found["message"] == "cannot read it: it is a folder"
    assert redacted(sets.one("file:/etc/app.d")).diagnostics == [found]
