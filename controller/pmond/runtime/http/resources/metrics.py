"""Figures for monitoring systems."""

from __future__ import annotations

from typing import get_args

from pmon3_schema.errors import ErrorCode, PmonError
from pmond.runtime.http.call import Call
from pmond.runtime.http.messages import Exposition
from pmond.runtime.views.exposition import CONTENT_TYPES, Form
from pmond.runtime.views.metrics import MetricsView


class MetricResource:
    """Answers with all metrics as text, in the form that is asked for."""

    def __init__(self, view: MetricsView) -> None:
        self._view = view

    async def metrics(self, call: Call[None]) -> Exposition:
        asked = call.query.text("format")
        form = next((one for one in CONTENT_TYPES if one == asked), None)
        if form is None:
            raise PmonError(
                ErrorCode.BAD_REQUEST,
                f"cannot write metrics as {asked!r}: there is no such form",
                f"one of {', '.join(get_args(Form))}",
            )
        return Exposition(body=await self._view.text(form, call.peer), content_type=CONTENT_TYPES[form])
