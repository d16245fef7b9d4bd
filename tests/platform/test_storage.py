"""Object storage on a folder and on S3's protocol: written once, found again, kept apart by tenant."""

from __future__ import annotations

import asyncio
import os
import re
import stat
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from backoffice.platform.storage import NotStored, Storage, StorageFault

TENANT = uuid.UUID("01930000-0000-7000-8000-000000000001")
OTHER = uuid.UUID("01930000-0000-7000-8000-000000000002")


async def lives_a_life(storage: Storage) -> None:
    """What every storage must do, whatever stands behind it."""
    name = "documents/01930000/stub.pdf"
    assert not await storage.exists(TENANT, name)
    with pytest.raises(NotStored):
        await storage.get(TENANT, name)
    assert await storage.put(TENANT, name, b"first")
    assert not await storage.put(TENANT, name, b"second")
    assert await storage.get(TENANT, name) == b"first"
    assert await storage.exists(TENANT, name)
    assert not await storage.exists(OTHER, name)
    assert await storage.put(OTHER, name, b"theirs")
    large = bytes(range(256)) * 40_000  # more than one part of a multipart upload
    assert await storage.put(TENANT, "large", large)
    assert not await storage.put(TENANT, "large", b"")
    assert await storage.get(TENANT, "large") == large
    raced = await asyncio.gather(*(storage.put(TENANT, "raced", bytes([k])) for k in range(8)))
    assert sorted(raced) == [False] * 7 + [True]
    assert await storage.get(TENANT, "raced") == bytes([raced.index(True)])
    await storage.delete(TENANT, name)
    await storage.delete(TENANT, name)
    assert not await storage.exists(TENANT, name)
    assert await storage.get(OTHER, name) == b"theirs"
    assert await storage.put(TENANT, "empty", b"")
    assert await storage.get(TENANT, "empty") == b""


def test_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "objects"
    asyncio.run(lives_a_life(Storage.open(str(folder))))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert (folder / str(OTHER) / "documents/01930000/stub.pdf").read_bytes() == b"theirs"


def test_a_file_url_is_the_same_folder(tmp_path: Path) -> None:
    asyncio.run(Storage.open(str(tmp_path / "objects")).put(TENANT, "a", b"1"))
    assert asyncio.run(Storage.open(f"file://{tmp_path}/objects").get(TENANT, "a")) == b"1"


def test_s3_protocol() -> None:
    async def scenario() -> None:
        async with s3_of_the_test() as (endpoint, objects):
            options = {
                "config": {"endpoint": endpoint, "region": "us-east-1", "skip_signature": True},
                "client_options": {"allow_http": True},
            }
            await lives_a_life(Storage.open("s3://bucket/prefix", options=options))
            assert objects[f"/bucket/prefix/{TENANT}/empty"] == b""

    asyncio.run(scenario())


@asynccontextmanager
async def s3_of_the_test() -> AsyncIterator[tuple[str, dict[str, bytes]]]:
    """The four requests of S3 that are used, conditional writes included (RFC 9110 If-None-Match)."""
    objects: dict[str, bytes] = {}

    async def answer(request: web.Request) -> web.Response:
        path, there = request.path, request.path in objects
        if request.method == "PUT":
            content = await request.read()
            if request.headers.get("If-None-Match") == "*" and path in objects:
                return web.Response(status=412)
            objects[path] = content
            return web.Response(headers={"ETag": '"1"'})
        if request.method == "POST" and "delete" in request.query:  # DeleteObjects
            keys = re.findall("<Key>([^<]*)</Key>", await request.text())
            for key in keys:
                objects.pop(f"{path}/{key}", None)
            deleted = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
            return web.Response(text=f"<DeleteResult>{deleted}</DeleteResult>")
        if not there:
            return web.Response(status=404)
        headers = {"ETag": '"1"', "Last-Modified": "Sat, 21 Nov 2026 12:00:00 GMT"}
        return web.Response(body=objects[path], headers=headers)

    application = web.Application(client_max_size=1 << 26)
    application.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", objects
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/a",
        "a/",
        "a//b",
        "../a",
        "a/../b",
        "a/.b",
        ".a",
        "a\\b",
        "a b",
        "ä",
        "a\n",
        "a%2e",
        "x" * 129,
        "a/" * 8 + "a",
    ],
)
def test_no_name_leads_elsewhere(tmp_path: Path, name: str) -> None:
    storage = Storage.open(str(tmp_path))
    verbs: list[Callable[[], Awaitable[object]]] = [
        lambda: storage.put(TENANT, name, b"x"),
        lambda: storage.get(TENANT, name),
        lambda: storage.exists(TENANT, name),
        lambda: storage.delete(TENANT, name),
    ]

    async def scenario() -> None:
        for verb in verbs:
            with pytest.raises(ValueError, match="name"):
                await verb()

    asyncio.run(scenario())
    assert list(tmp_path.iterdir()) == []


def test_faults_of_the_storage_are_told_in_one_line(tmp_path: Path) -> None:
    storage = Storage.open(str(tmp_path))
    (tmp_path / str(TENANT)).write_text("a file where the tenant's folder should be")

    async def scenario() -> None:
        for verb in (storage.put(TENANT, "a", b"x"), storage.get(TENANT, "a"), storage.delete(TENANT, "a")):
            with pytest.raises(StorageFault) as caught:
                await verb
            assert "\n" not in str(caught.value)

    asyncio.run(scenario())


def test_other_urls_are_refused(tmp_path: Path) -> None:
    for url in ("https://bucket.example.com", "file://host/share", "memory:///"):
        with pytest.raises(ValueError, match="s3://bucket/prefix"):
            Storage.open(url)
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageFault, match="cannot be made"):
        Storage.open(str(tmp_path / "file" / "objects"))


def test_somebody_elses_folder_is_told_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by the first job that stores something."""
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)  # root may write everywhere
    with pytest.raises(StorageFault, match="belongs to another user"):
        Storage.open(str(tmp_path))
