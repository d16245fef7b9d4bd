"""The Litestar application under the edge: exception handlers, dependencies, response headers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from litestar import Litestar, Response, route
from litestar import Request as LitestarRequest
from litestar.di import Provide
from litestar.exceptions import (
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
)
from litestar.openapi.config import OpenAPIConfig

from backoffice.kernel.errors import BadRequest, NotFound, Problem
from backoffice.platform import logs, metrics
from backoffice.platform.tx import Tx
from backoffice.platform.web import problems
from backoffice.platform.web.edge import Request
from backoffice.platform.web.idempotency import Replay
from backoffice.platform.web.lists import Query
from backoffice.platform.web.operation import Known, stamp

log = logs.get("http")


def _edge(request: LitestarRequest[Any, Any, Any]) -> Request:
    found: Request = request.scope["state"]["request"]
    return found


def _tx(request: LitestarRequest[Any, Any, Any]) -> Tx:
    return _edge(request).tx


def _listed(request: LitestarRequest[Any, Any, Any]) -> Query | None:
    return _edge(request).listed


def _if_match(request: LitestarRequest[Any, Any, Any]) -> int | None:
    return _edge(request).if_match


def _upload(request: LitestarRequest[Any, Any, Any]) -> bytes:
    return _edge(request).body


def _options(handlers: Sequence[Any]) -> list[Any]:
    """For each path, what is offered there (RFC 9110 §9.3.7); the framework's own answer forgets some."""
    offered: dict[str, set[str]] = {}
    for handler in handlers:
        for path in handler.paths:
            offered.setdefault(path, {"OPTIONS"}).update(handler.http_methods)

    def telling(path: str, methods: str) -> Any:
        @route(path, http_method=["OPTIONS"], include_in_schema=False, sync_to_thread=False, status_code=204)
        def options() -> Response[None]:
            return Response(None, status_code=204, headers={"Allow": methods})

        return options

    return [telling(path, ", ".join(sorted(methods))) for path, methods in offered.items()]


def create_app(
    handlers: Sequence[Any],
    *,
    docs_url: str,
    given: Mapping[str, Any] | None = None,
    openapi: OpenAPIConfig | None = None,
) -> Litestar:
    """The application over all domains' handlers; it must be wrapped by `Edge`. `given` are objects that handlers may
    ask for by name (`peppers`, `storage`)."""

    def giving(it: Any) -> Known:
        def give(request: LitestarRequest[Any, Any, Any]) -> Any:
            return it

        return give

    def problem_response(request: LitestarRequest[Any, Any, Any], problem: Problem) -> Response[bytes]:
        edge: Request | None = request.scope.get("state", {}).get("request")
        metrics.REFUSALS.labels(problem.code).inc()
        instance = edge.raw_path if edge else request.scope["path"]
        content = problems.body(problem, request_id=edge.id if edge else "", instance=instance, docs_url=docs_url)
        return Response(
            content, status_code=problem.status, media_type=problems.MEDIA_TYPE, headers=dict(problem.headers)
        )

    def on_problem(request: LitestarRequest[Any, Any, Any], error: Problem) -> Response[bytes]:
        return problem_response(request, error)

    def on_replay(request: LitestarRequest[Any, Any, Any], replay: Replay) -> Response[bytes]:
        _edge(request).replayed = True
        headers = {name: value for name, value in replay.headers.items() if name != "content-type"}
        return Response(
            replay.body,
            status_code=replay.status,
            media_type=replay.headers.get("content-type", "application/json"),
            headers={**headers, "Idempotent-Replayed": "true"},
        )

    def on_http(request: LitestarRequest[Any, Any, Any], error: HTTPException) -> Response[bytes]:
        if isinstance(error, NotFoundException):
            return problem_response(
                request, NotFound("No operation has this path; the OpenAPI document lists them all.")
            )
        if isinstance(error, MethodNotAllowedException):
            offered = ", ".join((error.headers or {}).values())  # it is the only one
            problem = problems.MethodNotAllowed(f"This path offers {offered}.", headers={"Allow": offered})
            return problem_response(request, problem)
        if error.status_code < 500:  # such as a host that is none
            return problem_response(request, BadRequest(f"{error.detail}."))
        return on_fault(request, error)

    def on_fault(request: LitestarRequest[Any, Any, Any], error: Exception) -> Response[bytes]:
        log.error("request_failed", **logs.error_fields(error))
        return problem_response(request, problems.of_fault(error))

    known_to_all: dict[str, Known] = {
        "tx": _tx,
        "listed": _listed,
        "if_match": _if_match,
        "upload": _upload,
        **{name: giving(it) for name, it in (given or {}).items()},
    }
    return Litestar(
        route_handlers=[*_options(handlers), *handlers],  # first, or the framework makes its own
        dependencies={name: Provide(known, sync_to_thread=False) for name, known in known_to_all.items()},
        exception_handlers={
            Problem: on_problem,
            Replay: on_replay,
            HTTPException: on_http,
            Exception: on_fault,
        },
        after_request=stamp,
        openapi_config=openapi,
        request_max_body_size=None,
        logging_config=None,
    )
