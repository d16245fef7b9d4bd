"""Canaries: a Social Security number, bank numbers, a birth date, keys and secrets are pushed through every door, and
then looked for in everything that is written down or told: logs, events, webhooks, queue messages, audit, problems,
metrics, the database as a dump and as raw files, the stored documents."""

from __future__ import annotations

import asyncio
import base64
import itertools
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from aiohttp import web
from msgspec import structs
from tests.contract import identity
from tests.contract.canary import ACCOUNT, BORN, CANARIES, CHANNELS, OFFSET, SSN, Told, collect, dump, leaks
from tests.contract.doors import push
from tests.contract.maker import Maker
from tests.contract.said import logged
from tests.webhooks.bench import Answer, Bench, couriers, until
from tests.world import ROOT, Server, World

from backoffice.accounts.tenant_file import load
from backoffice.kernel import ids
from backoffice.platform.courier import loopback


@pytest.fixture(scope="module")
def told(world: World, server: Server, app: Any, admin_dsn: str, loop: asyncio.AbstractEventLoop) -> Iterator[Told]:
    """Everything, after every door was used."""

    async def done() -> Told:
        loopback.configure(True)
        file = load(ROOT / "tenants" / "northwind-staffing")
        bank = structs.replace(file.bank, balanced=True, offset_account_number=OFFSET)
        firm = await world.firm(file=structs.replace(file, bank=bank), keys=False)
        maker = await Maker(world, firm.test, app, admin_dsn).open()
        found = Told(maker, dict(CANARIES))
        async with Bench(world).receiver(_busy_at_first()) as receiver, couriers(server.settings):
            endpoint = await maker.post("/v1/webhook_endpoints", {"url": receiver.url})
            found.canaries["a receiver's secret"] = endpoint["secret"]
            await push(found)
            with psycopg.connect(admin_dsn, autocommit=True) as admin:
                await until(lambda: _delivered(admin, endpoint["id"]), 30)
        found.say("webhooks", *(part for each in receiver.requests for part in (each.raw, str(each.headers))))
        return found

    with logged() as lines:
        found = loop.run_until_complete(done())
    found.say("logs", lines.getvalue())
    collect(found, server)
    yield found
    loop.run_until_complete(found.maker.close())


def _busy_at_first() -> Answer:
    """Refuses the first request, so that the courier keeps what was said in both directions."""
    answers = itertools.chain([503], itertools.repeat(200))
    return lambda _: web.Response(status=next(answers), text="busy")


def _delivered(admin: psycopg.Connection[Any], endpoint: str) -> bool:
    """Whether everything that has happened has arrived."""
    row = admin.execute(
        """SELECT (SELECT count(*) FROM app.event e WHERE e.tenant_id = w.tenant_id AND NOT e.fanned_out),
                  (SELECT array_agg(DISTINCT d.state) FROM app.webhook_delivery d
                    WHERE d.tenant_id = w.tenant_id AND d.endpoint_id = w.id)
             FROM app.webhook_endpoint w WHERE w.id = %s""",
        (identity.number(endpoint),),
    ).fetchone()
    return row == (0, ["delivered"])


@pytest.mark.parametrize("channel", CHANNELS)
def test_no_canary_stands_in(told: Told, channel: str) -> None:
    assert leaks(told.channels[channel], told.canaries) == []


def test_there_was_something_to_look_at(told: Told) -> None:
    """Every channel was used; a look into nothing proves nothing."""
    assert {channel for channel in CHANNELS if sum(map(len, told.channels.get(channel, []))) == 0} == set()
    assert len(told.channels["webhooks"]) > 100
    assert any(b"payroll_run.paid" in each for each in told.channels["webhooks"])
    assert b'"event":"request"' in told.channels["logs"][0] or b'"event": "request"' in told.channels["logs"][0]
    assert len(told.channels["problems"]) > 20
    assert sum(map(len, told.channels["raw files"])) > 10_000_000


@pytest.mark.parametrize(
    "planted",
    [
        f"worker {SSN} was made".encode(),
        SSN.replace("-", "").encode(),
        base64.b64encode(ACCOUNT.encode()),
        ACCOUNT.encode().hex().encode(),
        b"\x00\x01" + SSN.encode("utf-16-le"),
        f"born {BORN}".encode(),
    ],
)
def test_a_planted_canary_is_found(planted: bytes) -> None:
    assert leaks([b"nothing", planted], {"SSN": SSN, "account": ACCOUNT, "birth date": BORN}) != []


def test_a_canary_in_a_plain_column_is_found(told: Told) -> None:
    """The dump is one: a value that is written in clear is in it. No canary of ours: it stays in the raw files."""
    number = "907-31-0000"
    with psycopg.connect(told.maker.admin_dsn) as admin:
        admin.execute(
            "INSERT INTO app.counter (tenant_id, name, next) VALUES (%s, %s, 1)", (told.maker.tenant.facts.id, number)
        )
        assert leaks(dump(admin), {"SSN": number}) != []
        admin.rollback()


def test_what_is_masked_is_masked(told: Told) -> None:
    """The last four digits are told, and no more."""
    worker = next(each.json() for each in told.answers if each.request.url.path == "/v1/workers" and each.is_success)
    assert worker["ssn_last4"] == SSN[-4:]
    assert worker["birth_date_on_file"] is True
    assert ids.decode("worker", worker["id"]) is not None
