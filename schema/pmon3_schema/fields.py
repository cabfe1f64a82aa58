"""Values with declared fields: what processes, settings and requests are.

Theory of operation: a class of fields is declared once, each field with its type, default, bounds,
effect and description. Its values are plain msgspec structs, cheap to make, to compare, to keep
and to read back from where they were kept, and nothing else is needed to work with them. What
people and clients write is read (`reading`) by a pydantic model that `models` derives from the same
declaration when something is to be read: to load pydantic takes as long as all the rest of a start of
pmond, and after an upgrade nothing is read that has not been checked already.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any, ClassVar, Self

import msgspec
from msgspec import Struct, StructMeta

from pmon3_schema.effect import Effect


class Field(Struct, frozen=True):
    """What is declared of one field, besides its type."""

    default: Any = ...
    """`...`: it must be given."""
    effect: Effect | None = None
    description: str = ""
    since: str = "0.1"
    instead: Any = None
    """What replaces a value out of range where that is not the default (settings only)."""
    bounds: Mapping[str, Any] = {}
    """As pydantic calls them: ge, le, min_length, max_length."""

    @property
    def required(self) -> bool:
        return self.default is ...

    @property
    def inner(self) -> type[FieldStruct] | None:
        """The class of a field that is itself made of fields, such as `restart`."""
        return type(self.default) if isinstance(self.default, FieldStruct) else None


class Conversion(Struct, frozen=True, eq=False):
    """How what is written becomes a value of a type; stands in `Annotated`."""

    read: Callable[[Any], Any]
    """Raises `mistake` for what cannot be meant."""
    written: Mapping[str, Any] | None = None
    """What is written as JSON Schema, where that is more than the type of the value."""
    beside: bool = False
    """`written` is one more way to write it, beside that of the type."""
    check: bool = False
    """It looks at the value that was read, instead of reading it."""


class Bounds(Struct, frozen=True):
    """Bounds of a text and what it means, where it is an item of a list; stands in `Annotated`."""

    min_length: int
    max_length: int
    description: str | None = None


class InvalidValue(ValueError):
    """What was written means no value."""

    def __init__(self, count: int, errors: Sequence[Mapping[str, Any]]) -> None:
        """`errors` as pydantic says them, unless there are too many to look at."""
        super().__init__(f"{count} errors: {errors[:1]}")
        self.count = count
        self.errors = errors


def field(
    default: Any = ...,
    *,
    effect: Effect | None = None,
    description: str = "",
    since: str = "0.1",
    instead: Any = None,
    **bounds: Any,
) -> Any:
    """Declare a field: its default, what changing it costs, what it means; see `Field`."""
    return Field(default, effect, description, since, instead, bounds)


def mistake(code: str, message: str) -> Exception:
    """An error of a rule; `code` says which kind, to the tables of `field_diagnostics`."""
    from pydantic_core import PydanticCustomError  # whoever reads has loaded it

    # Literal text for pydantic: braces in a value must not be read as a template.
    return PydanticCustomError(code, "{why}", {"why": message})


def title_of(declared: type[FieldStruct]) -> str:
    """The name of a class of fields for people and in schemas: that of `StopSpec` is Stop."""
    return declared.__name__.removesuffix("Spec")


def inner_of(declared: type[FieldStruct], name: str) -> type[FieldStruct] | None:
    """The class of a field that is itself made of fields; None where there is no such field."""
    field = declared.declared.get(name)
    return field.inner if field else None


class _FieldStructMeta(StructMeta):
    """Leaves the defaults of `field` to msgspec, and keeps the rest that it says."""

    def __new__(
        cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any
    ) -> _FieldStructMeta:
        said = dict(namespace)
        for key, value in said.items():
            if isinstance(value, Field):
                namespace[key] = value.default
                if value.required:
                    del namespace[key]
        made = super().__new__(cls, name, bases, namespace, **options)
        fields: dict[str, Field] = dict(getattr(made, "declared", {}))
        for key in made.__struct_fields__:
            if key in said or key not in fields:
                value = said.get(key, ...)
                fields[key] = value if isinstance(value, Field) else Field(value)
        made.declared = fields  # type: ignore[attr-defined]
        return made


class FieldStruct(Struct, frozen=True, forbid_unknown_fields=True, metaclass=_FieldStructMeta):
    """A value with declared fields. Fields without a default come first."""

    declared: ClassVar[Mapping[str, Field]] = {}
    """Its fields in order, those of its bases first."""
    reading: ClassVar[Mapping[str, Any]] = {}
    """How pydantic reads it: what its configuration says."""
    needs_one_of: ClassVar[tuple[str, ...]] = ()
    """Fields of which one at least is given, where there are such; `check` sees to it."""

    def check(self, given: Set[str]) -> None:
        """Raise a mistake when fields contradict each other.

        `given`: the fields that were written, those of inner values as ``restart.policy``.
        """

    def to_record(self) -> dict[str, Any]:
        """Plain data without defaults, for keeping."""
        record: dict[str, Any] = {}
        for name, field in self.declared.items():
            value = getattr(self, name)
            if value is not field.default and value != field.default:
                record[name] = _plain(value)
        return record

    def to_plain(self) -> Any:
        """The same inside of other plain data, where it may have a shorter form."""
        return self.to_record()

    @classmethod
    def from_record(cls, record: Any) -> Self:
        """The value that was kept; of what a newer version has kept, as much as is known here.

        Raises ValueError for what no value of this class is kept as.
        """
        try:
            return msgspec.convert(record, cls)
        except msgspec.ValidationError:
            pass  # rare enough that looking for unknown fields must not cost all the others
        try:
            return msgspec.convert(_known(record, cls), cls)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from None


def _known(record: Any, declared: type[FieldStruct]) -> Any:
    """A kept record without the fields that are not declared here."""
    if not isinstance(record, Mapping):
        return record
    inner = {name: field.inner for name, field in declared.declared.items()}
    return {
        name: value if (part := inner[name]) is None else _known(value, part)
        for name, value in record.items()
        if name in inner
    }


def _plain(value: Any) -> Any:
    if isinstance(value, FieldStruct):
        return value.to_plain()
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
