"""pydantic models derived from classes of fields: they read what people and clients write.

Theory of operation: each class gets one model with the same fields, types and bounds; rules become
validators. A field that is made of fields is read by the model of its class, and what a model has
read becomes a value at once, so that no model is ever seen outside. Made when first needed.
"""

from __future__ import annotations

from functools import cache, reduce
from operator import or_
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from msgspec.structs import asdict
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    create_model,
)

from pmon3_schema import fields
from pmon3_schema.fields import Bounds, Conversion, FieldStruct, InvalidValue, title_of

Value = TypeVar("Value", bound=FieldStruct)

_classes: dict[type[BaseModel], type[FieldStruct]] = {}
"""Of which class each model is."""
_MOST = 10_000
"""More errors than that are only counted."""


def read(declared: type[Value], written: Any) -> Value:
    """The value that plain data means. Raises InvalidValue."""
    try:
        value: Value = reader_of(declared).validate_python(written)
    except ValidationError as error:
        raise _refused(error) from None
    return value


def read_json(declared: type[Value], text: bytes) -> Value:
    """The value that a JSON text means. Raises InvalidValue."""
    try:
        value: Value = reader_of(declared).validate_json(text)
    except ValidationError as error:
        raise _refused(error) from None
    return value


@cache
def model_of(declared: type[FieldStruct]) -> type[BaseModel]:
    """The model; its JSON Schema describes what may be written."""
    kinds = get_type_hints(declared, include_extras=True)
    members: dict[str, Any] = {
        name: (_translated(kinds[name]), _described(field)) for name, field in declared.declared.items()
    }
    made: type[BaseModel] = create_model(
        title_of(declared),
        __config__=ConfigDict(frozen=True, extra="forbid", defer_build=True, **declared.reading),  # type: ignore[typeddict-item]
        __doc__=declared.__doc__,
        __module__=declared.__module__,
        **members,
    )
    # A default that cannot be hashed would be copied, deeply, for each value that is read.
    setattr(made, "__deepcopy__", _itself)  # noqa: B010
    _classes[made] = declared
    return made


def _itself(model: BaseModel, _copied: object = None) -> BaseModel:
    """It is frozen."""
    return model


@cache
def reader_of(declared: type[FieldStruct]) -> TypeAdapter[Any]:
    """What reads a class of fields; it takes milliseconds to make."""
    kind: Any = Annotated[model_of(declared), AfterValidator(_taken)]
    return TypeAdapter(kind)


def _taken(model: BaseModel) -> FieldStruct:
    """The value of what was read, once its fields are known to agree."""
    value = _value(model)
    value.check(_given(model))
    return value


def _agreeing(model: BaseModel) -> BaseModel:
    """For an inner value: a mistake is where that stands; it stays a model, which knows what was given."""
    _taken(model)
    return model


def _value(model: BaseModel) -> FieldStruct:
    values = model.__dict__
    given = {}
    for name in model.__pydantic_fields_set__:
        value = values[name]
        kind = type(value)
        if kind in _classes:
            value = _value(value)
        elif kind in (list, tuple):
            value = kind(_value(item) if type(item) in _classes else item for item in value)
        given[name] = value
    return _classes[type(model)](**given)


def _given(model: BaseModel) -> set[str]:
    """Which fields were written."""
    given = set(model.__pydantic_fields_set__)
    for name in model.__pydantic_fields_set__:
        inner = model.__dict__[name]
        if type(inner) in _classes:
            given |= {f"{name}.{below}" for below in _given(inner)}
    return given


def _translated(kind: Any) -> Any:
    """A type in pydantic's words."""
    if isinstance(kind, type) and issubclass(kind, FieldStruct):
        model = model_of(kind)
        return model if kind.check is FieldStruct.check else Annotated[model, AfterValidator(_agreeing)]
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        inner = _translated(arguments[0])
        return Annotated[(inner, *(_marker(said, inner) for said in arguments[1:]))]
    if origin in (Union, UnionType):
        return reduce(or_, map(_translated, arguments))
    if origin in (tuple, list, dict):
        return origin[tuple(_translated(argument) for argument in arguments)]
    return kind


def _marker(said: Any, kind: Any) -> Any:
    if isinstance(said, Conversion):
        if said.check:
            return AfterValidator(said.read)
        if said.written is None:
            return BeforeValidator(said.read)
        written: Any = Annotated[Any, WithJsonSchema(dict(said.written))]
        if said.beside:
            written = written | kind
        return BeforeValidator(said.read, json_schema_input_type=written)
    return Field(**asdict(said)) if isinstance(said, Bounds) else said


def _described(field: fields.Field) -> Any:
    inner = field.inner
    default: Any = model_of(inner)() if inner is not None else field.default
    extra: Any = {"effect": field.effect.value, "since": field.since} if field.effect is not None else None
    bounds: dict[str, Any] = dict(field.bounds)
    return Field(default, description=field.description or None, json_schema_extra=extra, **bounds)


def _refused(error: ValidationError) -> InvalidValue:
    count = error.error_count()
    return InvalidValue(count, error.errors(include_url=False) if count <= _MOST else [])
