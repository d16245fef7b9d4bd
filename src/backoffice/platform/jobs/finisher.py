"""Ends jobs that have nothing left to do but to end. What ends while a write is under way is written together by the
next one: one transaction of a tenant for many jobs, each still guarded by its own fence."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from backoffice.platform.db import CommitUncertain, Database, Unavailable
from backoffice.platform.jobs import ending, lease
from backoffice.platform.jobs.errors import LeaseLost
from backoffice.platform.jobs.lease import Progress
from backoffice.platform.jobs.run import JobRun, told
from backoffice.platform.principal import Principal, TenantFacts
from backoffice.platform.tx import Row

MOST: Final = 100  # in one transaction
_REQUEST: Final = "system:worker"


@dataclass(slots=True, eq=False)
class _Ending:
    run: JobRun
    result: Any
    progress: Progress | None
    written: asyncio.Future[None]


class Finisher:
    """Of one worker's event loop."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._waiting: dict[UUID, list[_Ending]] = {}
        self._writers: set[asyncio.Task[None]] = set()

    async def succeed(self, run: JobRun, result: Any) -> None:
        """End a job with its handler's result; returns when that is committed. LeaseLost when the lease is not held
        any more (nothing is then written of this job), and what the database raises."""
        facts = run.principal.tenant
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        ending_ = _Ending(run, told(result), run.untold_progress(), written)
        waiting = self._waiting.get(facts.id)
        if waiting is None:
            self._waiting[facts.id] = [ending_]
            writer = asyncio.create_task(self._write(facts))
            self._writers.add(writer)
            writer.add_done_callback(self._writers.discard)
        else:
            waiting.append(ending_)
        await written

    async def _write(self, facts: TenantFacts) -> None:
        waiting = self._waiting[facts.id]
        while waiting:
            await asyncio.sleep(0)  # those of the same message end in the same moment
            batch, waiting[:] = waiting[:MOST], waiting[MOST:]
            await self._write_all(facts, batch)
        del self._waiting[facts.id]

    async def _write_all(self, facts: TenantFacts, batch: Sequence[_Ending]) -> None:
        try:
            ended = await self._end(facts, batch)
        except (Unavailable, CommitUncertain, OSError) as error:
            _refuse(batch, error)
        except Exception as error:
            if len(batch) == 1:
                _refuse(batch, error)
                return
            for each in batch:  # one of them cannot be written: the others can
                await self._write_all(facts, [each])
        else:
            for each in batch:
                if each.run.id in ended:
                    each.run.ended = True
                    if not each.written.done():
                        each.written.set_result(None)
                else:
                    _refuse([each], LeaseLost())

    async def _end(self, facts: TenantFacts, batch: Sequence[_Ending]) -> set[UUID]:
        principal = Principal.system(facts, "worker")
        async with self._db.tx(principal, request_id=_REQUEST, ordered=True, by_key=True) as tx:
            ended = [(each.run.id, each.run.fence, each.result, each.progress) for each in batch]
            rows: list[Row] = await lease.succeed(tx, ended)
            causes = {each.run.id: each.run.cause for each in batch}
            await ending.announce(tx, rows, causes)
            await self._db.commit(tx)
        return {row["id"] for row in rows}


def _refuse(batch: Sequence[_Ending], error: BaseException) -> None:
    for each in batch:
        if not each.written.done():
            each.written.set_exception(error)
