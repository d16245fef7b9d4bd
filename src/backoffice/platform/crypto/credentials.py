"""API keys are stored as HMACs only; the pepper is a secret of the deployment and rotates with overlap."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping


def credential_hmac(pepper: bytes, key: str) -> bytes:
    """HMAC-SHA-256(pepper, key), 32 bytes: what `ctl.credential` holds of an API key. The key has 178 random bits, so
    no slow hash is needed; the pepper makes a stolen table useless. ValueError for a pepper under 32 bytes."""
    if len(pepper) < 32:
        raise ValueError("a pepper has at least 32 bytes")
    return hmac.digest(pepper, key.encode(), hashlib.sha256)


class Peppers:
    """The deployment's peppers by version. New keys are stored under the highest; a presented key is looked up under
    all of them, newest first, until the old version's last key is gone."""

    def __init__(self, versions: Mapping[int, bytes]) -> None:
        if not versions:
            raise ValueError("at least one pepper is needed")
        if any(len(pepper) < 32 for pepper in versions.values()):
            raise ValueError("a pepper has at least 32 bytes")
        self._versions = dict(sorted(versions.items(), reverse=True))
        # Keyed once: a copy of it takes half the time of a new one, and every request needs one.
        self._keyed = [hmac.new(pepper, digestmod=hashlib.sha256) for pepper in self._versions.values()]

    def __repr__(self) -> str:
        return f"Peppers(versions {sorted(self._versions)})"

    @property
    def current(self) -> int:
        """The version under which new keys are stored."""
        return next(iter(self._versions))

    def for_storage(self, key: str) -> bytes:
        """The HMAC to store for a new key."""
        return credential_hmac(self._versions[self.current], key)

    def candidates(self, key: str) -> tuple[bytes, ...]:
        """The HMACs under which a presented key may be stored, newest pepper first."""
        digests = []
        for keyed in self._keyed:
            one = keyed.copy()
            one.update(key.encode())
            digests.append(one.digest())
        return tuple(digests)
