"""Two people at their desks: whoever makes pay runs, and whoever approves them, over HTTP."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import httpx
from tests.world import Tenant, World

Body = dict[str, Any]


def key() -> dict[str, str]:
    return {"idempotency-key": str(uuid.uuid4())}


def etag(run: Body) -> dict[str, str]:
    return {**key(), "if-match": f'"v{run["version"]}"'}


@dataclass
class Desk:
    world: World
    tenant: Tenant
    maker: httpx.AsyncClient
    checker: httpx.AsyncClient

    async def open(self, week: str | date = "2026-11-09", **more: Any) -> Body:
        made = await self.maker.post(
            "/v1/payroll_runs", json={"pay_schedule": "weekly", "period_begin": str(week), **more}, headers=key()
        )
        assert made.status_code == 201, made.text
        run: Body = made.json()
        return run

    async def see(self, run: Body) -> Body:
        return await self.get(f"/v1/payroll_runs/{run['id']}")

    async def get(self, path: str) -> Body:
        answer = await self.maker.get(path)
        assert answer.status_code == 200, answer.text
        body: Body = answer.json()
        return body

    async def every(self, path: str) -> list[Body]:
        """All pages of a list."""
        joined = "&" if "?" in path else "?"
        page = await self.get(f"{path}{joined}limit=100")
        found: list[Body] = page["data"]
        while page["has_more"]:
            page = await self.get(f"{path}{joined}limit=100&cursor={page['next_cursor']}")
            found += page["data"]
        return found

    async def ask(
        self, run: Body, verb: str, *, query: str = "", by: httpx.AsyncClient | None = None
    ) -> httpx.Response:
        """POST a verb of a run, with its version as it was read."""
        path = f"/v1/payroll_runs/{run['id']}/{verb}{query}"
        return await (by or self.maker).post(path, headers=etag(run))

    async def work(self) -> None:
        await self.world.work(self.tenant)

    async def calculated(self, run: Body, status: str = "ready") -> Body:
        accepted = await self.ask(run, "calculate")
        assert accepted.status_code == 202, accepted.text
        await self.work()
        run = await self.see(run)
        assert run["status"] == status, (run, await self.blockers(run))
        return run

    async def approved(self, run: Body) -> Body:
        answer = await self.ask(run, "approve", by=self.checker)
        assert answer.status_code == 200, answer.text
        body: Body = answer.json()
        return body

    async def paid(self, run: Body) -> Body:
        answer = await self.ask(run, "pay")
        assert answer.status_code == 202, answer.text
        await self.work()
        run = await self.see(run)
        assert run["status"] == "paid", await self.get(f"/v1/jobs/{answer.json()['id']}")
        return run

    async def blockers(self, run: Body) -> list[Body]:
        found: list[Body] = (await self.get(f"/v1/payroll_runs/{run['id']}/blockers"))["data"]
        return found

    async def codes(self, run: Body, severity: str = "blocking") -> list[str]:
        return [each["code"] for each in await self.blockers(run) if each["severity"] == severity]

    async def paychecks(self, run: Body) -> dict[str, Body]:
        """Paychecks with their lines, by worker."""
        found = await self.every(f"/v1/paychecks?payroll_run_id={run['id']}")
        return {each["worker_id"]: await self.get(f"/v1/paychecks/{each['id']}") for each in found}

    async def download(self, document: Body) -> bytes:
        """The content of a document, by the one-time link that the API gives."""
        made = await self.maker.post(f"/v1/documents/{document['id']}/download_link", headers=key())
        assert made.status_code == 201, made.text
        path = httpx.URL(made.json()["url"]).raw_path.decode()
        async with self.world.client() as anybody:
            answer = await anybody.get(path)
        assert answer.status_code == 200, answer.text
        return answer.content

    async def rows(self, statement: str) -> list[Any]:
        """Rows of this tenant, for looking behind the API; `$1` is the tenant."""
        async with self.world.tx(self.tenant) as tx:
            return list(await tx.connection.fetch(statement, self.tenant.facts.id))


@asynccontextmanager
async def desk(world: World, tenant: Tenant) -> AsyncIterator[Desk]:
    keys = tenant.keys
    async with world.client(keys["marisol-vega"]) as maker, world.client(keys["theo-lindqvist"]) as checker:
        yield Desk(world, tenant, maker, checker)


def amounts(run: Body) -> dict[str, str]:
    return {name: value["amount"] for name, value in run["totals"].items()}
