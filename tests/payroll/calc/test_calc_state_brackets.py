"""States whose guides annualise wages or print a table for each pay period: every bracket of every version, status and
pay frequency, just below, at and just above it, against a plain reading of the same table in fractions of a dollar
that shares no code with the calculation."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from datetime import date
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from backoffice.payroll import calc
from backoffice.payroll.calc import (
    W4,
    Columns,
    Paycheck,
    StateCertificate,
    Tables,
    Work,
    gross_to_net,
)
from backoffice.payroll.calc.paycheck import LARGEST_CENTS

FOLDER = Path(calc.__file__).parent / "tables"
PERIODS = {"weekly": 52, "biweekly": 26, "semimonthly": 24, "monthly": 12, "quarterly": 4, "semiannual": 2,
           "annual": 1, "daily": 260}  # fmt: skip
STATES = ("CO", "DC", "DE", "GA", "HI", "ID", "IL", "KS", "KY", "ME", "MI", "MN", "MO", "MS", "MT", "NC", "ND", "NE",
          "NJ", "NM", "OH", "OK", "RI", "SC", "VA", "VT", "WI", "WV")  # fmt: skip
LAW = {state: tomllib.loads((FOLDER / f"us_{state.lower()}_2026.toml").read_text()) for state in STATES}
Version = Mapping[str, Any]
exact = cache(Fraction)  # decimal text of a table, read once


NOTHING, CENT = Fraction(0), Fraction(1, 100)


class Form(NamedTuple):
    """What a certificate says: its status, its counts and its yearly amount in cents."""

    status: str
    allowances: int = 0
    secondary: int = 0
    elected: int | None = None


def half_up(amount: Fraction, to: Fraction) -> Fraction:
    return ((amount / to + Fraction(1, 2)) // 1) * to


def by_rows(rows: list[dict[str, str]], amount: Fraction) -> Fraction:
    """The last row that begins below the amount: every one of these tables says "over"."""
    found = rows[0]
    for row in rows:
        if amount > exact(row["from"]):
            found = row
    return exact(found["base"]) + exact(found["rate"]) * (amount - exact(found["from"]))


def annual_deduction(version: Version, annual: Fraction, form: Form) -> Fraction:
    if form.elected is not None and version["elected_annual_exemption"] == "instead_of_standard_deduction":
        return Fraction(form.elected, 100)
    if "percent_deduction" in version:
        percent = version["percent_deduction"]
        return min(annual * exact(percent["rate"]), exact(percent["cap"])) if form.allowances else NOTHING
    if "standard_deduction" not in version:
        return NOTHING
    full, falling = exact(version["standard_deduction"][form.status]), version.get("phaseout")
    if falling is None or annual <= exact(falling["from"][form.status]):
        return full
    begin = exact(falling["from"][form.status])
    if falling["kind"] == "linear_rate":
        return max(NOTHING, full - exact(falling["rate"][form.status]) * (annual - begin))
    end = exact(falling["to"][form.status])
    left = max(NOTHING, (end - annual) / (end - begin))
    return full * half_up(left, Fraction(1, 10 ** falling["decimals"]))


def taxable_of(version: Version, frequency: str, wages: int, form: Form) -> Fraction:
    """What the table is entered with: a year's amount, or the pay period's."""
    periods, dollars = PERIODS[frequency], Fraction(wages, 100)
    if version["method"] == "annualized_brackets":
        annual = dollars * (version.get("daily_periods", 260) if frequency == "daily" else periods)
        off = annual_deduction(version, annual, form)
        off += form.allowances * exact(version.get("allowance", 0))
        off += form.secondary * exact(version.get("secondary_allowance", 0))
        if form.elected is not None and version["elected_annual_exemption"] == "subtracted":
            off += Fraction(form.elected, 100)
        return max(NOTHING, annual - off)
    if "annual_deduction" in version:
        yearly = exact(version["annual_deduction"][form.status]) + form.allowances * exact(version["allowance"])
        return max(NOTHING, dollars - half_up(yearly / periods, CENT))
    each = exact(version.get("allowance_per_period", {}).get(frequency, 0))
    if "allowance_cliff_annual" in version and dollars * periods > exact(version["allowance_cliff_annual"]):
        each = NOTHING
    return max(NOTHING, dollars - form.allowances * each)


def plain(version: Version, frequency: str, wages: int, form: Form) -> int:
    """The tax in cents."""
    taxable = taxable_of(version, frequency, wages, form)
    tax = by_rows(brackets_of(version, frequency, form.status), taxable)
    if version["method"] == "annualized_brackets":
        if "annual_tax_round_to" in version:
            tax = half_up(tax, exact(version["annual_tax_round_to"]))
        tax = max(NOTHING, tax - form.allowances * exact(version.get("credit_per_allowance", 0)))
        tax /= version.get("daily_periods", 260) if frequency == "daily" else PERIODS[frequency]
    return int(half_up(tax, exact(version["round_to"])) * 100)


def brackets_of(version: Version, frequency: str, status: str) -> list[dict[str, str]]:
    table = version.get("brackets") or version["period"][frequency]["brackets"]
    rows: list[dict[str, str]] = table.get(status) or table["all"]
    return rows


def statuses_of(version: Version) -> list[str]:
    if version["method"] == "annualized_brackets":
        return list(version.get("standard_deduction", version["brackets"]))
    return list(next(iter(version["period"].values()))["brackets"])


def frequencies_of(version: Version) -> list[str]:
    return list(PERIODS) if version["method"] == "annualized_brackets" else list(version["period"])


def forms_of(version: Version, status: str) -> Iterator[Form]:
    yield Form(status)
    counted = {"allowance", "allowance_per_period", "credit_per_allowance", "percent_deduction"} & set(version)
    if counted or "secondary_allowance" in version:
        yield Form(status, 2, 1 if "secondary_allowance" in version else 0)
    if "elected_annual_exemption" in version:
        yield Form(status, 0, 0, 700_050)


def first_above(version: Version, frequency: str, form: Form, edge: Fraction) -> int:
    """The least wages, in cents, that enter the table above an edge: found by halving, since more wages never enter
    it with less."""
    low, high = 0, 100
    while taxable_of(version, frequency, high, form) <= edge:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if taxable_of(version, frequency, middle, form) > edge else (middle, high)
    return high


def around_every_edge(version: Version, frequency: str, form: Form) -> set[int]:
    wages = {0, 1, 123_456, 99_999_999, LARGEST_CENTS}
    for row in brackets_of(version, frequency, form.status):
        above = first_above(version, frequency, form, exact(row["from"]))
        wages |= {max(0, above - 2), above - 1, above, above + 1}
    periods = version.get("daily_periods", 260) if frequency == "daily" else PERIODS[frequency]
    annual = [version["phaseout"][key].get(form.status) for key in ("from", "to") if key in version.get("phaseout", {})]
    annual += [version[key] for key in ("allowance_cliff_annual",) if key in version]
    due = plain(version, frequency, above + 12_345, form)  # where the last row's tax is rounded to the next amount
    low, high = above + 12_345, above + 120_000 * 100
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if plain(version, frequency, middle, form) > due else (middle, high)
    wages |= {low, high}
    for edge in annual:
        at = int(exact(edge) * 100 / periods)
        wages |= {at - 1, at, at + 1}
    return wages


def pay_day(version: Version) -> date:
    first = max(version["effective_from"], date(2026, 1, 1))
    assert isinstance(first, date)
    return first


class Case(NamedTuple):
    """One paycheck: the place of its version, what is asked, the tax of the calculation and of the plain reading."""

    state: str
    version: int
    frequency: str
    form: Form
    wages: int
    tax: int
    right: int


def asked(state: str) -> Iterator[tuple[int, Version, str, Form, int]]:
    for at, version in enumerate(LAW[state]["withholding"]):
        for frequency in frequencies_of(version):
            for status in statuses_of(version):
                for form in forms_of(version, status):
                    for wages in sorted(around_every_edge(version, frequency, form)):
                        yield at, version, frequency, form, wages


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    """Every bracket of every state, version, status and frequency, calculated in one batch."""
    checks: list[Paycheck] = []
    rows: list[Case] = []
    for state in LAW:
        for at, version, frequency, form, wages in asked(state):
            given = StateCertificate(
                status=form.status, allowances=form.allowances, secondary_allowances=form.secondary,
                elected_annual_exemption=form.elected,
            )  # fmt: skip
            work = (Work(state=state, certificate=given),)
            check = Paycheck(pay_date=pay_day(version), pay_frequency=frequency, gross=wages, w4=W4(), work=work)
            checks.append(check)
            rows.append(Case(state, at, frequency, form, wages, -1, plain(version, frequency, wages, form)))
    taxes = gross_to_net(Columns.of(checks), Tables.load()).column("state_income_tax").tolist()
    return [row._replace(tax=tax) for row, tax in zip(rows, taxes, strict=True)]


def test_every_bracket_just_below_at_and_just_above(cases: list[Case]) -> None:
    assert [case for case in cases if case.tax != case.right][:10] == []
    for state in LAW:
        ours = [case for case in cases if case.state == state]
        assert {case.version for case in ours} == set(range(len(LAW[state]["withholding"])))
        assert sum(case.tax > 0 for case in ours) > len(ours) // 8, state


# A cent more of wages may cost more than a cent: what rounding to a whole dollar does (of the period's tax, or of the
# year's in Virginia), base amounts that a guide printed in rounded form, and one true cliff, Rhode Island's allowances,
# which end at an amount of annual wages.
CLIFFS = {"HI": 40, "NJ": 79, "NM": 4, "RI": 11_980}


def test_a_cent_more_of_wages_costs_a_cent_at_most_except_at_the_listed_cliffs(cases: list[Case]) -> None:
    worst: dict[str, int] = dict.fromkeys(LAW, 0)
    for below, above in pairwise(cases):
        if above[:4] == below[:4] and above.wages == below.wages + 1:
            worst[above.state] = max(worst[above.state], above.tax - below.tax)
    for state, most in worst.items():
        version = LAW[state]["withholding"][0]
        to = max(exact(version["round_to"]), exact(version.get("annual_tax_round_to", "0"))) * 100
        assert most == CLIFFS.get(state, to), state
