"""Storing documents from jobs: once, whole, and whatever dies on the way."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID, uuid4

import msgspec
import pytest
from sqlalchemy import func, select

from backoffice.documents import commands, files, jobs, models, queries
from backoffice.documents.errors import DocumentKeyReused, DocumentNotAvailable, DocumentUnreadable
from backoffice.documents.schemas import NewDocument
from backoffice.kernel.errors import NotFound, ValidationFailed
from backoffice.platform import models as platform_models
from backoffice.platform.crypto import CannotOpen
from backoffice.platform.jobs import lease
from backoffice.platform.jobs.kinds import JobPayload
from backoffice.platform.jobs.run import JobRun
from backoffice.platform.runtime import new_request_id
from backoffice.platform.storage import Storage
from backoffice.platform.tables import TENANT

if TYPE_CHECKING:
    from tests.world import Tenant, World

SUBJECT = "pchk_" + "0" * 25 + "1"
JOB = uuid4()
STUB = NewDocument(
    key="paycheck:1:stub",
    kind="pay_stub",
    title="Pay stub of 20 November 2026",
    file_name="pay-stub-2026-11-20.pdf",
    media_type="application/pdf",
    subject=SUBJECT,
    retention_until=date(2030, 11, 20),
)
PDF = b"%PDF-1.7 invented " * 1000


class Print(JobPayload, frozen=True, kw_only=True):
    kind: ClassVar[str] = "documents_test.print"


class Died(BaseException):
    """The process is gone."""


class DyingRun(JobRun):
    """A try whose process dies at a moment such as "before record" or "after claim"."""

    moment = ""

    async def step(self, name: str, command: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
        verb = name.rpartition(".")[2]
        if self.moment == f"before {verb}":
            raise Died
        result = await super().step(name, command, *args, **kwargs)
        if self.moment == f"after {verb}":
            raise Died
        return result


@dataclass
class Worker:
    """Runs one job of a tenant, as often as it takes."""

    world: World
    tenant: Tenant
    job: UUID

    @classmethod
    async def of(cls, world: World, tenant: Tenant) -> Worker:
        async with world.tx(tenant) as tx:
            job = await tx.start(Print())
        return cls(world, tenant, job)

    async def run(self, *, dies: str = "") -> JobRun:
        """The next try: released and claimed anew, so that an older one has lost its lease."""
        table = platform_models.job
        mine = (table.c.tenant_id == TENANT, table.c.id == self.job)
        released = {"state": "released", "fence": table.c.fence + 1}
        until = func.clock_timestamp() + timedelta(minutes=5)
        async with self.world.tx(self.tenant) as tx:
            await tx.execute(table.update().where(*mine).values(**released, lease_until=until))
            fence = await tx.value(select(table.c.fence).where(*mine))
            [row] = await lease.claim(tx, [(self.job, fence)], worker="test", lease=timedelta(minutes=5))
            assert row is not None
            steps = (await lease.finished_steps(tx, [self.job]))[self.job]
        run = DyingRun(
            runtime=self.world.runtime,
            id=self.job,
            fence=fence,
            payload=Print(),
            attempt=row["attempt"],
            principal=self.tenant.system(),
            request_id=new_request_id(),
            traceparent=None,
            parent_id=None,
            _steps=steps,
        )
        run.moment = dies
        return run


async def events_of(world: World, tenant: Tenant) -> list[dict[str, Any]]:
    event = platform_models.event.c
    async with world.tx(tenant) as tx:
        rows = await tx.fetch(
            select(event.body).where(event.tenant_id == TENANT, event.type == "document.available").order_by(event.id)
        )
    return [msgspec.json.decode(row["body"]) for row in rows]


async def clear(world: World, tenant: Tenant, id_: UUID) -> bytes:
    async with world.tx(tenant) as tx:
        row, cipher = await queries.available_row(tx, id_), await tx.cipher()
    return await files.read(world.runtime.storage, cipher, row, purpose="document_test")


async def test_a_round_trip(world: World) -> None:
    tenant = (await world.firm(keys=False)).test
    worker = await Worker.of(world, tenant)
    id_ = await jobs.store(await worker.run(), "stub", STUB, PDF)
    assert await clear(world, tenant, id_) == PDF
    assert await jobs.load(await worker.run(), id_, purpose="document_test") == PDF
    async with world.tx(tenant) as tx:
        found = await queries.of_subjects(tx, [SUBJECT], kind="pay_stub")
        assert await queries.of_subjects(tx, [SUBJECT], kind="bank_file") == {}
    (document,) = found[SUBJECT]
    assert (document.status, document.size_bytes) == ("available", len(PDF))
    assert document.sha256 == hashlib.sha256(PDF).hexdigest()
    assert document.retention_until == date(2030, 11, 20)
    sealed = await world.runtime.storage.get(tenant.facts.id, files.storage_key(id_))
    assert b"PDF" not in sealed
    (told,) = await events_of(world, tenant)
    assert told["data"]["object"]["id"] == document.id
    assert told["data"]["effects"][0]["subject"] == SUBJECT


async def test_many_are_stored_in_two_steps_and_made_only_when_missing(world: World) -> None:
    tenant = (await world.firm(keys=False)).test
    made: list[int] = []

    def content(number: int) -> Callable[[], bytes]:
        def make() -> bytes:
            made.append(number)
            return f"stub {number}".encode()

        return make

    stubs = [(msgspec.structs.replace(STUB, key=f"paycheck:{number}:stub"), content(number)) for number in range(30)]
    first = await jobs.store_many(await (await Worker.of(world, tenant)).run(), "stubs", stubs[:20])
    all_ = await jobs.store_many(await (await Worker.of(world, tenant)).run(), "stubs", stubs)
    assert all_[:20] == first
    assert sorted(made) == list(range(30))
    assert [await clear(world, tenant, id_) for id_ in all_[18:22]] == [f"stub {n}".encode() for n in range(18, 22)]
    assert len(await events_of(world, tenant)) == 30
    assert await jobs.store_many(await (await Worker.of(world, tenant)).run(), "none", []) == []


class DyingStorage:
    """A storage whose user dies just before or just after a put."""

    def __init__(self, storage: Storage, moment: str) -> None:
        self._storage, self._moment = storage, moment

    async def put(self, tenant_id: UUID, name: str, content: bytes) -> bool:
        if self._moment == "before put":
            raise Died
        await self._storage.put(tenant_id, name, content)
        raise Died

    async def get(self, tenant_id: UUID, name: str) -> bytes:
        return await self._storage.get(tenant_id, name)


@pytest.mark.parametrize("moment", ["after claim", "before put", "after put", "before record", "after record"])
async def test_death_at_any_instruction_heals(world: World, moment: str) -> None:
    tenant = (await world.firm(keys=False)).test
    worker = await Worker.of(world, tenant)
    run = await worker.run(dies=moment)
    if moment.endswith("put"):
        run.runtime = replace(world.runtime, storage=DyingStorage(world.runtime.storage, moment))  # type: ignore[arg-type]
    with pytest.raises(Died):
        await jobs.store(run, "stub", STUB, PDF)
    # The content of the second try differs, as that of a PDF with a time in it does.
    id_ = await jobs.store(await worker.run(), "stub", STUB, PDF + b"again")
    first_counts = moment in ("after put", "before record", "after record")
    assert await clear(world, tenant, id_) == (PDF if first_counts else PDF + b"again")
    assert len(await events_of(world, tenant)) == 1
    # and another job with the same key finds it
    assert await jobs.store(await (await Worker.of(world, tenant)).run(), "stub", STUB, b"third") == id_
    assert len(await events_of(world, tenant)) == 1
    async with world.tx(tenant) as tx:
        count = select(func.count()).select_from(models.document).where(models.document.c.tenant_id == TENANT)
        assert await tx.value(count) == 1


async def test_a_put_that_fails_is_told_after_the_others_have_ended(world: World) -> None:
    tenant = (await world.firm(keys=False)).test
    ended: list[int] = []

    def bad() -> bytes:
        raise RuntimeError("no font")

    def good() -> bytes:
        ended.append(1)
        return PDF

    both = [(STUB, bad), (msgspec.structs.replace(STUB, key="other"), good)]
    with pytest.raises(RuntimeError, match="no font"):
        await jobs.store_many(await (await Worker.of(world, tenant)).run(), "stubs", both)
    assert ended == [1]
    assert await events_of(world, tenant) == []


async def test_raced_jobs_store_one_document(world: World) -> None:
    tenant = (await world.firm(keys=False)).test
    runs = [await (await Worker.of(world, tenant)).run() for _ in range(6)]
    stored = await asyncio.gather(*(jobs.store(run, "stub", STUB, PDF + bytes([n])) for n, run in enumerate(runs)))
    assert len(set(stored)) == 1
    content = await clear(world, tenant, stored[0])
    assert content[:-1] == PDF
    async with world.tx(tenant) as tx:
        row = await queries.row_of(tx, stored[0])
    assert bytes(row["sha256"]) == hashlib.sha256(content).digest()
    assert len(await events_of(world, tenant)) == 1


async def test_a_key_stands_for_one_document(world: World) -> None:
    tenant = (await world.firm(keys=False)).test
    async with world.tx(tenant) as tx:
        ids = await commands.claim(tx, [STUB, STUB], JOB)
        assert ids[0] == ids[1]
        assert await commands.claim(tx, [STUB], JOB) == ids[:1]
        with pytest.raises(DocumentKeyReused):
            await commands.claim(tx, [msgspec.structs.replace(STUB, subject=None)], JOB)
        with pytest.raises(DocumentNotAvailable):
            await queries.available_row(tx, ids[0])
        with pytest.raises(ValidationFailed) as refusal:
            await commands.claim(
                tx,
                [
                    STUB,
                    msgspec.structs.replace(
                        STUB, key="", kind="Pay stub", file_name="../stub.pdf", media_type="pdf", subject="42"
                    ),
                ],
                JOB,
            )
    assert [fault.pointer for fault in refusal.value.errors] == [
        *("#/1/key", "#/1/kind", "#/1/file_name", "#/1/media_type", "#/1/subject")
    ]


async def test_a_swapped_blob_does_not_open(world: World) -> None:
    firm = await world.firm(keys=False)
    run = await (await Worker.of(world, firm.test)).run()
    other = msgspec.structs.replace(STUB, key="another", subject=None)
    mine, another = await jobs.store_many(run, "both", [(STUB, PDF), (other, b"another")])
    foreign = await jobs.store(await (await Worker.of(world, firm.live)).run(), "stub", STUB, PDF)
    storage, tenant = world.runtime.storage, firm.test
    sealed = await storage.get(tenant.facts.id, files.storage_key(mine))
    blobs = {
        "another document's": await storage.get(tenant.facts.id, files.storage_key(another)),
        "another tenant's": await storage.get(firm.live.facts.id, files.storage_key(foreign)),
        "changed": sealed[:-1] + bytes([sealed[-1] ^ 1]),
        "empty": b"",
    }
    for blob in blobs.values():
        await storage.delete(tenant.facts.id, files.storage_key(mine))
        await storage.put(tenant.facts.id, files.storage_key(mine), blob)
        with pytest.raises(DocumentUnreadable):
            await clear(world, tenant, mine)
    await storage.delete(tenant.facts.id, files.storage_key(mine))
    with pytest.raises(DocumentUnreadable):
        await clear(world, tenant, mine)
    # A genuine blob of this very document that is not what was recorded: an older one put back.
    cipher = await world.runtime.ciphers.for_tenant(tenant.facts.id)
    await storage.put(tenant.facts.id, files.storage_key(mine), cipher.seal_file(mine, b"older"))
    with pytest.raises(DocumentUnreadable):
        await clear(world, tenant, mine)


async def test_a_foreign_blob_found_while_storing_is_not_recorded(world: World) -> None:
    tenant = (await world.firm(keys=False)).test
    worker = await Worker.of(world, tenant)
    async with world.tx(tenant) as tx:
        (id_,) = await commands.claim(tx, [STUB], JOB)
    await world.runtime.storage.put(tenant.facts.id, files.storage_key(id_), b"planted")
    with pytest.raises(CannotOpen):
        await jobs.store(await worker.run(), "stub", STUB, PDF)
    assert await events_of(world, tenant) == []


async def test_another_tenant_has_no_such_document(world: World) -> None:
    firm = await world.firm(keys=False)
    id_ = await jobs.store(await (await Worker.of(world, firm.test)).run(), "stub", STUB, PDF)
    async with world.tx(firm.live) as tx:
        with pytest.raises(NotFound):
            await queries.row_of(tx, id_)
        assert await queries.of_subjects(tx, [SUBJECT]) == {}
        assert await queries.still_storing(tx, [id_]) == set()
