"""The guard of every outgoing connection that somebody else named: only public addresses, only https.

Several gates, since a name can resolve to anything at any time. `check_url` tells a person what is wrong with a URL
when it is entered. `GuardedResolver` refuses a name with any address that is not public. `socket_factory` is asked for
each socket, sees the address that is about to be connected and refuses it: IP literals, rebinding and odd spellings end
there. `check_target` stands before a proxy, which connects in our place.
Sources: IANA special-purpose address registries for IPv4 and IPv6 (RFC 6890 and its successors), RFC 6598, 6052, 8215.
"""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, Protocol

from yarl import URL

from backoffice.kernel.errors import Fault

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
SocketFactory = Callable[[tuple[Any, ...]], socket.socket]


class Resolver(Protocol):
    """Looks names up: a mapping with `host` (an address) and `family` for each address. OSError when there is none."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> Sequence[Mapping[str, Any]]: ...

    async def close(self) -> None: ...


PORTS: Final = frozenset({443, 8443})
LONGEST_URL: Final = 2048

# Closed although some are routed: everything that is not an ordinary host on the public internet.
_CLOSED_4: Final = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT; some clouds' metadata
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # a cloud's host agent on a public address
        "169.254.0.0/16",  # link-local; most clouds' metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # IETF protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT relays
        "192.88.99.0/24",  # 6to4 relays, deprecated
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarking
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, with the broadcast address
    )
)
# IPv6 is open only inside the global unicast block, which leaves out loopback, mapped and translated IPv4 (::/8,
# 64:ff9b::/96, 64:ff9b:1::/48), discard-only 100::/64, segment routing 5f00::/16, unique local, link-local, multicast.
_OPEN_6: Final = ipaddress.IPv6Network("2000::/3")
_CLOSED_6: Final = tuple(
    ipaddress.IPv6Network(text)
    for text in (
        "2001::/23",  # IETF protocol assignments: Teredo, benchmarking, ORCHID, anycast
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: carries an IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
_ISATAP: Final = (0x00005EFE, 0x02005EFE)  # RFC 5214: an interface identifier that carries an IPv4 address
_HOST_NAME = re.compile(r"(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LOCAL_NAMES: Final = ("localhost", "local", "internal", "intranet", "home", "lan", "corp", "home.arpa", "onion")


class AddressRefused(PermissionError):
    """A connection to an address that may not be called. An OSError, so that HTTP clients report it as a failure to
    connect; the message names the address, which is ours to log and not the caller's to see."""


def is_public(ip: str | Address) -> bool:
    """Whether the address is an ordinary host of the public internet. False for whatever is no address, and for
    addresses that carry another inside (IPv4-mapped, NAT64, 6to4, Teredo, ISATAP), whatever the inner one is."""
    address = _address(ip)
    if address is None:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _CLOSED_4)
    if address.scope_id is not None or address not in _OPEN_6:
        return False
    if int(address) >> 32 & 0xFFFF_FFFF in _ISATAP:
        return False
    return not any(address in network for network in _CLOSED_6)


def is_loopback(ip: str | Address) -> bool:
    """127.0.0.0/8 or ::1, not in disguise (mapped and translated forms are neither public nor loopback here)."""
    address = _address(ip)
    return address is not None and address.is_loopback and getattr(address, "ipv4_mapped", None) is None


