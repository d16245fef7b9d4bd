"""A quarter of a firm in a minute: a company built from a seed, its clock moved through thirteen weeks with a payday in
each, on real processes (api, dispatcher, courier, two workers), over the API alone. The people's part (hours sent,
approved, the run opened, approved by another, paid) is done between the moves. Then once more in another tenant: the
event log must be the same, byte for byte."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import date, timedelta
from time import perf_counter
from typing import Any

import aiohttp
import msgspec

from benchmarks import machine
from benchmarks.stage import Tenant, processes, stage

TITLE = "A quarter in a minute"
WANTED_SECONDS = 60.0
WEEKS = 13
ADMIN, MAKER, CHECKER = "dana-whitfield", "marisol-vega", "theo-lindqvist"
MONDAY = date(2026, 1, 26)  # where the fixture's clock stands
HEADER = "worker_external_id,assignment_external_id,work_date,hours,external_id"


class _Bodies(msgspec.Struct):
    data: list[msgspec.Raw]
    next_cursor: str | None = None


@dataclass
class Firm:
    """One tenant and its people, who ask one thing after another, each when the work of the one before is done."""

    http: aiohttp.ClientSession
    tenant: Tenant
    asked: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    async def ask(self, who: str, method: str, path: str, body: Any = None, **more: str) -> Any:
        self.asked += 1
        key = {"idempotency-key": f"k{self.asked}"} if method == "POST" else {}
        headers = {"authorization": f"Bearer {self.tenant.keys[who]}", "prefer": "wait=10", **key, **more}
        content = {"data": body} if isinstance(body, str) else {"json": body}
        async with self.http.request(method, path, headers=headers, **content) as answer:
            text = await answer.text()
            assert answer.status < 300, (method, path, answer.status, text[:500])
            return json.loads(text)

    async def until(self, who: str, path: str, **wanted: Any) -> Any:
        """The object once it is so."""
        async with asyncio.timeout(120):
            while True:
                there = await self.ask(who, "GET", path)
                if all(there.get(name) == value for name, value in wanted.items()):
                    return there
                await asyncio.sleep(0.1)

    async def play(self, seed: int) -> None:
        began = perf_counter()
        job = await self.ask(ADMIN, "POST", "/v1/test/fixtures", {"name": "staffing_small", "seed": seed})
        built = await self.until(ADMIN, f"/v1/jobs/{job['id']}", status="succeeded")
        clock = f"/v1/test/clocks/{built['result']['test_clock']}"
        self.seconds["the company"] = perf_counter() - began
        for week in range(WEEKS):
            monday = MONDAY + timedelta(weeks=week)
            if week:
                await self._timed("hours", self.hours(monday - timedelta(weeks=1)))
            await self._timed("paydays", self.payday(monday - timedelta(weeks=1)))
            await self._timed("clock", self.advance(clock, monday + timedelta(weeks=1)))
        self.seconds["all"] = perf_counter() - began

    async def _timed(self, what: str, work: Any) -> None:
        began = perf_counter()
        await work
        self.seconds[what] = self.seconds.get(what, 0.0) + perf_counter() - began

    async def advance(self, clock: str, to: date) -> None:
        await self.ask(ADMIN, "POST", f"{clock}/advance", {"to": f"{to}T14:00:00Z"})
        await self.until(ADMIN, clock, status="ready")

    async def hours(self, week: date) -> None:
        days = [week + timedelta(day) for day in range(5)]
        rows = [f"SIM-W-{n:02d},SIM-A-{n:02d},{day},8.00,SIM-T-{n:02d}-{day}" for n in range(1, 13) for day in days]
        job = await self.ask(MAKER, "POST", "/v1/bulk_jobs", {"operation": "timesheets.upsert"})
        path = f"/v1/bulk_jobs/{job['id']}"
        file = "\n".join([HEADER, *rows, ""])
        await self.ask(MAKER, "POST", f"{path}/start", file, **{"content-type": "text/csv"})
        done = await self.until(MAKER, path, status="succeeded")
        assert done["rows"]["failed"] == 0, done

    async def payday(self, week: date) -> None:
        await self.ask(CHECKER, "POST", "/v1/timesheets/approve", {"week_start": week.isoformat()})
        run = await self.ask(MAKER, "POST", "/v1/payroll_runs", {"pay_schedule": "weekly", "period_begin": f"{week}"})
        path = f"/v1/payroll_runs/{run['id']}"
        await self.ask(MAKER, "POST", f"{path}/calculate")
        ready = await self.until(MAKER, path, status="ready")
        approved = await self.ask(CHECKER, "POST", f"{path}/approve", **{"if-match": f'"v{ready["version"]}"'})
        await self.ask(MAKER, "POST", f"{path}/pay", **{"if-match": f'"v{approved["version"]}"'})
        await self.until(MAKER, path, status="paid")
        await self.until(MAKER, "/v1/jobs?kind=payroll.print_stubs&status[in]=queued,running", data=[])

    async def events(self) -> list[str]:
        """Bodies of what was told since the company was built, oldest first."""
        told: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            query = f"&cursor={cursor}" if cursor else ""
            headers = {"authorization": f"Bearer {self.tenant.keys[ADMIN]}"}
            async with self.http.get(f"/v1/events?limit=1000{query}", headers=headers) as answer:
                page = msgspec.json.decode(await answer.read(), type=_Bodies)
            told += [bytes(each).decode() for each in page.data]
            cursor = page.next_cursor
        last = MONDAY + timedelta(weeks=WEEKS + 1)
        return [each for each in reversed(told) if str(MONDAY) <= _at(each) < str(last)]


def _at(event: str) -> str:
    found = re.search(r'"timestamp":"([^"]+)"', event)
    assert found is not None
    return found[1]


def masked(told: list[str]) -> str:
    """One text, with a name for each id that the operator gave when he made the tenant."""
    names: dict[str, str] = {}
    return re.sub(
        r"\b(per|key|empl)_[0-9a-z]{26}", lambda found: names.setdefault(found[0], f"id{len(names)}"), "\n".join(told)
    )


async def run() -> str:
    """The section of the results."""
    stamp = machine.stamp("asyncpg", "dramatiq", "typst")
    firms, logs = [], []
    async with stage() as here:
        tenants = [(await here.firm(f"quarter-{n}", ADMIN, MAKER, CHECKER, frozen=False))["test"] for n in (1, 2)]
        with processes(here, "api", "worker", "dispatcher", "courier", workers=2) as (settings, _):
            async with aiohttp.ClientSession(f"http://127.0.0.1:{settings.port}") as http:
                for tenant in tenants:
                    firm = Firm(http, tenant)
                    await firm.play(7)
                    firms.append(firm)
                    logs.append(await firm.events())
    texts = [masked(told) for told in logs]
    same = texts[0] == texts[1]
    first = firms[0].seconds
    assert same, _difference(*texts)
    parts = ", ".join(f"{what} {first[what]:.1f} s" for what in ("the company", "hours", "paydays", "clock"))
    return (
        f"{stamp}\n\n"
        f"| {WEEKS} weeks, {WEEKS} paydays of 12 workers | |\n| --- | --- |\n"
        f"| whole, once and again (wanted: under {WANTED_SECONDS:.0f} s) "
        f"| {first['all']:.1f} s, {firms[1].seconds['all']:.1f} s |\n"
        f"| of the first | {parts} |\n"
        f"| requests | {firms[0].asked} |\n"
        f"| events | {len(logs[0])} |\n"
        f"| SHA-256 of the log, the same in both tenants | `{hashlib.sha256(texts[0].encode()).hexdigest()[:32]}…` |"
    )


def _difference(one: str, two: str) -> str:
    lines = [(a, b) for a, b in zip(one.split("\n"), two.split("\n"), strict=False) if a != b]
    return f"the logs differ, first:\n{lines[0][0][:1500]}\n{lines[0][1][:1500]}" if lines else "one log is longer"
