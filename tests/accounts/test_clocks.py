"""A test tenant's clock is moved: what falls due runs in the order of its time, one after another, the clock standing
there; and nothing that goes wrong on the way keeps it from arriving."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, ClassVar
from uuid import UUID, uuid4

import httpx
from msgspec import structs
from tests.platform.jobs.job_kinds import Failing, Family, Once
from tests.world import Tenant, World

from backoffice.kernel import ids
from backoffice.platform.jobs.kinds import JobPayload
from backoffice.platform.jobs.registry import handles
from backoffice.platform.jobs.run import JobRun
from backoffice.platform.tx import Tx

ADMIN = "dana-whitfield"
START = datetime(2026, 3, 2, 14, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Chain(JobPayload, frozen=True, kw_only=True):
    """Starts a job at once, and one an hour later, which does the same: so many links."""

    kind: ClassVar[str] = "test.chain"
    mark: UUID
    links: int


@handles(Chain)
async def chain(run: JobRun, payload: Chain) -> str:
    async def link(tx: Tx) -> str:
        await tx.start(Once(mark=payload.mark))
        if payload.links:
            after = structs.replace(payload, links=payload.links - 1)
            await tx.start(after, due_at=await tx.now() + HOUR)
        return (await tx.now()).isoformat()

    return str(await run.step("link", link))


def keyed() -> dict[str, str]:
    return {"idempotency-key": uuid4().hex}


class Clock:
    """A test tenant whose clock stands at START, and its door."""

    def __init__(self, world: World, tenant: Tenant, http: httpx.AsyncClient) -> None:
        self.world, self.tenant, self.http = world, tenant, http

    async def freeze(self) -> None:
        made = await self.http.post("/v1/test/clocks", json={"frozen_time": START.isoformat()})
        assert made.status_code == 201, made.text
        self.path = f"/v1/test/clocks/{made.json()['id']}"

    async def advance(self, to: datetime) -> httpx.Response:
        return await self.http.post(f"{self.path}/advance", json={"to": to.isoformat()}, headers=keyed())

    async def now(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.http.get(self.path)).json()
        return found

    async def start(self, *payloads: JobPayload, **how: Any) -> list[UUID]:
        async with self.world.tx(self.tenant) as tx:
            return [await tx.start(payload, **how) for payload in payloads]

    async def ran(self) -> list[Any]:
        """Jobs in the order of their end."""
        async with self.world.tx(self.tenant) as tx:
            return await tx.connection.fetch(
                "SELECT * FROM app.job WHERE tenant_id = $1 ORDER BY finished_at, id", self.tenant.facts.id
            )

    async def told(self, kind: str) -> list[dict[str, Any]]:
        found = (await self.http.get(f"/v1/events?type={kind}")).json()["data"]
        return [each["data"] for each in found]


async def standing(world: World) -> Clock:
    tenant = (await world.firm()).test
    made = Clock(world, tenant, world.client(tenant.keys[ADMIN]))
    await made.freeze()
    return made


async def test_what_falls_due_runs_in_the_order_of_its_time(world: World) -> None:
    clock = await standing(world)
    mark = uuid4()
    [late] = await clock.start(Once(mark=mark), due_at=START + 3 * HOUR)
    [early] = await clock.start(Chain(mark=mark, links=2), due_at=START + 2 * HOUR)
    [family] = await clock.start(Family(mark=mark, children=3), due_at=START + 2 * HOUR)
    [now] = await clock.start(Once(mark=mark))
    [after] = await clock.start(Once(mark=mark), due_at=START + timedelta(days=2))
    moved = await clock.advance(START + timedelta(days=1))
    assert moved.status_code == 202, moved.text
    told = moved.json()
    assert (told["status"], told["frozen_time"], told["advancing_to"]) == (
        "advancing", "2026-03-02T14:00:00Z", "2026-03-03T14:00:00Z"
    )  # fmt: skip
    assert moved.headers["location"] == f"/v1/jobs/{told['job_id']}"
    await world.work(clock.tenant)
    there = await clock.now()
    assert (there["status"], there["frozen_time"], there["advancing_to"]) == ("ready", "2026-03-03T14:00:00Z", None)
    ran = [row for row in await clock.ran() if row["kind"] != "test_clock.advance"]
    done = [row for row in ran if row["state"] == "succeeded"]
    assert [row["id"] for row in ran if row["state"] == "scheduled"] == [after]
    # Each began at its own time, and none before all that was due earlier had ended with what it had started.
    at = [row["due_at"] or row["created_at"] for row in done]
    assert [row["began_at"] for row in done] == [row["updated_at"] for row in done] == at == sorted(at)
    assert all(one["finished_at"] <= two["started_at"] for one, two in pairwise(done)
               if {one["id"], two["id"]}.isdisjoint({family}))  # fmt: skip
    assert done[0]["id"] == now
    hours = [(row["began_at"] - START) // HOUR for row in done if row["kind"].startswith("test.")]
    # two hours: the chain's first link with its job, the family of four; three: its second link and the late one; four
    assert hours == [0] + [2] * 6 + [3] * 3 + [4] * 2
    assert {early, late} < {row["id"] for row in done}
    assert {"platform.tidy", "webhooks.start_digests"} & {row["kind"] for row in done}
    [advanced] = await clock.told("test_clock.advanced")
    assert advanced["object"]["status"] == "ready"
    assert advanced["effects"][0]["before"] == "2026-03-02T14:00:00.000Z"
    assert advanced["effects"][0]["ask"] is None


async def test_one_move_at_a_time_forward_and_not_too_far(world: World) -> None:
    clock = await standing(world)
    another = await clock.http.post("/v1/test/clocks", json={"frozen_time": START.isoformat()})
    assert (another.status_code, another.json()["code"]) == (409, "clock_exists")
    assert f"POST {clock.path}/advance" in another.json()["detail"]  # there is no list to find it in
    back = await clock.advance(START - HOUR)
    assert (back.status_code, back.json()["code"]) == (409, "clock_goes_forward")
    far = await clock.advance(START + timedelta(days=401))
    assert (far.status_code, far.json()["code"]) == (409, "advance_too_far")
    assert "2027-04-06T14:00:00.000Z" in far.json()["detail"]
    preview = await clock.http.post(
        f"{clock.path}/advance?dry_run=true", json={"to": "2026-03-04T00:00:00Z"}, headers=keyed()
    )
    assert preview.json()["effects"][0]["kind"] == "clock_advancing"
    assert (await clock.now())["status"] == "ready"
    assert (await clock.advance(START + HOUR)).status_code == 202
    twin = await clock.advance(START + 2 * HOUR)
    assert (twin.status_code, twin.json()["code"]) == (409, "clock_advancing")
    assert (await clock.now())["job_id"] in twin.json()["detail"]
    await world.work(clock.tenant)
    assert (await clock.advance(START + HOUR)).status_code == 202  # to where it stands: what is under way ends
    await world.work(clock.tenant)
    assert (await clock.now())["frozen_time"] == "2026-03-02T15:00:00Z"
    live = (await world.firm()).live
    async with world.client(live.keys[ADMIN]) as http:
        refused = await http.post(f"{clock.path}/advance", json={"to": "2026-03-04T00:00:00Z"}, headers=keyed())
        assert refused.status_code == 404


async def test_a_preview_tells_what_falls_due_on_the_way(world: World) -> None:
    """By kind, in the order in which the first of each is due; it is what then runs, but for what that starts."""
    clock = await standing(world)
    mark = uuid4()
    await clock.start(Chain(mark=mark, links=1), due_at=START + 2 * HOUR)
    await clock.start(*(Once(mark=mark) for _ in range(2)), due_at=START + 3 * HOUR)
    await clock.start(Once(mark=mark), due_at=START + timedelta(days=9))
    to = START + timedelta(days=2)
    body = {"to": to.isoformat()}
    preview = await clock.http.post(f"{clock.path}/advance?dry_run=true", json=body, headers=keyed())
    due = next(each for each in preview.json()["effects"] if each["kind"] == "work_due")
    counts = {each["kind"]: each["count"] for each in due["after"]}
    assert list(counts)[:2] == ["test.chain", "test.once"]
    assert due["after"][1] == {"kind": "test.once", "count": 2, "first_at": "2026-03-02T17:00:00.000Z"}
    assert due["message"].startswith(f"On its way {sum(counts.values())} jobs fall due: 1 test.chain, 2 test.once, ")
    assert [each["first_at"] for each in due["after"]] == sorted(each["first_at"] for each in due["after"])
    assert {row["state"] for row in await clock.ran()} == {"scheduled"}
    assert (await clock.now())["status"] == "ready"

    assert (await clock.advance(to)).status_code == 202
    [started] = await clock.told("test_clock.advance_started")
    assert started["effects"][1] == due
    await world.work(clock.tenant)
    ran = [row for row in await clock.ran() if row["parent_id"] is None and row["state"] == "succeeded"]
    for kind, count in counts.items():
        extra = {"test.chain": 1, "test.once": 2}.get(kind, 0)  # what the chain has started
        assert len([row for row in ran if row["kind"] == kind]) == count + extra, kind


async def test_what_fails_is_tried_again_at_once_given_up_and_told(world: World) -> None:
    clock = await standing(world)
    mark = uuid4()
    [failing] = await clock.start(Failing(mark=mark, how="fault"), due_at=START + HOUR)
    [after] = await clock.start(Once(mark=mark), due_at=START + 2 * HOUR)
    assert (await clock.advance(START + 3 * HOUR)).status_code == 202
    for _ in range(40):
        await world.work(clock.tenant)
        if (await clock.now())["status"] == "ready":
            break
    rows = {row["id"]: row for row in await clock.ran()}
    assert (rows[failing]["state"], rows[failing]["attempt"]) == ("dead", rows[failing]["max_attempts"])
    assert rows[failing]["updated_at"] == START + HOUR  # all its tries, before anything later began
    assert rows[after]["began_at"] == START + 2 * HOUR
    [advanced] = await clock.told("test_clock.advanced")
    assert advanced["effects"][0]["ask"].startswith("1 jobs have failed on the way")
    assert [each["object"]["id"] for each in await clock.told("job.failed")] == [ids.encode("job", failing)]


async def test_a_canceled_move_leaves_the_clock_where_it_had_come_to(world: World) -> None:
    clock = await standing(world)
    blocked = await clock.start(Once(mark=uuid4()), due_at=START + HOUR)
    await clock.start(Once(mark=uuid4()), due_at=START + 2 * HOUR)
    told = (await clock.advance(START + timedelta(days=1))).json()
    await world.work(clock.tenant, most=1)  # the move is at the first hour, and stands by for its job
    assert (await clock.now())["frozen_time"] == "2026-03-02T15:00:00Z"
    why = (await clock.http.get(f"/v1/jobs/{told['job_id']}/why")).json()
    assert (why["status"], why["code"]) == ("running", "in_turn")
    [waiting] = await clock.start(Once(mark=uuid4()))
    why = (await clock.http.get(f"/v1/jobs/{ids.encode('job', waiting)}/why")).json()
    assert (why["status"], why["code"]) == ("queued", "in_turn")
    assert (await clock.http.post(f"/v1/jobs/{told['job_id']}/cancel")).status_code == 200
    there = await clock.now()
    assert (there["status"], there["frozen_time"]) == ("ready", "2026-03-02T15:00:00Z")
    [stopped] = await clock.told("test_clock.stopped")
    assert stopped["effects"][0]["kind"] == "clock_stopped"
    assert (await clock.advance(START + timedelta(days=1))).status_code == 202
    await world.work(clock.tenant)
    assert (await clock.now())["frozen_time"] == "2026-03-03T14:00:00Z"
    states = {row["id"]: row["state"] for row in await clock.ran()}
    assert {states[waiting], states[blocked[0]]} == {"succeeded"}


async def test_a_clock_that_only_stands_holds_nothing_back(world: World) -> None:
    clock = await standing(world)
    await clock.start(*(Once(mark=uuid4()) for _ in range(3)))
    assert {row["state"] for row in await clock.ran()} == {"ready"}
