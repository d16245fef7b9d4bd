"""Where key-encryption keys lie: outside the database, so that a stolen database or backup opens nothing."""

from __future__ import annotations

import asyncio
import base64
import binascii
import fcntl
import json
import os
import stat
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from backoffice.platform.crypto.errors import CannotOpen, KeyDestroyed, KeyMissing, KeyStoreFault

_FORMAT = 1
_HEADER = struct.Struct(">BH")  # format 0x01, version of the KEK
_NONCE_BYTES = 12
_Keks = dict[str, dict[str, str] | None]  # tenant → version → base64 key; None marks a shredded tenant


class KeyStore(Protocol):
    """A key service. The KEK never leaves it: it wraps and unwraps the 32-byte keys it is given."""

    async def wrap(self, tenant_id: UUID, version: int, key: bytes) -> bytes:
        """`key` encrypted under the tenant's KEK with `dek|tenant|version` authenticated. Makes the KEK on first use;
        KeyDestroyed for a shredded tenant."""
        ...

    async def unwrap(self, tenant_id: UUID, version: int, wrapped: bytes) -> bytes:
        """The key again. KeyMissing, KeyDestroyed, or CannotOpen for a wrapped key of another tenant or version."""
        ...

    async def rotate(self, tenant_id: UUID) -> int:
        """A new KEK for the tenant, beside the old ones; returns its version. Wrap each key again afterwards."""
        ...

    async def destroy(self, tenant_id: UUID) -> None:
        """Shred the tenant: no KEK of it remains, and none is made again."""
        ...


class FileKeyStore:
    """The key store of development and of a single machine: one JSON file, mode 0600, made on first use.

    Several processes may use it: changes hold a lock beside the file and replace it in one step. Reads open the file
    each time (they happen once per tenant and ten minutes), so a destroyed key is gone for every process at once,
    except for keys that a process has already unwrapped."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"FileKeyStore({str(self.path)!r})"

    async def wrap(self, tenant_id: UUID, version: int, key: bytes) -> bytes:
        return await asyncio.to_thread(self._wrap, tenant_id, version, key)

    async def unwrap(self, tenant_id: UUID, version: int, wrapped: bytes) -> bytes:
        return await asyncio.to_thread(self._unwrap, tenant_id, version, wrapped)

    async def rotate(self, tenant_id: UUID) -> int:
        return await asyncio.to_thread(self._change, tenant_id, _add)

    async def destroy(self, tenant_id: UUID) -> None:
        await asyncio.to_thread(self._change, tenant_id, _forget)

    def _wrap(self, tenant_id: UUID, version: int, key: bytes) -> bytes:
        keks = self._read().get(str(tenant_id), {})
        if not keks and keks is not None:
            self._change(tenant_id, _first)
            keks = self._read().get(str(tenant_id), {})
        if keks is None:
            raise KeyDestroyed("this tenant was shredded; nothing can be sealed for it any more")
        newest = max(int(found) for found in keks)
        nonce = os.urandom(_NONCE_BYTES)
        sealed = AESGCM(_decode(keks[str(newest)])).encrypt(nonce, key, _aad(tenant_id, version))
        return _HEADER.pack(_FORMAT, newest) + nonce + sealed

    def _unwrap(self, tenant_id: UUID, version: int, wrapped: bytes) -> bytes:
        if len(wrapped) < _HEADER.size + _NONCE_BYTES or wrapped[0] != _FORMAT:
            raise CannotOpen("the wrapped key is not in the expected format")
        keks = self._read().get(str(tenant_id), {})
        if keks is None:
            raise KeyDestroyed("this tenant was shredded; nothing of it can be opened")
        kek = keks.get(str(_HEADER.unpack_from(wrapped)[1]))
        if kek is None:
            raise KeyMissing(
                f"{self.path} holds no key for this tenant: put back the key file that belongs to this database"
            )
        start = _HEADER.size + _NONCE_BYTES
        try:
            return AESGCM(_decode(kek)).decrypt(
                wrapped[_HEADER.size : start], wrapped[start:], _aad(tenant_id, version)
            )
        except InvalidTag:
            raise CannotOpen("the wrapped key belongs to another tenant, version or key file") from None

    def _read(self) -> _Keks:
        try:
            with self.path.open("rb") as file:
                if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                    raise KeyStoreFault(f"{self.path} can be read by others: run chmod 600 on it")
                content = json.loads(file.read())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as fault:
            raise KeyStoreFault(f"{self.path} cannot be read as a key file ({type(fault).__name__})") from None
        if (
            not isinstance(content, dict)
            or content.get("format") != _FORMAT
            or not isinstance(content.get("keks"), dict)
        ):
            raise KeyStoreFault(f"{self.path} is no key file of format {_FORMAT}")
        keks: _Keks = content["keks"]
        return keks

    def _change(self, tenant_id: UUID, change: Callable[[_Keks, str], int]) -> int:
        """Apply `change` to the newest content under the lock and put the file in place atomically."""
        with self._locked():
            keks = self._read()
            answer = change(keks, str(tenant_id))
            content = json.dumps({"format": _FORMAT, "keks": keks}, indent=1, sort_keys=True).encode()
            fresh = self.path.with_name(f".{self.path.name}.{os.getpid()}")
            with suppress(FileNotFoundError):
                fresh.unlink()  # left by a process of this number that died
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.path)
            _sync_folder(self.path.parent)
            return answer

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path.with_name(f".{self.path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _first(keks: _Keks, tenant: str) -> int:
    """A first KEK, unless another process was quicker or the tenant was shredded."""
    found = keks.setdefault(tenant, {"1": _encode(AESGCM.generate_key(bit_length=256))})
    return max(int(version) for version in found) if found else 0


def _add(keks: _Keks, tenant: str) -> int:
    found = keks.get(tenant, {})
    if found is None:
        raise KeyDestroyed("this tenant was shredded; it gets no new key")
    version = max((int(version) for version in found), default=0) + 1
    keks[tenant] = {**found, str(version): _encode(AESGCM.generate_key(bit_length=256))}
    return version


def _forget(keks: _Keks, tenant: str) -> int:
    keks[tenant] = None
    return 0


def _aad(tenant_id: UUID, version: int) -> bytes:
    return f"dek|{tenant_id}|{version}".encode("ascii")


def _encode(key: bytes) -> str:
    return base64.b64encode(key).decode("ascii")


def _decode(text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError):
        key = b""
    if len(key) != 32:
        raise KeyStoreFault("a key in the key file is damaged: put back the key file that belongs to this database")
    return key


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
