"""Why a try got no answer. The codes are what customers read beside an attempt."""

from __future__ import annotations

import socket
import ssl

from backoffice.platform.ssrf import AddressRefused


class NoAnswer(Exception):
    """No status came. `code`: address_refused, name_not_found, connect_failed, connect_timeout, tls_failed,
    proxy_refused, connection_lost, timeout, answer_malformed or url_refused."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class ProxyUnreachable(Exception):
    """The operator's own proxy cannot be reached: no fault of the receiver's."""


def code_of(error: OSError) -> str:
    """Of what kept a connection from being opened."""
    if isinstance(error, AddressRefused):
        return "address_refused"
    if isinstance(error, TimeoutError):
        return "connect_timeout"
    if isinstance(error, ssl.SSLError):
        return "tls_failed"
    return "name_not_found" if isinstance(error, socket.gaierror) else "connect_failed"
