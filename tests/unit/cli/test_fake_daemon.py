"""The fake daemon's answers have every key that the schema promises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.support.fake_daemon import CannedAnswer, default_answers

from pmon3_schema import answers
from pmon3_schema.status import ProcessStatus


@pytest.mark.parametrize(
    ("request_line", "shape"),
    [
        ("GET /v1/version", answers.Version),
        ("GET /v1/processes", ProcessStatus),
        ("GET /v1/processes/web", answers.Description),
        ("POST /v1/processes", answers.Targets),
        ("POST /v1/actions/stop", answers.Targets),
        ("POST /v1/apply", answers.Applied),
        ("POST /v1/plan", answers.Plan),
        ("POST /v1/wait", answers.WaitOutcome),
        ("GET /v1/events", answers.Event),
        ("GET /v1/graph", answers.Graph),
        ("GET /v1/export", answers.Export),
        ("GET /v1/groups", answers.Group),
    ],
)
def test_shapes_are_those_of_the_schema(request_line: str, shape: Any, tmp_path: Path) -> None:
    method, path = request_line.split()
    reply = default_answers(str(tmp_path))[method, path]
    assert isinstance(reply, CannedAnswer)
    content = reply.content[0] if isinstance(reply.content, list) else reply.content
    required = set(shape.__required_keys__)
    assert required <= set(content)
