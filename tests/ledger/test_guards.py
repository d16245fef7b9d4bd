"""What the database itself refuses, whoever asks: entries written around the commands."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import pytest

from backoffice.kernel import ids
from backoffice.ledger import models
from backoffice.ledger.commands import Account, Line, Posting, ensure_accounts, post

if TYPE_CHECKING:
    from tests.world import Tenant, World

    from backoffice.platform.tx import Tx

DAY = date(2026, 11, 20)
CASH = Account("assets.cash", "Cash", "asset")
PAYABLE = Account("liabilities.payable", "Payable", "liability")
EURO = Account("assets.euro", "Euro", "asset", "EUR")


async def fresh(world: World) -> tuple[Tenant, dict[str, UUID]]:
    tenant = (await world.firm(keys=False)).test
    async with world.tx(tenant) as tx:
        return tenant, await ensure_accounts(tx, [CASH, PAYABLE, EURO])


async def transaction(tx: Tx, count: int, *, reverses: UUID | None = None) -> UUID:
    id_ = await tx.new_id()
    await tx.insert_many(
        models.transaction,
        [
            {
                "id": id_,
                "key": str(id_),
                "fingerprint": b"",
                "effective_date": DAY,
                "posted_at": await tx.now(),
                "posted_by": tx.principal.actor,
                "description": "By hand",
                "reverses": reverses,
                "entry_count": count,
            }
        ],
    )
    return id_


async def entries(tx: Tx, id_: UUID, lines: Sequence[tuple[UUID, int]], *, first: int = 1, **other: Any) -> None:
    now = await tx.now()
    rows = [
        {
            "id": ids.new(now),
            "transaction_id": id_,
            "line": line,
            "account_id": account,
            "amount_minor": amount,
            "currency": "USD",
            "effective_date": DAY,
            **other,
        }
        for line, (account, amount) in enumerate(lines, start=first)
    ]
    await tx.insert_many(models.entry, rows)


def refused(constraint: str) -> Any:
    return pytest.raises(asyncpg.IntegrityConstraintViolationError, check=lambda error: told(error) == constraint)


def told(error: BaseException) -> str:
    return str(getattr(error, "constraint_name", ""))


async def test_by_hand_is_fine_when_it_balances(world: World) -> None:
    tenant, chart = await fresh(world)
    async with world.tx(tenant) as tx:
        await entries(tx, await transaction(tx, 2), [(chart[CASH.code], 5), (chart[PAYABLE.code], -5)])


async def test_entries_that_do_not_sum_to_zero_are_refused_at_once(world: World) -> None:
    tenant, chart = await fresh(world)
    async with world.tx(tenant) as tx:
        id_, other = await transaction(tx, 2), await transaction(tx, 2)
        with refused("ledger_entry_zero_sum"):
            await entries(tx, id_, [(chart[CASH.code], 5), (chart[PAYABLE.code], -4)])
    async with world.tx(tenant) as tx:  # two transactions that only balance each other
        id_, other = await transaction(tx, 1 + 1), await transaction(tx, 1 + 1)
        now = await tx.now()
        with refused("ledger_entry_zero_sum"):
            await tx.insert_many(
                models.entry,
                [
                    {
                        "id": ids.new(now),
                        "transaction_id": whose,
                        "line": line,
                        "account_id": chart[CASH.code],
                        "amount_minor": amount,
                        "currency": "USD",
                        "effective_date": DAY,
                    }
                    for whose, line, amount in ((id_, 1, 5), (id_, 2, -4), (other, 1, 4), (other, 2, -5))
                ],
            )


async def test_currencies_do_not_balance_each_other(world: World) -> None:
    tenant, chart = await fresh(world)
    async with world.tx(tenant) as tx:
        id_, now = await transaction(tx, 2), await tx.now()
        shared = {"transaction_id": id_, "effective_date": DAY}
        with refused("ledger_entry_zero_sum"):
            await tx.insert_many(
                models.entry,
                [
                    {"id": ids.new(now), **shared, "line": 1, "account_id": chart[CASH.code], "amount_minor": 5,
                     "currency": "USD"},
                    {"id": ids.new(now), **shared, "line": 2, "account_id": chart[EURO.code], "amount_minor": -5,
                     "currency": "EUR"},
                ],
            )  # fmt: skip


async def test_a_transaction_without_entries_is_refused_at_the_commit(world: World) -> None:
    tenant, _ = await fresh(world)
    with refused("ledger_transaction_entries"):
        async with world.tx(tenant) as tx:
            await transaction(tx, 2)


async def test_a_single_entry_is_refused(world: World) -> None:
    tenant, chart = await fresh(world)
    async with world.tx(tenant) as tx:
        with refused("ledger_transaction_entry_count_check"):
            await transaction(tx, 1)
    async with world.tx(tenant) as tx:
        with refused("ledger_entry_amount_minor_check"):
            await entries(tx, await transaction(tx, 2), [(chart[CASH.code], 0), (chart[PAYABLE.code], 0)])


async def test_an_entry_in_another_currency_than_its_account_is_refused_at_the_commit(world: World) -> None:
    tenant, chart = await fresh(world)
    with refused("ledger_transaction_currency"):
        async with world.tx(tenant) as tx:
            await entries(tx, await transaction(tx, 2), [(chart[CASH.code], 5), (chart[EURO.code], -5)])


async def test_entries_come_all_at_once_in_order_and_of_one_day(world: World) -> None:
    tenant, chart = await fresh(world)
    pair = [(chart[CASH.code], 5), (chart[PAYABLE.code], -5)]
    for count, lines, first, other in (
        (4, pair, 1, {}),
        (2, pair, 2, {}),
        (3, pair, 1, {}),
        (2, pair, 1, {"effective_date": DAY + timedelta(days=1)}),
        (2, [(chart[CASH.code], 5), (chart[CASH.code], -4), (chart[PAYABLE.code], -1)], 1, {}),
    ):
        async with world.tx(tenant) as tx:
            with refused("ledger_entry_complete"):
                await entries(tx, await transaction(tx, count), lines, first=first, **other)


async def test_nothing_is_added_to_a_transaction_later(world: World) -> None:
    tenant, chart = await fresh(world)
    pair = [(chart[CASH.code], 5), (chart[PAYABLE.code], -5)]
    async with world.tx(tenant) as tx:
        id_ = (
            await post(tx, [Posting("k", DAY, "Posted", (Line(CASH.code, 7), Line(PAYABLE.code, -7)))])
        )["k"]  # fmt: skip
    for first, constraint in ((1, "ledger_entry_tenant_id_transaction_id_line_key"), (3, "ledger_entry_complete")):
        async with world.tx(tenant) as tx:
            with refused(constraint):
                await entries(tx, id_, pair, first=first)


async def test_a_reversal_that_does_not_undo_is_refused_at_the_commit(world: World) -> None:
    tenant, chart = await fresh(world)
    pair = [(chart[CASH.code], 5), (chart[PAYABLE.code], -5)]
    async with world.tx(tenant) as tx:
        id_ = await transaction(tx, 2)
        await entries(tx, id_, pair)
    with refused("ledger_transaction_reversal"):
        async with world.tx(tenant) as tx:
            await entries(tx, await transaction(tx, 2, reverses=id_), pair)


async def test_another_tenants_account_or_transaction_is_not_there(world: World) -> None:
    tenant, chart = await fresh(world)
    other, theirs = await fresh(world)
    async with world.tx(other) as tx:
        foreign = await transaction(tx, 2)
        await entries(tx, foreign, [(theirs[CASH.code], 5), (theirs[PAYABLE.code], -5)])
    async with world.tx(tenant) as tx:
        with refused("ledger_entry_tenant_id_account_id_fkey"):
            await entries(tx, await transaction(tx, 2), [(theirs[CASH.code], 5), (chart[PAYABLE.code], -5)])
    async with world.tx(tenant) as tx:
        with refused("ledger_entry_tenant_id_transaction_id_fkey"):
            await entries(tx, foreign, [(chart[CASH.code], 5), (chart[PAYABLE.code], -5)])


@pytest.mark.parametrize("table", ["ledger_account", "ledger_transaction", "ledger_entry"])
@pytest.mark.parametrize("statement", ["UPDATE app.{} SET id = id", "DELETE FROM app.{}", "TRUNCATE app.{}"])
async def test_nothing_is_changed_or_removed(world: World, table: str, statement: str) -> None:
    tenant, _ = await fresh(world)
    async with world.tx(tenant) as tx:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await tx.connection.execute(statement.format(table))


async def test_the_application_cannot_switch_the_watch_off(world: World) -> None:
    tenant, _ = await fresh(world)
    for statement in (
        "ALTER TABLE app.ledger_entry DISABLE TRIGGER ALL",
        "DROP TRIGGER ledger_entry_check ON app.ledger_entry",
        "CREATE OR REPLACE FUNCTION app.ledger_entry_check() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'",
        "SET LOCAL session_replication_role = replica",
    ):
        async with world.tx(tenant) as tx:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await tx.connection.execute(statement)
