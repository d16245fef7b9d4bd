"""Schedules of accidents from seeds. BACKOFFICE_SEED replays one, and tells its story; BACKOFFICE_SCHEDULES says how
many are played (`.ci/run`: 10,000)."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from types import ModuleType
from unittest.mock import patch

import asyncpg
import pytest
from psycopg.conninfo import conninfo_to_dict
from tests.platform.jobs.job_world import Place
from tests.platform.jobs.seeded_dispatcher import CAP, TOGETHER
from tests.platform.jobs.simulator import Simulator
from tests.scale import at_scale

from backoffice.platform.db import Database
from backoffice.platform.jobs import fairness, lease, routing

SHARDS = 16
SCHEDULES = int(os.environ.get("BACKOFFICE_SCHEDULES") or at_scale(480, 1_000_000))
SEED = os.environ.get("BACKOFFICE_SEED")


async def _play(place: Place, seeds: list[int]) -> Counter[str]:
    ends: Counter[str] = Counter()
    dispatcher = await asyncpg.connect(place.settings.dsn("bo_dispatch"))
    admin = conninfo_to_dict(place.postgres.admin_dsn("backoffice"))
    time = await asyncpg.connect(host=admin["host"], port=admin["port"], user=admin["user"], database=admin["dbname"])
    database = Database(place.settings.dsn("bo_app"), size=1)  # nobody waits for its doorbell
    await database.open()
    try:
        for number, seed in enumerate(seeds):
            if number % 50 == 0:  # what schedules have left behind does not slow the next
                runtime = replace(place.runtime, db=database)
                made = [replace(place.tenant(cap=CAP), runtime=runtime) for _ in range(2)]
                tenants = sorted(made, key=lambda tenant: tenant.facts.id)  # ties between them go by their ids
            simulator = Simulator(tenants, dispatcher, time, seed)
            try:
                with patch.object(fairness, "TOGETHER", TOGETHER):
                    ends += await simulator.play()
            except BaseException as error:
                error.add_note(f"BACKOFFICE_SEED={seed}: " + "; ".join(simulator.story))
                raise
    finally:
        await database.close()
        await dispatcher.close()
        await time.close()
    return ends


@pytest.mark.parametrize("shard", range(SHARDS))
async def test_no_schedule_breaks_a_promise(place: Place, shard: int) -> None:
    seeds = [int(SEED)] if SEED else list(range(shard, SCHEDULES, SHARDS))
    ends = await _play(place, seeds)
    assert ends["succeeded"] >= len(seeds) // 2 or SEED
    assert SEED or {"succeeded", "canceled"} <= set(ends)


@pytest.mark.parametrize(
    ("module", "name", "guard", "without"),
    [
        (lease, "_CLAIM", "AND coalesce(j.state, '') = 'released'", ""),
        (lease, "_SUCCEED", "AND j.fence = ($3::bigint[])[", "AND 0 < ($3::bigint[])["),
        (routing, "SWEEP", "fence = j.fence + 1, ", ""),
        (routing, "RELEASE", "fence = j.fence + 1, ", ""),
    ],
    ids=["a claim of what runs", "an end without fence", "a sweep", "a release"],
)
async def test_a_planted_mistake_is_found(
    place: Place, monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str, guard: str, without: str
) -> None:
    right = getattr(module, name)
    assert guard in right
    monkeypatch.setattr(module, name, right.replace(guard, without))
    with pytest.raises((AssertionError, asyncpg.PostgresError)) as caught:
        await _play(place, list(range(400)))
    assert "BACKOFFICE_SEED=" in caught.value.__notes__[0]


@pytest.mark.parametrize(("name", "seconds"), [("NEW_SECONDS", 0.0), ("NEW_SECONDS", 9.0), ("LATELY_SECONDS", 9.0)])
async def test_a_mistake_about_newcomers_is_found(
    place: Place, monkeypatch: pytest.MonkeyPatch, name: str, seconds: float
) -> None:
    """Nobody is one, one stays one, room is kept for who came long ago."""
    monkeypatch.setattr(fairness, name, seconds)
    with pytest.raises(AssertionError, match=r"newcomer|free slots") as caught:
        await _play(place, list(range(400)))
    assert "BACKOFFICE_SEED=" in caught.value.__notes__[0]
