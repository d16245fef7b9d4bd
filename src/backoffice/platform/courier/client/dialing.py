"""Opens connections: the name looked up, each address asked of the guard as its socket is made, TLS, and where there is
a proxy the tunnel through it."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Any, Final

from aiohappyeyeballs import start_connection

from backoffice.platform.courier.client.connection import Connection
from backoffice.platform.courier.client.deadline import within
from backoffice.platform.courier.client.faults import NoAnswer, ProxyUnreachable
from backoffice.platform.courier.client.target import Origin
from backoffice.platform.ssrf import GuardedResolver, SocketFactory

NAME_SECONDS: Final = 10.0  # for which an answer of the resolver is used again
_MOST_NAMES: Final = 10_000
_NEXT_ADDRESS_SECONDS: Final = 0.25  # RFC 8305: then the next one is tried beside it
_TUNNEL_LIMIT: Final = 16 * 1024
_PROXY_SECONDS: Final = 2.0  # in which a proxy that lives answers a question about itself
_TUNNEL: Final = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")
_TO_ITSELF: Final = "OPTIONS * HTTP/1.1\r\nHost: {}:{}\r\nMax-Forwards: 0\r\nConnection: close\r\n\r\n"
_GOODBYE_SECONDS: Final = 1.0  # for the end of TLS
AddressInfo = tuple[Any, ...]  # as getaddrinfo tells it


class Dialer:
    """To what `names` finds and `sockets` lets through; with a `proxy` (host, port), wherever that is, through it."""

    def __init__(self, names: GuardedResolver, sockets: SocketFactory, proxy: tuple[str, int] | None = None) -> None:
        self._names = names
        self._sockets = sockets
        self._proxy = proxy
        self._known: dict[str, tuple[float, asyncio.Future[Sequence[AddressInfo]]]] = {}
        self._tls = ssl.create_default_context()

    async def open(self, origin: Origin, on_lost: Callable[[Connection], None]) -> Connection:
        """Connected, with TLS where the origin asks for it. OSError, NoAnswer, ProxyUnreachable."""
        sock = await (self._straight(origin) if self._proxy is None else self._tunnel(origin, *self._proxy))
        secure: dict[str, Any] = {}
        if origin.tls:
            secure = {"ssl": self._tls, "server_hostname": origin.host, "ssl_shutdown_timeout": _GOODBYE_SECONDS}
        try:
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: Connection(on_lost), sock=sock, **secure
            )
        except BaseException:
            sock.close()
            raise
        return connection

    async def proxy_is_silent(self) -> bool:
        """Whether there is a proxy and it says nothing, whatever it is asked. A tunnel that does not open in time does
        not tell: the proxy may have been waiting for the receiver."""
        if self._proxy is None:
            return False
        loop = asyncio.get_running_loop()
        try:
            async with within(_PROXY_SECONDS):
                sock = await self._to_proxy(*self._proxy)
                with sock:
                    await loop.sock_sendall(sock, _TO_ITSELF.format(*self._proxy).encode("ascii"))
                    await loop.sock_recv(sock, 1)
        except (OSError, ProxyUnreachable):
            return True
        return False

    async def _straight(self, origin: Origin) -> socket.socket:
        infos = _literal(origin) or await self._addresses(origin)
        try:
            return await start_connection(
                infos, socket_factory=self._sockets, happy_eyeballs_delay=_NEXT_ADDRESS_SECONDS, interleave=1
            )
        except RuntimeError as error:  # how the loop may say that an address makes no sense
            raise NoAnswer("connect_failed") from error

    async def _addresses(self, origin: Origin) -> Sequence[AddressInfo]:
        """Looked up once for all who ask in the same seconds; what fails is looked up again."""
        now = asyncio.get_running_loop().time()
        known = self._known.get(origin.authority)
        if known is None or known[0] < now or (known[1].done() and known[1].exception() is not None):
            if len(self._known) >= _MOST_NAMES:
                self._known.clear()
            known = now + NAME_SECONDS, asyncio.ensure_future(self._look_up(origin))
            known[1].add_done_callback(_seen)
            self._known[origin.authority] = known
        return await asyncio.shield(known[1])

    async def _look_up(self, origin: Origin) -> Sequence[AddressInfo]:
        found = await self._names.resolve(origin.host, origin.port, socket.AF_UNSPEC)
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "the name has no address")
        return [_info(each["host"], origin.port, each["family"]) for each in found]

    async def _tunnel(self, origin: Origin, host: str, port: int) -> socket.socket:
        loop = asyncio.get_running_loop()
        sock = await self._to_proxy(host, port)
        try:
            asked = f"CONNECT {origin.authority} HTTP/1.1\r\nHost: {origin.authority}\r\n\r\n"
            await loop.sock_sendall(sock, asked.encode("ascii"))
            head = b""
            while b"\r\n\r\n" not in head:
                more = await loop.sock_recv(sock, 4096)
                head += more
                if not more or len(head) > _TUNNEL_LIMIT:
                    raise NoAnswer("proxy_refused")
            status = _TUNNEL.match(head)
            # Whatever else it says is not the receiver's word, who speaks second in TLS.
            if status is None or not 200 <= int(status[1]) < 300 or not head.endswith(b"\r\n\r\n"):
                raise NoAnswer("proxy_refused")
        except BaseException:
            sock.close()
            raise
        return sock

    async def _to_proxy(self, host: str, port: int) -> socket.socket:
        try:
            infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
            return await start_connection(infos, happy_eyeballs_delay=_NEXT_ADDRESS_SECONDS, interleave=1)
        except (OSError, RuntimeError) as error:
            raise ProxyUnreachable(str(error)) from error


def _seen(looked_up: asyncio.Future[Sequence[AddressInfo]]) -> None:
    """A failure that nobody waits for any more is no news."""
    if not looked_up.cancelled():
        looked_up.exception()


def _literal(origin: Origin) -> list[AddressInfo]:
    """Of a host that is an address itself; empty for a name."""
    try:
        version = ip_address(origin.host).version
    except ValueError:
        return []
    return [_info(origin.host, origin.port, socket.AF_INET if version == 4 else socket.AF_INET6)]


def _info(host: str, port: int, family: int) -> AddressInfo:
    where = (host, port) if family == socket.AF_INET else (host, port, 0, 0)
    return family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", where
