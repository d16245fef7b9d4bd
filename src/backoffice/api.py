"""The API process: all domains' handlers in one application under the edge."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any, cast

import msgspec
import uvicorn
from litestar import Response, get
from litestar.params import FromPath

from backoffice.accounts import http as accounts
from backoffice.accounts import queries as accounts_queries
from backoffice.accounts.bulk import http as bulk
from backoffice.accounts.bulk import queries as bulk_queries
from backoffice.documents import http as documents
from backoffice.documents.links import DownloadLinks
from backoffice.kernel import ids
from backoffice.kernel.clock import wall
from backoffice.ledger import http as ledger
from backoffice.payroll import http as payroll
from backoffice.people import http as people
from backoffice.platform import logs, metrics, pulse, traces
from backoffice.platform.collector import collect_seldom
from backoffice.platform.courier import loopback
from backoffice.platform.jobs import registry
from backoffice.platform.jobs.queries import wait_until_ended
from backoffice.platform.jobs.view import view as job_view
from backoffice.platform.principal import Principal
from backoffice.platform.runtime import Runtime, derived_key, new_request_id, open_runtime
from backoffice.platform.settings import Settings, SettingsRefused, from_environment
from backoffice.platform.web import problem_pages
from backoffice.platform.web.app import create_app
from backoffice.platform.web.authenticate import Authenticator
from backoffice.platform.web.edge import App, Edge
from backoffice.platform.web.one_write import OneWrite
from backoffice.sandbox import http as sandbox
from backoffice.staffing import http as staffing
from backoffice.webhooks import http as webhooks

HANDLERS: list[Any] = [
    *accounts.handlers,
    *bulk.handlers,
    *ledger.handlers,
    *documents.handlers,
    *people.handlers,
    *staffing.handlers,
    *payroll.handlers,
    *webhooks.handlers,
    *sandbox.handlers,
]
PUBLIC = frozenset({"/healthz", "/readyz", "/metrics"})


class _Started(msgspec.Struct):
    """What is read of an answer with 202."""

    id: str
    job_id: str | None = None


def build(runtime: Runtime, authenticator: Authenticator) -> Edge:
    """The whole API as an ASGI application."""
    registry.load()
    loopback.configure(runtime.settings.loopback_webhooks)

    @get("/healthz", include_in_schema=False, sync_to_thread=False)
    def healthz() -> Response[str]:
        """The process runs."""
        return Response("ok", media_type="text/plain")

    @get("/readyz", include_in_schema=False)
    async def readyz() -> Response[str]:
        """The process can answer, because the database does."""
        if await runtime.db.answers():
            return Response("ok", media_type="text/plain")
        return Response("the database does not answer", status_code=503, media_type="text/plain")

    @get("/metrics", include_in_schema=False, sync_to_thread=False)
    def metrics_text() -> Response[bytes]:
        return Response(metrics.text(), media_type=metrics.CONTENT_TYPE)

    @get([problem_pages.PATH, problem_pages.PATH + "/{code:str}"], include_in_schema=False, sync_to_thread=False)
    def problem_page(code: FromPath[str | None] = None) -> Response[str]:
        """What a problem's `type` names."""
        found = problem_pages.page(code)
        if found is None:
            return Response("There is no problem of this code.", media_type="text/plain", status_code=404)
        return Response(found, media_type="text/html", headers=problem_pages.HEADERS)

    links = DownloadLinks(derived_key(runtime.settings, "downloads"), runtime.settings.public_url)
    app = create_app(
        [*HANDLERS, healthz, readyz, metrics_text, problem_page],
        docs_url=runtime.settings.docs_url,
        given={"peppers": runtime.peppers, "storage": runtime.storage, "links": links},
    )
    return Edge(
        cast(App, app),
        db=runtime.db,
        authenticator=authenticator,
        preview=registry.preview,
        wait=_waiter(runtime),
        open_link=_link_opener(runtime, links),
        docs_url=runtime.settings.docs_url,
        pool=runtime.settings.pool_size,
        public=PUBLIC,
    )


def _link_opener(runtime: Runtime, links: DownloadLinks) -> Callable[[str], Awaitable[Principal | None]]:
    async def open_link(token: str) -> Principal | None:
        """Who may use a download link: the platform itself, in the link's tenant, for that and nothing else."""
        named = links.verify(token, wall())
        facts = None if named is None else await runtime.tenant(named[0])
        if facts is None:
            return None
        return Principal(tenant=facts, actor="system:download_link", scopes=frozenset({"downloads:open"}))

    return open_link


def _waiter(runtime: Runtime) -> Callable[[Principal, bytes, float], Awaitable[msgspec.Struct | None]]:
    async def wait(principal: Principal, body: bytes, seconds: float) -> msgspec.Struct | None:
        """What was answered with 202 (a job, or a bulk job or a clock with its job), as it is once the job has ended;
        None when it has not in time."""
        told = msgspec.json.decode(body, type=_Started)
        job_id = ids.decode("job", told.job_id or told.id)
        assert job_id is not None, "what is answered with 202 is a job, or names one"
        row = await wait_until_ended(runtime.db, principal, job_id, seconds)
        if row is None:
            return None
        if told.job_id is None:
            return job_view(principal, row)
        async with runtime.db.tx(principal, request_id=new_request_id(), read_only=True) as tx:
            if ids.decode("test_clock", told.id) is not None:
                return await accounts_queries.test_clock(tx, told.id)
            return await bulk_queries.bulk_job(tx, told.id)

    return wait


def server_config(settings: Settings, app: Any) -> uvicorn.Config:
    """How the application is served."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=OneWrite,
        lifespan="off",
        access_log=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        log_config=None,
        server_header=False,
        date_header=True,
        timeout_graceful_shutdown=int(min(settings.drain_seconds, 8)),
    )


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are finished first."""
    from backoffice.platform.doorbell import open_doorbell

    logs.configure("api", settings.log_level)
    traces.configure("api", settings.trace_share)
    async with open_doorbell(settings.dsn("bo_app")) as doorbell, open_runtime(settings, ring=doorbell.ring) as runtime:
        authenticator = Authenticator(runtime.db, runtime.peppers, keep=settings.key_cache_seconds)
        config = server_config(settings, build(runtime, authenticator))
        collect_seldom()  # a long list makes so many objects that its neighbours would wait for the collector
        beside = [
            asyncio.create_task(authenticator.stay_current(settings.dsn("bo_app"))),
            asyncio.create_task(pulse.ask(runtime.db)),
        ]
        try:
            await uvicorn.Server(config).serve()
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)


def main() -> int:
    """Entry point: 0 after a stop, 2 when a setting is wrong."""
    import uvloop

    try:
        settings = from_environment()
    except SettingsRefused as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 2
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # uvicorn raises it again once it has stopped; we still have to close
    uvloop.run(serve(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
