"""Download links: a token that names a tenant and a row of `document_link`, signed so that nobody can make one up.

The token proves only who gave it; whether it still opens is decided by the row, once. It is the one credential that
stands in a URL, so it lives five minutes and opens a single document.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

LIFE: Final = timedelta(minutes=5)
PATH: Final = "/v1/downloads/"
_FORMAT = 1
_BODY = struct.Struct(">B16s16sQ")  # format, tenant, link, expiry in Unix seconds
_MAC_BYTES = 32
_TEXT_LENGTH = -(-(_BODY.size + _MAC_BYTES) * 8 // 6)


def sign(key: bytes, tenant_id: UUID, link_id: UUID, expires_at: datetime) -> str:
    """The token: URL-safe base64 of format, tenant, link, expiry (whole seconds, rounded down) and HMAC-SHA-256 of
    those under `key`. ValueError for a key under 32 bytes."""
    body = _BODY.pack(_FORMAT, tenant_id.bytes, link_id.bytes, int(expires_at.timestamp()))
    return base64.urlsafe_b64encode(body + _mac(key, body)).decode("ascii").rstrip("=")


def verify(key: bytes, token: str, at: datetime) -> tuple[UUID, UUID] | None:
    """(tenant id, link id) of a token signed under `key` that has not expired `at` this instant; None for any other
    text."""
    if len(token) != _TEXT_LENGTH or not token.isascii():
        return None
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        return None
    body, mac = raw[: _BODY.size], raw[_BODY.size :]
    if not hmac.compare_digest(mac, _mac(key, body)):
        return None
    form, tenant, link, expiry = _BODY.unpack(body)
    if form != _FORMAT or at >= datetime.fromtimestamp(expiry, UTC):
        return None
    return UUID(bytes=tenant), UUID(bytes=link)


def _mac(key: bytes, body: bytes) -> bytes:
    if len(key) < 32:
        raise ValueError("the key of download links has at least 32 bytes")
    return hmac.digest(key, b"download|" + body, "sha256")


@dataclass(frozen=True, slots=True)
class DownloadLinks:
    """The deployment's links: its signing key, and the address at which it can be reached from outside."""

    key: bytes = field(repr=False)
    public_url: str

    def url(self, tenant_id: UUID, link_id: UUID, expires_at: datetime) -> str:
        return f"{self.public_url.rstrip('/')}{PATH}{sign(self.key, tenant_id, link_id, expires_at)}"

    def verify(self, token: str, at: datetime) -> tuple[UUID, UUID] | None:
        return verify(self.key, token, at)
