"""The hash chain of an endpoint's digests: pure, and short enough to be written again by whoever checks it."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

FIRST: Final = "0" * 64
"""What stands before an endpoint's first digest."""


def chained(previous: str, sent: Iterable[tuple[int, str]]) -> str:
    """The hash after these events, from the hash before them. `sent` are (sequence, event id) by sequence; each makes
    the next hash: the hexadecimal SHA-256 of `<hash>:<sequence>:<event id>`."""
    for sequence, event_id in sent:
        previous = sha256(f"{previous}:{sequence}:{event_id}".encode()).hexdigest()
    return previous
