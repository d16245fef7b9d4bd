"""The format of API keys: `bo_<kind>_<mode>_` + 30 random base62 characters + their CRC-32 in six base62 characters.

The checksum tells a mistyped or invented key from a real one before any database is asked, and lets a secret scanner
report keys without false alarms. It is no secret: what authenticates is the HMAC of the whole key.
"""

from __future__ import annotations

import hmac
import re
import secrets
import zlib
from dataclasses import dataclass, field
from typing import Final, Literal, cast

Kind = Literal["sk", "rk", "pk", "st"]
Mode = Literal["live", "test"]

# sk: full; rk: restricted by scopes; pk: browser components only; st: staff of the provider.
KINDS: Final[tuple[Kind, ...]] = ("sk", "rk", "pk", "st")
MODES: Final[tuple[Mode, ...]] = ("live", "test")

# For secret scanners, published as it stands.
SCANNER_PATTERN: Final = r"\bbo_(sk|rk|pk|st)_(live|test)_[0-9A-Za-z]{36}\b"

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_WHOLE = re.compile(r"bo_(sk|rk|pk|st)_(live|test)_([0-9A-Za-z]{30})([0-9A-Za-z]{6})")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A well-formed key with a correct checksum; nothing says that it was ever issued. `text` is the secret itself and
    stays out of the repr; `hint` is what may be shown of it."""

    kind: Kind
    mode: Mode
    text: str = field(repr=False)

    @property
    def hint(self) -> str:
        """`bo_sk_test_…Eiuc`: enough to tell two keys apart in a list."""
        return f"bo_{self.kind}_{self.mode}_…{self.text[-4:]}"


def make(kind: Kind, mode: Mode) -> str:
    """A new key with 178 random bits. Show it once and store only its HMAC (`crypto.credential_hmac`)."""
    if kind not in KINDS or mode not in MODES:
        raise ValueError("kind is one of sk, rk, pk, st and mode one of live, test")
    body = "".join(secrets.choice(_ALPHABET) for _ in range(30))
    return f"bo_{kind}_{mode}_{body}{checksum(body)}"


def checksum(body: str) -> str:
    """CRC-32 (ISO-HDLC, as in zlib) of the ASCII text, in base62 (`0-9A-Za-z`), left-padded with `0` to six."""
    number = zlib.crc32(body.encode("ascii"))
    text = ""
    while number:
        number, digit = divmod(number, 62)
        text = _ALPHABET[digit] + text
    return text.rjust(6, "0")


def parse(text: str) -> ApiKey | None:
    """The key, or None for a text that cannot be a key of ours: wrong shape, wrong kind or mode, wrong checksum."""
    match = _WHOLE.fullmatch(text)
    if match is None or not hmac.compare_digest(checksum(match[3]), match[4]):
        return None
    return ApiKey(cast(Kind, match[1]), cast(Mode, match[2]), text)
