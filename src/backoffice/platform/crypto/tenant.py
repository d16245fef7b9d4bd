"""One tenant's keys in memory: seal and open values and files, compute blind indexes. Pure, given the keys."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import struct
import unicodedata
from collections.abc import Callable, Mapping
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from backoffice.platform.crypto.errors import CannotOpen
from backoffice.platform.crypto.values import Cell, Sealed

MAX_FILE_BYTES: Final = 64 * 1024 * 1024
MAX_VERSION: Final = 32_767  # `app.data_key.version` is a smallint
KEY_BYTES: Final = 32

_VALUE = 0x01
_FILE = 0x02
_HEADER = struct.Struct(">BH")
_NONCE_BYTES = 12
_TAG_BYTES = 16
_OVERHEAD = _HEADER.size + _NONCE_BYTES + _TAG_BYTES
_PURPOSE = re.compile(r"[a-z][a-z0-9_]{2,63}")


def _digits(text: str) -> str:
    return "".join(character for character in text if character in "0123456789")


def _letters_and_digits(text: str) -> str:
    return "".join(character for character in text.upper() if character.isascii() and character.isalnum())


def _email(text: str) -> str:
    return unicodedata.normalize("NFC", text.strip()).casefold()


# The only fields that may be looked up, and the form in which two spellings of one value are equal. Nothing of low
# entropy belongs here: an index of birth dates or last fours could be counted out by whoever holds the root.
INDEXED: Final[Mapping[str, Callable[[str], str]]] = {
    "ssn": _digits,
    "bank_account": _letters_and_digits,
    "email": _email,
}

Observe = Callable[[str, str, str], None]


class TenantCipher:
    """Seals and opens for one tenant.

    `deks` maps a version (1–32767) to its 32-byte key; `current_version` is the one that seals; `index_root` (32 bytes)
    feeds the blind indexes. `observe(table, column, purpose)` is told of every opening, never of the value. Random
    nonces: a key is good for 2³⁰ values (NIST SP 800-38D §8.3 allows 2³²)."""

    def __init__(
        self,
        tenant_id: UUID,
        deks: Mapping[int, bytes],
        current_version: int,
        *,
        index_root: bytes,
        observe: Observe | None = None,
    ) -> None:
        if current_version not in deks:
            raise ValueError("the current version must be among the keys")
        if any(not 1 <= version <= MAX_VERSION or len(key) != KEY_BYTES for version, key in deks.items()):
            raise ValueError("keys are 32 bytes under versions 1 to 32767")
        if len(index_root) != KEY_BYTES:
            raise ValueError("the index root is 32 bytes")
        self.tenant_id = tenant_id
        self.current_version = current_version
        self._keys = {version: AESGCM(key) for version, key in deks.items()}
        self._index_root = index_root
        self._index_keys: dict[str, bytes] = {}
        self._observe = observe

    def __repr__(self) -> str:
        return f"TenantCipher({self.tenant_id}, version {self.current_version})"

    def seal(self, cell: Cell, value: str) -> Sealed[str]:
        """Encrypt `value` (UTF-8) for this cell under the current key."""
        return Sealed(self._seal(_VALUE, value.encode(), cell.aad(self.tenant_id)))

    def open(self, cell: Cell, sealed: Sealed[str], *, purpose: str) -> str:
        """The clear value. `purpose` says what for, in snake_case (`w2_print`, `pay_file`); ValueError without one.

        CannotOpen when the value was sealed for another row, column or tenant, was changed, or its key is gone."""
        _require(purpose)
        clear = self._open(_VALUE, sealed.token, cell.aad(self.tenant_id))
        if self._observe is not None:
            self._observe(cell.table, cell.column, purpose)
        return clear.decode()

    def needs_resealing(self, sealed: Sealed[str]) -> bool:
        """Whether the value lies under an older key than the current one; the yearly job seals those again."""
        return _version(_VALUE, sealed.token) != self.current_version

    def seal_file(self, document_id: UUID, content: bytes) -> bytes:
        """Encrypt a whole file for one document: `0x02 ‖ version (2) ‖ nonce (12) ‖ ciphertext ‖ tag (16)`, with
        `f1|tenant|document` authenticated. ValueError above 64 MiB. Call it in a thread when the file is large."""
        if len(content) > MAX_FILE_BYTES:
            raise ValueError("a document is at most 64 MiB; split it")
        return self._seal(_FILE, content, self._file_aad(document_id))

    def open_file(self, document_id: UUID, blob: bytes, *, purpose: str) -> bytes:
        """The file's clear bytes; CannotOpen as for a value. `purpose` as for a value."""
        _require(purpose)
        clear = self._open(_FILE, blob, self._file_aad(document_id))
        if self._observe is not None:
            self._observe("document", "content", purpose)
        return clear

    def blind_index(self, field: str, value: str) -> bytes:
        """16 bytes by which a sealed value can be found: HMAC-SHA-256 under HKDF-SHA-256(index root, `bidx|v1|field`).

        `field` is one of `INDEXED` (KeyError otherwise), which also names the normal form; ValueError when nothing is
        left of the value. Equal within a tenant, unrelated across tenants."""
        normal = INDEXED[field](value)
        if not normal:
            raise ValueError(f"the {field} is empty; there is nothing to look up")
        key = self._index_keys.get(field)
        if key is None:
            info = f"bidx|v1|{field}".encode("ascii")
            key = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(self._index_root)
            self._index_keys[field] = key
        return hmac.digest(key, normal.encode(), hashlib.sha256)[:16]

    def _file_aad(self, document_id: UUID) -> bytes:
        return f"f1|{self.tenant_id}|{document_id}".encode("ascii")

    def _seal(self, marker: int, clear: bytes, aad: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        header = _HEADER.pack(marker, self.current_version)
        return header + nonce + self._keys[self.current_version].encrypt(nonce, clear, aad)

    def _open(self, marker: int, token: bytes, aad: bytes) -> bytes:
        key = self._keys.get(_version(marker, token))
        if key is None:
            raise CannotOpen("the key version of this value is not among the tenant's keys")
        start = _HEADER.size + _NONCE_BYTES
        try:
            return key.decrypt(token[_HEADER.size : start], token[start:], aad)
        except InvalidTag:
            raise CannotOpen("the value was changed or belongs to another place") from None


def _version(marker: int, token: bytes) -> int:
    if len(token) < _OVERHEAD:
        raise CannotOpen("the value is too short to be a ciphertext")
    found, version = _HEADER.unpack_from(token)
    if found != marker:
        raise CannotOpen("the value is not in the expected format")
    return int(version)


def _require(purpose: str) -> None:
    if not _PURPOSE.fullmatch(purpose):
        raise ValueError("a purpose is a snake_case reason of 3 to 64 characters, such as w2_print")
