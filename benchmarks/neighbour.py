"""What one tenant feels of another: a tenant reads a worker a hundred times a second, evenly, first alone and then
while 32 connections of its neighbour ask for long lists without pause. One api process."""

from __future__ import annotations

import asyncio
from time import perf_counter

from backoffice.kernel import ids
from benchmarks import machine
from benchmarks.load import get, send
from benchmarks.stage import processes, rows_of, stage

TITLE = "A tenant beside a greedy neighbour"
PACE = 100  # requests a second
HEAVY = 32
_WHO = "ines-conceicao"


async def run(*, seconds: float = 8.0) -> str:
    """The section of the results."""
    stamp = machine.stamp("litestar", "asyncpg")
    async with stage() as here:
        greedy = (await here.firm("greedy", _WHO))["test"]
        modest = (await here.firm("modest", _WHO))["test"]
        rows = rows_of("workers.csv")
        await here.add_workers(greedy, rows)
        read = [
            get(f"/v1/workers/{ids.encode('worker', id_)}", modest.keys[_WHO])
            for id_ in await here.add_workers(modest, rows)
        ]
        long_lists = [get("/v1/workers?limit=100&sort=last_name", greedy.keys[_WHO])]
        with processes(here, "api") as (settings, _):
            await send(settings.port, read, count=300, connections=2)
            alone = await _paced(settings.port, read, seconds)
            others = asyncio.create_task(
                send(settings.port, long_lists, seconds=seconds + 2, connections=HEAVY), name="greedy"
            )
            await asyncio.sleep(1)
            beside = await _paced(settings.port, read, seconds)
            load = await others
    kept = len(beside) / len(alone)
    slower = _at(beside, 0.99) / _at(alone, 0.99)
    answered = len(load.took) - sum(load.refused.values())
    refusals = ", ".join(f"{number:,} times {status}" for status, number in load.refused.items())
    lines = [
        f"{stamp}\n",
        f"{PACE} reads a second for {seconds:.0f} s; {HEAVY} connections of the other ask for `/v1/workers?limit=100`.",
        f"The neighbour got {answered / load.seconds:,.0f} answers a second ({refusals or 'no refusal'}).\n",
        "| the modest tenant | requests answered/s | median ms | p99 ms |",
        "|---|---:|---:|---:|",
    ]
    for name, took in (("alone", alone), ("beside the greedy one", beside)):
        lines.append(
            f"| {name} | {len(took) / seconds:.1f} | {_at(took, 0.5) * 1e3:.1f} | {_at(took, 0.99) * 1e3:.1f} |"
        )
    lines.append(
        f"\nTarget: it keeps at least 90 % (kept {kept:.0%}: **{'met' if kept >= 0.9 else 'missed'}**) "
        f"and its p99 grows at most 1.5 times (was {slower:.1f} times: **{'met' if slower <= 1.5 else 'missed'}**)."
    )
    return "\n".join(lines)


async def _paced(port: int, requests: list[bytes], seconds: float) -> list[float]:
    """Seconds that each request took, of those answered 200 in the time, asked at an even pace on two connections. One
    that is late does not put off the next, and its lateness counts."""
    took: list[float] = []
    start = perf_counter()
    end = start + seconds

    async def one_connection(first: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in range(first, int(seconds * PACE), 2):
            due = start + number / PACE
            await asyncio.sleep(max(0.0, due - perf_counter()))
            writer.write(requests[number % len(requests)])
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]
            await reader.readexactly(int(length))
            now = perf_counter()
            if now > end:
                break
            if head[9:12] == b"200":
                took.append(now - due)
        writer.close()

    await asyncio.gather(one_connection(0), one_connection(1))
    return took


def _at(took: list[float], share: float) -> float:
    ordered = sorted(took)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
