"""The smallest pay that leaves a wanted net pay, found without trying every cent; the tests try every cent."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from backoffice.payroll.calc import W4, Columns, LocalPart, Paycheck, Tables, Work, gross_to_net
from backoffice.payroll.calc.detail import Deduction, PayDetail
from backoffice.payroll.calc.gross_up import gross_up

TABLES = Tables.load()


def check(state: str, gross: int = 0, detail: PayDetail | None = None) -> Paycheck:
    return Paycheck(
        pay_date=date(2026, 11, 20), pay_frequency="weekly", gross=gross, w4=W4(), work=(Work(state=state),),
        detail=detail,
    )  # fmt: skip


@pytest.mark.parametrize("state", ["TX", "CA", "NY", "PA"])
@pytest.mark.parametrize("net", [0, 1, 30_000, 30_001, 75_443])
def test_it_is_the_smallest_gross_that_gives_the_net(state: str, net: int) -> None:
    found = gross_up(Columns.of([check(state)]), net, TABLES)
    around = range(max(0, found.addition - 3_000), found.addition + 1)
    nets = gross_to_net(Columns.of([check(state, gross) for gross in around]), TABLES).net.tolist()
    assert found.exact
    assert (nets[-1], found.net) == (net, net)
    assert net not in nets[:-1]


def test_an_award_on_top_of_pay_is_grossed_up_as_supplemental_wages() -> None:
    """22 % and 7.65 % of the addition: 1,000.00 net are 1,000.00 / 0.7035 = 1,421.46 of pay in Texas."""
    regular = check("TX", 100_000, PayDetail(deductions=(Deduction(code="charity", amount=500),)))
    net = gross_to_net(Columns.of([regular]), TABLES).net[0]
    found = gross_up(Columns.of([regular]), int(net) + 100_000, TABLES, supplemental=True)
    assert (found.addition, found.exact) == (142_146, True)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="already"):
        gross_up(Columns.of([check("TX", 100_000)]), 50_000, TABLES)
    with pytest.raises(ValueError, match="no pay"):
        gross_up(Columns.of([check("TX")]), 900_000_000_000, TABLES)
    with pytest.raises(ValueError, match="one paycheck"):
        gross_up(Columns.of([check("TX"), check("TX")]), 1, TABLES)


def test_an_award_needs_no_detail_beforehand() -> None:
    found = gross_up(Columns.of([check("TX")]), 100_000, TABLES, supplemental=True)
    assert (found.addition, found.exact) == (142_146, True)


def test_places_tax_what_is_added_too() -> None:
    """New York City takes its part of the addition from a resident, and a county of Indiana."""
    for state, place in (("NY", "NY-NYC"), ("IN", "IN-MARION")):
        before = check(state, 100_000)
        with_place = [
            replace(before, gross=gross, local=(LocalPart(place, gross, True),))
            for gross in (100_000, 100_000 + 40_000)
        ]
        nets = gross_to_net(Columns.of(with_place), TABLES).net.tolist()
        found = gross_up(Columns.of(with_place[:1]), nets[1], TABLES)
        assert found.net == nets[1]
        assert 40_000 - 1 <= found.addition <= 40_000  # two neighbouring cents may leave the same net