def check_url(url: str, *, allow_loopback: bool = False, pointer: str = "#/url") -> list[Fault]:
    """All faults of a URL we are asked to call; an empty list when it may be stored.

    Needs https, port 443 or 8443, at most 2,048 ASCII characters, no credentials, no fragment, a full host name or a
    public address. With `allow_loopback` (test tenants, where the operator permits it) `http` or `https` on any port is
    fine as well for `localhost` and loopback addresses. Says nothing about what the name resolves to."""
    faults: list[Fault] = []

    def add(code: str, detail: str) -> None:
        faults.append(Fault(code=code, detail=detail, pointer=pointer))

    if len(url) > LONGEST_URL:
        add("url_too_long", f"a URL has at most {LONGEST_URL} characters")
    if not url.isascii() or any(character <= " " or character in "\\\x7f" for character in url):
        add("url_malformed", "use ASCII without spaces, backslashes or control characters; write other letters encoded")
        return faults
    try:
        parts = URL(url)
        host, port = parts.raw_host, parts.port
    except ValueError:
        host, port = None, None
    if not host:
        add("url_malformed", "give a complete URL such as https://hooks.example.com/backoffice")
        return faults
    if "@" in re.split("[/?#]", url.partition("://")[2], maxsplit=1)[0]:
        add("url_has_credentials", "leave user name and password out; requests are signed instead")
    if "#" in url:
        add("url_has_fragment", "leave the part after # out; it is never sent")
    if allow_loopback and (host == "localhost" or is_loopback(host)):
        if parts.scheme not in ("http", "https"):
            add("url_scheme", "use http or https")
        return faults
    if parts.scheme != "https":
        add("url_scheme", "use https")
    elif port not in PORTS:
        add("url_port", "use port 443 or 8443")
    if _address(host) is not None:
        if not is_public(host):
            add("url_not_public", "the address is not on the public internet; give a public host name")
    elif f".{host}".endswith(tuple(f".{name}" for name in _LOCAL_NAMES)):
        add("url_not_public", "the name belongs to a local network; give a public host name")
    elif not _HOST_NAME.fullmatch(host):  # also numbers such as 2130706433 and 0x7f.1, which some resolvers accept
        add("url_host", "give a full host name such as hooks.example.com")
    return faults


def socket_factory(*, allow_loopback: bool = False, ports: Collection[int] = PORTS) -> SocketFactory:
    """Makes the socket for an address (as getaddrinfo tells it) or raises `AddressRefused`.

    `ports` are those allowed on public addresses. `allow_loopback` opens loopback on any port; give such a factory's
    connections to the tenants that may use it and to no other."""

    def make(info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, where = info
        host, port = str(where[0]), int(where[1])
        scoped = family == socket.AF_INET6 and len(where) > 3 and where[3] != 0
        public = not scoped and is_public(host) and port in ports
        loopback = allow_loopback and is_loopback(host)
        if family not in (socket.AF_INET, socket.AF_INET6) or not (public or loopback):
            raise AddressRefused(errno.EACCES, f"refused to connect to {host} port {port}")
        return socket.socket(family, kind, protocol)

    return make


class GuardedResolver:
    """Refuses a name as a whole when one of its addresses may not be called. Whoever mixes a private address among
    public ones means the private one to be tried sooner or later."""

    def __init__(self, inner: Resolver, *, allow_loopback: bool = False) -> None:
        self._allow_loopback = allow_loopback
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> Sequence[Mapping[str, Any]]:
        found = await self._inner.resolve(host, port, family)
        for each in found:
            address = each["host"]
            if not is_public(address) and not (self._allow_loopback and is_loopback(address)):
                raise AddressRefused(errno.EACCES, f"refused to connect to {host}: {address} is among its addresses")
        return found


async def check_target(url: str, resolver: GuardedResolver) -> None:
    """AddressRefused for what a proxy may not be asked to connect: no https, an odd port, an address that is not public
    or a name with such an address. A name that only the proxy can resolve is the proxy's to judge."""
    parts = URL(url)
    host, port = parts.raw_host or "", parts.port or 0
    literal = _address(host)
    if parts.scheme != "https" or port not in PORTS or (literal is not None and not is_public(literal)):
        raise AddressRefused(errno.EACCES, f"refused to have {host} port {port} connected")
    if literal is None:
        try:
            await resolver.resolve(host, port, socket.AF_UNSPEC)
        except AddressRefused:
            raise
        except OSError:
            return


def _address(text: str | Address) -> Address | None:
    if isinstance(text, str):
        try:
            return ipaddress.ip_address(text)
        except ValueError:
            return None
    return text
