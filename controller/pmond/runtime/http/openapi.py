"""The OpenAPI 3.1 description of the API, generated from the table of routes.

Theory of operation: requests are described by the pydantic models that read them, answers by
the typed dictionaries that they are written as; each becomes one named schema.
"""

from __future__ import annotations

import re
import types
from functools import cache
from inspect import getdoc
from typing import Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

from pmon3_schema import answers
from pmon3_schema._version import __version__
from pmond.runtime.http.messages import Exposition, Stream
from pmond.runtime.http.route import Parameter, Route
from pmond.runtime.http.routes import ROUTES

_SCALARS = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
_KINDS = {"text": "string", "flag": "boolean", "number": "integer"}
_TEXTS = {Stream: "text/plain", Exposition: "application/openmetrics-text"}
_REFERENCE = "#/components/schemas/{model}"


@cache
def document() -> dict[str, Any]:
    """The whole description."""
    schemas = _request_schemas()
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.pattern, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "pmond",
            "version": __version__,
            "description": "HTTP/1.1 over a Unix socket; the caller is known by SO_PEERCRED.",
        },
        "servers": [{"url": "http://pmond"}],
        "paths": paths,
        "components": {"schemas": dict(sorted(schemas.items()))},
    }


def _request_schemas() -> dict[str, Any]:
    from pydantic.json_schema import models_json_schema

    from pmon3_schema.models import model_of

    models = [(model_of(body), "validation") for body in {route.body for route in ROUTES if route.body}]
    _, found = models_json_schema(models, ref_template=_REFERENCE)  # type: ignore[arg-type]
    return dict(found["$defs"])


def _operation(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.operation,
        "summary": route.summary,
        "x-access": route.access.value,
        "parameters": [*_path_parameters(route), *map(_query_parameter, route.parameters)],
        "responses": {
            "200": {"description": "done", "content": _content(route, schemas)},
            "default": {
                "description": "cannot be done",
                "content": {"application/json": {"schema": _schema_of(answers.ErrorAnswer, schemas)}},
            },
        },
    }
    if route.body is not None:
        schema = {"$ref": _REFERENCE.format(model=route.body.__name__)}
        operation["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    return operation


def _content(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    if route.answer in _TEXTS:
        return {_TEXTS[route.answer]: {"schema": {"type": "string"}}}
    content: dict[str, Any] = {"application/json": {"schema": _schema_of(route.answer, schemas)}}
    if route.answer == list[answers.Event]:
        content["text/event-stream"] = {"schema": {"type": "string"}}
    return content


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", route.pattern)
    ]


def _query_parameter(parameter: Parameter) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": _KINDS[parameter.kind]}
    if parameter.repeated:
        schema = {"type": "array", "items": schema}
    elif parameter.kind == "number":
        schema["default"] = int(parameter.default)
    elif parameter.kind == "flag":
        schema["default"] = parameter.default == "1"
    elif parameter.default:
        schema["default"] = parameter.default
    return {"name": parameter.name, "in": "query", "description": parameter.description, "schema": schema}


def _schema_of(kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    """The JSON schema of a type made of scalars, lists, string-keyed maps, unions and typed dictionaries."""
    if kind is Any:
        return {}
    if kind in _SCALARS:
        return {"type": _SCALARS[kind]}
    if is_typeddict(kind):
        _define(kind, schemas)
        return {"$ref": _REFERENCE.format(model=kind.__name__)}
    if get_origin(kind) is Literal:
        return {"type": "string", "enum": list(get_args(kind))}
    if get_origin(kind) is list:
        return {"type": "array", "items": _schema_of(get_args(kind)[0], schemas)}
    if get_origin(kind) is dict:
        return {"type": "object", "additionalProperties": _schema_of(get_args(kind)[1], schemas)}
    if get_origin(kind) in (Union, types.UnionType):
        return {"anyOf": [_schema_of(member, schemas) for member in get_args(kind)]}
    raise TypeError(f"cannot describe {kind!r} in OpenAPI")


def _define(kind: Any, schemas: dict[str, Any]) -> None:
    if kind.__name__ in schemas:
        return
    schemas[kind.__name__] = {}  # it may refer to itself
    fields = get_type_hints(kind, include_extras=True)
    optional = {name for name, field in fields.items() if get_origin(field) is NotRequired}
    fields |= {name: get_args(fields[name])[0] for name in optional}
    schemas[kind.__name__] = {
        "type": "object",
        "description": getdoc(kind) or "",
        "properties": {name: _schema_of(field, schemas) for name, field in fields.items()},
        "required": [name for name in fields if name not in optional],
    }
