"""The OpenAPI 3.1 document, made from the handlers' declarations and the structs that msgspec validates with, so that
the document and the checks cannot differ."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from sqlalchemy import Boolean, Date, DateTime

from backoffice.platform.courier import catalogue
from backoffice.platform.effects import Effect
from backoffice.platform.events import API_VERSION, CATALOGUE, EventType
from backoffice.platform.web.idempotency import KEY_PATTERN
from backoffice.platform.web.lists import Filter, Listing
from backoffice.platform.web.routes import InTx

_REF = "#/components/schemas/{name}"
ID_PATTERN = r"^([a-z]{2,8}_[0-7][0-9a-hjkmnp-tv-z]{25}|ext:[!-~]{1,128})$"
_ANSWERS = {201: "Created.", 202: "Accepted; a job does the work.", 204: "Done."}
_PROBLEMS = {
    "400": "The request cannot be read, or a parameter is not known.",
    "401": "There is no valid credential.",
    "403": "The key may not do this, or a second person is required.",
    "404": "There is no such object for this tenant.",
    "406": "The API version is not known, or the media type is not offered.",
    "409": "The state of the object does not allow this, or a twin of the request is running.",
    "412": "The object has changed since it was read.",
    "413": "The body is too large.",
    "415": "The media type is not supported.",
    "422": "Fields are invalid; all of them are listed.",
    "428": "If-Match is required.",
    "429": "The quota is used up.",
    "500": "Something went wrong on our side.",
    "503": "Temporarily not available; try again.",
}


class FaultBody(msgspec.Struct, kw_only=True):
    code: str
    detail: str
    pointer: str | msgspec.UnsetType = msgspec.UNSET
    parameter: str | msgspec.UnsetType = msgspec.UNSET


class FixBody(msgspec.Struct, kw_only=True):
    who: str
    what: str
    api: str | msgspec.UnsetType = msgspec.UNSET


class ProblemBody(msgspec.Struct, kw_only=True, rename={"type_": "type"}):
    """RFC 9457 problem details."""

    type_: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    retryable: bool
    errors: list[FaultBody] | msgspec.UnsetType = msgspec.UNSET
    fix: FixBody | msgspec.UnsetType = msgspec.UNSET


class DryRun(msgspec.Struct, kw_only=True):
    """What a dry run answers: the effects the call would have, and the answer it would give."""

    object: typing.Literal["dry_run"]
    effects: list[Effect]
    result: Any


def document(handlers: Iterable[Any], *, server: str) -> dict[str, Any]:
    """The whole document, ready to be written as YAML. Every handler that has a scope is an operation of it."""
    described = [handler for handler in handlers if handler.opt.get("scope")]
    types: list[Any] = [ProblemBody, DryRun]
    for handler in described:
        hints = typing.get_type_hints(handler.fn)
        types += [hints[name] for name in ("data", "return") if _schematic(hints.get(name))]
    payloads = [event.payload for event in CATALOGUE.values()]
    schemas, components = msgspec.json.schema_components(types + payloads, ref_template=_REF)
    found = dict(zip(map(_key, types + payloads), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for handler in described:
        path = re.sub(r"{(\w+):\w+}", r"{\1}", next(iter(handler.paths)))
        for method in sorted(handler.http_methods):
            if method in ("OPTIONS", "HEAD"):
                continue
            paths.setdefault(path, {})[method.lower()] = _operation(handler, path, method, found)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "backoffice",
            "version": API_VERSION,
            "description": "A back office as a service: payroll and what stands around it, for staffing firms.",
        },
        "servers": [{"url": server}],
        "security": [{"apiKey": []}],
        "paths": dict(sorted(paths.items())),
        "webhooks": {name: _webhook(event, found) for name, event in sorted(CATALOGUE.items())},
        "components": {
            "securitySchemes": {
                "apiKey": {"type": "http", "scheme": "bearer", "description": "An API key: `bo_<kind>_<mode>_…`."}
            },
            "schemas": components,
            "responses": {
                f"Problem{status}": {
                    "description": text,
                    "content": {"application/problem+json": {"schema": found[_key(ProblemBody)]}},
                }
                for status, text in _PROBLEMS.items()
            },
        },
    }


def _webhook(event: EventType, found: Mapping[Any, Any]) -> dict[str, Any]:
    effect = {"$ref": _REF.format(name="Effect")}
    body = catalogue.body(event, found[_key(event.payload)], effect, catalogue.CUT)
    example = {event.name: {"value": catalogue.example(event)}}
    return {
        "post": {
            "operationId": _camel("on_" + event.name.replace(".", "_")),
            "summary": event.means,
            "requestBody": {"required": True, "content": {"application/json": {"schema": body, "examples": example}}},
            "responses": {"2XX": {"description": "Received."}},
        }
    }


def _operation(handler: Any, path: str, method: str, found: Mapping[Any, Any]) -> dict[str, Any]:
    opt = handler.opt
    hints = typing.get_type_hints(handler.fn)
    doc = " ".join((handler.fn.__doc__ or "").split())
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": _path_schema(name)}
        for name in re.findall(r"{(\w+)}", path)
    ]
    listing: Listing | None = opt["listing"]
    if listing is not None:
        parameters += _listing_parameters(listing)
    parameters += [_query(name, schema) for name, schema in opt["query"].items()]
    if method != "GET":
        parameters.append(_query("dry_run", {"type": "boolean", "default": False}))
    if opt["keyed"] != "none":
        parameters.append(_header("Idempotency-Key", opt["keyed"] == "required", KEY_PATTERN))
    if opt["if_match"]:
        parameters.append(_header("If-Match", True, r'^"v[0-9]{1,18}"$'))
    answer: dict[str, Any] = {"description": _answer_text(handler)}
    returned = hints.get("return")
    if opt["produces"] != "application/json":
        answer["content"] = {opt["produces"]: {"schema": {"type": "string"}}}
    elif _schematic(returned):
        answer["content"] = {"application/json": {"schema": found[_key(returned)]}}
    status = str(handler.status_code or 200)
    responses: dict[str, Any] = {status: answer}
    if method != "GET":
        dry = {"application/json": {"schema": found[_key(DryRun)]}}
        if status == "200":
            schemas = [answer["content"]["application/json"]["schema"], found[_key(DryRun)]]
            answer["content"] = {"application/json": {"schema": {"anyOf": schemas}}}
        else:
            responses["200"] = {"description": "The preview of a dry run.", "content": dry}
    responses |= {code: {"$ref": f"#/components/responses/Problem{code}"} for code in _problems(opt, method)}
    operation: dict[str, Any] = {
        "operationId": _camel(handler.fn.__name__),
        "summary": doc,
        "tags": [path.split("/")[2]],
        "x-scope": opt["scope"],
        "parameters": parameters,
        "responses": dict(sorted(responses.items())),
    }
    if "data" in hints:
        schema = found[_key(hints["data"])]
        operation["requestBody"] = {"required": True, "content": {media: {"schema": schema} for media in opt["media"]}}
    elif "upload" in hints:
        raw = {media: {"schema": {"type": "string"}} for media in opt["media"]}
        operation["requestBody"] = {"required": True, "content": raw}
    return operation


def _problems(opt: Mapping[str, Any], method: str) -> list[str]:
    codes = ["400", "401", "403", "404", "406", "429", "500", "503"]
    if method != "GET":
        codes += ["409", "413", "415", "422"]
    if opt["if_match"]:
        codes += ["412", "428"]
    return codes + [str(status) for status in opt["problems"]]


def _answer_text(handler: Any) -> str:
    return {201: "Created.", 202: "Accepted; a job does the work.", 204: "Done."}.get(
        handler.status_code or 200, "The answer."
    )


def _listing_parameters(listing: Listing) -> list[dict[str, Any]]:
    sorts = sorted({*listing.sorts, "id"})
    parameters = [
        _query("limit", {"type": "integer", "minimum": 1, "maximum": listing.largest, "default": 25}),
        _query("cursor", {"type": "string", "maxLength": 500}),
        _query("sort", {"type": "string", "enum": sorts + [f"-{name}" for name in sorts]}),
        _query("include", {"type": "string", "enum": ["total_count"]}),
    ]
    for name, each in listing.filters.items():
        parameters.append(_query(name, _filter_schema(each)))
        for operator in each.operators:
            schema = {"type": "boolean"} if operator == "exists" else _filter_schema(each)
            parameters.append(_query(f"{name}[{operator}]", {"type": "string"} if operator == "in" else schema))
    return parameters


def _filter_schema(each: Filter) -> dict[str, Any]:
    column = each.column
    if each.values:
        return {"type": "string", "enum": list(each.values)}
    if isinstance(column.type, Date):
        return {"type": "string", "format": "date"}
    if isinstance(column.type, DateTime):
        return {"type": "string", "format": "date-time"}
    if isinstance(column.type, Boolean):
        return {"type": "boolean"}
    if each.kind is None and column.type.python_type is int:
        return {"type": "integer"}
    return {"type": "string", "maxLength": 500}


def _path_schema(name: str) -> dict[str, Any]:
    return {"type": "string", "pattern": ID_PATTERN} if name.endswith("_id") else {"type": "string", "maxLength": 500}


def _query(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": dict(schema)}


def _header(name: str, required: bool, pattern: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": required, "schema": {"type": "string", "pattern": pattern}}


def _schematic(type_: Any) -> bool:
    return type_ is not None and type_ is not type(None) and type_ is not InTx and type_ is not bytes and not (
        isinstance(type_, type) and type_.__module__.startswith("litestar")
    ) and getattr(typing.get_origin(type_), "__module__", "").split(".")[0] != "litestar"  # fmt: skip


def _key(type_: Any) -> Any:
    return type_ if isinstance(type_, type) else repr(type_)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
