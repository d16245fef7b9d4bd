"""The questions a shadow payroll asks of our engine: what would it be, had one thing been done otherwise?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from backoffice.payroll.calc import Columns, Tables
from backoffice.payroll.calc.detail import DeductionOrders
from backoffice.payroll.calc.paycheck import (
    FILING_STATUSES,
    FREQUENCIES,
    HEAD_OF_HOUSEHOLD,
    NOT_GIVEN,
    OLDER_FORM,
    STATES,
    Bools,
    Dates,
    Int64s,
)

FEDERAL_TAX = ("federal_income_tax",)
STATE_TAXES = ("state_income_tax", "local_income_tax")
INCOME_TAXES = (*FEDERAL_TAX, *STATE_TAXES)
FICA = ("social_security", "employer_social_security", "medicare", "employer_medicare")
_UNTAXED = STATES.index("TX")  # a state without income tax, for questions of federal law alone
_MOST_ALLOWANCES = 10
_Changed = Callable[[Columns, Int64s], Columns]


class WhatIf(NamedTuple):
    """One question: the code and words of the cause it would be, the keys it may explain (() for all), the paychecks
    it can be asked of, and what they are then; it is given those paychecks alone and their rows in the whole."""

    code: str
    detail: str
    keys: tuple[str, ...]
    where: Bools
    columns: _Changed


def questions(columns: Columns, theirs: Int64s, tables: Tables) -> Iterator[WhatIf]:
    everyone = np.ones(len(columns), dtype=np.bool_)
    older = columns.w4_version == OLDER_FORM
    yield WhatIf(
        "wages_to_date", "as if no wages had been paid earlier in the year: a yearly limit was not applied", (),
        everyone, lambda of, _: _first_wages(of),
    )  # fmt: skip
    told = theirs >= 0
    yield WhatIf(
        "other_wages", "as on the previous provider's gross pay", (), told, lambda of, rows: _on_wages(of, theirs[rows])
    )
    if columns.detail is not None:
        lowered = np.isin(np.arange(len(columns)), columns.detail.deductions.paycheck)
        words = "as if no deduction lowered the wages"
        yield WhatIf("deductions", words, (), lowered, lambda of, _: _without_deductions(of))
    for name, words in (
        ("gross", "the gross pay"), ("income_tax_wages", "the income tax wages"),
        ("social_security_wages", "the social security wages"),
    ):  # fmt: skip
        yield WhatIf("other_wages", f"as on {words}", (), everyone, _wages_like(name))
    for name, words in (
        ("step3", "step 3"), ("step4a", "step 4(a)"), ("step4b", "step 4(b)"), ("step4c", "step 4(c)"),
    ):  # fmt: skip
        yield WhatIf("w4", f"as if {words} of Form W-4 were zero", FEDERAL_TAX, everyone, _set(name, 0))
    yield WhatIf("w4", "as if the box of step 2 were the other way", FEDERAL_TAX, ~older, _flipped("step2_checkbox"))
    yield WhatIf("w4", "as if no exemption were claimed", FEDERAL_TAX, columns.exempt, _flipped("exempt"))
    yield WhatIf(
        "w4", "as if the worker were no nonresident alien", FEDERAL_TAX, columns.nonresident_alien,
        _flipped("nonresident_alien"),
    )  # fmt: skip
    for code, status in enumerate(FILING_STATUSES):
        where = (columns.filing_status != code) & ~(older & (code == HEAD_OF_HOUSEHOLD))
        words = f"as if the federal filing status were {status}"
        yield WhatIf("w4", words, INCOME_TAXES, where, _set("filing_status", code))
    for number in range(_MOST_ALLOWANCES + 1):
        words = f"as with {number} allowances on the older Form W-4"
        yield WhatIf("allowances", words, FEDERAL_TAX, older, _set("allowances", number))
    yield from _state_questions(columns, everyone)
    for code, frequency in enumerate(FREQUENCIES):
        yield WhatIf(
            "frequency", f"as if paid {frequency}", FEDERAL_TAX, columns.frequency != code,
            _federally(_set("frequency", code)),
        )  # fmt: skip
    years = columns.pay_date.astype("datetime64[Y]").astype(np.int64) + 1970
    for year in tables.federal.years:
        yield WhatIf(
            "other_year", f"as by the federal tables of {year}", (*FEDERAL_TAX, *FICA), years != year,
            _federally(_in_year(year)),
        )  # fmt: skip


def _state_questions(columns: Columns, everyone: Bools) -> Iterator[WhatIf]:
    absent = np.bincount(columns.work.paycheck, ~columns.work.certificate, len(columns)) > 0
    for code, words, where in (
        ("no_certificate", "as if the federal status counted, though no state certificate is on file", absent),
        ("certificate", "as if the federal status counted, not that of the state certificate", ~absent),
    ):
        yield WhatIf(code, words, STATE_TAXES, where, _certified("status", NOT_GIVEN))
    yield WhatIf(
        "certificate", "as if no state certificate were on file", STATE_TAXES, everyone,
        lambda of, _: replace(of, work=replace(of.work, certificate=np.zeros_like(of.work.certificate))),
    )  # fmt: skip
    for number in range(_MOST_ALLOWANCES + 1):
        for name, words in (("allowances", "allowances"), ("secondary_allowances", "secondary allowances")):
            yield WhatIf(
                "allowances", f"as with {number} {words} on the state certificate", STATE_TAXES, ~absent,
                _certified(name, number),
            )  # fmt: skip


def _set(name: str, value: int) -> _Changed:
    return lambda of, _: replace(of, **{name: np.full_like(getattr(of, name), value)})


def _flipped(name: str) -> _Changed:
    return lambda of, _: replace(of, **{name: ~getattr(of, name)})


def _wages_like(name: str) -> _Changed:
    return lambda of, _: _on_wages(of, getattr(of, name))


def _on_wages(of: Columns, wages: Int64s) -> Columns:
    """All wages at `wages`; those of a state too where the paycheck has one state of work alone."""
    alone = np.bincount(of.work.paycheck, minlength=len(of))[of.work.paycheck] == 1
    work = replace(of.work, wages=np.where(alone, wages[of.work.paycheck], of.work.wages))
    return replace(
        of, work=work, gross=wages, income_tax_wages=wages, social_security_wages=wages, medicare_wages=wages,
        futa_wages=wages,
    )  # fmt: skip


def _without_deductions(of: Columns) -> Columns:
    assert of.detail is not None
    none = np.zeros(0, dtype=np.int64)
    return replace(of, detail=replace(of.detail, deductions=DeductionOrders(none, none, none, none)))


def _first_wages(of: Columns) -> Columns:
    nothing = np.zeros_like(of.work.wages)
    programmes = {code: (nothing, nothing, given) for code, (_, _, given) in of.work.ytd_programmes.items()}
    before = np.zeros_like(of.gross)
    return replace(
        of, ytd_social_security_wages=before, ytd_medicare_wages=before, ytd_futa_wages=before,
        work=replace(of.work, ytd_sui_wages=nothing, ytd_programmes=programmes),
    )  # fmt: skip


def _certified(name: str, value: int) -> _Changed:
    """With a state certificate on file that says this."""

    def changed(of: Columns, _: Int64s) -> Columns:
        work = replace(of.work, **{name: np.full_like(getattr(of.work, name), value)})
        return replace(of, work=replace(work, certificate=np.ones_like(work.certificate)))

    return changed


def _federally(change: _Changed) -> _Changed:
    """At work in one state without income tax, since the state's law may not know the question."""

    def changed(of: Columns, rows: Int64s) -> Columns:
        _, first = np.unique(of.work.paycheck, return_index=True)
        work = of.work.take(first.astype(np.int64))
        none = np.full_like(work.status, NOT_GIVEN)
        untaxed, nobody = np.full_like(work.state, _UNTAXED), np.zeros_like(work.certificate)
        return change(
            replace(of, work=replace(work, state=untaxed, certificate=nobody, status=none, sui_rate=none)), rows
        )

    return changed


def _in_year(year: int) -> _Changed:
    def changed(of: Columns, _: Int64s) -> Columns:
        first = of.pay_date.astype("datetime64[Y]").astype("datetime64[D]")
        days = np.minimum((of.pay_date - first).astype(np.int64), 364)  # of a leap year the 366th is 31 December
        there: Dates = np.datetime64(f"{year}-01-01", "D") + days
        return replace(of, pay_date=there)

    return changed
