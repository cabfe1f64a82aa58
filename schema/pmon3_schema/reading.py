"""Reading what people and clients write into values with declared fields.

The way to `models`, which is loaded when the first value is read: that takes as long as all the rest
of a start of pmond.
"""

from __future__ import annotations

from typing import Any, TypeVar

from pmon3_schema.fields import FieldStruct

Value = TypeVar("Value", bound=FieldStruct)


def read_value(declared: type[Value], written: Any) -> Value:
    """The value that plain data means. Raises InvalidValue."""
    from pmon3_schema import models

    return models.read(declared, written)


def read_json(declared: type[Value], text: bytes) -> Value:
    """The value that a JSON text means. Raises InvalidValue."""
    from pmon3_schema import models

    return models.read_json(declared, text)
