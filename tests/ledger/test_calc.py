"""What a double entry is, without a database."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backoffice.ledger.calc import Account, Line, Posting, account_faults, negated, posting_faults, usual_side

DAY = date(2026, 11, 20)
CHART = {"assets.cash": "USD", "liabilities.wages": "USD", "assets.euro": "EUR"}


def posting(*lines: Line, key: str = "k", **more: object) -> Posting:
    return Posting(key=key, effective_date=DAY, description="Wages", lines=lines, **more)  # type: ignore[arg-type]


def test_a_balanced_posting_has_no_fault() -> None:
    both = posting(Line("assets.cash", -500), Line("liabilities.wages", 500), source="pchk_" + "0" * 26)
    assert posting_faults([both], CHART) == []


def test_every_fault_is_told_at_once_with_its_place() -> None:
    faults = posting_faults(
        [
            posting(Line("assets.cash", 1), Line("liabilities.wages", -1)),
            posting(
                Line("assets.cash", 500),
                Line("nowhere", -300),
                Line("assets.euro", -100),
                Line("liabilities.wages", -(10**15)),
                key="",
                source="42",
            ),
        ],
        CHART,
    )
    assert [(fault.pointer, fault.code) for fault in faults] == [
        ("#/1/key", "wrong_length"),
        ("#/1/source", "malformed"),
        ("#/1/lines/1/account", "unknown_account"),
        ("#/1/lines/2/currency", "wrong_currency"),
        ("#/1/lines/3/amount_minor", "out_of_range"),
        ("#/1/lines", "unbalanced"),
    ]


def test_currencies_balance_one_by_one() -> None:
    crossed = posting(Line("assets.cash", 100), Line("assets.euro", -100, "EUR"))
    assert [fault.detail for fault in posting_faults([crossed], CHART)] == [
        "debits exceed credits by -1.00 EUR; they must be equal",
        "debits exceed credits by 1.00 USD; they must be equal",
    ]


@pytest.mark.parametrize(
    "lines", [(), (Line("assets.cash", 0), Line("liabilities.wages", 0)), (Line("assets.cash", 0),)]
)
def test_lines_of_zero_are_no_entries(lines: tuple[Line, ...]) -> None:
    assert [fault.code for fault in posting_faults([posting(*lines)], CHART)] == ["wrong_length"]


def test_a_fingerprint_is_everything_that_was_said() -> None:
    said = posting(Line("assets.cash", -5), Line("liabilities.wages", 5))
    assert said.fingerprint() == posting(*said.lines, Line("assets.euro", 0, "EUR")).fingerprint()
    others = [
        posting(*reversed(said.lines)),
        posting(*negated(said.lines)),
        posting(said.lines[0], Line("liabilities.wages", 5, memo="net")),
        posting(*said.lines, source="pchk_" + "0" * 26),
        Posting("k", date(2026, 11, 21), "Wages", said.lines),
        Posting("k", DAY, "Tips", said.lines),
    ]
    prints = {said.fingerprint(), *(other.fingerprint() for other in others)}
    assert len(prints) == 7


def test_accounts_grow_on_their_side() -> None:
    assert [usual_side(kind) for kind in ("asset", "liability", "equity", "revenue", "expense")] == [
        *("debit", "credit", "credit", "credit", "debit")
    ]
    assert Account("a", "Allowance for doubtful accounts", "asset", side="credit").normal_side == "credit"
    assert Account("a", "Cash", "asset").normal_side == "debit"


def test_account_faults() -> None:
    faults = account_faults([Account("Cash", "", "asset", "usd"), Account("tax.us:ca-sdi", "CA SDI", "liability")])
    assert [fault.pointer for fault in faults] == ["#/0/code", "#/0/name", "#/0/currency"]


amounts = st.lists(st.integers(-(10**12), 10**12).filter(bool), min_size=1, max_size=8)


@given(amounts)
def test_what_is_negated_undoes(values: list[int]) -> None:
    lines = tuple(Line("assets.cash", value) for value in values)
    assert sum(line.amount_minor for line in lines + negated(lines)) == 0
    assert negated(negated(lines)) == lines


@given(amounts)
def test_only_what_sums_to_zero_is_balanced(values: list[int]) -> None:
    lines = [Line("assets.cash", value) for value in values]
    codes = {fault.code for fault in posting_faults([posting(*lines)], CHART)}
    assert ("unbalanced" in codes) == (sum(values) != 0)
    if sum(values) != 0:
        closed = posting(*lines, Line("liabilities.wages", -sum(values)))
        assert posting_faults([closed], CHART) == []
