"""Object storage: a folder by default, S3 by URL. Every key begins with its tenant.

What is stored is written once and never changed: a job that runs twice finds its file there. Contents are sealed by the
caller (`platform/crypto`); this module sees ciphertext.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, S3Store

_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}(/[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}){0,7}")


class NotStored(Exception):
    """There is no such object."""


class StorageFault(Exception):
    """The storage did not do what it was asked (full, unreachable, refused); trying again later may work."""


class Storage:
    """Puts, gets and deletes objects of one tenant at a time, under `<tenant id>/<name>`.

    Names are made by us (`documents/0193…`): letters, digits, `.`, `_`, `-` and up to seven slashes, no part beginning
    with a dot; ValueError for others, so that no name leads out of the tenant's folder."""

    def __init__(self, store: Any, folder: Path | None = None) -> None:
        self._store = store
        self._folder = folder

    @classmethod
    def open(cls, url: str, *, options: Mapping[str, Any] | None = None) -> Storage:
        """The storage at a folder path, a `file:///` URL or `s3://bucket/prefix`. ValueError for other URLs.

        A folder is made with mode 0700 when it is missing. For S3, region, endpoint and credentials come from the usual
        `AWS_…` variables; `options` go to obstore's `S3Store` (`config`, `client_options`, `retry_config`). The bucket
        must support conditional writes (`If-None-Match`), as S3, R2 and MinIO do."""
        if url.startswith("s3://"):
            return cls(S3Store.from_url(url, **(options or {})))
        if "://" in url and not url.startswith("file:///"):
            raise ValueError("storage is a folder or s3://bucket/prefix")
        folder = Path(url.removeprefix("file://")).absolute()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as fault:
            raise StorageFault(f"the storage folder {folder} cannot be made: {fault.strerror}") from None
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise StorageFault(f"the storage folder {folder} belongs to another user: run as that user, or chown it")
        return cls(LocalStore(folder), folder)

    async def put(self, tenant_id: UUID, name: str, content: bytes) -> bool:
        """Store an object unless one of that name is there; says whether it was stored.

        All or nothing, and on disk when it returns. False is success for a job done again: what is there stays."""
        key = _key(tenant_id, name)
        try:
            # In one request whatever the size: a condition on the object does not hold over an upload in parts.
            await obstore.put_async(self._store, key, content, mode="create", use_multipart=False)
        except AlreadyExistsError:
            return False
        except (BaseError, OSError) as fault:
            raise _told("store", fault) from None
        if self._folder is not None:
            await asyncio.to_thread(_sync, self._folder / key, self._folder)
        return True

    async def get(self, tenant_id: UUID, name: str) -> bytes:
        """The object's bytes; NotStored when there is none."""
        try:
            found = await obstore.get_async(self._store, _key(tenant_id, name))
            return bytes(await found.bytes_async())
        except FileNotFoundError:
            raise NotStored(f"there is no object {name}") from None
        except (BaseError, OSError) as fault:
            raise _told("read", fault) from None

    async def exists(self, tenant_id: UUID, name: str) -> bool:
        """Whether the object is there."""
        try:
            await obstore.head_async(self._store, _key(tenant_id, name))
        except FileNotFoundError:
            return False
        except (BaseError, OSError) as fault:
            raise _told("look up", fault) from None
        return True

    async def names(self, tenant_id: UUID) -> list[str]:
        """The names of all that the tenant has stored."""
        found: list[str] = []
        try:
            async for batch in obstore.list(self._store, f"{tenant_id}/"):
                found += [each["path"].removeprefix(f"{tenant_id}/") for each in batch]
        except (BaseError, OSError) as fault:
            raise _told("list", fault) from None
        return found

    async def delete(self, tenant_id: UUID, name: str) -> None:
        """Delete the object; that it is gone already is fine."""
        try:
            await obstore.delete_async(self._store, _key(tenant_id, name))
        except FileNotFoundError:
            return
        except (BaseError, OSError) as fault:
            raise _told("delete", fault) from None


def _key(tenant_id: UUID, name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("an object's name has letters, digits, . _ - and slashes, such as documents/0193f2")
    return f"{tenant_id}/{name}"


def _sync(path: Path, root: Path) -> None:
    """The file, then each folder up to the root: a name counts only when its folder is on disk."""
    folders = [path.parent, *(parent for parent in path.parent.parents if parent == root or root in parent.parents)]
    for each in (path, *folders):
        handle = os.open(each, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _told(verb: str, fault: Exception) -> StorageFault:
    """The first line only: what follows in obstore's messages are debug structures."""
    return StorageFault(
        f"the storage could not {verb} an object: {str(fault).splitlines()[0] if str(fault) else 'fault'}"
    )
