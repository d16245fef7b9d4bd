"""On a PostgreSQL and a RabbitMQ that are there already: each process as docker-compose.yml runs it, with the settings
that it gets there and no others (another one missing would be found by nobody before its first start)."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import psycopg
import pytest
import yaml
from tests.platform.jobs.rabbit_node import RabbitNode
from tests.world import ROOT, Server, World

from backoffice.local.liveness import health
from backoffice.local.processes import free_port
from backoffice.platform.settings import to_environment

pytestmark = [pytest.mark.kills, pytest.mark.rabbitmq]
PROCESSES = ("api", "worker", "dispatcher", "courier")
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]


@pytest.fixture
def rabbit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitNode]:
    node = RabbitNode(tmp_path_factory.mktemp("rabbit"))
    try:
        node.start()
        yield node
    finally:
        node.end()


def test_every_process_works_with_the_settings_that_compose_gives_it(
    server: Server, world: World, loop: asyncio.AbstractEventLoop, rabbit: RabbitNode, tmp_path: Path
) -> None:
    (tmp_path / "keys.json").symlink_to(server.settings.state / "keys.json")  # the key-encryption keys of this database
    _end_what_others_left(server)
    tenant = loop.run_until_complete(world.firm()).test
    port, metrics = free_port(), free_port()
    ours = {
        **to_environment(server.settings),
        "BACKOFFICE_BROKER_URL": rabbit.url,
        "BACKOFFICE_STATE": str(tmp_path),
        "BACKOFFICE_HOST": "127.0.0.1",
        "BACKOFFICE_METRICS_PORT": str(metrics),
    }
    bare = {name: value for name, value in os.environ.items() if not name.startswith("BACKOFFICE_")}
    running: dict[str, subprocess.Popen[bytes]] = {}
    log = tmp_path / "log"
    with ExitStack() as stack, log.open("wb") as out:
        for name in PROCESSES:
            given = {key: ours[key] for key in SERVICES[name]["environment"]}
            given |= {"BACKOFFICE_PORT": str(port)} if name == "api" else {}
            argv = [sys.executable, "-m", "backoffice.cli", *SERVICES[name]["command"]]
            running[name] = subprocess.Popen(argv, env={**bare, **given}, stdout=out, stderr=out)
            stack.callback(running[name].kill)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as http:
            until(lambda: _died(running) or all(health(tmp_path, name)[0] for name in PROCESSES), log)
            until(lambda: _died(running) or _ready(http), log)
            assert not _died(running), log.read_text()
            _a_job_is_done(http, tenant.keys["dana-whitfield"], log)
            for offset, name in enumerate(("dispatcher", "courier", "worker")):
                seen = http.get(f"http://127.0.0.1:{metrics + offset}/healthz")
                assert seen.status_code == 200, (name, seen.text)
        for process in running.values():
            process.send_signal(signal.SIGTERM)
        assert [process.wait(30) for process in running.values()] == [0, 0, 0, 0], log.read_text()


def _died(running: dict[str, subprocess.Popen[bytes]]) -> bool:
    return any(process.poll() is not None for process in running.values())


def _ready(http: httpx.Client) -> bool:
    try:
        return http.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def _end_what_others_left(server: Server) -> None:
    """Jobs of tests that nobody ran to their end: a worker would do them all first, and those that are leased count
    as in flight until their leases run out."""
    with psycopg.connect(server.postgres.admin_dsn("backoffice"), autocommit=True) as admin:
        admin.execute(
            "UPDATE app.job SET state = 'canceled', fence = fence + 1, lease_until = NULL, "
            "finished_at = clock_timestamp() WHERE finished_at IS NULL"
        )


def _a_job_is_done(http: httpx.Client, key: str, log: Path) -> None:
    headers = {"authorization": f"Bearer {key}", "idempotency-key": "one"}
    made = http.post("/v1/bulk_jobs", json={"operation": "workers.upsert"}, headers=headers).json()
    file = (ROOT / "tenants" / "harbor-talent" / "workers.csv").read_bytes()
    path = f"/v1/bulk_jobs/{made['id']}"
    started = http.post(f"{path}/start", content=file, headers={**headers, "content-type": "text/csv"})
    assert started.status_code == 202, started.text
    until(lambda: http.get(path, headers=headers).json()["status"] == "succeeded", log)


def until(condition: Callable[[], bool], log: Path) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.1)
