"""An operation of the API: the framework's route handler, leaner in the two things that every request does."""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, cast

import msgspec
from litestar import Litestar, Response
from litestar import Request as LitestarRequest
from litestar.connection import ASGIConnection
from litestar.handlers import HTTPRouteHandler
from litestar.serialization import default_serializer
from litestar.types import ASGIApp, ExceptionHandlersMap, Receive, Scope, Send

from backoffice.platform.web import validation
from backoffice.platform.web.lists import Page

_encode = msgspec.json.Encoder(enc_hook=default_serializer).encode
_JSON = (b"content-type", b"application/json")


Known = Callable[[LitestarRequest[Any, Any, Any]], Any]
"""What a handler may ask for by name, found at once from the request."""


class Operation(HTTPRouteHandler):
    """Guards see the handler itself instead of a copy made for each request, and which exception is whose is settled
    once. It gives its handler what that asks for by name: what the application knows (`tx`, `listed` …), the body as
    the guard read it (`data`), names of the path, values of the query. A struct becomes an answer without a response
    object and a second one for ASGI in between."""

    __slots__ = ("_asked", "_exceptions")

    def resolve_exception_handlers(self) -> ExceptionHandlersMap:
        try:
            return self._exceptions
        except AttributeError:
            self._exceptions: ExceptionHandlersMap = super().resolve_exception_handlers()
            return self._exceptions

    def resolve_before_request(self) -> Callable[[LitestarRequest[Any, Any, Any]], Awaitable[Any]]:
        """The framework asks this first, and goes on with what it gives (anything that is true) in place of calling
        the handler with arguments it would bind, and bodies it would read, itself."""
        return self._call

    async def _call(self, request: LitestarRequest[Any, Any, Any]) -> tuple[Any]:
        try:
            asked = self._asked
        except AttributeError:
            self._asked: list[tuple[str, Known]] = self._sources()
            asked = self._asked
        return (await self.fn(**{name: known(request) for name, known in asked}),)

    def _sources(self) -> list[tuple[str, Known]]:
        known: dict[str, Any] = {name: provide.dependency for name, provide in self.resolve_dependencies().items()}
        known |= {"data": self._data, "request": lambda request: request}
        in_path = {part.split(":")[0] for path in self.paths for part in re.findall(r"{([^}]+)}", path)}
        return [
            (name, _known(name, parameter.default, known, in_path))
            for name, parameter in inspect.signature(self.fn).parameters.items()
        ]

    def _data(self, request: LitestarRequest[Any, Any, Any]) -> Any:
        edge = request.scope["state"]["request"]
        return edge.data if edge.body else validation.read(b"", self.parsed_data_field)

    async def authorize_connection(self, connection: ASGIConnection[Any, Any, Any, Any]) -> None:
        for guard in self.resolve_guards():
            await guard(connection, self)  # type: ignore[misc]

    async def to_response(self, app: Litestar, data: tuple[Any], request: LitestarRequest[Any, Any, Any]) -> ASGIApp:
        (told,) = data
        if isinstance(told, msgspec.Struct):
            return Answer(self.status_code, told, read=request.method == "GET")
        return await super().to_response(app, told, request)


def _known(name: str, default: Any, known: Mapping[str, Any], in_path: Collection[str]) -> Known:
    """Where an argument of this name is found."""
    if name in known:
        return cast(Known, known[name])
    if name in in_path:
        return lambda request: request.scope["path_params"][name]
    return lambda request: request.scope["state"]["request"].named.get(name, default)


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
