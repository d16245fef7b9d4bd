"""How a domain declares an operation: the verb, the scope it needs, and what a safe retry of it takes.

Handlers stay 3 to 10 lines: typed input, one command or query, typed output. Scope, unknown parameters, `If-Match` and
`Idempotency-Key` are settled by one guard before a handler runs; the transaction is the edge's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol, TypeVar

from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import SkipValidation

from backoffice.kernel.errors import BadRequest, Fault
from backoffice.platform.tx import Tx
from backoffice.platform.web import idempotency, validation
from backoffice.platform.web.encodings import is_accepted
from backoffice.platform.web.lists import Listing, Query, parse
from backoffice.platform.web.operation import Operation
from backoffice.platform.web.problems import (
    IdempotencyKeyRequired,
    IfMatchRequired,
    MediaTypeRefused,
    NotAcceptable,
    ScopeMissing,
)

_F = TypeVar("_F", bound=Callable[..., Any])


class Decorator(Protocol):
    """Takes a handler and registers it; to the type checker it stays what it was."""

    def __call__(self, handler: _F, /) -> _F: ...


InTx = NamedDependency[SkipValidation[Tx]]
"""The request's transaction: `async def read(tx: InTx, …)`."""
Listed = NamedDependency[SkipValidation[Query]]
"""The parsed list request: `async def list_(tx: InTx, listed: Listed)`."""
IfMatch = NamedDependency[SkipValidation[int]]
"""The version the caller read, from `If-Match: "v17"`."""
Upload = NamedDependency[SkipValidation[bytes]]
"""The raw body of an upload."""

Keyed = Literal["required", "optional", "none"]
_ETAG = re.compile(r'^(?:W/)?"v([0-9]{1,18})"$')
ANY = "application/octet-stream"  # whatever the stored file is
JSON_TYPES = ("application/json", "application/merge-patch+json")


def get(
    path: str, *, scope: str, listing: Listing | None = None, query: Mapping[str, Any] | None = None, **more: Any
) -> Decorator:
    """A read. `listing` declares what the collection filters and sorts by; `query` further parameters with their JSON
    Schema; `produces` another media type than JSON."""
    return _typed(
        Operation(path, http_method="GET", **_options(scope, listing=listing, query=query, idempotency_="none", **more))
    )


def post(
    path: str,
    *,
    scope: str,
    keyed: Keyed = "required",
    if_match: bool = False,
    status: int = 201,
    media: tuple[str, ...] = JSON_TYPES,
    query: Mapping[str, Any] | None = None,
    dry_run_is_a_job: bool = False,
    **more: Any,
) -> Decorator:
    """A creation or an action. `keyed` is "required" for whatever moves money, files, hires, bills or starts a job;
    `if_match` for approve, cancel, void and pay. `dry_run_is_a_job`: the job that is started does the rehearsal, so
    the start itself is stored also with `dry_run`."""
    options = _options(scope, idempotency_=keyed, if_match=if_match, media=media, query=query, **more)
    options["opt"]["dry_run_is_a_job"] = dry_run_is_a_job
    return _typed(Operation(path, http_method="POST", status_code=status, **options))


def patch(path: str, *, scope: str, **more: Any) -> Decorator:
    """A merge patch (RFC 7396); needs `If-Match`."""
    return _typed(
        Operation(path, http_method="PATCH", **_options(scope, idempotency_="optional", if_match=True, **more))
    )


def delete(path: str, *, scope: str, **more: Any) -> Decorator:
    """A removal; needs `If-Match`."""
    return _typed(Operation(path, http_method="DELETE", **_options(scope, idempotency_="none", if_match=True, **more)))


def _typed(decorator: Any) -> Decorator:
    return decorator  # type: ignore[no-any-return]


def _options(
    scope: str,
    *,
    idempotency_: Keyed,
    if_match: bool = False,
    listing: Listing | None = None,
    media: tuple[str, ...] = JSON_TYPES,
    query: Mapping[str, Any] | None = None,
    produces: str = "application/json",
    problems: tuple[int, ...] = (),
    **more: Any,
) -> dict[str, Any]:
    opt = {
        "problems": problems,  # statuses of refusals beside those that every operation of its kind has
        "scope": scope,
        "keyed": idempotency_,
        "if_match": if_match,
        "listing": listing,
        "media": media,
        "query": dict(query or {}),  # name → JSON Schema
        "produces": produces,
    }
    return {**more, "opt": opt, "guards": [guard]}


async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Settle everything about a request that does not depend on the object it names."""
    request = connection.scope["state"]["request"]  # the edge's record of it
    opt = handler.opt
    tx: Tx = request.tx
    if not tx.principal.allows(opt["scope"]):
        raise ScopeMissing(opt["scope"])
    listing: Listing | None = opt["listing"]
    mutates = request.method not in ("GET", "HEAD")
    unknown = _unknown(request.query, opt["query"], listing, mutates=mutates) if request.query else []
    if request.query and listing is None:
        request.named, wrong = validation.parameters(request.query, opt["query"])
        if unknown or wrong:
            raise BadRequest("The query has parameters that are not known or not valid here.", errors=unknown + wrong)
    _check_media(request, handler, mutates=mutates)
    if mutates and request.body and opt["media"] is JSON_TYPES:
        request.data = validation.read(request.body, handler.parsed_data_field)
    if listing is not None:
        request.listed = parse(listing, request.query, path=request.path, tenant=tx.tenant, unknown=unknown)
    if opt["if_match"]:
        request.if_match = _if_match(request.header("if-match"))
    if opt.get("dry_run_is_a_job"):
        tx.dry_run = request.dry_run = False
    header = request.header("idempotency-key")
    if opt["keyed"] == "none":
        return
    key = None if header is None else idempotency.parse_key(header)
    if tx.dry_run:
        return
    if key is None:
        if opt["keyed"] == "required":
            raise IdempotencyKeyRequired
        return
    request.key = key
    request.fingerprint = idempotency.fingerprint(request.body, request.raw_query, request.api_version)
    await idempotency.begin(tx, request.idempotency_scope, request.key, request.fingerprint)


def _check_media(request: Any, handler: BaseRouteHandler, *, mutates: bool) -> None:
    opt = handler.opt
    if not is_accepted(request.header("accept"), opt["produces"]) and opt["produces"] != ANY:
        raise NotAcceptable(f"This operation answers {opt['produces']}; Accept leaves no room for it.")
    if not mutates or not request.body:
        return
    if request.header("content-encoding") not in (None, "", "identity"):
        raise MediaTypeRefused(
            "Send the body as it is, without Content-Encoding.", headers={"Accept-Encoding": "identity"}
        )
    if request.media_type not in opt["media"]:
        raise MediaTypeRefused(f"Send {' or '.join(opt['media'])}.")


def _unknown(
    query: list[tuple[str, str]], named: Mapping[str, Any], listing: Listing | None, *, mutates: bool
) -> list[Fault]:
    known = set(named) | (listing.parameters() if listing else set()) | ({"dry_run"} if mutates else set())
    detail = f"is not a parameter here; there are: {', '.join(sorted(known)) or 'none'}"
    return [Fault("unknown_parameter", detail, parameter=name) for name, _ in query if name not in known]


def _if_match(header: str | None) -> int:
    if header is None:
        raise IfMatchRequired
    match = _ETAG.match(header.strip())
    if match is None:
        raise BadRequest('If-Match must be an ETag of ours, such as "v17".')
    return int(match[1])
