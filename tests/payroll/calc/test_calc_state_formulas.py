"""States with a formula of their own: every step of every table just below, at and just above it, for every status and
pay period, against a plain reading of the same table in fractions of a dollar that shares no code with the
calculation; and the cases that others worked."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from datetime import date
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from backoffice.payroll import calc
from backoffice.payroll.calc import W4, Columns, Paycheck, StateCertificate, Tables, Work, gross_to_net
from backoffice.payroll.calc.paycheck import GivenTaxes

FOLDER = Path(calc.__file__).parent / "tables"
PERIODS = {"weekly": 52, "biweekly": 26, "semimonthly": 24, "monthly": 12, "quarterly": 4, "semiannual": 2,
           "annual": 1, "daily": 260}  # fmt: skip
exact = cache(Fraction)  # decimal text of a table, read once
CENT, DOLLAR = Fraction(1, 100), Fraction(1)
Values = dict[str, Any]


class Case(NamedTuple):
    """A paycheck of one state. Amounts in dollars; `certificate` None: none is on file."""

    wages: Fraction
    frequency: str
    certificate: StateCertificate | None
    federal: Fraction = Fraction(0)
    fica: Fraction = Fraction(0)
    fica_deducted: Fraction = Fraction(0)
    day: date = date(2026, 11, 20)


def law(state: str, version: int = -1) -> Values:
    found: Values = tomllib.loads((FOLDER / f"us_{state.lower()}_2026.toml").read_text())["withholding"][version]
    return found


def near(amount: Fraction, to: Fraction) -> Fraction:
    return ((amount / to + Fraction(1, 2)) // 1) * to


def last(rows: list[dict[str, str]], amount: Fraction, at: bool) -> dict[str, str]:
    """The last row that begins below the amount, or at it where `at`."""
    return [row for row in rows if exact(row["from"]) < amount or (at and exact(row["from"]) == amount)][-1:][0] if (
        amount > 0 or at
    ) else rows[0]  # fmt: skip


def on_brackets(rows: list[dict[str, str]], amount: Fraction) -> Fraction:
    row = last(rows, amount, at=False)
    return exact(row["base"]) + exact(row["rate"]) * (amount - exact(row["from"]))


def alabama(case: Case, v: Values) -> Fraction:
    form = case.certificate or StateCertificate(status="zero")
    claim, p = v["claim"][form.status], PERIODS[case.frequency]
    annual = case.wages * p
    off = exact(last(claim["standard_deduction"], annual, at=True)["amount"]) + exact(claim["personal_exemption"])
    off += form.allowances * exact(last(v["dependent_value"], annual, at=False)["amount"]) + case.federal * p
    return near(on_brackets(claim["brackets"], max(annual - off, Fraction(0))) / p, CENT)


def arkansas(case: Case, v: Values) -> Fraction:
    p = PERIODS[case.frequency]
    net = max(case.wages * p - exact(v["standard_deduction"]), Fraction(0))
    if net < exact(v["midrange"]["snap_below"]):
        net = net // 100 * 100 + 50
    row = last(v["table"], net, at=True)
    annual = near(max(net * exact(row["rate"]) - exact(row["subtract"]), Fraction(0)), DOLLAR)
    allowances = case.certificate.allowances if case.certificate else 0
    return near(max(annual - 29 * allowances, Fraction(0)) / p, CENT)


def arizona(case: Case, v: Values) -> Fraction:
    chosen = case.certificate.elected_rate if case.certificate else None
    rate = exact(v["default_rate"]) if chosen is None else Fraction(chosen, 1_000_000)
    return near(case.wages * rate, CENT)


def connecticut(case: Case, v: Values) -> Fraction:
    if case.certificate is None:
        return near(case.wages * Fraction("0.0699"), CENT)
    if case.certificate.status == "E":
        return Fraction(0)
    code, p = v["code"][case.certificate.status], PERIODS[case.frequency]
    annual = case.wages * p
    taxable = max(annual - exact(last(code["exemption"], annual, at=False)["amount"]), Fraction(0))
    tax = on_brackets(code["brackets"], taxable)
    tax += sum(exact(last(code[key], annual, at=False)["amount"]) for key in ("add_back", "recapture"))
    if annual > exact(code["credit"][0]["from"]):
        tax *= 1 - exact(last(code["credit"], annual, at=False)["rate"])
    return near(tax / p, CENT)


def iowa(case: Case, v: Values) -> Fraction:
    form, p = case.certificate or StateCertificate(status="other"), PERIODS[case.frequency]
    taxable = max(case.wages - near(exact(v["deduction"][form.status]) / p, CENT), Fraction(0))
    year = Fraction(40 * form.allowances) if form.elected_annual_credit is None else form.elected_annual_credit * CENT
    return max(near(taxable * Fraction("0.038"), CENT) - near(year / p, CENT), Fraction(0))


def indiana(case: Case, v: Values) -> Fraction:
    form, p = case.certificate or StateCertificate(), 365 if case.frequency == "daily" else PERIODS[case.frequency]
    counts = {"personal": form.allowances, **form.exemptions}
    off = sum(near(number * exact(v["exemption"][kind]) / p, CENT) for kind, number in counts.items())
    return near(max(case.wages - off, Fraction(0)) * Fraction("0.0295"), CENT)


def louisiana(case: Case, v: Values) -> Fraction:
    form, p = (
        case.certificate or StateCertificate(status="0"),
        365 if case.frequency == "daily" else PERIODS[case.frequency],
    )
    off = near(exact(v["deduction"][form.status]) / p, CENT)
    return near(max(case.wages - off, Fraction(0)) * Fraction("0.0309"), CENT)


def massachusetts(case: Case, v: Values) -> Fraction:
    form, p, t = case.certificate or StateCertificate(), PERIODS[case.frequency], v["period"][case.frequency]
    n = form.allowances
    if n and case.wages < exact(t["floor"]):
        return Fraction(0)
    factor = Fraction(0)
    if n:
        factor = exact(t["claiming_one"]) if n == 1 else n * exact(t["per_exemption"]) + exact(t["plus"])
    fica = min(case.fica, max(2000 - case.fica_deducted, Fraction(0)))
    tax = on_brackets(v["brackets"]["all"], max(case.wages - fica - factor, Fraction(0)) * p) / p
    tax -= form.secondary_allowances * exact(t["blindness_tax_value"])
    tax -= exact(t["head_of_household_tax_value"]) if form.status == "head_of_household" else 0
    return near(max(tax, Fraction(0)), CENT)


def maryland(case: Case, v: Values) -> Fraction:
    form, f = case.certificate or StateCertificate(status="b"), case.frequency
    if case.wages < exact(v["no_withholding_below"][f]):
        return Fraction(0)
    p = 364 if f == "daily" else PERIODS[f]
    real = Fraction(33, 1000) if form.local_rate is None else Fraction(form.local_rate, 1_000_000)
    local = min(exact(each) for each in v["local_buckets"] if exact(each) >= real)
    off = exact(v["standard_deduction_per_period"][f]) + form.allowances * exact(v["exemption_per_period"][f])
    net, tax, annual, before = max(case.wages - off, Fraction(0)), Fraction(0), Fraction(0), (Fraction(0), Fraction(0))
    for band in v["bands"][form.status]:
        begins, rate = exact(band["from"]), exact(band["rate"]) + local
        annual += (begins - before[0]) * before[1]
        before = (begins, rate)
        start = near(begins / p, DOLLAR)
        if net > start or start == 0:
            tax = near(annual / p, CENT) + (net - start) * rate
    return near(tax, CENT)


def oregon(case: Case, v: Values) -> Fraction:
    form, p = case.certificate, PERIODS[case.frequency]
    annual = case.wages * p
    if form is None:
        return near(case.wages * Fraction("0.08"), DOLLAR)
    if not annual:
        return Fraction(0)
    group = v["group"]["A" if form.status == "single" and form.allowances < 3 else "B"]
    federal = min(case.federal * p, exact(last(v["federal_cap"][form.status], annual, at=True)["amount"]))
    base = max(annual - federal - exact(group["standard_deduction"]), Fraction(0))
    row = last(group["low" if annual < 50_000 else "high"], base, at=True)
    credit = 0 if annual > exact(v["allowance_zero_above"][form.status]) else 263 * form.allowances
    tax = exact(row["base"]) + exact(row["rate"]) * (base - exact(row["over"])) - credit
    return near(near(max(tax, Fraction(0)), DOLLAR) / p, DOLLAR)


def utah(case: Case, v: Values) -> Fraction:
    form = case.certificate or StateCertificate(status="single")
    t = v["period"][case.frequency][form.status]
    lost = near(max(case.wages - exact(t["threshold"]), Fraction(0)) * Fraction("0.013"), DOLLAR)
    credit = max(exact(t["base_allowance"]) - lost, Fraction(0))
    return max(near(case.wages * exact(v["rate"]), DOLLAR) - credit, Fraction(0))


PLAIN: dict[str, Callable[[Case, Values], Fraction]] = {
    "AL": alabama, "AR": arkansas, "AZ": arizona, "CT": connecticut, "IA": iowa, "IN": indiana, "LA": louisiana,
    "MA": massachusetts, "MD": maryland, "OR": oregon, "UT": utah,
}  # fmt: skip


def withheld(state: str, cases: list[Case]) -> list[int]:
    checks = [
        Paycheck(
            pay_date=case.day, pay_frequency=case.frequency, gross=int(case.wages * 100), w4=W4(),
            work=(Work(state=state, certificate=case.certificate),),
            given=GivenTaxes(
                federal_income_tax=int(case.federal * 100), fica=int(case.fica * 100),
                fica_deducted=int(case.fica_deducted * 100),
            ),
        )
        for case in cases
    ]  # fmt: skip
    taxes: list[int] = gross_to_net(Columns.of(checks), Tables.load()).column("state_income_tax").tolist()
    return taxes


def around(amounts: Iterator[Fraction] | list[Fraction]) -> Iterator[Fraction]:
    """Wages of a period: just below, at and just above each amount, in whole cents."""
    for amount in amounts:
        cents = int(amount * 100)
        yield from (max(cents + step, 0) * CENT for step in (-1, 0, 1))


def starts(*tables: list[dict[str, str]]) -> list[Fraction]:
    return [exact(row["from"]) for rows in tables for row in rows]


def alabama_cases(v: Values) -> Iterator[Case]:
    for frequency, p in PERIODS.items():
        for status, claim in v["claim"].items():
            form = StateCertificate(status=status, allowances=len(status))
            steps = starts(claim["standard_deduction"], v["dependent_value"], claim["brackets"])
            steps += [each + exact(claim["personal_exemption"]) + 3000 for each in starts(claim["brackets"])]
            for wages in around([each / p for each in steps]):
                yield Case(wages, frequency, form, federal=near(wages / 11, CENT))
        yield Case(Fraction(900), frequency, None, federal=Fraction(50))


def arkansas_cases(v: Values) -> Iterator[Case]:
    for frequency, p in PERIODS.items():
        for number in (0, 2):
            steps = [*starts(v["table"]), Fraction(97_701), Fraction(20_000), Fraction(20_050)]
            for wages in around([(each + 2470) / p for each in steps]):
                yield Case(wages, frequency, StateCertificate(allowances=number))
        yield Case(Fraction(900), frequency, None)


def connecticut_cases(v: Values) -> Iterator[Case]:
    for frequency, p in (("weekly", 52), ("monthly", 12), ("daily", 260)):
        for code, t in v["code"].items():
            steps = starts(t["exemption"], t["brackets"], t["add_back"], t["recapture"], t["credit"])
            steps += [each + exact(t["exemption"][0]["amount"]) for each in starts(t["brackets"])]
            for wages in around([each / p for each in steps]):
                yield Case(wages, frequency, StateCertificate(status=code))
        yield Case(Fraction(1000), frequency, StateCertificate(status="E"))
        yield Case(Fraction("1234.56"), frequency, None)


def oregon_cases(v: Values) -> Iterator[Case]:
    for frequency, p in PERIODS.items():
        for status, number in (("single", 0), ("single", 2), ("single", 3), ("married", 0), ("married", 5)):
            steps = [Fraction(50_000), exact(v["allowance_zero_above"][status]), *starts(v["federal_cap"][status])]
            for group in v["group"].values():
                off = exact(group["standard_deduction"])
                steps += [each + off for each in starts(group["low"], group["high"])]
                steps += [each + off + 8750 for each in starts(group["low"], group["high"])]
            for wages in around([each / p for each in steps]):
                for federal in (Fraction(0), near(Fraction(8750) / p, CENT)):
                    yield Case(wages, frequency, StateCertificate(status=status, allowances=number), federal=federal)
        yield Case(Fraction("1234.56"), frequency, None)


def maryland_cases(v: Values) -> Iterator[Case]:
    for frequency in v["standard_deduction_per_period"]:
        p = 364 if frequency == "daily" else PERIODS[frequency]
        off = exact(v["standard_deduction_per_period"][frequency])
        for status, bands in v["bands"].items():
            for rate in (0, 22_499, 22_500, 22_501, 24_000, 26_500, 30_300, 30_600, 32_000, 33_000, None):
                form = StateCertificate(status=status, allowances=1 if rate else 0, local_rate=rate)
                more = exact(v["exemption_per_period"][frequency]) if rate else Fraction(0)
                steps = [near(each / p, DOLLAR) + off + more for each in starts(bands)]
                for wages in around([*steps, exact(v["no_withholding_below"][frequency])]):
                    yield Case(wages, frequency, form)
        yield Case(Fraction(1000), frequency, None)


def massachusetts_cases(v: Values) -> Iterator[Case]:
    for frequency, t in v["period"].items():
        for number in (0, 1, 2, 6):
            form = StateCertificate(status="head_of_household" if number == 2 else None, allowances=number,
                                    secondary_allowances=number % 3)  # fmt: skip
            for wages in around([exact(t["floor"]), exact(t["claiming_one"]), Fraction(1_107_750) / PERIODS[frequency],
                                 Fraction(1_200_000) / PERIODS[frequency], Fraction(50)]):  # fmt: skip
                for deducted in (0, 1990, 2000, 2100):
                    yield Case(wages, frequency, form, fica=near(wages * Fraction("0.0765"), CENT),
                               fica_deducted=Fraction(deducted))  # fmt: skip
        yield Case(Fraction(1000), frequency, None)


def plain_cases(state: str, v: Values, day: date = date(2026, 11, 20)) -> Iterator[Case]:
    elections = ((0, None), (3, None), (0, 8_000), (0, 10_101))
    forms: dict[str, list[StateCertificate | None]] = {
        "AZ": [None, StateCertificate(), *(StateCertificate(elected_rate=rate) for rate in (0, 5_000, 35_000))],
        "IA": [None, *(StateCertificate(status=each, allowances=n, elected_annual_credit=c)
                       for each in v.get("deduction", ()) for n, c in elections)],
        "IN": [None, StateCertificate(allowances=2),
               StateCertificate(allowances=1, exemptions={"dependent": 3, "first_time_dependent": 1, "adopted": 2})],
        "LA": [None, *(StateCertificate(status=each) for each in v.get("deduction", ()))],
        "UT": [None, StateCertificate(status="single"), StateCertificate(status="married")],
    }  # fmt: skip
    for frequency in v.get("period", PERIODS):
        edges = [exact(x) / PERIODS[frequency] for x in v.get("deduction", {}).values()]
        for t in v.get("period", {}).get(frequency, {}).values():
            begins, lost = exact(t["threshold"]), exact(t["base_allowance"]) / Fraction("0.013")
            edges += [begins, begins + lost, *((n + Fraction(1, 2)) / exact(v["rate"]) for n in (1, 7, 40))]
            edges += [begins + (n + Fraction(1, 2)) / Fraction("0.013") for n in (0, 3)]
        for form in forms[state]:
            for wages in around([*edges, Fraction("333.33"), Fraction("1234.56"), Fraction(98_765)]):
                yield Case(wages, frequency, form, day=day)


CASES: dict[str, Callable[[Values], Iterator[Case]]] = {
    "AL": alabama_cases, "AR": arkansas_cases, "CT": connecticut_cases, "MA": massachusetts_cases,
    "MD": maryland_cases, "OR": oregon_cases,
}  # fmt: skip


@pytest.mark.parametrize("state", PLAIN)
def test_every_step_of_every_table_just_below_at_and_just_above(state: str) -> None:
    v = law(state)
    cases = list(CASES[state](v) if state in CASES else plain_cases(state, v))
    told = withheld(state, cases)
    wrong = [(case, cents, plain) for case, cents in zip(cases, told, strict=True)
             if cents != (plain := int(PLAIN[state](case, v) * 100))]  # fmt: skip
    assert not wrong, (len(wrong), len(cases), wrong[:3])


def test_the_largest_amounts_are_exact() -> None:
    largest = Fraction("9999999999.99")
    forms = {"AL": "m", "CT": "A", "IA": "other", "LA": "1", "MD": "b", "OR": "married", "UT": "single"}
    for state, plain in PLAIN.items():
        form = StateCertificate(status=forms.get(state), allowances=999, secondary_allowances=999)
        cases = [
            Case(wages, frequency, form, federal=near(wages / 3, CENT), fica=near(wages / 20, CENT))
            for frequency in ("weekly", "daily", "annual") for wages in (largest, largest / 260 // CENT * CENT)
        ]  # fmt: skip
        assert withheld(state, cases) == [int(plain(case, law(state)) * 100) for case in cases], state


def test_utah_before_june_2026() -> None:
    v = law("UT", 0)
    cases = list(plain_cases("UT", v, date(2026, 5, 31)))
    assert withheld("UT", cases) == [int(utah(case, v) * 100) for case in cases]
    june = cases[5]._replace(day=date(2026, 6, 1))
    assert withheld("UT", [june]) == [int(utah(june, law("UT")) * 100)]


@pytest.mark.parametrize(
    ("state", "source", "case", "tax"),
    [
        ("AL", "Withholding Tax Tables (2026) p. 8: M-2, weekly 850.00, federal tax 35.19",
         Case(Fraction(850), "weekly", StateCertificate(status="m", allowances=2), federal=Fraction("35.19")), "29.59"),
        ("AR", "Withholding Tax Formula Method (2026) p. 4: monthly 2,127, two exemptions",
         Case(Fraction(2127), "monthly", StateCertificate(allowances=2)), "36.50"),
        ("CT", "hand-worked in open-withholding: code A, weekly 1,000",
         Case(Fraction(1000), "weekly", StateCertificate(status="A")), "40.24"),
        ("IA", "Withholding Formula (2026) p. 4 example 1: biweekly 2,100, other, 40 a year",
         Case(Fraction(2100), "biweekly", StateCertificate(status="other", elected_annual_credit=4_000)), "59.26"),
        ("IN", "Departmental Notice 1 (2026) p. 3: weekly 800; 5 personal, 3 and 1 dependent, 2 adopted",
         Case(Fraction(800), "weekly", StateCertificate(allowances=5, exemptions={
             "dependent": 3, "first_time_dependent": 1, "adopted": 2})), "13.96"),
        ("LA", "R-1306 (2026) p. 2 example 1: 1 in block A, weekly 700",
         Case(Fraction(700), "weekly", StateCertificate(status="1")), "13.98"),
        ("MA", "hand-worked in open-withholding: weekly 800, one exemption, FICA 61.20",
         Case(Fraction(800), "weekly", StateCertificate(allowances=1), fica=Fraction("61.20")), "32.69"),
        ("MD", "hand-worked in open-withholding: weekly 1,500, married, one exemption, local 3.20%",
         Case(Fraction(1500), "weekly", StateCertificate(status="a", allowances=1, local_rate=32_000)), "109.16"),
        ("OR", "150-206-436 (2026) p. 5 example 1: annual 25,000, single, federal tax 1,000",
         Case(Fraction(25_000), "annual", StateCertificate(status="single"), federal=Fraction(1000)), "1789.00"),
        ("UT", "Publication 14 (2026) p. 11 example 1: weekly 400, single",
         Case(Fraction(400), "weekly", StateCertificate(status="single")), "12.00"),
    ],
)  # fmt: skip
def test_cases_that_others_worked(state: str, source: str, case: Case, tax: str) -> None:
    """Read in open-withholding/open-withholding (public data set), which names the page of each official document."""
    assert source
    assert withheld(state, [case]) == [int(Fraction(tax) * 100)]
