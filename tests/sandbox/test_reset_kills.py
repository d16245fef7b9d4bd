"""A worker is killed in the middle of emptying a test tenant: the next one goes on, and nothing is half gone."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tests.factories.forked import Platform
from tests.sandbox.desk import ADMIN, MAKER, Desk
from tests.sandbox.test_resets import NIAGARA
from tests.world import World

from backoffice.platform.jobs.heartbeat import free_leases, worker_name

PATIENCE = 30.0
pytestmark = pytest.mark.kills


async def test_a_worker_killed_among_the_rows_or_the_files_leaves_all_or_nothing(
    world_apart: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, tenant = world_apart, (await world_apart.firm()).test
    desk, storage = Desk(world, tenant), world.runtime.storage
    await desk.ask(MAKER, "POST", "/v1/clients", NIAGARA)
    for name in ("one", "two", "three"):
        await storage.put(tenant.facts.id, f"documents/{name}", b"sealed")
    posted = await desk.doors[ADMIN].post("/v1/test/resets", headers={"idempotency-key": "r"})
    monkeypatch.setenv("BACKOFFICE_TEST_DYING", str(tmp_path))
    settings = replace(world.runtime.settings, worker_threads=1, log_level="info")
    platform = Platform(settings, tmp_path / "platform.log", ("tests.sandbox.dying",))

    async def clients() -> list[str]:
        return [each["name"] for each in (await desk.ask(MAKER, "GET", "/v1/clients"))["data"]]

    def taken() -> set[str]:
        return {each.name for each in tmp_path.iterdir()} - {"platform.log"}

    async def killed() -> str:
        """A worker until it is gone; the moment that took it."""
        before, until = taken(), time.monotonic() + PATIENCE
        pid = platform.start("worker")
        while pid not in platform.ended():
            assert time.monotonic() < until, platform.told()[-3000:]
            await asyncio.sleep(0.02)
        await asyncio.to_thread(free_leases, settings.dsn("bo_dispatch"), worker_name(pid))  # as the supervisor does
        [moment] = taken() - before
        return moment

    try:
        platform.start("dispatcher")
        assert await killed() == "clock_is_real_again"
        assert await clients() == ["Niagara"]
        assert await killed() == "drop_unowned"
        assert (await clients(), len(await storage.names(tenant.facts.id))) == ([], 3)
        made = await desk.doors[MAKER].post("/v1/clients", json=NIAGARA | {"name": "After"},
                                            headers={"idempotency-key": "a"})  # fmt: skip
        assert made.status_code == 201
        assert await killed() == "delete"
        assert len(await storage.names(tenant.facts.id)) == 2
        platform.start("worker")
        until = time.monotonic() + PATIENCE
        while (done := await desk.ask(ADMIN, "GET", f"/v1/jobs/{posted.json()['id']}"))["status"] != "succeeded":
            assert time.monotonic() < until, (done, platform.told()[-3000:])
            await asyncio.sleep(0.02)
    finally:
        platform.close()
    assert (done["result"]["rows"]["client"], done["result"]["files"], done["attempt"]) == (1, 2, 1)
    assert (await clients(), await storage.names(tenant.facts.id)) == (["After"], [])
    told = [each["type"] for each in (await desk.ask(ADMIN, "GET", "/v1/events"))["data"]]
    assert told == ["job.succeeded", "client.created", "tenant.reset"]
