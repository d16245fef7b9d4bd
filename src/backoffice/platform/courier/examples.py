"""Examples by type: a value of any outward struct, the same every time, from its fields' own examples and patterns."""

from __future__ import annotations

import re
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import inspect

from backoffice.kernel import ids

MOMENT: Final = "2026-11-16T14:00:00.000Z"
_UUID: Final = UUID("01a1d3a0-8400-7000-8000-000000000000")
# What a text with a pattern may look like; the first that matches is taken.
_TEXTS: Final = (
    "text",
    *(
        "2026-11-20",
        "12.34",
        "40.00",
        "1.5000",
        "0.025000",
        "USD",
        "CA",
        "95814",
        "000000000",
        "123456789",
        "12-3456789",
    ),
    *("2026-11-21", "09:00", "America/New_York", "weekly", "a_word", "1234", "12", "1", MOMENT),
)


class NoExample(Exception):
    """A pattern that none of the known texts matches: give the field `Meta(examples=[…])`."""


def example(type_: Any, kind: str | None = None) -> Any:
    """JSON values for a type. `kind` is the kind of object a struct stands for (`worker`), which names its id."""
    return _value(inspect.type_info(type_), kind, "", 0)


def id_of(kind: str) -> str:
    return ids.encode(kind, _UUID)


def _value(info: inspect.Type, kind: str | None, field: str, depth: int) -> Any:
    match info:
        case inspect.Metadata(type=inner, extra_json_schema=extra):
            given = (extra or {}).get("examples")
            return given[0] if given else _value(inner, kind, field, depth)
        case inspect.StructType():
            return _struct(info, kind, depth)
        case inspect.UnionType(types=types):
            said = [each for each in types if not isinstance(each, inspect.NoneType)]
            return _value(said[0], kind, field, depth)
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item) | inspect.SetType(item_type=item):
            return [] if depth > 4 else [_value(item, kind, field, depth + 1)]
        case inspect.TupleType(item_types=items):
            return [_value(item, kind, field, depth + 1) for item in items]
        case inspect.DictType(key_type=inspect.StrType(), value_type=inner):
            return {} if isinstance(inner, inspect.AnyType) else {"name": _value(inner, kind, "", depth + 1)}
        case _:
            return _plain(info, kind, field)


def _struct(info: inspect.StructType, kind: str | None, depth: int) -> dict[str, Any]:
    told = {
        field.encode_name: _value(field.type, kind if field.name in ("id", "object") else None, field.name, depth + 1)
        for field in info.fields
    }
    if info.tag_field is not None:
        told[info.tag_field] = info.tag
    return told


def _plain(info: inspect.Type, kind: str | None, field: str) -> Any:
    match info:
        case inspect.StrType():
            return _text(info, kind, field)
        case inspect.IntType(ge=least, gt=above):
            return least if least is not None else above + 1 if above is not None else 1
        case inspect.BoolType():
            return True
        case inspect.LiteralType(values=values):
            return values[0]
        case inspect.EnumType(cls=cls):
            return msgspec.to_builtins(next(iter(cls)))
        case inspect.DateTimeType():
            return MOMENT
        case inspect.DateType():
            return "2026-11-20"
        case inspect.DecimalType():
            return "1.00"
        case inspect.UUIDType():
            return str(_UUID)
        case inspect.AnyType() | inspect.RawType():
            return {}
        case inspect.NoneType():
            return None
    raise NoExample(f"{field}: {type(info).__name__}")


def _text(info: inspect.StrType, kind: str | None, field: str) -> str:
    if kind is not None and field == "id":
        return id_of(kind)
    if kind is not None and field == "object":
        return kind
    if field.removesuffix("_id") in ids.PREFIXES and field.endswith("_id"):
        return id_of(field.removesuffix("_id"))
    if info.pattern is None:
        return "text"[: info.max_length] if info.max_length is not None else "text"
    for text in _TEXTS:
        if re.search(info.pattern, text) and len(text) <= (info.max_length or 200):
            return text
    raise NoExample(f"{field}: no known text matches {info.pattern}; give it Meta(examples=[…])")
