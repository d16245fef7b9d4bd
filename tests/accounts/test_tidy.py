"""Housekeeping: what its time is over for goes, what somebody may still ask for stays, in this tenant and no other."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from msgspec import structs
from sqlalchemy import ARRAY, Table, any_, func, literal, select
from sqlalchemy.types import Interval
from tests.world import Tenant, World

from backoffice.accounts.schemas import Tidy
from backoffice.documents import commands as documents
from backoffice.documents import files
from backoffice.documents import models as document_models
from backoffice.documents.links import DownloadLinks
from backoffice.documents.schemas import NewDocument
from backoffice.kernel import ids
from backoffice.platform import models
from backoffice.platform.jobs import tidying
from backoffice.platform.jobs.kinds import JobPayload
from backoffice.platform.tables import TENANT, Id
from backoffice.webhooks import commands as webhooks
from backoffice.webhooks import models as webhook_models

LINKS = DownloadLinks(b"k" * 32, "http://127.0.0.1")
DOCUMENT = NewDocument(key="one", kind="pay_stub", title="T", file_name="t.pdf", media_type="application/pdf")


class Work(JobPayload, frozen=True, kw_only=True):
    kind = "test.work"


async def tidied(world: World, tenant: Tenant) -> dict[str, int]:
    """What the job says it forgot."""
    async with world.tx(tenant) as tx:
        job_id = await tx.start(Tidy())
    await world.work(tenant)
    async with world.tx(tenant) as tx:
        row = await tx.row(select(models.job).where(models.job.c.tenant_id == TENANT, models.job.c.id == job_id))
    assert row is not None
    assert row["state"] == "succeeded", row["problem"]
    return dict(row["result"])


async def age(world: World, tenant: Tenant, table: Table, column: str, days: float, *ids_: UUID) -> None:
    """Move an instant of rows into the past."""
    back = table.c[column] - literal(timedelta(days=days), Interval(native=True))
    chosen = [table.c.id == any_(literal(list(ids_), ARRAY(Id)))] if ids_ else []
    async with world.tx(tenant) as tx:
        assert await tx.execute(table.update().where(table.c.tenant_id == TENANT, *chosen).values({column: back}))


async def there(world: World, tenant: Tenant, table: Table) -> list[Any]:
    async with world.tx(tenant) as tx:
        return [dict(row) for row in await tx.fetch(select(*table.c).where(table.c.tenant_id == TENANT))]


async def both(world: World) -> tuple[Tenant, Tenant]:
    firm = await world.firm()
    return firm.test, firm.live


async def test_stored_answers_go_when_their_time_is_over(world: World) -> None:
    tenants = await both(world)
    for tenant in tenants:
        for key in ("old", "young"):
            headers = {"idempotency-key": key}
            async with world.client(tenant.keys["dana-whitfield"]) as http:
                made = await http.post("/v1/bulk_jobs", json={"operation": "workers.upsert"}, headers=headers)
                assert made.status_code == 201, made.text
        answer = models.idempotency
        async with world.tx(tenant) as tx:
            over = {"expires_at": func.clock_timestamp()}
            await tx.execute(answer.update().where(answer.c.tenant_id == TENANT, answer.c.key == "old").values(over))
    assert (await tidied(world, tenants[0]))["answers"] == 1
    assert [row["key"] for row in await there(world, tenants[0], models.idempotency)] == ["young"]
    assert len(await there(world, tenants[1], models.idempotency)) == 2


async def _told(world: World, tenant: Tenant) -> list[UUID]:
    """An endpoint and four events, handed to it: their deliveries, each with a try, in the order of sequence."""
    async with world.client(tenant.keys["dana-whitfield"]) as http:
        endpoint = {"url": "https://hooks.example.com/", "event_types": ["bulk_job.*"]}
        made = await http.post("/v1/webhook_endpoints", json=endpoint, headers={"idempotency-key": "endpoint"})
        assert made.status_code == 201, made.text
        for number in range(4):
            made = await http.post(
                "/v1/bulk_jobs", json={"operation": "workers.upsert"}, headers={"idempotency-key": str(number)}
            )
            assert made.status_code == 201, made.text
    async with world.tx(tenant) as tx:
        await webhooks.fan_out(tx)
    delivery = webhook_models.webhook_delivery.c
    async with world.tx(tenant) as tx:
        found = await tx.fetch(select(delivery.id).where(delivery.tenant_id == TENANT).order_by(delivery.sequence))
        deliveries = [row["id"] for row in found]
        for id_ in deliveries:
            await tx.insert(webhook_models.webhook_attempt, delivery_id=id_, attempt=1, status=200, milliseconds=1)
    return deliveries


async def test_events_go_after_90_days_with_their_deliveries_and_tries(world: World) -> None:
    tenants = await both(world)
    delivery, event = webhook_models.webhook_delivery, models.event
    for tenant in tenants:
        delivered, held, under_way, young = await _told(world, tenant)
        states: dict[UUID, dict[str, Any]] = {
            delivered: {"state": "delivered", "finished_at": func.clock_timestamp()},
            held: {"state": "held"},
            under_way: {"state": "retry_wait"},
            young: {"state": "delivered", "finished_at": func.clock_timestamp()},
        }
        async with world.tx(tenant) as tx:
            for id_, values in states.items():
                await tx.execute(
                    delivery.update().where(delivery.c.tenant_id == TENANT, delivery.c.id == id_).values(values)
                )
        told = {row["id"]: row["event_id"] for row in await there(world, tenant, delivery)}
        await age(world, tenant, event, "recorded_at", 91, *(row["id"] for row in await there(world, tenant, event)))
        await age(world, tenant, event, "recorded_at", -2, told[young])
    before = {row["id"] for row in await there(world, tenants[1], event)}

    gone = await tidied(world, tenants[0])

    left = {row["id"] for row in await there(world, tenants[0], delivery)}
    told_there = {row["id"]: row["event_id"] for row in await there(world, tenants[0], delivery)}
    assert len(left) == 2
    assert {row["state"] for row in await there(world, tenants[0], delivery)} == {"retry_wait", "delivered"}
    assert {row["id"] for row in await there(world, tenants[0], event)} == set(told_there.values())
    assert {row["delivery_id"] for row in await there(world, tenants[0], webhook_models.webhook_attempt)} == left
    assert gone["events"] >= 2
    assert {row["id"] for row in await there(world, tenants[1], event)} == before  # the neighbour keeps his


async def test_an_event_that_was_not_handed_on_stays_however_old(world: World) -> None:
    tenant, _ = await both(world)  # its keys were told, and no courier runs here
    events = await there(world, tenant, models.event)
    await age(world, tenant, models.event, "recorded_at", 400)
    assert (await tidied(world, tenant))["events"] == 0
    assert len(await there(world, tenant, models.event)) == len(events)


async def _job(world: World, tenant: Tenant, parent: UUID | None = None, *, state: str, days: float) -> UUID:
    """A job with a step, that stands in a state, and ended (if it did) so long ago."""
    table = models.job
    ended = func.clock_timestamp() - literal(timedelta(days=days), Interval(native=True))
    values = {"state": state, "finished_at": ended if state in ("succeeded", "dead", "canceled") else None}
    async with world.tx(tenant) as tx:
        job_id = await tx.start(Work(), parent_id=parent)
        await tx.flush()
        await tx.insert(models.job_step, job_id=job_id, name="one", result=None)
        await tx.execute(table.update().where(table.c.tenant_id == TENANT, table.c.id == job_id).values(values))
    return job_id


async def test_jobs_go_90_days_after_their_end_with_all_they_started(world: World) -> None:
    tenants = await both(world)
    for tenant in tenants:
        old = await _job(world, tenant, state="succeeded", days=91)
        child = await _job(world, tenant, old, state="dead", days=92)
        await _job(world, tenant, child, state="canceled", days=92)
        await _job(world, tenant, state="dead", days=91)
        young = await _job(world, tenant, state="succeeded", days=89)
        await _job(world, tenant, young, state="succeeded", days=100)
        waiting = await _job(world, tenant, state="succeeded", days=91)
        await _job(world, tenant, waiting, state="waiting", days=0)
    assert (await tidied(world, tenants[0]))["jobs"] == 2
    left = [row for row in await there(world, tenants[0], models.job) if row["kind"] == Work.kind]
    assert len(left) == 4
    steps = {row["job_id"] for row in await there(world, tenants[0], models.job_step)}
    assert {row["id"] for row in left} == steps & {row["id"] for row in left}
    assert len(await there(world, tenants[1], models.job)) == 8


async def test_download_links_go_30_days_after_their_end(world: World) -> None:
    tenant, _ = await both(world)
    async with world.tx(tenant) as tx:
        [id_] = await documents.claim(tx, [DOCUMENT], uuid4())
        cipher = await tx.cipher()
    stored = await files.put(world.runtime.storage, cipher, id_, b"%PDF")
    async with world.tx(tenant) as tx:
        await documents.record(tx, [stored])
        made = [await documents.create_link(tx, ids.encode("document", id_), LINKS) for _ in range(2)]
    old = ids.decode("document_link", made[0].id)
    assert old is not None
    await age(world, tenant, document_models.document_link, "expires_at", 31, old)
    assert (await tidied(world, tenant))["links"] == 1
    assert [
        ids.encode("document_link", row["id"]) for row in await there(world, tenant, document_models.document_link)
    ] == [made[1].id]
    assert [row["id"] for row in await there(world, tenant, document_models.document)] == [id_]


async def test_a_document_that_no_job_can_store_any_more_goes_with_its_bytes(world: World) -> None:
    tenant, _ = await both(world)
    dead = await _job(world, tenant, state="dead", days=91)
    retriable = await _job(world, tenant, state="dead", days=89)
    taken_over = structs.replace(DOCUMENT, key="taken over")
    async with world.tx(tenant) as tx:
        abandoned, stored, kept, _ = await documents.claim(
            tx, [DOCUMENT, *(structs.replace(DOCUMENT, key=key) for key in ("stored", "kept")), taken_over], dead
        )
        await documents.claim(tx, [structs.replace(DOCUMENT, key="kept"), taken_over], retriable)
        cipher = await tx.cipher()
    storage = world.runtime.storage
    for id_ in (abandoned, kept):
        await files.put(storage, cipher, id_, b"never recorded")
    recorded = await files.put(storage, cipher, stored, b"recorded")
    async with world.tx(tenant) as tx:
        await documents.record(tx, [recorded])

    gone = await tidied(world, tenant)

    assert (gone["jobs"], gone["documents"]) == (1, 0)  # documents come before jobs: a day later
    assert await storage.exists(tenant.facts.id, files.storage_key(abandoned))
    assert (await tidied(world, tenant))["documents"] == 1
    rows = {row["key"]: row["status"] for row in await there(world, tenant, document_models.document)}
    assert rows == {"stored": "available", "kept": "storing", "taken over": "storing"}
    there_still = [await storage.exists(tenant.facts.id, files.storage_key(id_)) for id_ in (abandoned, stored, kept)]
    assert there_still == [False, True, True]
    actions = [row["action"] for row in await there(world, tenant, models.audit_event)]
    assert actions.count("document.dropped") == 1


async def test_it_is_audited_and_told_to_nobody(world: World) -> None:
    tenant, _ = await both(world)
    await _job(world, tenant, state="dead", days=91)
    told = {row["id"]: row for row in await there(world, tenant, models.event)}
    gone = await tidied(world, tenant)
    [noted] = [row for row in await there(world, tenant, models.audit_event) if row["action"] == "tenant.tidied"]
    assert noted["changed"] == gone == {**dict.fromkeys(tidying.forgetful(), 0), "jobs": 1}
    assert noted["actor"] == "system:test"
    assert {row["id"]: row for row in await there(world, tenant, models.event)} == told
    await tidied(world, tenant)  # nothing to do, nothing to note
    audit = await there(world, tenant, models.audit_event)
    assert len([row for row in audit if row["action"] == "tenant.tidied"]) == 1


async def test_large_amounts_go_in_parts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tidying, "AT_ONCE", 2)
    tenant, _ = await both(world)
    for _ in range(5):
        await _job(world, tenant, state="succeeded", days=91)
    assert (await tidied(world, tenant))["jobs"] == 5
