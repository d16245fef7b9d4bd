"""Names of receivers, asked of the machine's hosts file and name servers without a thread.

`getaddrinfo` holds a thread until the servers answer, and a loop has few of them (libuv two), which every connection
needs for a moment: two firms whose name servers say nothing would keep all others from being connected to."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

import aiodns


class Names:
    """For the running loop. `servers` ("address:port"): the machine's if absent."""

    def __init__(self, servers: Sequence[str] | None = None) -> None:
        self._resolver = aiodns.DNSResolver(servers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> Sequence[dict[str, Any]]:
        """Its addresses; as many can be under way as there are names. socket.gaierror when there is none."""
        try:
            found = await self._resolver.getaddrinfo(host, family, port, type=socket.SOCK_STREAM)
        except aiodns.error.DNSError as error:
            raise socket.gaierror(socket.EAI_NONAME, str(error.args[-1])) from error
        return [{"host": _text(each.addr), "family": socket.AddressFamily(each.family)} for each in found.nodes]

    async def close(self) -> None:
        await self._resolver.close()


def _text(address: tuple[Any, ...]) -> str:
    """An address with a scope is link-local: with its scope in its text it is no address to anybody here."""
    host, scope = address[0].decode("ascii"), address[3] if len(address) > 3 else 0
    return f"{host}%{scope}" if scope else host
