"""All faults of a body at once. msgspec stops at the first; only a refused body is walked again, field by field."""

from __future__ import annotations

import types
import typing
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

from backoffice.kernel.errors import BadRequest, Fault, Problem, ValidationFailed


def refuse(raw: bytes, type_: Any) -> Problem:
    """Why `raw` is no `type_`: BadRequest when it is no JSON, else ValidationFailed with every fault."""
    try:
        value = msgspec.json.decode(raw) if raw else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return BadRequest("The body is not valid JSON in UTF-8, or too deep.")
    found = faults(value, type_, "#")
    return ValidationFailed(found or [Fault("invalid", "the body does not have the expected form", pointer="#")])


def faults(value: Any, type_: Any, pointer: str) -> list[Fault]:
    """Every fault of a decoded JSON value against a type (a struct, a list of structs, or anything msgspec takes)."""
    inner = _without_wrapping(type_, value)
    if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
        return _struct_faults(value, inner, pointer)
    if get_origin(inner) in (list, tuple) and isinstance(value, list):
        item = get_args(inner)[0]
        found = [fault for place, each in enumerate(value) for fault in faults(each, item, f"{pointer}/{place}")]
        return found or _leaf_faults(value, type_, pointer)
    if get_origin(inner) is dict and isinstance(value, dict):
        item = get_args(inner)[1]
        found = [f for name, each in value.items() for f in faults(each, item, f"{pointer}/{_escaped(name)}")]
        return found or _leaf_faults(value, type_, pointer)
    return _leaf_faults(value, type_, pointer)


def _struct_faults(value: Any, struct: type[msgspec.Struct], pointer: str) -> list[Fault]:
    if not isinstance(value, dict):
        return [Fault("not_an_object", "must be a JSON object", pointer=pointer)]
    found: list[Fault] = []
    hints = typing.get_type_hints(struct, include_extras=True)
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    tag = struct.__struct_config__.tag_field
    for name in value:
        if name not in fields and name != tag:
            listed = ", ".join(sorted(fields))
            found.append(
                Fault(
                    "unknown_field", f"is not a field here; fields are: {listed}", pointer=f"{pointer}/{_escaped(name)}"
                )
            )
    for name, field in fields.items():
        if name in value:
            found += faults(value[name], hints[field.name], f"{pointer}/{_escaped(name)}")
        elif field.required:
            found.append(Fault("required", "is required", pointer=f"{pointer}/{_escaped(name)}"))
    if not found:  # a rule over the whole struct
        found += _leaf_faults(value, struct, pointer)
    return found


def _leaf_faults(value: Any, type_: Any, pointer: str) -> list[Fault]:
    try:
        msgspec.convert(value, type_, strict=True)
    except msgspec.ValidationError as error:
        code, detail = _told(str(error), value)
        return [Fault(code, detail, pointer=pointer)]
    return []


def _told(text: str, value: Any) -> tuple[str, str]:
    reason = text.split(" - at ", maxsplit=1)[0]
    reason = reason[0].lower() + reason[1:]
    if value is None:
        return "null_not_allowed", "must not be null; leave the field out instead"
    for code, sign in (
        ("wrong_type", "expected `"),
        ("not_allowed", "invalid enum value"),
        ("too_long", "length <="),
        ("too_short", "length >="),
        ("malformed", "matching regex"),
        ("not_a_date", "invalid rfc3339"),
    ):
        if sign in reason.lower() and not (code == "wrong_type" and ("length" in reason or "regex" in reason)):
            break
    else:
        code = "invalid"
    if code == "not_allowed":
        reason = "is not one of the allowed values"  # never echo what was sent
    return code, reason


def _without_wrapping(type_: Any, value: Any) -> Any:
    while get_origin(type_) is Annotated:
        type_ = get_args(type_)[0]
    if get_origin(type_) in (Union, types.UnionType):
        options = [each for each in get_args(type_) if each not in (type(None), msgspec.UnsetType)]
        structs = [each for each in options if isinstance(each, type) and issubclass(each, msgspec.Struct)]
        if value is not None and len(options) == 1:
            return _without_wrapping(options[0], value)
        if isinstance(value, dict) and len(structs) == 1:
            return structs[0]
    return type_


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
