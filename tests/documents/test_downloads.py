"""Links that open a document once."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select

from backoffice.documents import commands, files, models
from backoffice.documents.http import open_download
from backoffice.documents.links import LIFE, PATH, DownloadLinks, sign
from backoffice.documents.schemas import NewDocument
from backoffice.kernel import ids
from backoffice.kernel.errors import NotFound, StateConflict
from backoffice.platform import models as platform_models
from backoffice.platform.tables import TENANT

if TYPE_CHECKING:
    from tests.world import Tenant, World

JOB = uuid4()
STUB = NewDocument(
    key="paycheck:1:stub",
    kind="pay_stub",
    title="Pay stub of 20 November 2026",
    file_name="pay-stub-2026-11-20.pdf",
    media_type="application/pdf",
)
PDF = b"%PDF-1.7 invented"
HANDLER: Any = open_download
LINKS = DownloadLinks(bytes(range(32)), "https://api.example.com")


async def stored(world: World, tenant: Tenant) -> str:
    async with world.tx(tenant) as tx:
        (id_,) = await commands.claim(tx, [STUB], JOB)
        cipher = await tx.cipher()
    put = await files.put(world.runtime.storage, cipher, id_, PDF)
    async with world.tx(tenant) as tx:
        assert await commands.record(tx, [put]) == 1
        assert await commands.record(tx, [put]) == 0
    return ids.encode("document", id_)


async def link(world: World, tenant: Tenant, document: str) -> str:
    """The token of a new link."""
    async with world.tx(tenant) as tx:
        made = await commands.create_link(tx, document, LINKS)
        now = await tx.value(select(func.clock_timestamp()))
    assert timedelta(0) < made.expires_at - now <= LIFE
    assert made.url.startswith(f"https://api.example.com{PATH}")
    return made.url.removeprefix(f"https://api.example.com{PATH}")


async def opened(world: World, tenant: Tenant, token: str) -> bytes:
    async with world.tx(tenant) as tx:
        answer = await HANDLER.fn(tx=tx, token=token, storage=world.runtime.storage, links=LINKS)
        assert answer.media_type == "application/pdf"
        assert 'filename="pay-stub-2026-11-20.pdf"' in answer.headers["Content-Disposition"]
    return bytes(answer.content)


async def test_a_link_opens_once(world: World) -> None:
    tenant = (await world.firm(keys=False)).test
    token = await link(world, tenant, await stored(world, tenant))
    assert await opened(world, tenant, token) == PDF
    with pytest.raises(NotFound):
        await opened(world, tenant, token)
    audit = platform_models.audit_event.c
    async with world.tx(tenant) as tx:
        told = await tx.fetch(
            select(audit.action, audit.reason)
            .where(audit.tenant_id == TENANT, audit.object_type == "document")
            .order_by(audit.id)
        )
    assert [row["action"] for row in told] == [
        *("document.claimed", "document.available", "document_link.created", "document.downloaded")
    ]
    assert told[-1]["reason"].endswith("of system:test")


async def test_a_raced_link_opens_once(world: World) -> None:
    tenant = (await world.firm(keys=False)).test
    token = await link(world, tenant, await stored(world, tenant))
    answers = await asyncio.gather(*(opened(world, tenant, token) for _ in range(6)), return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == [*["NotFound"] * 5, "bytes"]


async def test_a_read_that_fails_leaves_the_link_unused(world: World) -> None:
    tenant = (await world.firm(keys=False)).test
    document = await stored(world, tenant)
    token = await link(world, tenant, document)
    id_ = ids.decode("document", document)
    assert id_ is not None
    storage, key = world.runtime.storage, files.storage_key(id_)
    blob = await storage.get(tenant.facts.id, key)
    await storage.delete(tenant.facts.id, key)
    with pytest.raises(Exception, match="Restore the document"):
        await opened(world, tenant, token)
    await storage.put(tenant.facts.id, key, blob)
    assert await opened(world, tenant, token) == PDF


async def test_a_link_expires_by_database_time(world: World) -> None:
    tenant = (await world.firm(keys=False)).test
    token = await link(world, tenant, await stored(world, tenant))
    _, id_ = LINKS.verify(token, await database_now(world, tenant)) or (None, None)
    table = models.document_link
    async with world.tx(tenant) as tx:
        past = table.update().where(table.c.tenant_id == TENANT, table.c.id == id_)
        assert await tx.execute(past.values(expires_at=func.clock_timestamp() - timedelta(seconds=1))) == 1
    with pytest.raises(NotFound):  # the row says so, whatever the token says
        await opened(world, tenant, token)
    async with world.tx(tenant) as tx:
        assert await tx.execute(past.values(expires_at=func.clock_timestamp() + timedelta(hours=1))) == 1
    late = sign(LINKS.key, tenant.facts.id, UUID(str(id_)), await database_now(world, tenant))
    with pytest.raises(NotFound):  # and the token says so, whatever the row says
        await opened(world, tenant, late)
    assert await opened(world, tenant, token) == PDF


async def database_now(world: World, tenant: Tenant) -> datetime:
    async with world.tx(tenant) as tx:
        now: datetime = await tx.value(select(func.clock_timestamp()))
    return now


async def test_links_of_others_and_links_of_nobody_are_not_there(world: World) -> None:
    firm = await world.firm(keys=False)
    document = await stored(world, firm.test)
    token = await link(world, firm.test, document)
    with pytest.raises(NotFound):
        await opened(world, firm.live, token)
    for made_up in ("", "x", token[:-1], token + "A", token.swapcase()):
        with pytest.raises(NotFound):
            await opened(world, firm.test, made_up)
    async with world.tx(firm.live) as tx:
        with pytest.raises(NotFound):
            await commands.create_link(tx, document, LINKS)
    async with world.tx(firm.test) as tx:
        with pytest.raises(NotFound):
            await commands.create_link(tx, "doc_" + "0" * 26, LINKS)
    assert await opened(world, firm.test, token) == PDF


async def test_what_is_being_stored_has_no_link_yet(world: World) -> None:
    tenant = (await world.firm(keys=False)).test
    async with world.tx(tenant) as tx:
        (id_,) = await commands.claim(tx, [STUB], JOB)
        with pytest.raises(StateConflict):
            await commands.create_link(tx, ids.encode("document", id_), LINKS)
