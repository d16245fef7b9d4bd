"""All faults of a body at once. msgspec stops at the first; only a refused body is walked again, field by field."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from litestar.typing import FieldDefinition
from msgspec import Meta

from backoffice.kernel.errors import BadRequest, Fault, Problem, ValidationFailed

_WHOLE = re.compile(r"-?[0-9]{1,19}\Z")


class _Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """The body of an operation that takes none."""


def read(raw: bytes, field: FieldDefinition | None) -> Any:
    """The body as what a handler takes as `data` (None: it takes nothing), strictly. BadRequest when it is no JSON,
    ValidationFailed with every fault."""
    type_ = _Nothing if field is None else field.raw
    try:
        return msgspec.json.decode(raw, type=type_)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise refuse(raw, type_) from None


def refuse(raw: bytes, type_: Any) -> Problem:
    """Why `raw` is no `type_`: BadRequest when it is no JSON, else ValidationFailed with every fault."""
    try:
        value = msgspec.json.decode(raw) if raw else None
    except msgspec.DecodeError as error:  # says what it expected and at which byte, and nothing of what was sent
        return BadRequest(f"The body is not valid JSON: {error}.")
    except (UnicodeDecodeError, RecursionError):
        return BadRequest("The body is not valid JSON in UTF-8, or too deep.")
    found = faults(value, type_, "#")
    return ValidationFailed(found or [Fault("invalid", "the body does not have the expected form", pointer="#")])


def parameters(query: list[tuple[str, str]], schemas: Mapping[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
    """The values of those query parameters that have a JSON Schema, and what is wrong with them."""
    values: dict[str, Any] = {}
    found = []
    for name, text in query:
        schema = schemas.get(name)
        if schema is None:
            continue
        if name in values:
            found.append(Fault("repeated", "may be given once", parameter=name))
        values[name] = text
        if schema["type"] == "integer":
            least, most = schema["minimum"], schema["maximum"]
            values[name] = int(text) if _WHOLE.match(text) else least - 1
            if not least <= values[name] <= most:
                detail = f"must be a whole number from {least} to {most}"
                found.append(Fault("out_of_range", detail, parameter=name))
    return values, found


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
            listed = ", ".join(sorted(fields)) or "none"
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
        code, detail = _told(str(error), value, type_)
        return [Fault(code, detail, pointer=pointer)]
    return []


_NOUNS = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "date": 'a date such as "2026-11-21"',
    "datetime": 'an instant such as "2026-11-21T12:00:00Z"',
}
_COUNTED = {"str": "characters", "array": "items", "object": "members"}
_LENGTH = re.compile(r"Expected `(str|array|object)` of length (>=|<=) (\d+)(.*at `key`)?")
_BOUND = re.compile(r"Expected `(?:int|float)` (>=|<=) (-?[0-9.]+)")
_KIND = re.compile(r"Expected `([a-z |]+)`, got ")
_PATTERN = re.compile(r"Expected `str` matching regex '(.*)'", re.DOTALL)
_NO_CONTROLS = r"^[^\\x00"  # how msgspec writes the beginning of such a pattern


def _told(text: str, value: Any, type_: Any) -> tuple[str, str]:
    """Code and sentence for what msgspec says of a value; never the value itself."""
    if value is None:
        return "null_not_allowed", "must not be null; leave the field out instead"
    if match := _LENGTH.match(text):
        kind, sign, count, of_key = match.groups()
        bound = "at least" if sign == ">=" else "at most"
        counted = _COUNTED[kind] if count != "1" else _COUNTED[kind].removesuffix("s")
        code = "too_short" if sign == ">=" else "too_long"
        return code, f"{'each name in it' if of_key else ''} must have {bound} {count} {counted}".strip()
    if match := _BOUND.match(text):
        return "out_of_range", f"must be {'at least' if match[1] == '>=' else 'at most'} {match[2]}"
    example = next(_examples(type_), None)
    such_as = "" if example is None else f" such as {msgspec.json.encode(example).decode()}"
    if match := _PATTERN.match(text):
        if match[1].startswith(_NO_CONTROLS):
            return "malformed", "must not hold control characters"
        return "malformed", f"must be a text{such_as or f' of the form {match[1]}'}"
    if text.startswith("Invalid enum value"):
        return "not_allowed", f"must be one of: {', '.join(str(each) for each in _words(type_))}"
    if "datetime" in text:
        return "not_an_instant", f"must be {_NOUNS['datetime']}, with its time zone"
    if "RFC3339" in text or "`date" in text:
        return "not_a_date", f"must be {_NOUNS['date']}"
    if match := _KIND.match(text):
        kinds = [each for each in match[1].split(" | ") if each != "null"]
        return "wrong_type", f"must be {' or '.join(_NOUNS.get(each, each) for each in kinds)}{such_as}"
    return "invalid", "does not have the expected form"


def _examples(type_: Any) -> Iterator[Any]:
    """The examples that are declared of a type, in whatever it is wrapped."""
    if get_origin(type_) is Annotated:
        inner, *notes = get_args(type_)
        yield from (each for note in notes if isinstance(note, Meta) for each in note.examples or ())
        yield from _examples(inner)
    elif get_origin(type_) in (Union, types.UnionType):
        for each in get_args(type_):
            yield from _examples(each)


def _words(type_: Any) -> list[Any]:
    """The values of a Literal, in whatever it is wrapped."""
    if get_origin(type_) is Literal:
        return list(get_args(type_))
    return [word for each in get_args(type_) for word in _words(each)]


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
