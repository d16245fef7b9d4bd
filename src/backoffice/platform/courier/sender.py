"""One try: a signed POST to somebody else's address, and what came back. Never raises for what the other side does."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Final

from yarl import URL

from backoffice.kernel import clock
from backoffice.platform import signatures
from backoffice.platform.courier.client.deadline import within
from backoffice.platform.courier.client.dialing import Dialer
from backoffice.platform.courier.client.faults import NoAnswer, code_of
from backoffice.platform.courier.client.names import Names
from backoffice.platform.courier.client.pool import Pool
from backoffice.platform.courier.client.target import target_of
from backoffice.platform.courier.ports import Envelope
from backoffice.platform.courier.verdict import Answer
from backoffice.platform.ssrf import GuardedResolver, Resolver, check_target, socket_factory

TOTAL_SECONDS: Final = 15.0
CONNECT_SECONDS: Final = 5.0
KEEP_BYTES: Final = 4_000
_HEADERS: Final = (
    "Content-Type: application/json\r\n"
    "User-Agent: backoffice-webhooks/1\r\n"
    "Accept: */*\r\n"
    "Accept-Encoding: identity\r\n"  # a small answer could unpack to a huge one
)


class Sender:
    """Two sets of connections: one that reaches public addresses only, and one that may also reach loopback, for the
    tenants that are allowed to (`loopback=True`). With a `proxy` (`http://host:port`, the operator's word and connected
    wherever it is) everything but loopback is tunneled through it by CONNECT, and checked before by what the name
    resolves to here. No redirects, no proxies from the environment, no cookies. `resolver`: the machine's if absent;
    closed with this."""

    def __init__(
        self,
        *,
        total: float = TOTAL_SECONDS,
        connect: float = CONNECT_SECONDS,
        proxy: str | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        self._connect = connect
        self._proxied = proxy is not None
        self._resolver = resolver or Names()
        self._names = GuardedResolver(self._resolver)
        loopback = Dialer(GuardedResolver(self._resolver, allow_loopback=True), socket_factory(allow_loopback=True))
        public = Dialer(self._names, socket_factory(), None if proxy is None else _host_and_port(proxy))
        self._loopback = Pool(loopback, total=total, connect=connect)
        self._public = Pool(public, total=total, connect=connect)

    async def close(self) -> None:
        self._public.close()
        self._loopback.close()
        await self._resolver.close()
        await asyncio.sleep(0)  # so that they are closed

    async def send(self, envelope: Envelope, traceparent: str | None = None, *, loopback: bool) -> Answer:
        """Sign for now and send once, as part of a trace. `milliseconds` is up to the end of the answer, or to the
        failure. ProxyUnreachable when the try did not take place."""
        started = perf_counter()
        try:
            target = target_of(envelope.url)
            straight = loopback and (not self._proxied or target.is_loopback)
            if self._proxied and not straight:
                await self._check(envelope.url)
            request = _head(target.start, envelope, traceparent).encode("ascii") + envelope.body
            reply = await (self._loopback if straight else self._public).ask(target.origin, request, keep=KEEP_BYTES)
        except NoAnswer as fault:
            return Answer(None, _since(started), fault.code)
        return Answer(reply.status, _since(started), None, reply.retry_after, reply.body)

    async def _check(self, url: str) -> None:
        try:
            async with within(self._connect):
                await check_target(url, self._names)
        except OSError as error:
            raise NoAnswer(code_of(error)) from error


def _head(start: str, envelope: Envelope, traceparent: str | None) -> str:
    signed = signatures.headers(envelope.secrets, envelope.message_id, int(clock.wall().timestamp()), envelope.body)
    said = "".join([f"{name}: {value}\r\n" for name, value in signed.items()])
    traced = "" if traceparent is None else f"traceparent: {traceparent}\r\n"
    return f"{start}{_HEADERS}Content-Length: {len(envelope.body)}\r\n{said}{traced}\r\n"


def _since(started: float) -> int:
    return round((perf_counter() - started) * 1000)


def _host_and_port(proxy: str) -> tuple[str, int]:
    url = URL(proxy)
    assert url.host is not None
    assert url.port is not None
    return url.host, url.port
