"""Quotas, fair shares, requests at once, sizes (API conventions §6; tenancy and security §9). The quotas' clock is a
number here, so that no minute ends in the middle of a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest
from msgspec import structs
from tests.contract.maker import ADDRESS, Maker
from tests.world import ROOT, Firm, World

from backoffice.accounts.roles import SCOPES
from backoffice.accounts.tenant_file import load
from backoffice.platform.web.edge import BODY_LIMIT, Edge
from backoffice.platform.web.limits import Quotas, Slots

AT = 1_000_040.0  # 40 seconds before the end of a minute


async def tight(world: World, *, requests: int, writes: int) -> Firm:
    """A firm with small quotas."""
    file = load(ROOT / "tenants" / "northwind-staffing")
    small = {
        name: structs.replace(
            each, limits=structs.replace(each.limits, requests_per_minute=requests, writes_per_minute=writes)
        )
        for name, each in file.environments.items()
    }
    return await world.firm(file=structs.replace(file, environments=small), keys=False)


class Clock:
    def __init__(self) -> None:
        self.now = AT

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def edge(world: World, clock: Clock) -> Edge:
    made: Edge = world.application()
    made.quotas = Quotas(clock)
    return made


def told(answer: httpx.Response) -> tuple[str, int, int]:
    """(policy, left, seconds) of the RateLimit header."""
    name, *parameters = answer.headers["ratelimit"].split(";")
    values = dict(each.split("=") for each in parameters)
    return name.strip('"'), int(values["r"]), int(values["t"])


async def test_the_quota_of_a_tenant_is_told_and_kept(world: World, edge: Edge, clock: Clock) -> None:
    firm = await tight(world, requests=10, writes=4)
    key = await world.key(firm.test, "marisol-vega", scopes=SCOPES)
    async with world.client(key, app=edge) as http:
        for left in range(9, -1, -1):
            answer = await http.get("/v1/tenant")
            assert answer.status_code == 200
            assert answer.headers["ratelimit-policy"] == '"tenant";q=10;w=60,"write";q=4;w=60'
            assert told(answer) == ("tenant", left, 40)
        over = await http.get("/v1/tenant")
        assert over.status_code == 429
        assert told(over) == ("tenant", 0, 40)
        assert int(over.headers["retry-after"]) >= 40
        problem = over.json()
        assert problem["type"] == "https://iana.org/assignments/http-problem-types#quota-exceeded"
        assert (problem["violated-policies"], problem["retryable"]) == (["tenant"], True)
        clock.now += 40
        assert (await http.get("/v1/tenant")).status_code == 200


async def test_writes_have_a_quota_of_their_own(world: World, edge: Edge) -> None:
    firm = await tight(world, requests=100, writes=4)
    key = await world.key(firm.test, "marisol-vega", scopes=SCOPES)
    async with world.client(key, app=edge) as http:
        for left in range(3, -1, -1):
            answer = await http.post("/v1/clients", json={"name": "Niagara", "address": ADDRESS})
            assert answer.status_code == 201, answer.text
            assert told(answer)[:2] == ("write", left)
        over = await http.post("/v1/clients", json={"name": "Niagara", "address": ADDRESS})
        assert (over.status_code, over.json()["violated-policies"]) == (429, ["write"])
        assert (await http.get("/v1/tenant")).status_code == 200


async def test_one_key_cannot_take_what_is_another_s_share(world: World, edge: Edge) -> None:
    firm = await tight(world, requests=20, writes=20)
    keys = [await world.key(firm.test, person, scopes=SCOPES) for person in ("marisol-vega", "theo-lindqvist")]
    async with world.client(keys[0], app=edge) as greedy, world.client(keys[1], app=edge) as modest:
        assert (await modest.get("/v1/tenant")).status_code == 200
        answers = [await greedy.get("/v1/tenant") for _ in range(19)]
        assert [each.status_code for each in answers].count(429) >= 8
        for _ in range(9):
            assert (await modest.get("/v1/tenant")).status_code == 200


async def test_a_tenant_s_quota_is_nobody_else_s(world: World, edge: Edge) -> None:
    firm = await tight(world, requests=3, writes=3)
    keys = [await world.key(tenant, "marisol-vega", scopes=SCOPES) for tenant in (firm.test, firm.live)]
    async with world.client(keys[0], app=edge) as test, world.client(keys[1], app=edge) as live:
        assert [(await test.get("/v1/tenant")).status_code for _ in range(4)] == [200, 200, 200, 429]
        assert (await live.get("/v1/tenant")).status_code == 200


async def test_a_refused_key_counts_for_nobody(world: World, edge: Edge) -> None:
    firm = await tight(world, requests=2, writes=2)
    key = await world.key(firm.test, "marisol-vega", scopes=SCOPES)
    async with world.client(None, app=edge) as nobody:
        for _ in range(5):
            answer = await nobody.get("/v1/tenant")
            assert answer.status_code == 401
            assert "ratelimit" not in answer.headers
    async with world.client(key, app=edge) as http:
        assert [(await http.get("/v1/tenant")).status_code for _ in range(3)] == [200, 200, 429]


# -------------------------------------------------------------------------------------------------------- at once


async def test_a_tenant_has_so_many_requests_at_once_and_its_neighbour_is_not_held_up(
    world: World, edge: Edge, maker: Maker
) -> None:
    edge.slots = Slots(8, patience=0.05)
    neighbour = await tight(world, requests=100, writes=100)
    key = await world.key(neighbour.test, "marisol-vega", scopes=SCOPES)
    tenant = maker.tenant.facts.id
    async with world.client(maker.keys["marisol-vega"], app=edge) as http, world.client(key, app=edge) as other:
        async with edge.slots.hold(tenant, write=True), edge.slots.hold(tenant, write=True):
            full = await http.get("/v1/tenant")
            assert (full.status_code, full.json()["code"]) == (503, "temporary_reduced_capacity")
            assert full.json()["type"].endswith("#temporary-reduced-capacity")
            assert full.json()["retryable"] is True
            assert int(full.headers["retry-after"]) >= 1
            assert (await other.get("/v1/tenant")).status_code == 200
        assert (await http.get("/v1/tenant")).status_code == 200


async def test_reads_leave_room_for_what_changes_something(world: World, edge: Edge, maker: Maker) -> None:
    edge.slots = Slots(5, patience=0.05)
    firms = [await tight(world, requests=100, writes=100) for _ in range(2)]
    tenants = [each.test.facts.id for each in firms for _ in range(2)]
    async with world.client(maker.keys["marisol-vega"], app=edge) as http, AsyncExitStack() as held:
        for tenant in tenants:
            await held.enter_async_context(edge.slots.hold(tenant, write=False))
        assert (await http.get("/v1/tenant")).status_code == 503
        assert (await http.post("/v1/clients", json={"name": "N", "address": ADDRESS})).status_code == 201


async def test_a_slot_comes_back_whatever_happens(world: World, edge: Edge, maker: Maker) -> None:
    edge.slots = Slots(8, patience=0.05)
    async with world.client(maker.keys["marisol-vega"], app=edge) as http:
        for _ in range(5):
            assert (await http.get("/v1/workers/wrk_nothing")).status_code == 404
            assert (await http.post("/v1/workers", content=b"{")).status_code in (400, 415)
            task = asyncio.create_task(http.get("/v1/workers"))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert (await http.get("/v1/tenant")).status_code == 200


# ---------------------------------------------------------------------------------------------------------- sizes


async def test_a_body_over_a_mebibyte_is_refused(maker: Maker) -> None:
    headers = {"content-type": "application/json", "idempotency-key": "big"}
    just = b'{"a":"' + b"x" * (BODY_LIMIT - 8) + b'"}'
    assert len(just) == BODY_LIMIT
    assert (await maker.http.post("/v1/workers", content=just, headers=headers)).status_code == 422
    over = await maker.http.post("/v1/workers", content=just + b" ", headers=headers)
    assert (over.status_code, over.json()["code"]) == (413, "body_too_large")


async def test_the_size_is_counted_where_it_is_not_told(maker: Maker) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * (BODY_LIMIT // 16)

    headers = {"content-type": "application/json", "idempotency-key": "pieces"}
    over = await maker.http.post("/v1/workers", content=pieces(), headers=headers)
    assert over.status_code == 413


async def test_the_size_that_is_told_is_believed_at_once(maker: Maker) -> None:
    headers = {"content-type": "application/json", "content-length": str(BODY_LIMIT + 1), "idempotency-key": "told"}
    over = await maker.http.post("/v1/workers", content=b"{}", headers=headers)
    assert over.status_code == 413


async def test_only_an_upload_may_be_larger(maker: Maker) -> None:
    """Where an operation takes a file; a file sent to another is refused for what it is."""
    file = b"a" * (BODY_LIMIT + 1)
    headers = {"content-type": "text/csv", "idempotency-key": "upload"}
    elsewhere = await maker.http.post("/v1/workers", content=file, headers=headers)
    assert elsewhere.status_code in (413, 415)
    job = await maker.bulk_job()
    taken = await maker.http.post(f"/v1/bulk_jobs/{job['id']}/start", content=file, headers=headers)
    assert taken.status_code == 202, taken.text
