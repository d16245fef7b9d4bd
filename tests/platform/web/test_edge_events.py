"""Events as they are told: how large they may be, how long they are kept, which there are (API conventions §8)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from tests.contract.maker import ADDRESS, Maker

from backoffice import api
from backoffice.kernel import ids
from backoffice.platform import events
from backoffice.platform.effects import Effect
from backoffice.platform.events import BODY_LIMIT, CATALOGUE, Cause, Emitted
from backoffice.webhooks.queries.bodies import numbered

assert api.HANDLERS  # the whole product is imported, so the catalogue is complete

# The conventions' first set, as far as the product does what they tell: no onboarding, reminders, funding, returns,
# corrections, invoices, checks, agreements, filings or cases yet.
FIRST_SET = {
    *("worker.created", "worker.updated", "assignment.created", "assignment.ended", "tenant.created", "tenant.updated"),
    *("timesheet.submitted", "timesheet.approved", "timesheet.rejected", "document.available"),
    *(f"payroll_run.{verb}" for verb in ("created", "calculated", "blocked", "ready", "approved", "reopened")),
    *("payroll_run.paid", "payroll_run.canceled", "job.succeeded", "job.failed", "job.canceled"),
    *("webhook_endpoint.failing", "webhook_endpoint.disabled", "webhook_endpoint.recovered"),
}


def test_what_the_conventions_name_is_told_under_that_name() -> None:
    assert set(CATALOGUE) >= FIRST_SET


async def told(maker: Maker, type_: str, object_id: str) -> dict[str, Any]:
    """The latest event of a type about an object."""
    page = (await maker.http.get("/v1/events", params={"type": type_, "limit": 100})).json()
    found: dict[str, Any] = next(each for each in page["data"] if each["data"]["object"]["id"] == object_id)
    return found


async def test_a_large_object_is_told_by_its_address(maker: Maker) -> None:
    metadata = {f"key-{place}": "x" * 500 for place in range(50)}
    body = {"first_name": "A", "last_name": "B", "address": ADDRESS, "metadata": metadata}
    made = await maker.http.post("/v1/workers", json=body, headers={"idempotency-key": "large"})
    assert made.status_code == 201
    event = await told(maker, "worker.created", made.json()["id"])
    assert event["data"]["object"] == {
        "id": made.json()["id"],
        "object": "worker",
        "object_url": f"/v1/workers/{made.json()['id']}",
    }
    assert [each["kind"] for each in event["data"]["effects"]] == ["worker_added"]
    assert (await maker.http.get(event["data"]["object"]["object_url"])).json() == made.json()


@pytest.mark.parametrize("count", [0, 10, 200, 5_000])
@pytest.mark.parametrize("words", [1, 300])
async def test_no_body_is_over_twenty_kilobytes(maker: Maker, count: int, words: int) -> None:
    """Also with its number, whatever the object and its effects; what a body has is always there."""
    client = await maker.get(f"/v1/clients/{(await maker.client())['id']}")
    kind = CATALOGUE["client.created"]
    object_ = kind.payload(**{**client, "address": None, "metadata": {"k": "word " * words * 20}})
    effects = [Effect(kind="k", subject=client["id"], message="word " * words) for _ in range(count)]
    body = events.body(
        Emitted(kind, object_, ids.new(datetime.now(UTC)), effects=effects),
        id_=ids.new(datetime.now(UTC)),
        at=datetime.now(UTC),
        object_sequence=1,
        cause=Cause(maker.tenant.system(), "req_01jd7k3p0v2q4x8a0c5e6g7h1n", None),
    )
    sent = numbered(body, 2**62)
    assert len(sent) <= BODY_LIMIT + 40 <= 20 * 1024
    whole = json.loads(sent)
    assert set(whole) == {
        *("id", "type", "timestamp", "api_version", "livemode", "sequence", "object_sequence", "request_id"),
        *("actor", "data"),
    }
    assert whole["data"]["object"]["id"] == client["id"]
    kept = len(whole["data"]["effects"])
    assert kept == count or kept in (20, 5, 0)


async def test_events_are_there_for_ninety_days(maker: Maker) -> None:
    endpoint, delivery = await maker.delivery()
    path, listed = f"/v1/events/{delivery['event_id']}", f"/v1/webhook_endpoints/{endpoint['id']}/events"

    async def there(days: str) -> list[bool]:
        with psycopg.connect(maker.admin_dsn) as admin:
            admin.execute(
                "UPDATE app.event SET recorded_at = clock_timestamp() - %s::interval WHERE tenant_id = %s",
                (days, maker.tenant.facts.id),
            )
        pages = [(await maker.http.get(each, params={"limit": 1})).json()["data"] for each in ("/v1/events", listed)]
        return [(await maker.http.get(path)).status_code == 200, *(bool(page) for page in pages)]

    assert await there("89 days 23 hours") == [True, True, True]
    assert await there("90 days 1 second") == [False, False, False]
    assert await there("0 days") == [True, True, True]
