"""Schedules of accidents from seeds. BACKOFFICE_SEED replays one, and tells its story."""

from __future__ import annotations

import os
from collections import Counter

import asyncpg
import pytest
from tests.platform.jobs.job_world import Place
from tests.platform.jobs.simulator import CAP, Simulator

SHARDS = 8
SCHEDULES = 1_000_000 if os.environ.get("BACKOFFICE_CHAOS") else int(os.environ.get("SCHED", "10000"))
SEED = os.environ.get("BACKOFFICE_SEED")


async def _play(place: Place, seeds: list[int]) -> Counter[str]:
    dispatcher = await asyncpg.connect(place.settings.dsn("bo_dispatch"))
    ends: Counter[str] = Counter()
    try:
        for seed in seeds:
            simulator = Simulator(place, place.tenant(cap=CAP), dispatcher, seed)
            try:
                ends += await simulator.play()
            except BaseException as error:
                error.add_note(f"BACKOFFICE_SEED={seed}: " + "; ".join(simulator.story))
                raise
    finally:
        await dispatcher.close()
    return ends


@pytest.mark.parametrize("shard", range(SHARDS))
async def test_no_schedule_breaks_a_promise(place: Place, shard: int) -> None:
    seeds = [int(SEED)] if SEED else list(range(shard, SCHEDULES, SHARDS))
    ends = await _play(place, seeds)
    assert ends["succeeded"] >= len(seeds) // 2 or SEED
    assert SEED or {"succeeded", "canceled"} <= set(ends)
