"""Every step of deductions, orders, supplemental wages and earnings can be redone from its formula and inputs alone."""

from __future__ import annotations

import random
from datetime import date
from decimal import Decimal
from fractions import Fraction

from tests.payroll.calc.test_calc_derivation import redo

from backoffice.payroll.calc import W4, Columns, Paycheck, Tables, Work, explain, gross_to_net
from backoffice.payroll.calc.detail import DEDUCTIONS, GARNISHMENTS, Deduction, Garnishment, PayDetail
from backoffice.payroll.calc.remuneration import Earning, remuneration, remuneration_derivation


def random_paycheck(dice: random.Random) -> Paycheck:
    gross, states = dice.randint(100_000, 900_000), dice.sample(["CA", "NY", "IL", "PA", "TX", "WA"], 2)
    supplemental = dice.choice((0, dice.randint(1, gross)))
    deductions = tuple(
        dice.choice(
            (
                Deduction(code=code, amount=dice.randint(0, 50_000)),
                Deduction(code=code, percent=dice.randint(0, 99_999)),
            )
        )
        for code in dice.sample(DEDUCTIONS, 4)
    )
    garnishments = tuple(
        Garnishment(kind=kind, percent=dice.randint(0, 400_000), dependents=dice.choice((None, 2)))
        for kind in dice.choices(GARNISHMENTS, k=dice.randint(0, 3))
    )
    works = [
        Work(state=state, wages=wages) for state, wages in zip(states, (gross // 3, gross - gross // 3), strict=True)
    ]
    detail = PayDetail(
        deductions=deductions, garnishments=garnishments, supplemental=supplemental, bonus=supplemental // 2,
        supplemental_wages=dice.choice((0, 99_900_000)), aggregate=dice.random() < 0.2, birth_year=1964,
        hours=dice.choice((None, 400_000)), futa_reduction=dice.choice((None, 12_000)),
    )  # fmt: skip
    return Paycheck(
        pay_date=date(2026, 5, 1), pay_frequency=dice.choice(("weekly", "biweekly", "monthly")), gross=gross, w4=W4(),
        work=tuple(works if dice.random() < 0.3 else [Work(state=states[0])]), detail=detail,
    )  # fmt: skip


def test_every_line_of_a_paycheck_with_details_can_be_redone() -> None:
    dice = random.Random(5)
    for _ in range(120):
        columns = Columns.of([random_paycheck(dice)])
        lines = gross_to_net(columns, Tables.load()).paycheck(0).lines
        derived = explain(columns, Tables.load()).lines
        assert sorted((d.code, d.kind, d.jurisdiction, d.cents) for d in derived if d.kind != "wage_base") == sorted(
            (line.code, line.kind, line.jurisdiction, line.cents) for line in lines
        )
        for line in derived:
            assert line.citation
            assert redo(line) * 100 == line.cents, line.as_text()


def test_every_line_of_the_earnings_can_be_redone() -> None:
    dice, law, overtime = random.Random(6), Tables.load().earnings, Tables.load().overtime
    for _ in range(60):
        own = [
            Earning(code=dice.choice(["regular", "overtime", "piecework"]), hours=Decimal(dice.randint(1, 3000)) / 100,
                    rate=Decimal(dice.randint(1, 90_000_000)) / 1_000_000)
            for _ in range(3)
        ] + [Earning(code="bonus", amount=dice.randint(0, 99_999))]  # fmt: skip
        derived = remuneration_derivation(own, law, overtime=overtime, pay_frequency="weekly", period_begin=None).lines
        paid = remuneration(own, law, overtime=overtime, pay_frequency="weekly", period_begin=None)
        assert [(line.code, line.cents) for line in derived] == [(line.code, line.cents) for line in paid.lines]
        assert all(redo(line) == Fraction(line.cents, 100) for line in derived)
