"""Posting, reversing and reading back, on the real database."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backoffice.kernel.errors import NotFound
from backoffice.ledger import queries
from backoffice.ledger.commands import Account, Line, Posting, Reversal, ensure_accounts, post, reverse, reverse_many
from backoffice.ledger.errors import AccountDiffers, AlreadyReversed, PostingKeyReused, PostingRefused

if TYPE_CHECKING:
    from tests.world import Tenant, World

DAY = date(2026, 11, 20)
SOURCE = "pchk_" + "0" * 25 + "1"
CASH = Account("assets.payroll_cash", "Payroll cash", "asset")
WAGES = Account("expenses.wages", "Wages", "expense")
PAYABLE = Account("liabilities.wages_payable", "Wages payable", "liability")
SDI = Account("liabilities.tax.ca_sdi", "CA SDI", "liability", facts={"tax": "CA_SDI", "jurisdiction": "CA"})
CHART = (CASH, WAGES, PAYABLE, SDI)


def earned(key: str = "paycheck:1:earned", gross: int = 100_000, tax: int = 1_300, day: date = DAY) -> Posting:
    lines = (Line(WAGES.code, gross), Line(SDI.code, -tax, memo="week 46"), Line(PAYABLE.code, tax - gross))
    return Posting(key, day, "Wages earned", lines, source=SOURCE)


def paid(key: str = "paycheck:1:paid", net: int = 98_700, day: date = DAY) -> Posting:
    return Posting(key, day, "Wages paid", (Line(PAYABLE.code, net), Line(CASH.code, -net)), source=SOURCE)


async def fresh(world: World) -> Tenant:
    tenant = (await world.firm(keys=False)).test
    async with world.tx(tenant) as tx:
        await ensure_accounts(tx, CHART)
    return tenant


async def test_what_is_posted_can_be_read(world: World) -> None:
    tenant = await fresh(world)
    async with world.tx(tenant) as tx:
        posted = await post(tx, [paid(), earned()])
    async with world.tx(tenant) as tx:
        assert await queries.balances(tx) == {
            CASH.code: -98_700,
            WAGES.code: 100_000,
            PAYABLE.code: 0,
            SDI.code: -1_300,
        }
        assert await queries.balances(tx, [SDI.code, "nowhere"]) == {SDI.code: -1_300}
        entries = await queries.entries_of(tx, SOURCE)
        assert {row["transaction_id"] for row in entries} == set(posted.values())
        told = [(row["line"], row["account"], row["amount_minor"], row["memo"]) for row in entries]
        assert sorted(told, key=str) == sorted(
            [
                *((1, WAGES.code, 100_000, None), (2, SDI.code, -1_300, "week 46"), (3, PAYABLE.code, -98_700, None)),
                *((1, PAYABLE.code, 98_700, None), (2, CASH.code, -98_700, None)),
            ],
            key=str,
        )
        whole = await queries.trial_balance(tx)
        assert [(each.debits.amount, each.credits.amount) for each in whole.totals] == [("1987.00", "1987.00")]
        assert [line.code for line in whole.data] == sorted(account.code for account in CHART)
        payable = next(line for line in whole.data if line.code == PAYABLE.code)
        assert (payable.debits.amount, payable.credits.amount, payable.balance.amount) == ("987.00", "987.00", "0.00")


async def test_a_balance_counts_up_to_its_day(world: World) -> None:
    tenant = await fresh(world)
    async with world.tx(tenant) as tx:
        await post(tx, [earned(day=DAY - timedelta(days=5)), paid(day=DAY)])
    async with world.tx(tenant) as tx:
        before = await queries.balances(tx, [PAYABLE.code], as_of=DAY - timedelta(days=1))
        assert before == {PAYABLE.code: -98_700}
        assert await queries.balances(tx, [PAYABLE.code], as_of=DAY) == {PAYABLE.code: 0}
        assert await queries.balances(tx, [PAYABLE.code], as_of=DAY - timedelta(days=6)) == {PAYABLE.code: 0}
        assert (await queries.trial_balance(tx, DAY - timedelta(days=6))).totals[0].debits.amount == "0.00"


async def test_a_key_is_posted_once(world: World) -> None:
    tenant = await fresh(world)
    async with world.tx(tenant) as tx:
        first = await post(tx, [earned()])
    async with world.tx(tenant) as tx:
        both = await post(tx, [earned(), paid()])
        assert await post(tx, [earned(), earned(), paid()]) == both
    assert both[earned().key] == first[earned().key]
    async with world.tx(tenant) as tx:
        assert await queries.balances(tx, [WAGES.code]) == {WAGES.code: 100_000}
        with pytest.raises(PostingKeyReused):
            await post(tx, [earned(gross=100_001)])
        with pytest.raises(PostingKeyReused):
            await post(tx, [earned("twice"), earned("twice", day=DAY + timedelta(days=1))])
        assert await post(tx, []) == {}


async def test_a_raced_key_is_posted_once(world: World) -> None:
    tenant = await fresh(world)

    async def once(number: int) -> object:
        async with world.tx(tenant) as tx:
            batch = [earned(f"k{place}") for place in range(5)]
            return await post(tx, batch if number % 2 else batch[::-1])

    answers = await asyncio.gather(*(once(number) for number in range(8)))
    assert all(answer == answers[0] for answer in answers)

    async def another(number: int) -> object:
        async with world.tx(tenant) as tx:
            return await post(tx, [earned("raced", gross=200_000 + number)])

    others = await asyncio.gather(*(another(number) for number in range(8)), return_exceptions=True)
    assert sorted(type(other).__name__ for other in others) == ["PostingKeyReused"] * 7 + ["dict"]
    async with world.tx(tenant) as tx:
        wages = (await queries.balances(tx, [WAGES.code]))[WAGES.code]
        assert wages == 5 * 100_000 + 200_000 + [type(other) for other in others].index(dict)
        assert sum((await queries.balances(tx)).values()) == 0


async def test_accounts_are_ensured_once(world: World) -> None:
    tenant = (await world.firm(keys=False)).test

    async def ensure(chart: Sequence[Account]) -> dict[str, object]:
        async with world.tx(tenant) as tx:
            return dict(await ensure_accounts(tx, chart))

    answers = await asyncio.gather(*(ensure(CHART if number % 2 else CHART[::-1]) for number in range(6)))
    assert all(answer == answers[0] for answer in answers)
    assert await ensure([Account(SDI.code, "Another name", "liability", facts=dict(SDI.facts))]) == {
        SDI.code: answers[0][SDI.code]
    }
    with pytest.raises(AccountDiffers) as refusal:
        await ensure([CASH, Account(SDI.code, SDI.name, "asset", "EUR")])
    assert [fault.pointer for fault in refusal.value.errors] == ["#/1/kind", "#/1/currency", "#/1/side", "#/1/facts"]
    async with world.tx(tenant) as tx:
        known = await queries.accounts(tx, [SDI.code])
        assert known[SDI.code]["facts"] == {"tax": "CA_SDI", "jurisdiction": "CA"}
        assert known[SDI.code]["name"] == "CA SDI"


async def test_what_is_no_double_entry_is_refused_before_it_is_written(world: World) -> None:
    tenant = await fresh(world)
    async with world.tx(tenant) as tx:
        with pytest.raises(PostingRefused) as refusal:
            await post(tx, [earned(), Posting("bad", DAY, "Bad", (Line(CASH.code, 1), Line("nowhere", -2)))])
        assert [fault.code for fault in refusal.value.errors] == ["unknown_account", "unbalanced"]
        assert await queries.transactions_by_key(tx, [earned().key]) == {}


async def test_a_reversal_undoes_and_is_one_of_a_kind(world: World) -> None:
    tenant = await fresh(world)
    async with world.tx(tenant) as tx:
        posted = await post(tx, [earned(), paid()])
    later, id_ = DAY + timedelta(days=3), posted[paid().key]
    async with world.tx(tenant) as tx:
        back = await reverse(tx, id_, key="paycheck:1:returned", effective_date=later, description="Returned R02")
        again = await reverse(tx, id_, key="paycheck:1:returned", effective_date=later, description="Returned R02")
        assert back == again
        with pytest.raises(AlreadyReversed):
            await reverse(tx, id_, key="another", effective_date=later, description="Returned R02")
    async with world.tx(tenant) as tx:
        assert await queries.balances(tx, [PAYABLE.code, CASH.code]) == {PAYABLE.code: -98_700, CASH.code: 0}
        assert (await queries.balances(tx, [CASH.code], as_of=DAY)) == {CASH.code: -98_700}
        assert [row["reverses"] for row in await queries.entries_of(tx, SOURCE)].count(id_) == 2
        both = [
            Reversal(back, "paycheck:1:paid_after_all", later, "Paid after all"),
            Reversal(posted[earned().key], "paycheck:1:voided", later, "Voided"),
        ]
        assert set(await reverse_many(tx, both)) == {both[0].key, both[1].key}
        with pytest.raises(NotFound):
            await reverse(tx, tenant.facts.id, key="x", effective_date=later, description="Nothing there")
    async with world.tx(tenant) as tx:
        assert await queries.balances(tx, [CASH.code, WAGES.code]) == {CASH.code: -98_700, WAGES.code: 0}


async def test_a_batch_takes_as_many_statements_as_one_posting(world: World) -> None:
    tenant = await fresh(world)
    counts = []
    for number in (1, 400):
        statements: list[str] = []
        async with world.tx(tenant) as tx:
            await tx.now()
            tx.connection.add_query_logger(lambda record, told=statements: told.append(record.query))
            await post(tx, [earned(f"batch:{number}:{place}") for place in range(number)])
            tx.connection._query_loggers.clear()
        counts.append(len(statements))
    assert counts[0] == counts[1] <= 3, counts


async def test_tenants_have_ledgers_of_their_own(world: World) -> None:
    mine = await fresh(world)
    theirs = (await world.firm(keys=False)).test
    async with world.tx(mine) as tx:
        id_ = (await post(tx, [earned()]))[earned().key]
    async with world.tx(theirs) as tx:
        assert await queries.balances(tx) == {}
        assert await queries.entries_of(tx, SOURCE) == []
        with pytest.raises(PostingRefused):
            await post(tx, [earned()])
        with pytest.raises(NotFound):
            await reverse(tx, id_, key="r", effective_date=DAY, description="Not theirs")


# --------------------------------------------------------------------------------- any sequence of postings balances

CODES = tuple(account.code for account in CHART)
_runs = itertools.count()
legs = st.tuples(st.sampled_from(CODES), st.integers(-(10**9), 10**9).filter(bool))
steps = st.lists(
    st.tuples(st.lists(legs, min_size=1, max_size=5), st.sampled_from(CODES), st.integers(0, 20), st.booleans()),
    min_size=1,
    max_size=6,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_balances_are_sums_and_sum_to_zero(
    world: World, loop: asyncio.AbstractEventLoop, steps: list[tuple[list[tuple[str, int]], str, int, bool]]
) -> None:
    """Each step posts some lines, closed by one line that balances them; some are reversed on the next day."""

    async def run() -> None:
        tenant = await _ledger_of(world)
        mark = next(_runs)
        expected: dict[tuple[str, int], int] = {}
        postings, undone = [], []
        for place, (lines, closing, offset, undo) in enumerate(steps):
            told = [*lines, (closing, -sum(amount for _, amount in lines))]
            if sum(amount != 0 for _, amount in told) < 2:
                continue
            day = DAY + timedelta(days=offset)
            key = f"{mark}:{place}"
            postings.append(Posting(key, day, "Step", tuple(Line(code, amount) for code, amount in told)))
            if undo:
                undone.append((key, day + timedelta(days=1)))
            for code, amount in told:
                expected[code, offset] = expected.get((code, offset), 0) + amount
                if undo:
                    expected[code, offset + 1] = expected.get((code, offset + 1), 0) - amount
        async with world.tx(tenant) as tx:
            before = {offset: await queries.balances(tx, as_of=DAY + timedelta(days=offset)) for offset in (-1, 7, 21)}
            posted = await post(tx, postings)
            await reverse_many(tx, [Reversal(posted[key], f"{key}:undone", day, "Undone") for key, day in undone])
        async with world.tx(tenant) as tx:
            for last, old in before.items():
                now = await queries.balances(tx, as_of=DAY + timedelta(days=last))
                assert sum(now.values()) == 0
                for code in CODES:
                    moved = sum(amount for (where, day), amount in expected.items() if where == code and day <= last)
                    assert now[code] - old[code] == moved
            assert before[21] is not None
            whole = await queries.trial_balance(tx)
            assert [each.debits == each.credits for each in whole.totals] == [True]

    loop.run_until_complete(run())


_property_tenants: list[Tenant] = []


async def _ledger_of(world: World) -> Tenant:
    """One tenant for all examples: the ledger that they share must balance after each."""
    if not _property_tenants:
        _property_tenants.append(await fresh(world))
    return _property_tenants[0]
