"""A request's body from `--data` and `--set`, with the types that the operation's struct declares."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
import msgspec


def build(struct: type[msgspec.Struct] | None, data: str | None, sets: tuple[str, ...]) -> bytes:
    """The JSON of a body: `data` (JSON text, `@file` or `-` for standard input), then each `field=value` set into it;
    `a.b=1` sets inside an object. UsageError for what cannot be read; whether it is right is the API's to say."""
    body: Any = {}
    if data is not None:
        try:
            body = json.loads(_text(data))
        except ValueError as error:
            raise click.UsageError(f"--data is no JSON: {error}") from None
    for each in sets:
        name, equals, text = each.partition("=")
        if not equals or not name:
            raise click.UsageError(f"--set {each!r} must read field=value")
        *parents, last = name.split(".")
        into, type_ = body, _Typed(struct)
        for parent in parents:
            into, type_ = into.setdefault(parent, {}) if isinstance(into, dict) else None, type_.field(parent)
        if not isinstance(into, dict):
            raise click.UsageError(f"--set {each!r}: what is before the last dot is no object")
        into[last] = type_.field(last).value(text)
    return json.dumps(body, ensure_ascii=False).encode()


def fields(struct: type[msgspec.Struct]) -> list[tuple[str, str]]:
    """The fields for a help text: name, and what it takes."""
    _, components = msgspec.json.schema_components([struct])
    schema = components.get(struct.__name__, {})
    required = set(schema.get("required", ()))
    rows = []
    for name, each in schema.get("properties", {}).items():
        kinds = [_kind(one) for one in each.get("anyOf", [each])]
        told = " or ".join(dict.fromkeys(kind for kind in kinds if kind != "null"))
        rows.append((name, told + (", required" if name in required else "")))
    return rows


def _kind(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return "|".join(map(str, schema["enum"]))
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return 'money ({"amount": "1.00"})' if name == "MoneyBody" else "object"
    kind = str(schema.get("format") or schema.get("type", "any"))
    return {"string": "text", "date-time": "instant"}.get(kind, kind)


def _text(data: str) -> str:
    if data == "-":
        return sys.stdin.read()
    if not data.startswith("@"):
        return data
    try:
        return Path(data[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{data[1:]} cannot be read: {error}") from None


class _Typed:
    """The type of a field, as far as it is known; unknown fields go as text, for the API to refuse by name."""

    def __init__(self, type_: Any) -> None:
        self.type = type_

    def field(self, name: str) -> _Typed:
        for each in _alternatives(self.type):
            if isinstance(each, type) and issubclass(each, msgspec.Struct):
                for known in msgspec.structs.fields(each):
                    if known.encode_name == name:
                        return _Typed(known.type)
        return _Typed(str)

    def value(self, text: str) -> Any:
        types = [each for each in _alternatives(self.type) if isinstance(each, type)]
        if any(issubclass(each, bool) for each in types) and text in ("true", "false"):
            return text == "true"
        if any(issubclass(each, int) and not issubclass(each, bool) for each in types) and text.lstrip("-").isdigit():
            return int(text)
        if text == "null" and type(None) in types:
            return None
        if text[:1] in ("{", "[") and not all(issubclass(each, str) for each in types):
            try:
                return json.loads(text)
            except ValueError:
                return text
        return text


def _alternatives(type_: Any) -> list[Any]:
    """The plain types of an annotation: through Annotated, unions and the containers' own type."""
    import typing

    if typing.get_origin(type_) is typing.Annotated:
        return _alternatives(typing.get_args(type_)[0])
    if typing.get_origin(type_) in (list, dict, tuple):
        return [typing.get_origin(type_)]
    arguments = typing.get_args(type_)
    return [one for each in arguments for one in _alternatives(each)] if arguments else [type_]
