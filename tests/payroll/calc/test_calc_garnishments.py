"""Orders on wages: the law's own examples to the cent, the legal order, and a plain Decimal beside the engine."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backoffice.kernel.errors import ValidationFailed
from backoffice.payroll.calc import W4, Columns, Paycheck, Tables, Work, explain, gross_to_net
from backoffice.payroll.calc.detail import Deduction, Garnishment, PayDetail
from backoffice.payroll.calc.result import PaycheckResult


def check(*orders: Garnishment, gross: int, frequency: str = "weekly", w4: W4 | None = None, **detail: Any) -> Paycheck:
    """Pay in Wyoming of someone who claims exemption, so that the taxes are 7.65 % and disposable earnings plain."""
    return Paycheck(
        pay_date=date(2026, 11, 20), pay_frequency=frequency, gross=gross, w4=w4 or W4(exempt=True),
        work=(Work(state="WY"),), detail=PayDetail(garnishments=orders, **detail),
    )  # fmt: skip


def paid(one: Paycheck) -> PaycheckResult:
    return gross_to_net(Columns.of([one]), Tables.load()).paycheck(0)


def gross_for(disposable: int) -> int:
    """The gross that leaves these disposable earnings after 7.65 %, each of the two taxes half up."""
    return next(
        gross
        for gross in range(disposable, 2 * disposable)
        if gross - _up(Decimal(gross) * Decimal("0.062")) - _up(Decimal(gross) * Decimal("0.0145")) == disposable
    )


def _up(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))


@pytest.mark.parametrize(
    ("frequency", "disposable", "most"),
    [("weekly", 21_750, 0), ("weekly", 21_751, 1), ("weekly", 26_300, 4_550), ("weekly", 29_000, 7_250),
     ("weekly", 40_200, 10_050), ("biweekly", 43_500, 0), ("biweekly", 58_000, 14_500), ("semimonthly", 62_833, 15_708),
     ("monthly", 94_250, 0), ("monthly", 125_667, 31_416)],
)  # fmt: skip
def test_creditors_get_what_fact_sheet_30_lets_them(frequency: str, disposable: int, most: int) -> None:
    """DOL Fact Sheet 30: nothing up to 30 x 7.25 a week, all above it up to 290.00, then 25 %; 29 CFR 870.10 for the
    other periods. 263.00 a week leaves 45.50, 402.00 leaves 100.50 (the sheet's examples)."""
    order = Garnishment(kind="creditor", amount=10_000_000)
    result = paid(check(order, gross=gross_for(disposable), frequency=frequency))
    assert result.amount("creditor") == most
    assert result.net == disposable - most


@pytest.mark.parametrize(
    ("other", "arrears", "percent"), [(True, False, 50), (True, True, 55), (False, False, 60), (False, True, 65)]
)
def test_support_takes_up_to_50_to_65_percent(other: bool, arrears: bool, percent: int) -> None:
    order = Garnishment(
        kind="support", amount=1_000_000, supports_other_family=other, arrears_over_12_weeks=arrears
    )  # fmt: skip
    assert paid(check(order, gross=gross_for(50_000))).amount("support") == 500 * percent


def test_several_support_orders_share_in_proportion() -> None:
    orders = [Garnishment(kind="support", amount=amount, supports_other_family=True) for amount in (20_000, 10_000)]
    result = paid(check(*orders, gross=gross_for(40_000)))
    assert [line.cents for line in result.lines if line.code == "support"] == [13_333, 6_667]


@pytest.mark.parametrize(
    ("frequency", "status", "dependents", "exempt"),
    [("weekly", "single", None, 30_962), ("weekly", "married_filing_jointly", 2, 61_923 + 2 * 10_192),
     ("weekly", "head_of_household", 1, 46_442 + 10_192), ("biweekly", "single", 0, 61_923),
     ("monthly", "single", 3, 134_167 + 3 * 44_167)],
)  # fmt: skip
def test_a_levy_leaves_the_exempt_amount_of_publication_1494(
    frequency: str, status: str, dependents: int | None, exempt: int
) -> None:
    w4 = W4(exempt=True, filing_status=status)
    result = paid(
        check(Garnishment(kind="federal_levy", dependents=dependents), gross=400_000, frequency=frequency, w4=w4)
    )
    assert result.net == exempt
    assert any(code == "levy_statement_not_given" for code, _ in result.notes) is (dependents is None)
    assert any(code == "unverified_value" for code, _ in result.notes) is (frequency != "weekly")


def test_the_legal_order_and_what_earlier_orders_leave() -> None:
    orders = (
        Garnishment(kind="creditor", percent=250_000), Garnishment(kind="student_loan", percent=150_000),
        Garnishment(kind="support", amount=4_000),
    )  # fmt: skip
    result = paid(check(*orders, gross=gross_for(40_000)))
    assert [(line.code, line.cents) for line in result.lines if line.kind == "garnishment"] == [
        ("support", 4_000), ("student_loan", 6_000), ("creditor", 0),
    ]  # fmt: skip
    support = Garnishment(kind="support", amount=12_000)
    assert paid(check(orders[0], support, gross=gross_for(40_000))).amount("creditor") == 0
    levied = paid(check(Garnishment(kind="federal_levy"), support, gross=gross_for(60_000)))
    assert (levied.amount("support"), levied.net) == (12_000, 30_962)


def test_deductions_by_choice_give_way_to_orders() -> None:
    deferral = (Deduction(code="pretax_401k_403b_457b", percent=900_000),)
    order = Garnishment(kind="support", amount=100_000)
    result = paid(check(order, gross=gross_for(50_000), deductions=deferral))
    assert result.amount("support") == 30_000
    assert (result.amount("pretax_401k_403b_457b"), result.net) == (20_000, 0)


orders = st.lists(
    st.builds(
        Garnishment,
        kind=st.sampled_from(["support", "student_loan", "creditor"]),
        percent=st.integers(0, 1_000_000),
        supports_other_family=st.booleans(),
        arrears_over_12_weeks=st.booleans(),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda order: order.kind,
)


@settings(max_examples=120, deadline=None)
@given(orders, st.integers(1, 300_000), st.sampled_from(["weekly", "biweekly"]))
def test_a_plain_decimal_agrees_on_every_limit(own: list[Garnishment], gross: int, frequency: str) -> None:
    result = paid(check(*own, gross=gross, frequency=frequency))
    left = Decimal(gross - _up(Decimal(gross) * Decimal("0.062")) - _up(Decimal(gross) * Decimal("0.0145")))
    above = max(Decimal(0), left - (21_750 if frequency == "weekly" else 43_500))
    quarter, taken = (left / 4).quantize(Decimal(1), ROUND_DOWN), Decimal(0)
    by_kind = {order.kind: order for order in own}
    for kind in ("support", "student_loan", "creditor"):
        if kind not in by_kind:
            continue
        order = by_kind[kind]
        asked = (left * order.percent / 1_000_000).quantize(Decimal(1), ROUND_HALF_UP)  # type: ignore[operator]
        if kind == "support":
            share = Decimal(50 if order.supports_other_family else 60) + (5 if order.arrears_over_12_weeks else 0)
            most = left * share / 100
        elif kind == "student_loan":
            most = min(left * 15 / 100, above, max(Decimal(0), quarter - taken))
        else:
            most = max(Decimal(0), min(quarter, above) - taken)
        amount = min(asked, most.quantize(Decimal(1), ROUND_DOWN))
        assert result.amount(kind) == amount, kind
        taken += amount
    assert result.net == left - taken >= 0


def test_the_derivation_holds_every_order_and_2025_has_no_law_of_levies() -> None:
    one = check(Garnishment(kind="support", percent=500_000), Garnishment(kind="federal_levy"), gross=100_000)
    derivation = explain(Columns.of([one]), Tables.load())
    result = paid(one)
    for kind in ("support", "federal_levy"):
        (line,) = derivation.of(kind)
        assert line.cents == result.amount(kind) > 0
        assert line.citation
    from dataclasses import replace

    with pytest.raises(ValidationFailed) as refused:
        paid(replace(one, pay_date=date(2025, 5, 2)))
    assert [(fault.code, fault.pointer) for fault in refused.value.errors] == [
        ("year_not_supported", "#/paychecks/0/garnishments")
    ]
