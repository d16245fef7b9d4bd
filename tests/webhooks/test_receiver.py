"""The reference receiver, as a front office would run it: its own server, the public API, the public library."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import uvicorn
from tests.webhooks.bench import Bench, couriers, until
from tests.webhooks.test_http import key_of

from backoffice.api import build
from backoffice.kernel import clock
from backoffice.platform import signatures
from backoffice.platform.web.authenticate import Authenticator
from backoffice.webhooks import calc, commands

RECEIVER = Path(__file__).parents[2] / "examples" / "front_office" / "receiver.py"


@pytest.fixture
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("receiver_example", RECEIVER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@asynccontextmanager
async def served(world: Any) -> AsyncIterator[str]:
    """The API on a port of this machine."""
    app = build(world.runtime, Authenticator(world.runtime.db, world.runtime.peppers, keep=0))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
    task = asyncio.create_task(server._serve())  # without its signal handlers: the tests keep theirs
    await until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


def signed(receiver: Any, event: dict[str, Any], timestamp: int | None = None) -> tuple[bytes, dict[str, str]]:
    body = json.dumps(event).encode()
    at = int(clock.wall().timestamp()) if timestamp is None else timestamp
    return body, signatures.headers(receiver.secrets, event["id"], at, body)


def test_it_is_short() -> None:
    assert len(RECEIVER.read_text(encoding="utf-8").splitlines()) < 150


def test_it_takes_each_event_once_and_refuses_what_is_not_signed(example: ModuleType, tmp_path: Path) -> None:
    receiver = example.Receiver(tmp_path / "events.jsonl", "http://127.0.0.1:9", "key")
    receiver.secrets = [signatures.generate_secret()]
    body, headers = signed(receiver, {"id": "evt_1", "sequence": 1})
    assert [receiver.receive(body, headers) for _ in range(3)] == [204, 204, 204]
    assert receiver.receive(body + b" ", headers) == 401
    assert receiver.receive(body, {}) == 401
    assert receiver.receive(*signed(receiver, {"id": "evt_2", "sequence": 2}, timestamp=1_700_000_000)) == 401
    assert (tmp_path / "events.jsonl").read_text().count("\n") == 1
    again = example.Inbox(tmp_path / "events.jsonl")  # it remembers over a restart
    assert not again.accept({"id": "evt_1", "sequence": 1})
    assert again.complete_to == 1


def test_it_sees_a_gap_and_that_it_closed(example: ModuleType, tmp_path: Path) -> None:
    inbox = example.Inbox(tmp_path / "events.jsonl")
    for number in (1, 2, 4, 6):
        inbox.accept({"id": f"evt_{number}", "sequence": number})
    assert (inbox.complete_to, set(inbox.ahead)) == (2, {4, 6})
    inbox.accept({"id": "evt_3", "sequence": 3})
    assert (inbox.complete_to, set(inbox.ahead)) == (4, {6})


def test_it_proves_what_it_has_by_the_digests(example: ModuleType, tmp_path: Path) -> None:
    sent = [{"id": f"evt_{number}", "sequence": number} for number in range(1, 7)]
    day = calc.chained(calc.FIRST, [(event["sequence"], event["id"]) for event in sent[:4]])

    def digest(number: int, last: int, hash_: str, **more: Any) -> dict[str, Any]:
        object_ = {"digest": {"day": "2026-11-16", "last_sequence": last, "hash": hash_}}
        return {
            "id": "evt_d",
            "type": "webhook_endpoint.digest",
            "sequence": number,
            "data": {"object": object_},
            **more,
        }

    inbox = example.Inbox(tmp_path / "events.jsonl")
    for event in (digest(5, 4, day), sent[2], sent[3], sent[0]):  # before some of what it is about
        inbox.accept(event)
    assert (inbox.proven_to, inbox.disproved) == (0, [])
    inbox.accept(sent[1])
    assert (inbox.proven_to, inbox.disproved) == (4, [])
    again = example.Inbox(tmp_path / "events.jsonl")
    assert (again.proven_to, again.complete_to) == (4, 5)
    exchanged = example.Inbox(tmp_path / "other.jsonl")
    for event in ({**sent[0], "id": "evt_x"}, *sent[1:4], digest(5, 4, day)):
        exchanged.accept(event)
    assert (exchanged.proven_to, exchanged.disproved) == (0, ["2026-11-16"])
    exchanged.accept({"id": "evt_6", "sequence": 6})  # the next day is judged by itself
    exchanged.accept(digest(7, 6, calc.chained(day, [(5, "evt_d"), (6, "evt_6")])))
    assert (exchanged.proven_to, exchanged.disproved) == (6, ["2026-11-16"])
    tried = example.Inbox(tmp_path / "example.jsonl")
    for event in (*sent[:4], digest(5, 4, "no hash at all", test=True)):
        tried.accept(event)
    assert (tried.proven_to, tried.disproved) == (0, [])


def test_it_begins_anew_where_a_test_tenant_was_emptied(example: ModuleType, tmp_path: Path) -> None:
    """Ids of before come again after it, and numbers that were under way then do not come."""
    inbox = example.Inbox(tmp_path / "events.jsonl")
    reset = {"id": "evt_r", "type": "tenant.reset", "sequence": 6}
    again = {"id": "evt_2", "sequence": 7}  # it overtook the reset
    for event in (
        {"id": "evt_1", "sequence": 1},
        {"id": "evt_2", "sequence": 2},
        {"id": "evt_4", "sequence": 4},
        again,
    ):
        assert inbox.accept(event)
    assert inbox.accept({**reset, "id": "evt_e", "sequence": 3, "test": True})
    assert (inbox.complete_to, set(inbox.ahead)) == (4, {7})
    assert inbox.accept(reset)
    assert (inbox.complete_to, inbox.ahead) == (7, {})
    assert inbox.accept({"id": "evt_1", "sequence": 8})
    assert [inbox.accept(event) for event in (again, reset, {"id": "evt_5", "sequence": 5})] == [False] * 3
    hash_ = calc.chained(calc.FIRST, [(6, "evt_r"), (7, "evt_2"), (8, "evt_1")])
    told = {"digest": {"day": "2026-11-16", "last_sequence": 8, "hash": hash_}}
    inbox.accept({"id": "evt_d", "type": "webhook_endpoint.digest", "sequence": 9, "data": {"object": told}})
    assert (inbox.proven_to, inbox.disproved) == (8, [])
    remembered = example.Inbox(tmp_path / "events.jsonl")
    assert (remembered.complete_to, remembered.proven_to, remembered.disproved) == (9, 8, [])


def test_it_goes_on_behind_what_is_kept_nowhere_any_more(example: ModuleType, tmp_path: Path) -> None:
    """Its memory was lost, and its endpoint is older than what the API has; days it cannot prove."""

    def chain(before: str, first: int, last: int) -> str:
        return calc.chained(before, [(number, f"evt_{number}") for number in range(first, last + 1)])

    def event(number: int, day: str = "", last: int = 0, hash_: str = "") -> dict[str, Any]:
        digest = {"day": day, "last_sequence": last, "hash": hash_}
        plain = {"id": f"evt_{number}", "type": "webhook_endpoint.digest" if day else "job.told", "sequence": number}
        return {**plain, "data": {"object": {"digest": digest} if day else {}}}

    first_day = chain(calc.FIRST, 1, 520)
    days = {600: ("2026-11-15", 520, first_day), 740: ("2026-11-16", 730, chain(first_day, 521, 730))}
    kept = [event(number, *days.get(number, ())) for number in range(501, 761) if number != 530]
    asked: list[int] = []

    def call(method: str, path: str) -> dict[str, Any]:
        asked.append(int(path.split("after_sequence=")[1].split("&", maxsplit=1)[0]))
        rest = [each for each in kept if each["sequence"] > asked[-1]]
        return {"data": rest[:100], "has_more": len(rest) > 100}

    def started() -> Any:
        receiver = example.Receiver(tmp_path / "events.jsonl", "http://127.0.0.1:9", "key")
        receiver.call = call
        receiver.inbox.accept(event(759))  # a webhook that comes before
        receiver.backfill()
        return receiver.inbox

    inbox = started()
    assert asked == [0, 529, 630, 730]
    assert (inbox.complete_to, inbox.ahead, inbox.lost) == (760, {}, ["1-500", "530-530"])
    assert (inbox.proven_to, inbox.disproved) == (0, ["2026-11-15", "2026-11-16"])
    kept.append(event(761, "2026-11-17", 760, chain(days[740][2], 731, 760)))
    inbox.accept(kept[-1])
    assert inbox.proven_to == 760
    del kept[:100]
    again = started()  # its memory has the holes; the API has less by now
    assert (again.complete_to, again.proven_to, again.lost) == (761, 760, ["1-500", "530-530"])
    told = [json.loads(line)["sequence"] for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert sorted(told) == [number for number in range(501, 762) if number != 530]


async def test_it_registers_receives_and_fills_a_gap_from_the_api(
    world: Any, bench: Bench, settings: Any, example: ModuleType, tmp_path: Path, monkeypatch: Any
) -> None:
    """An event is lost on the receiver's side (it answered 204 and forgot): the hole is seen and filled."""
    monkeypatch.setattr(example, "PATIENCE", 0.3)
    firm = await world.firm()
    events = tmp_path / "events.jsonl"
    async with served(world) as api, couriers(settings):
        receiver = example.Receiver(events, api, await key_of(world, firm.test))
        receiver.start()
        try:
            await asyncio.to_thread(receiver.register, ["job.*"])
            accept = receiver.inbox.accept
            lost: list[str] = []

            def forgetful(event: dict[str, Any], oldest: bool = False) -> bool:
                if event["sequence"] == 3 and not lost:
                    lost.append(event["id"])
                    return True
                return bool(accept(event, oldest))

            receiver.inbox.accept = forgetful
            for number in range(1, 8):
                await bench.tell(firm.test, number)
            await until(lambda: receiver.inbox.complete_to == 7, 15)
        finally:
            receiver.stop()
    assert len(lost) == 1
    told = [json.loads(line) for line in events.read_text().splitlines()]
    assert sorted(event["sequence"] for event in told) == list(range(1, 8))
    assert len({event["id"] for event in told}) == 7
    assert {event["data"]["object"]["number"] for event in told} == set(range(1, 8))


