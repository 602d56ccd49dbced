"""JSON in one form: sorted keys, no blanks, ASCII only, and every value of the very type it had."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")

SCHEMA = 1
"""The version of everything that is encoded. A reader of a later version still reads this one."""


class Damaged(Exception):
    """Stored bytes are not what was written."""


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
_decode = json.JSONDecoder().decode


def canonical(fields: dict[str, Any]) -> bytes:
    """Encodes an object."""
    return _encode(fields).encode("ascii")


def read_fields(data: bytes, otherwise: str) -> dict[str, Any]:
    """Reads a JSON object of our schema; raises `Damaged`, saying `otherwise`, if it is none."""
    try:
        fields = _decode(str(data, "ascii"))
    except (ValueError, TypeError, RecursionError) as error:
        raise Damaged(otherwise) from error
    if not isinstance(fields, dict):
        raise Damaged(otherwise)
    if fields.get("schema") != SCHEMA:
        raise Damaged("the schema is not one that this release knows")
    return fields


def typed(value: object, kind: type[T]) -> T:
    """Takes a value of exactly that type: True is an int too, and 1.0 is equal to 1."""
    if type(value) is not kind:
        raise TypeError(f"{kind.__name__} expected")
    return value


def optional(value: object, kind: type[T], make: Callable[[T], R]) -> R | None:
    """Takes a value of exactly that type, or none at all."""
    return None if value is None else make(typed(value, kind))
