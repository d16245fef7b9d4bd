"""The hot authenticated read, `GET /v1/workers/{id}`: requests a second and server CPU a request, beside a bare ASGI
function on asyncpg and FastAPI on SQLAlchemy's ORM, in the same run.

All servers are up from the start and are loaded in turn, several rounds; the best round of each counts, because what
disturbs a round only ever makes it slower. CPU is what the server's own process used (user and system), not the
client's and not PostgreSQL's."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from benchmarks import machine
from benchmarks.load import Load, get, send
from benchmarks.stage import Stage, Tenant, other_server, processes, rows_of, stage

TITLE = "Hot authenticated read"
TARGET_MICROSECONDS = 400
CONNECTIONS = 6  # three for each of two tenants, which is how many a tenant may have at once
WARM_UP = 500
_VARIANTS: dict[str, dict[str, Any]] = {
    "backoffice, key cache on, 1 % of traces": {"trace_share": 0.01},
    "backoffice, key cache on, every trace": {"trace_share": 1.0},
    "backoffice, key cache off, 1 % of traces": {"trace_share": 0.01, "key_cache_seconds": 0.0},
}
OURS = next(iter(_VARIANTS))


@dataclass
class Server:
    """One of the servers that are compared."""

    port: int
    pid: int
    requests: list[bytes]
    rates: list[float] = field(default_factory=list)
    micros: list[float] = field(default_factory=list)
    medians: list[float] = field(default_factory=list)

    async def round(self, count: int) -> None:
        await self._load(WARM_UP)
        before = machine.cpu_seconds(self.pid)
        load = await self._load(count)
        self.micros.append((machine.cpu_seconds(self.pid) - before) / count * 1e6)
        self.rates.append(load.rate)
        self.medians.append(load.at(0.5) * 1000)

    async def _load(self, count: int) -> Load:
        load = await send(self.port, self.requests, count=count, connections=CONNECTIONS)
        assert not load.refused, (load.refused, load.last_refusal)
        return load


async def run(*, rounds: int = 5, count: int = 4_000) -> str:
    """The section of the results."""
    stamp = machine.stamp("litestar", "asyncpg", "uvicorn", "fastapi", "sqlalchemy")
    async with stage() as here:
        tenants = [*(await here.firm("first", "ines-conceicao")).values()]
        tenants += [*(await here.firm("second", "ines-conceicao")).values()]
        workers = {id(each): await here.add_workers(each, rows_of("workers.csv")) for each in _test(tenants)}
        with ExitStack() as stack:
            servers = _servers(here, stack, [(each, workers[id(each)]) for each in _test(tenants)])
            _same_answer(servers)
            for _ in range(rounds):
                for server in servers.values():
                    await server.round(count)
    return _table(stamp, servers, rounds, count)


def _test(tenants: list[Tenant]) -> list[Tenant]:
    return [each for each in tenants if each.facts.mode == "test"]


def _servers(here: Stage, stack: ExitStack, firms: list[tuple[Tenant, list]]) -> dict[str, Server]:  # type: ignore[type-arg]
    from backoffice.kernel import ids
    from backoffice.people.models import worker

    paths = [
        get(f"/v1/workers/{ids.encode('worker', id_)}", tenant.keys["ines-conceicao"])
        for turn in zip(*(ids_ for _, ids_ in firms), strict=True)
        for (tenant, _), id_ in zip(firms, turn, strict=True)
    ]
    servers = {}
    for name, changes in _VARIANTS.items():
        settings, supervisor = stack.enter_context(processes(here, "api", **changes))
        servers[name] = Server(settings.port, supervisor.pids("api")[0], paths)
    dsn = here.settings.dsn("bo_app")
    tenant, found = firms[0]
    pepper = here.settings.pepper.rpartition(":")[2]
    if find_spec("greenlet"):
        port, pid = stack.enter_context(other_server("fastapi_server", {"DSN": dsn, "PEPPER": pepper}, "/"))
        servers["FastAPI, SQLAlchemy ORM, key cache on, no logs, metrics, traces, limits"] = Server(port, pid, paths)
    columns = ", ".join(column.name for column in worker.c if not column.name.endswith(("_sealed", "_bidx")))
    floor = {"DSN": dsn, "TENANT": str(tenant.facts.id), "COLUMNS": columns}
    port, pid = stack.enter_context(other_server("floor_server", floor, "/"))
    servers["bare ASGI, asyncpg, no key, no transaction"] = Server(port, pid, [get(f"/{id_}") for id_ in found])
    return servers


def _same_answer(servers: dict[str, Server]) -> None:
    """The compared servers tell the same of a worker."""
    import urllib.request

    told = []
    for server in servers.values():
        head = server.requests[0].decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in head[2:] if line)
        url = f"http://127.0.0.1:{server.port}{head[0].split()[1]}"
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=5) as answer:
            body = json.load(answer)
        told.append((body["first_name"], body["number"], body["external_id"], body["status"]))
    assert len(set(told)) == 1, told


def _table(stamp: str, servers: dict[str, Server], rounds: int, count: int) -> str:
    ours = servers[OURS]
    lines = [
        f"{stamp}\n",
        f"`GET /v1/workers/{{id}}`, {CONNECTIONS} keep-alive connections, best of {rounds} rounds of {count:,}.\n",
        "| server | requests/s | median ms | CPU µs a request | CPU, ours = 1 |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, server in servers.items():
        ratio = min(server.micros) / min(ours.micros)
        lines.append(
            f"| {name} | {max(server.rates):,.0f} | {min(server.medians):.2f} | {min(server.micros):,.0f} "
            f"| {ratio:.2f} |"
        )
    if not find_spec("greenlet"):
        lines.append("\nFastAPI with SQLAlchemy was not measured: greenlet, which its asyncio needs, is not installed.")
    verdict = "met" if min(ours.micros) <= TARGET_MICROSECONDS else "missed"
    lines.append(f"\nTarget: at most {TARGET_MICROSECONDS} µs with the key cache on and 1 % of traces: **{verdict}**.")
    return "\n".join(lines)
