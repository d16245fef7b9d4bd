"""Where a POST goes, figured from its URL once."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from yarl import URL

from backoffice.platform.courier.client.faults import NoAnswer
from backoffice.platform.ssrf import is_loopback


class Origin(NamedTuple):
    """What connections are kept by. `host` is a name, or an address without brackets."""

    tls: bool
    host: str
    port: int

    @property
    def authority(self) -> str:
        """As CONNECT names it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Target(NamedTuple):
    """`start` is the request line and the Host header, each with its line end."""

    origin: Origin
    start: str
    is_loopback: bool


@lru_cache(10_000)
def target_of(url: str) -> Target:
    """NoAnswer (url_refused) for what cannot be asked: `check_url` lets none of these in."""
    try:
        parts = URL(url)
        host, port = parts.raw_host, parts.port
    except ValueError as error:
        raise NoAnswer("url_refused") from error
    if not host or not port or parts.scheme not in ("http", "https"):
        raise NoAnswer("url_refused")
    path, named = parts.raw_path_qs, parts.host_port_subcomponent
    if any(not "!" <= character <= "~" for character in f"{path}{named}"):
        raise NoAnswer("url_refused")
    start = f"POST {path} HTTP/1.1\r\nHost: {named}\r\n"
    return Target(Origin(parts.scheme == "https", host, port), start, host == "localhost" or is_loopback(host))
