"""The fake daemon's answers are as the real one describes its own, no key more and none less."""

from __future__ import annotations

from pathlib import Path

from tests.support.described import ClosedDescription
from tests.support.fake_daemon import CannedAnswer, ReceivedRequest, default_answers

from pmond.runtime.http import openapi
from pmond.runtime.http.messages import Stream
from pmond.runtime.http.routes import match


def test_its_answers_are_as_they_are_described(tmp_path: Path) -> None:
    description, compared = ClosedDescription(openapi.document()), set()
    for (method, path), reply in default_answers(str(tmp_path)).items():
        route, _ = match(method, path)
        if route.answer is not Stream:
            answer = (
                reply if isinstance(reply, CannedAnswer) else reply(ReceivedRequest(method, path, [], {}))
            )
            description.check(method, route.pattern, answer.status, answer.content)
            compared.add(route.operation)
    assert {"version", "list_processes", "describe", "apply", "wait", "events"} <= compared