async def test_as_a_process_it_says_nothing_and_catches_up_after_an_outage(
    world: Any, bench: Bench, settings: Any, tmp_path: Path
) -> None:
    """Once with webhooks, and once for an endpoint that could not be reached: the API alone is enough."""
    firm = await world.firm()
    key = await key_of(world, firm.test)

    @asynccontextmanager
    async def running(api: str, events: Path, **more: str) -> AsyncIterator[None]:
        environment = {**os.environ, "BACKOFFICE_API_KEY": key, **more}
        argv = [sys.executable, str(RECEIVER), api, str(events)]
        child = subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # noqa: ASYNC220
        try:
            yield
        finally:
            child.kill()
            printed, _ = child.communicate()
            assert printed == b""

    def told(events: Path) -> list[int]:
        lines = events.read_text().splitlines() if events.exists() else []
        found = [json.loads(line) for line in lines]
        return sorted(event["data"]["object"]["number"] for event in found if event["type"] == "job.told")

    async with served(world) as api:
        one, other = tmp_path / "one.jsonl", tmp_path / "other.jsonl"
        async with couriers(settings), running(api, one):
            await until(one.exists, 15)  # it is told of its own endpoint
            await bench.tell(firm.test, 1, times=3)
            await until(lambda: told(one) == [1, 2, 3], 15)
        unreached = await bench.endpoint(firm.test, "http://127.0.0.1:9/")
        await bench.tell(firm.test, 4, times=130)
        async with world.tx(firm.test) as tx:
            await commands.fan_out(tx)
        async with running(api, other, BACKOFFICE_WEBHOOK=f"{unreached.id},{unreached.secret}"):
            await until(lambda: told(other)[-130:] == list(range(4, 134)), 15)
