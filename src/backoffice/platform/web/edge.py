"""The edge: an ASGI middleware that gives every request its principal, its limits and its one transaction.

It holds the response back until the transaction has ended: below 400 it stores the idempotent answer and commits, else
it rolls back; a dry run is rolled back always. Only then do bytes go out, so an answer never promises what a failed
COMMIT took back.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode

import msgspec

from backoffice.kernel import clock, ids
from backoffice.kernel.errors import BadRequest, Fault, NotFound, Problem
from backoffice.platform import logs, metrics, traces
from backoffice.platform.db import Database
from backoffice.platform.events import API_VERSION
from backoffice.platform.principal import Principal
from backoffice.platform.tx import Tx
from backoffice.platform.web import encodings, idempotency, problem_pages, problems
from backoffice.platform.web.authenticate import Authenticator
from backoffice.platform.web.limits import Quotas, Slots
from backoffice.platform.web.lists import Query
from backoffice.platform.web.operation import encoded

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

BODY_LIMIT = 1 << 20
UPLOAD_LIMIT = 64 << 20
UPLOAD_TYPES = ("text/csv", "application/x-ndjson")
LONGEST_WAIT = 10
_AT_ONCE = 1 << 16  # bytes that are compressed without leaving the loop
_PREFERENCES = re.compile(r"(?:^|,)\s*(respond-async|wait)\s*(?:=\s*\"?([0-9]{1,9})\"?)?\s*(?=[,;]|$)")
VERSIONS = (API_VERSION,)
_SAFE = ("GET", "HEAD", "OPTIONS")
_OURS = (b"content-length", b"request-id")
log = logs.get("http")


@dataclass(slots=True)
class Request:
    """What the edge knows of a request; the guard and the dependencies read it from `scope["state"]["request"]`."""

    id: str
    method: str
    path: str
    raw_path: str  # as it was sent, percent-encoded
    headers: dict[str, str]
    raw_query: str
    query: list[tuple[str, str]]
    address: str | None = None  # of the caller, or of the last proxy that is not ours
    dry_run: bool = False
    api_version: str = API_VERSION
    body: bytes = b""
    data: Any = None  # the body as the operation takes it
    named: dict[str, Any] = field(default_factory=dict)  # values of the operation's own query parameters
    tx: Tx = None  # type: ignore[assignment]  # set before a handler can see it
    key: str | None = None
    fingerprint: bytes = b""
    replayed: bool = False
    if_match: int | None = None
    listed: Query | None = None
    limits: list[tuple[bytes, bytes]] = field(default_factory=list)

    def header(self, name: str) -> str | None:
        return self.headers.get(name)

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").split(";")[0].strip().lower()

    @property
    def idempotency_scope(self) -> str:
        return f"{self.method} {self.path}"


class _Next(msgspec.Struct):
    """What the edge reads of a page."""

    next_cursor: str | None = None


@dataclass(slots=True)
class _Held:
    """The response of the application, held until the transaction has ended."""

    status: int = 500
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    async def take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message.get("headers", []))
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")

    def named(self) -> dict[str, str]:
        return {name.decode().lower(): value.decode("latin-1") for name, value in self.headers}

    def become(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.body = status, body
        self.headers = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]


def _headers(given: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """By lower-case name; a header that comes in several lines is one list (RFC 9110 §5.3)."""
    found: dict[str, str] = {}
    for raw_name, raw_value in given:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def path_of(raw_path: bytes) -> str:
    """The path for the router. A slash that the caller encoded belongs to a name (`ext:2026%2F11`) and divides
    nothing: it goes as a unit separator, which no name may hold, until `bodies.find_id` puts it back."""
    return unquote(_SLASH.sub(b"%1F", raw_path).decode("ascii"))


_SLASH = re.compile(rb"%2[fF]")
Preview = Callable[[Tx], Awaitable[None]]
OpenLink = Callable[[str], Awaitable[Principal | None]]
LINKS = "/v1/downloads/"  # a signed link opens without a key; its use is written down, so it is no read-only request
Wait = Callable[[Principal, bytes, float], Awaitable[msgspec.Struct | None]]


class Edge:
    """Wraps the application. `preview(tx)` runs the jobs a dry run would only queue; `wait(principal, body, seconds)`
    waits for a job that was answered with 202, and gives what it has become when it ended in time."""

    def __init__(
        self,
        app: App,
        *,
        db: Database,
        authenticator: Authenticator,
        preview: Preview,
        wait: Wait,
        open_link: OpenLink,
        docs_url: str,
        pool: int,
        public: frozenset[str] = frozenset(),
    ) -> None:
        self.app = app
        self.db = db
        self.authenticator = authenticator
        self.quotas = Quotas()
        self.slots = Slots(pool)
        self._preview = preview
        self._wait = wait
        self._open_link = open_link
        self._docs_url = docs_url
        self._public = public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in self._public or scope["path"].startswith(problem_pages.PATH):
            await self.app(scope, receive, send)
            return
        started = perf_counter()
        request = self._read(scope)
        logs.begin(request_id=request.id)
        held = _Held()
        with traces.span(
            f"{request.method}", traceparent=request.header("traceparent"), server=True, request_id=request.id
        ) as span:
            try:
                await self._answer(scope, receive, request, held, span)
            except Problem as problem:
                self._refuse(held, request, problem)
            except Exception as error:
                log.error("request_failed", **logs.error_fields(error))
                self._refuse(held, request, problems.of_fault(error))
            span.update_name(f"{request.method} {scope.get('path_template') or 'unknown'}")
            span.set_attribute("http.response.status_code", held.status)
        await self._send(held, request, send)
        self._record(scope, request, held, perf_counter() - started)

    # -- one request

    def _read(self, scope: Scope) -> Request:
        path = scope["path"]
        raw_path = scope.get("raw_path") or quote(path).encode()
        if b"%2" in raw_path:
            scope["path"] = path_of(raw_path)
        raw_query = scope.get("query_string", b"").decode("latin-1")
        query = parse_qsl(raw_query, keep_blank_values=True) if raw_query else []
        return Request(
            id=ids.encode("request", ids.new(clock.wall())),
            method=scope["method"],
            path=path,
            raw_path=raw_path.decode("latin-1"),
            headers=_headers(scope["headers"]),
            raw_query=raw_query,
            query=query,
            address=(scope.get("client") or (None,))[0],
            dry_run=("dry_run", "true") in query and scope["method"] not in _SAFE,
        )

    async def _answer(self, scope: Scope, receive: Receive, request: Request, held: _Held, span: traces.Span) -> None:
        principal = await self._principal(request)
        logs.also(tenant=str(principal.tenant.id), actor=principal.actor)
        write = request.method not in _SAFE or request.path.startswith(LINKS)
        request.limits, refusal = self.quotas.take(principal, write=write)
        if refusal is not None:
            raise refusal
        if "\x00" in request.path:  # no text in the database can hold it
            raise NotFound
        request.api_version = self._version(request, principal)
        self._check_dry_run(request)
        request.body = await self._body(receive, request) if request.method not in _SAFE else b""
        async with (
            self.slots.hold(principal.tenant.id, write=write),
            self.db.tx(
                principal,
                request_id=request.id,
                ordered=write,
                read_only=not write,
                dry_run=request.dry_run,
                traceparent=span.traceparent if write else None,
            ) as tx,
        ):
            request.tx = tx
            if write:
                await tx.name_request()
            await self._run(scope, request, held)
            await self._finish(request, held)
        if held.status in (403, 429):  # a scope, a second person, a limit that a command keeps
            await self._note_refusal(principal, request, held, scope.get("path_template") or "unknown")
        if held.status == 202 and not request.replayed:
            await self._maybe_wait(principal, request, held)
        if held.status == 200 and not write:
            self._not_modified(request, held)
            self._link_next(request, held)

    async def _run(self, scope: Scope, request: Request, held: _Held) -> None:
        sent = False

        async def replay_body() -> Message:
            nonlocal sent
            if sent:
                await asyncio.sleep(3600)  # the client is still there until we have answered
            sent = True
            return {"type": "http.request", "body": request.body, "more_body": False}

        scope.setdefault("state", {})["request"] = request
        await self.app(scope, replay_body, held.take)

    async def _finish(self, request: Request, held: _Held) -> None:
        """Inside the transaction, after the handler: preview, keep the answer, commit; or leave it to be undone."""
        tx = request.tx
        if held.status >= 400:
            return
        if tx.dry_run:
            if tx.started:
                await self._preview(tx)
            effects = tx.effects()
            await tx.flush()
            result = msgspec.Raw(held.body) if held.body else None
            told = msgspec.json.encode({"object": "dry_run", "effects": effects, "result": result})
            held.become(200, {"content-type": "application/json", "bo-dry-run": "true"}, told)
            return
        if request.key is not None and not request.replayed:
            await idempotency.keep(
                tx,
                request.idempotency_scope,
                request.key,
                request.fingerprint,
                status=held.status,
                headers=held.named(),
                body=held.body,
            )
        await self.db.commit(tx)
        if request.id != tx.request_id:  # as the events say it; what was refused keeps the one it came with
            request.id = tx.request_id
            logs.also(request_id=request.id)

    async def _note_refusal(self, principal: Principal, request: Request, held: _Held, route: str) -> None:
        """A refused authorisation is an audit event too, in a short transaction of its own after the rollback, and a
        warning in the log. It names the route and not the path, which may hold a caller's own text."""
        code = msgspec.json.decode(held.body).get("code")
        log.warning("refused", code=code, method=request.method, route=route)
        async with self.db.tx(principal, request_id=request.id) as tx:
            tx.audit("request.refused", reason=f"{code}: {request.method} {route}")
            await self.db.commit(tx)

    async def _maybe_wait(self, principal: Principal, request: Request, held: _Held) -> None:
        """`Prefer: wait=10` (RFC 7240) waits for the job that was answered with 202, at most 10 s, and answers with
        what has become of it; `respond-async` is what we do anyhow."""
        asked = _PREFERENCES.findall(request.header("prefer") or "")
        applied = ["respond-async"] if any(name == "respond-async" for name, _ in asked) else []
        seconds = next((min(int(value), LONGEST_WAIT) for name, value in asked if name == "wait" and value), None)
        if seconds is not None:
            applied.append(f"wait={seconds}")
            ended = await self._wait(principal, held.body, float(seconds))
            if ended is not None:
                held.status = 200
                held.headers, held.body = encoded(200, ended, read=False)
        if applied:
            held.headers.append((b"preference-applied", ", ".join(applied).encode()))

    async def _principal(self, request: Request) -> Principal:
        if request.path.startswith(LINKS) and request.method == "GET":
            principal = await self._open_link(request.path.removeprefix(LINKS))
            if principal is None:
                raise NotFound
            return principal
        return await self.authenticator.principal(request.header("authorization"), request.address)

    # -- what may be refused before a handler runs

    def _version(self, request: Request, principal: Principal) -> str:
        asked = request.header("api-version")
        if asked is not None and asked not in VERSIONS:
            raise problems.UnknownApiVersion(
                f"Known versions: {', '.join(VERSIONS)}.", extra={"versions": list(VERSIONS)}
            )
        return asked or principal.api_version or API_VERSION

    def _check_dry_run(self, request: Request) -> None:
        given = [value for name, value in request.query if name == "dry_run"] if request.query else []
        if request.method not in _SAFE and (len(given) > 1 or any(value not in ("true", "false") for value in given)):
            fault = Fault("not_allowed", "must be true or false, and may be given once", parameter="dry_run")
            raise BadRequest("The query has invalid parameters.", errors=[fault])

    async def _body(self, receive: Receive, request: Request) -> bytes:
        limit = UPLOAD_LIMIT if request.media_type in UPLOAD_TYPES else BODY_LIMIT
        refusal = problems.TooLarge(f"A body of this kind may have at most {limit} bytes.")
        length = request.header("content-length")
        if length is not None and length.isdigit() and int(length) > limit:
            raise refusal
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise BadRequest("The request ended before its body did.")
            body += message.get("body", b"")
            if len(body) > limit:
                raise refusal
            if not message.get("more_body"):
                return bytes(body)

    # -- how it ends

    def _refuse(self, held: _Held, request: Request, problem: Problem) -> None:
        body = problems.body(problem, request_id=request.id, instance=request.raw_path, docs_url=self._docs_url)
        held.become(problem.status, {"content-type": problems.MEDIA_TYPE, **problem.headers}, body)
        metrics.REFUSALS.labels(problem.code).inc()

    def _not_modified(self, request: Request, held: _Held) -> None:
        wanted = request.header("if-none-match")
        etag = held.named().get("etag") if wanted else None
        if wanted and etag and {etag, "*"} & {each.strip().removeprefix("W/") for each in wanted.split(",")}:
            held.become(304, {"etag": etag}, b"")

    def _link_next(self, request: Request, held: _Held) -> None:
        """Name the next page of a list in a `Link` header (RFC 8288)."""
        if request.listed is not None and held.body:
            cursor = msgspec.json.decode(held.body, type=_Next).next_cursor
            if cursor is not None:
                query = urlencode(
                    [*((name, text) for name, text in request.query if name != "cursor"), ("cursor", cursor)]
                )
                held.headers.append((b"link", f'<{request.raw_path}?{query}>; rel="next"'.encode()))

    async def _compress(self, held: _Held, request: Request) -> None:
        """Not what carries its version as a strong ETag, which would then name other bytes; a hash is weakened."""
        if len(held.body) < encodings.SMALLEST:
            return
        told = held.named()
        version = told.get("etag", "").startswith('"v')
        if version or not told.get("content-type", "").startswith(encodings.TEXTS):
            return
        held.headers.append((b"vary", b"accept-encoding"))
        coding = encodings.coding(request.header("accept-encoding"))
        if coding is None:
            return
        compress, body = encodings.CODINGS[coding], held.body
        smaller = compress(body) if len(body) < _AT_ONCE else await asyncio.to_thread(compress, body)
        held.body = smaller
        held.headers = [(name, b"W/" + value if name == b"etag" else value) for name, value in held.headers]
        held.headers.append((b"content-encoding", coding.encode()))

    async def _send(self, held: _Held, request: Request, send: Send) -> None:
        await self._compress(held, request)
        headers = [
            *((name, value) for name, value in held.headers if name.lower() not in _OURS),
            *request.limits,
            (b"request-id", request.id.encode()),
            (b"api-version", request.api_version.encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
        ]
        if held.status not in (204, 304):
            headers.append((b"content-length", str(len(held.body)).encode()))
        await send({"type": "http.response.start", "status": held.status, "headers": headers})
        await send({"type": "http.response.body", "body": held.body})

    def _record(self, scope: Scope, request: Request, held: _Held, seconds: float) -> None:
        route = scope.get("path_template") or "unknown"
        metrics.count_request(request.method, route, held.status, seconds)
        log.info(
            "request",
            method=request.method,
            route=route,
            status=held.status,
            milliseconds=round(seconds * 1000, 2),
        )
