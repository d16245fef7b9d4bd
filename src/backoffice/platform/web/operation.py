"""An operation of the API: the framework's route handler, leaner in the two things that every request does."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Litestar, Response
from litestar import Request as LitestarRequest
from litestar.connection import ASGIConnection
from litestar.handlers import HTTPRouteHandler
from litestar.serialization import default_serializer
from litestar.types import ASGIApp, ExceptionHandlersMap, Receive, Scope, Send

from backoffice.platform.web.lists import Page

if TYPE_CHECKING:
    from litestar._kwargs import KwargsModel
    from litestar.types.internal_types import PathParameterDefinition

_encode = msgspec.json.Encoder(enc_hook=default_serializer).encode
_JSON = (b"content-type", b"application/json")


Known = Callable[[LitestarRequest[Any, Any, Any]], Any]
"""What a handler may ask for by name, found at once from the request."""


class Operation(HTTPRouteHandler):
    """Guards see the handler itself instead of a copy made for each request, a struct becomes an answer without a
    response object and a second one for ASGI in between, and which exception is whose is settled once; 50 µs a request
    together. What handlers ask for by name is known already and is put in place, where the framework would make a task
    for each."""

    __slots__ = ("_exceptions",)

    def resolve_exception_handlers(self) -> ExceptionHandlersMap:
        try:
            return self._exceptions
        except AttributeError:
            self._exceptions: ExceptionHandlersMap = super().resolve_exception_handlers()
            return self._exceptions

    def create_kwargs_model(self, path_parameters: dict[str, PathParameterDefinition]) -> KwargsModel:
        model = super().create_kwargs_model(path_parameters)
        asked: list[tuple[str, Known]] = [
            (each.key, each.provide.dependency) for batch in model.dependency_batches for each in batch
        ]

        async def give(values: dict[str, Any], connection: Any) -> None:
            for name, known in asked:
                values[name] = known(connection)

        model.dependency_batches = []
        model.extractors.append(give)
        return model

    async def authorize_connection(self, connection: ASGIConnection[Any, Any, Any, Any]) -> None:
        for guard in self.resolve_guards():
            await guard(connection, self)  # type: ignore[misc]

    async def to_response(self, app: Litestar, data: Any, request: LitestarRequest[Any, Any, Any]) -> ASGIApp:
        if isinstance(data, msgspec.Struct):
            return Answer(self.status_code, data, read=request.method == "GET")
        return await super().to_response(app, data, request)


class Answer:
    """A struct as JSON."""

    __slots__ = ("_body", "_headers", "_status")

    def __init__(self, status: int, content: msgspec.Struct, *, read: bool) -> None:
        self._status = status
        self._headers, self._body = encoded(status, content, read=read)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self._status, "headers": self._headers})
        await send({"type": "http.response.body", "body": self._body, "more_body": False})


def encoded(status: int, content: msgspec.Struct, *, read: bool) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Headers and body. What is read and has no version, such as an event or a derivation, is told by its bytes."""
    body, told = _encode(content), marks(status, content)
    if read and not told and not isinstance(content, Page):
        told = [("etag", f'"h{hashlib.sha256(body).hexdigest()[:32]}"')]
    return [_JSON, *((name.encode(), value.encode()) for name, value in told)], body


def marks(status: int, content: Any) -> list[tuple[str, str]]:
    """A single object carries its version as a strong ETag; what starts a job says where that can be seen."""
    headers = []
    version = getattr(content, "version", None)
    if isinstance(version, int):
        headers.append(("etag", f'"v{version}"'))
    if status == 202:
        job = getattr(content, "job_id", None) or content.id
        headers += [("location", f"/v1/jobs/{job}"), ("retry-after", "2")]
    return headers


async def stamp(response: Response[Any]) -> Response[Any]:
    """The same for what a handler made into a response itself."""
    response.headers.update(marks(response.status_code or 0, response.content))
    return response
