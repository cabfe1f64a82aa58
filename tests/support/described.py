"""The description that pmond gives of its answers, with every object closed: what is not declared fails."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from jsonschema import Draft202012Validator


class ClosedDescription:
    """Compares answers with an OpenAPI document."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._paths = document["paths"]
        self._components = deepcopy(document["components"])
        for schema in self._components["schemas"].values():
            schema["additionalProperties"] = False

    def check(self, method: str, pattern: str, status: int, body: Any) -> None:
        """Raises jsonschema.ValidationError when the answer is not as it is described."""
        operation = self._paths[pattern][method.lower()]
        answer = operation["responses"]["200" if status == 200 else "default"]
        schema = answer["content"]["application/json"]["schema"]
        Draft202012Validator({**schema, "components": self._components}).validate(body)
