"""What a caller accepts, and answers made smaller on the way out (RFC 9110 §12.5, §8.4; API conventions §1)."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable, Mapping, Sequence

import brotli

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SMALLEST = 1024  # bytes; below it the headers cost more than is won
TEXTS = ("application/json", "application/problem+json", "text/")

# The first is used where a caller likes several alike. Levels at which a page of a list costs about a millisecond.
CODINGS: Mapping[str, Callable[[bytes], bytes]] = {
    "zstd": lambda body: zstd.compress(body, 3),
    "br": lambda body: bytes(brotli.compress(body, quality=4)),
    "gzip": lambda body: gzip.compress(body, 5, mtime=0),
}


def coding(accept_encoding: str | None) -> str | None:
    """The coding for an `Accept-Encoding` header, or None to send the body as it is."""
    weights = _weights(accept_encoding or "")
    best, weight = None, 0.0
    for name in CODINGS:
        asked = weights.get(name, weights.get("*", 0.0))
        if asked > weight:
            best, weight = name, asked
    return best if weight >= weights.get("identity", 0.0) else None


def is_accepted(accept: str | None, media_type: str) -> bool:
    """Whether an `Accept` header leaves room for a media type; a range that names more of it counts."""
    if accept is None or accept.strip() in ("", "*/*", media_type):
        return True
    weights = _weights(accept)
    for asked in (media_type, f"{media_type.partition('/')[0]}/*", "*/*"):
        if asked in weights:
            return weights[asked] > 0
    return False


def _weights(header: str) -> dict[str, float]:
    """Each element of a list with its q; parameters of media types are not told apart."""
    return {name: _q(parameters) for name, *parameters in map(_pieces, header.split(",")) if name}


def _pieces(element: str) -> list[str]:
    return [piece.strip().lower() for piece in element.split(";")]


def _q(parameters: Sequence[str]) -> float:
    for each in parameters:
        name, _, value = each.partition("=")
        if name.strip() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0
