"""The reference receiver in TypeScript: type-checked, and run as a process against a real API and a real courier."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.machine import NODE, RECEIVER, TYPESCRIPT
from tests.webhooks.bench import Bench, couriers, until
from tests.webhooks.test_receiver import served
from tests.world import set_clock

from backoffice.kernel import clock, ids
from backoffice.platform import signatures
from backoffice.webhooks import calc, commands


@pytest.fixture(scope="module")
def program() -> Path:
    """Type-checked and compiled."""
    assert NODE, "node is required here and is not there"
    assert TYPESCRIPT.exists(), f"{TYPESCRIPT} is required here: run npm ci in {RECEIVER}"
    made = subprocess.run([NODE, str(TYPESCRIPT)], cwd=RECEIVER, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout
    return RECEIVER / "dist" / "receiver.js"


def test_the_lock_names_no_address_and_the_receiver_stays_short() -> None:
    lock = (RECEIVER / "package-lock.json").read_text(encoding="utf-8")
    assert '"integrity"' in lock
    assert '"resolved"' not in lock
    assert len((RECEIVER / "receiver.ts").read_text(encoding="utf-8").splitlines()) < 150


@pytest.mark.node
async def test_it_takes_each_event_once_fills_gaps_and_checks_digests(
    world: Any, bench: Bench, settings: Any, tmp_path: Path, program: Path
) -> None:
    firm = await world.firm()
    key = firm.test.keys["dana-whitfield"]
    events, says = tmp_path / "events.jsonl", tmp_path / "says.txt"

    @asynccontextmanager
    async def running(api: str, **more: str) -> AsyncIterator[None]:
        environment = {"PATH": os.environ["PATH"], "BACKOFFICE_API_KEY": key, **more}
        argv = [str(NODE), str(program), api, str(events)]
        with says.open("wb") as output:
            child = subprocess.Popen(argv, env=environment, stdout=output, stderr=subprocess.STDOUT)  # noqa: ASYNC220
        try:
            yield
        finally:
            child.kill()
            child.wait()
            printed.append(says.read_text())

    def told() -> list[dict[str, Any]]:
        return [json.loads(line) for line in events.read_text().splitlines()] if events.exists() else []

    async def call(method: str, path: str, body: Any = None) -> Any:
        async with httpx.AsyncClient(base_url=api, headers={"authorization": f"Bearer {key}"}) as client:
            answer = await client.request(method, path, json=body)
            assert answer.status_code < 300, answer.text
            return answer.json()

    async def posted(url: str, secret: str, event: dict[str, Any]) -> int:
        body = json.dumps(event).encode()
        headers = signatures.headers([secret], event["id"], int(clock.wall().timestamp()), body)
        async with httpx.AsyncClient() as client:
            return (await client.post(url, content=body, headers=headers)).status_code

    printed: list[str] = []
    async with served(world) as api, couriers(settings):
        await call("POST", "/v1/test/clocks", {"frozen_time": "2026-11-16T09:00:00Z"})
        async with running(api):
            await until(events.exists, 20)  # it is told of its own endpoint
            await bench.tell(firm.test, 1, times=5)
            await until(lambda: len(told()) >= 6, 15)
            (endpoint,) = (await call("GET", "/v1/webhook_endpoints"))["data"]
            first = told()[0]
            assert await posted(endpoint["url"], signatures.generate_secret(), {**first, "id": "evt_forged"}) == 401
            secret = (await call("POST", f"/v1/webhook_endpoints/{endpoint['id']}/rotate_secret", {}))["secret"]
            assert await posted(endpoint["url"], secret, first) == 401  # it was not told the new one
        await bench.tell(firm.test, 6, times=120)  # nobody is there; the API keeps them
        async with world.tx(firm.test) as tx:
            await commands.fan_out(tx)
        async with world.tx(firm.test) as tx:
            await set_clock(tx, datetime(2026, 11, 17, 9, tzinfo=UTC))
        id_ = ids.decode("webhook_endpoint", endpoint["id"])
        assert id_ is not None
        async with world.tx(firm.test) as tx:
            digest = await commands.write_digest(tx, id_, date(2026, 11, 16))
        assert digest is not None
        async with world.tx(firm.test) as tx:
            await commands.fan_out(tx)
        known = {"BACKOFFICE_WEBHOOK": f"{endpoint['id']},{secret}"}
        async with running(api, **known):
            await until(lambda: "webhook_endpoint.digest" in [event["type"] for event in told()], 20)
        came = told()
        assert printed == ["", ""]
        assert sorted(event["sequence"] for event in came) == list(range(1, len(came) + 1))
        assert len({event["id"] for event in came}) == len(came) > digest.count >= 125
        events.write_text(events.read_text().replace(came[3]["id"], came[3]["id"][:-1] + "x"))
        async with running(api, **known):  # what it remembers is not what was sent
            await until(lambda: says.read_text() != "", 20)
        events.write_text("".join(json.dumps(event) + "\n" for event in emptied(came[1]["id"])))
        async with running(api, **known):
            await until(lambda: "2020-01-02 differs" in says.read_text(), 20)
        async with world.tx(firm.test) as tx:
            await tx.connection.execute(OLD, firm.test.facts.id, id_)
        events.unlink()
        async with running(api, **known):  # a lost memory, and an endpoint older than what the API has
            await until(lambda: told()[-1:] == came[-1:], 20)
    assert printed[2] == "the digest of 2026-11-16 differs\n"
    assert "2020-01-01" not in printed[3]
    assert printed[4] == "the events 1-10 are lost\nthe digest of 2026-11-16 differs\n"
    assert [event["sequence"] for event in told()] == list(range(11, len(came) + 1))


OLD = """UPDATE app.event SET recorded_at = recorded_at - interval '91 days' WHERE tenant_id = $1 AND id IN (
    SELECT event_id FROM app.webhook_delivery WHERE tenant_id = $1 AND endpoint_id = $2 AND sequence <= 10)"""


def emptied(id_: str) -> list[dict[str, Any]]:
    """A memory in which the tenant was emptied: an id of before came again and overtook that, a number under way did
    not come. One digest of after it is right, another is not."""

    def event(id_: str, sequence: int, type_: str = "job.told", **object_: Any) -> dict[str, Any]:
        return {"id": id_, "type": type_, "sequence": sequence, "data": {"object": object_}}

    def digest(sequence: int, day: str, hash_: str) -> dict[str, Any]:
        told = {"day": day, "last_sequence": 5, "hash": hash_}
        return event(f"evt_{sequence}", sequence, "webhook_endpoint.digest", digest=told)

    right = calc.chained(calc.FIRST, [(4, "evt_r"), (5, id_)])
    before = [event("evt_1", 1), event(id_, 2), event(id_, 5), event("evt_r", 4, "tenant.reset")]
    return [*before, digest(6, "2020-01-01", right), digest(7, "2020-01-02", "no hash")]
