"""Standard Webhooks 1.0 signatures (standardwebhooks.com): HMAC-SHA-256 over `id.timestamp.body`."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable

_PREFIX = "whsec_"


def generate_secret() -> str:
    """A new endpoint secret: `whsec_` and the base64 of 32 random bytes."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode("ascii")


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """`v1,<base64>` for one secret (`whsec_` + base64 of 24–64 bytes; ValueError otherwise).

    `timestamp` is that of the attempt, in whole Unix seconds; `body` the exact bytes that are sent."""
    content = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(_key(secret), content, hashlib.sha256)).decode("ascii")


def headers(secrets_in_force: Iterable[str], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of one attempt; one signature for each secret in force, the newest first, space-separated,
    so that a receiver who knows either secret of a rotation accepts it. ValueError when no secret is given."""
    signatures = " ".join([sign(secret, message_id, timestamp, body) for secret in secrets_in_force])
    if not signatures:
        raise ValueError("a webhook is never sent without a signature")
    return {"webhook-id": message_id, "webhook-timestamp": str(timestamp), "webhook-signature": signatures}


def _key(secret: str) -> bytes:
    if secret.startswith(_PREFIX):
        try:
            key = base64.b64decode(secret[len(_PREFIX) :], validate=True)
        except binascii.Error:
            key = b""
        if 24 <= len(key) <= 64:
            return key
    raise ValueError("a webhook secret is whsec_ followed by the base64 of 24 to 64 bytes")
