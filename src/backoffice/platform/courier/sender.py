"""One try: a signed POST to somebody else's address, and what came back. Never raises for what the other side does."""

from __future__ import annotations

import asyncio
import ssl
from functools import lru_cache
from time import perf_counter
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from backoffice.kernel import clock
from backoffice.platform import signatures
from backoffice.platform.courier.ports import Envelope
from backoffice.platform.courier.verdict import Answer
from backoffice.platform.ssrf import AddressRefused, GuardedResolver, check_target, is_loopback, socket_factory

TOTAL_SECONDS: Final = 15.0
CONNECT_SECONDS: Final = 5.0
READ_LIMIT: Final = 64 * 1024
DRAIN_SECONDS: Final = 1.0  # for the body of a success, which says nothing; only to keep the connection
KEEP_BYTES: Final = 4_000
_HEADERS: Final = {
    "Content-Type": "application/json",
    "User-Agent": "backoffice-webhooks/1",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
}


class ProxyUnreachable(Exception):
    """The operator's own proxy cannot be reached: no fault of the receiver's."""


class Sender:
    """Two sets of connections: one that reaches public addresses only, and one that may also reach loopback, for the
    tenants that are allowed to (`loopback=True`). With a `proxy` (`http://host:port`, the operator's word and connected
    wherever it is) everything but loopback is tunneled through it by CONNECT, and checked before by what the name
    resolves to here. No redirects, no proxies from the environment, no cookies. `resolver`: the system's if absent."""

    def __init__(
        self,
        *,
        total: float = TOTAL_SECONDS,
        connect: float = CONNECT_SECONDS,
        proxy: str | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._total = total
        self._connect = connect
        self._proxy = proxy
        self._names = GuardedResolver(inner=resolver)
        self._loopback = self._session(
            resolver=GuardedResolver(allow_loopback=True, inner=resolver),
            socket_factory=socket_factory(allow_loopback=True),
        )
        guarded = {"resolver": self._names, "socket_factory": socket_factory()}
        self._public = self._session(**(guarded if proxy is None else {}))

    def _session(self, **guards: Any) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=0,  # lanes and window limit what is under way
            ttl_dns_cache=10,
            keepalive_timeout=4,  # receivers close idle connections from 5 s on; a POST that meets a closed one fails
            ssl=ssl.create_default_context(),
            **guards,
        )
        return aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=self._total, connect=self._connect),
            headers=_HEADERS,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,  # a small answer could unpack to a huge one
        )

    async def close(self) -> None:
        await self._public.close()
        await self._loopback.close()

    async def send(self, envelope: Envelope, traceparent: str | None = None, *, loopback: bool) -> Answer:
        """Sign for now and send once, as part of a trace. `milliseconds` is up to the end of the answer, or to the
        failure."""
        started = perf_counter()
        proxy = self._proxy
        if proxy is not None and loopback and _names_loopback(envelope.url):
            proxy = None
        session = self._loopback if loopback and proxy is None else self._public
        timestamp = int(clock.wall().timestamp())
        headers = signatures.headers(envelope.secrets, envelope.message_id, timestamp, envelope.body)
        if traceparent is not None:
            headers["traceparent"] = traceparent
        status: int | None = None
        retry_after: str | None = None
        body, code = b"", None
        try:
            if proxy is not None:
                async with asyncio.timeout(self._connect):
                    await check_target(envelope.url, self._names)
            async with session.post(
                _parsed(envelope.url),
                data=aiohttp.BytesPayload(envelope.body),
                headers=headers,
                allow_redirects=False,
                proxy=proxy,
            ) as answer:
                status, retry_after = answer.status, answer.headers.get("Retry-After")
                body = await self._read(answer)
        except aiohttp.ClientProxyConnectionError as error:
            raise ProxyUnreachable(str(error)) from error
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            # With a status the answer is known, and only its body broke off.
            code = None if status is not None else _code(error)
        return Answer(status, round((perf_counter() - started) * 1000), code, retry_after, body[:KEEP_BYTES])

    async def _read(self, answer: aiohttp.ClientResponse) -> bytes:
        """At most 64 kB; the connection is closed when there is more or, after a success, when it takes long."""
        accepted = 200 <= answer.status < 300
        if answer.content.at_eof():
            return b""
        body = bytearray()
        try:
            async with asyncio.timeout(DRAIN_SECONDS if accepted else self._total):
                while chunk := await answer.content.read(READ_LIMIT + 1 - len(body)):
                    body += chunk
                    if len(body) > READ_LIMIT:
                        answer.close()
                        break
        except TimeoutError:
            answer.close()
        return b"" if accepted else bytes(body)


_parsed = lru_cache(10_000)(URL)


def _names_loopback(url: str) -> bool:
    host = URL(url).raw_host or ""
    return host == "localhost" or is_loopback(host)


def _code(error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, AddressRefused):
            return "address_refused"
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return "proxy_refused"
    if isinstance(error, aiohttp.ConnectionTimeoutError | aiohttp.SocketTimeoutError):
        return "connect_timeout"
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return "tls_failed"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "name_not_found"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "connect_failed"
    if isinstance(error, aiohttp.ServerDisconnectedError | ConnectionError | aiohttp.ClientOSError):
        return "connection_lost"
    if isinstance(error, aiohttp.InvalidURL | ValueError):
        return "url_refused"
    return "answer_malformed"
