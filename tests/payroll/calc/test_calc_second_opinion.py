"""A second opinion that shares no code with the engine: slow, plain fractions, written from the worksheets.

It reads the values from the same TOML files (the values themselves are compared with their source elsewhere) and works
line by line on one paycheck. The engine must agree to the cent on the boundary of every bracket and on random cases;
on the federal worksheet alone on many more (`test_calc_federal_worksheet.py`).
"""

from __future__ import annotations

import random
import tomllib
from datetime import date
from fractions import Fraction
from math import floor
from pathlib import Path

from backoffice.payroll import calc
from backoffice.payroll.calc import (
    W4,
    Columns,
    Paycheck,
    ProgrammeYearToDate,
    StateCertificate,
    Tables,
    Work,
    YearToDate,
    gross_to_net,
)

FOLDER = Path(calc.__file__).parent / "tables"
LAW = {path.stem: tomllib.loads(path.read_text()) for path in FOLDER.glob("us_*_20*.toml")}
PERIODS = {
    "weekly": 52, "biweekly": 26, "semimonthly": 24, "monthly": 12, "quarterly": 4, "semiannual": 2, "annual": 1,
    "daily": 260,
}  # fmt: skip


def dollars(cents: int) -> Fraction:
    return Fraction(cents, 100)


def to_cents(amount: Fraction) -> int:
    return floor(amount * 100 + Fraction(1, 2))


def by_rows(rows: list[dict[str, str]], amount: Fraction, *, inclusive: bool) -> Fraction:
    chosen = rows[0]
    for row in rows:
        start = Fraction(row["from"])
        if start < amount or (inclusive and start == amount):
            chosen = row
    return Fraction(chosen["base"]) + Fraction(chosen["rate"]) * (amount - Fraction(chosen["from"]))


def federal(check: Paycheck) -> int:
    w4, periods = check.w4, PERIODS[check.pay_frequency]
    law = LAW[f"us_federal_{check.pay_date.year}"]["withholding"]
    if w4.exempt:
        return 0
    wages = dollars(check.gross)
    if w4.nonresident_alien:
        wages += Fraction(law["nonresident_alien"][w4.version][check.pay_frequency])
    line_1c = wages * periods
    joint = w4.filing_status == "married_filing_jointly"
    status = "married_filing_jointly" if joint else "single"
    if w4.version == "2019_or_earlier":
        line_1 = max(Fraction(0), line_1c - w4.allowances * Fraction(law["allowance"]))
        return to_cents(by_rows(law["standard"][status], line_1, inclusive=True) / periods + dollars(w4.step4c))
    if w4.filing_status == "head_of_household":
        status = "head_of_household"
    line_1e = line_1c + dollars(w4.step4a)
    line_1g = Fraction(0)
    if not w4.step2_checkbox:
        line_1g = Fraction(law["line_1g_married_filing_jointly" if joint else "line_1g_other"])
    line_1i = max(Fraction(0), line_1e - (dollars(w4.step4b) + line_1g))
    rows = law["step2_checkbox" if w4.step2_checkbox else "standard"][status]
    line_2h = by_rows(rows, line_1i, inclusive=True) / periods
    line_3c = max(Fraction(0), line_2h - dollars(w4.step3) / periods)
    return to_cents(line_3c + dollars(w4.step4c))


def payroll_taxes(check: Paycheck) -> dict[str, int]:
    law, pay, ytd = LAW[f"us_federal_{check.pay_date.year}"], dollars(check.gross), check.ytd

    def below(limit: str, before: int) -> Fraction:
        return min(pay, max(Fraction(0), Fraction(limit) - dollars(before)))

    social = law["social_security"]
    counted = below(social["wage_base"], ytd.social_security_wages)
    additional = law["additional_medicare"]
    over = max(Fraction(0), dollars(ytd.medicare_wages) + pay - Fraction(additional["threshold"]))
    over -= max(Fraction(0), dollars(ytd.medicare_wages) - Fraction(additional["threshold"]))
    return {
        "social_security": to_cents(counted * Fraction(social["employee_rate"])),
        "employer_social_security": to_cents(counted * Fraction(social["employer_rate"])),
        "medicare": to_cents(pay * Fraction(law["medicare"]["employee_rate"])),
        "employer_medicare": to_cents(pay * Fraction(law["medicare"]["employer_rate"])),
        "additional_medicare": to_cents(over * Fraction(additional["employee_rate"])),
        "futa": to_cents(below(law["futa"]["wage_base"], ytd.futa_wages) * Fraction(law["futa"]["employer_rate"])),
    }


def certificate(check: Paycheck) -> tuple[str, int, int]:
    work = check.work[0]
    filing, given = check.w4.filing_status, work.certificate
    if given is None:
        return "single", 0, 0
    mapped = {
        "CA": {"married_filing_jointly": "married", "head_of_household": "head_of_household"},
        "NY": {"married_filing_jointly": "married"},
    }.get(work.state, {})
    return given.status or mapped.get(filing, "single"), given.allowances, given.secondary_allowances


def california(check: Paycheck) -> int:
    status, regular, estimated = certificate(check)
    version = LAW["us_ca_2026"]["withholding"][0]
    period, annual = version["period"][check.pay_frequency], version["period"]["annual"]
    high = status == "head_of_household" or (status == "married" and regular >= 2)
    column = "high" if high else "low"
    gross = dollars(check.gross)
    if gross <= Fraction(period["low_income_exemption"][column]):
        return 0

    def listed(name: str, number: int) -> Fraction:
        if number == 0:
            return Fraction(0)
        if number <= 10:
            return Fraction(period[name][number - 1])
        return Fraction(annual[name][0]) * number / PERIODS[check.pay_frequency]

    taxable = gross - listed("estimated_deduction", estimated) - Fraction(period["standard_deduction"][column])
    tax = by_rows(period["brackets"][status], max(Fraction(0), taxable), inclusive=False)
    return to_cents(max(Fraction(0), tax - listed("exemption_credit", regular)))


def new_york(check: Paycheck) -> int:
    status, allowances, _ = certificate(check)
    version = LAW["us_ny_2026"]["withholding"][0]
    period, periods = version["period"][check.pay_frequency], PERIODS[check.pay_frequency]
    net = dollars(check.gross) - Fraction(period["deduction"][status]) - allowances * Fraction(period["exemption"])
    net = max(Fraction(0), net)
    if net >= Fraction(period["method_iii_from"][status]):
        rates = version["method_iii"][status]
        rate = Fraction(rates[0]["rate"])
        for row in rates:
            if net * periods >= Fraction(row["from"]):
                rate = Fraction(row["rate"])
        return to_cents(net * periods * rate / periods)
    return to_cents(by_rows(period["brackets"][status], net, inclusive=False))


def illinois(check: Paycheck) -> int:
    _, line_1, line_2 = certificate(check)
    exempt = Fraction(2925 * line_1 + 1000 * line_2, PERIODS[check.pay_frequency])
    return to_cents(max(Fraction(0), dollars(check.gross) - exempt) * Fraction("0.0495"))


def state_lines(check: Paycheck) -> dict[str, int]:
    work, pay = check.work[0], dollars(check.gross)
    periods, state = PERIODS[check.pay_frequency], check.work[0].state
    to_date = {code: work.ytd_programmes.get(code, ProgrammeYearToDate()) for code in ("CA_ETT", "NY_PFL")}
    if state == "CA":
        left = max(Fraction(0), 7000 - dollars(to_date["CA_ETT"].wages))
        return {
            "state_income_tax": california(check),
            "CA_SDI": to_cents(pay * Fraction("0.013")),
            "CA_ETT": to_cents(min(pay, left) * Fraction("0.001")),
        }
    if state == "NY":
        left = max(Fraction(0), Fraction("411.91") - dollars(to_date["NY_PFL"].amount))
        return {
            "state_income_tax": new_york(check),
            "NY_PFL": min(to_cents(pay * Fraction("0.00432")), to_cents(left)),
            "NY_DBL": to_cents(min(pay * Fraction("0.005"), Fraction("0.60") * 52 / periods)),
        }
    if state == "IL":
        return {"state_income_tax": illinois(check)}
    if state == "PA":
        return {
            "state_income_tax": to_cents(pay * Fraction("0.0307")),
            "PA_UC_EE": to_cents(pay * Fraction("0.0007")),
        }
    return {"state_income_tax": 0}


def opinion(check: Paycheck) -> dict[str, int]:
    return {"federal_income_tax": federal(check), **payroll_taxes(check), **state_lines(check)}


def assert_agree(checks: list[Paycheck]) -> None:
    results = gross_to_net(Columns.of(checks), Tables.load())
    for check, result in zip(checks, results, strict=True):
        computed = {line.code: line.cents for line in result.lines if line.kind not in {"earning", "net"}}
        assert computed == opinion(check), check


def random_paycheck(dice: random.Random) -> Paycheck:
    year = dice.choice((2025, 2026, 2026))
    version = dice.choice(("2020_or_later", "2019_or_earlier"))
    statuses = ["single", "married_filing_jointly", "married_filing_separately"]
    states = ["TX", "FL", "SD"] if year == 2025 else ["CA", "CA", "NY", "NY", "IL", "PA", "TX", "TN"]
    state = dice.choice(states)
    published = ["weekly", "biweekly", "semimonthly", "monthly", "annual", "daily"]
    frequency = dice.choice(published if state in {"CA", "NY"} else list(PERIODS))
    given = None
    if dice.random() < 0.7:
        words = {"CA": ["single", "married", "head_of_household"], "NY": ["single", "married"], "IL": ["all"]}
        status = dice.choice([None, *words.get(state, [])])
        most = dice.choice((3, 16))
        given = StateCertificate(
            status=status, allowances=dice.randint(0, most), secondary_allowances=dice.randint(0, most)
        )
    largest = dice.choice((30_000, 300_000, 3_000_000, 300_000_000)) * 52 // PERIODS[frequency]
    to_date = {}
    if dice.random() < 0.5:
        code = {"CA": "CA_ETT", "NY": "NY_PFL"}.get(state, "CA_ETT")
        to_date = {code: ProgrammeYearToDate(wages=dice.randint(0, 900_000), amount=dice.randint(0, 45_000))}
    newer = version == "2020_or_later"
    return Paycheck(
        pay_date=date(year, dice.randint(1, 12), dice.randint(1, 28)),
        pay_frequency=frequency,
        gross=dice.randint(0, largest),
        w4=W4(
            version=version,
            filing_status=dice.choice([*statuses, "head_of_household"] if newer else statuses),
            step2_checkbox=newer and dice.random() < 0.4,
            step3=dice.choice((0, 0, dice.randint(0, 900_000))),
            step4a=dice.choice((0, dice.randint(0, 5_000_000))) if newer else 0,
            step4b=dice.choice((0, dice.randint(0, 5_000_000))) if newer else 0,
            step4c=dice.choice((0, dice.randint(0, 50_000))),
            allowances=dice.randint(0, 12),
            exempt=dice.random() < 0.05,
            nonresident_alien=dice.random() < 0.15,
        ),
        work=(Work(state=state, certificate=given, ytd_programmes=to_date),),
        ytd=YearToDate(
            social_security_wages=dice.choice((0, dice.randint(0, 20_000_000))),
            medicare_wages=dice.choice((0, dice.randint(0, 25_000_000))),
            futa_wages=dice.choice((0, dice.randint(0, 1_000_000))),
        ),
    )


def test_random_paychecks_agree_to_the_cent() -> None:
    dice = random.Random(20260101)
    assert_agree([random_paycheck(dice) for _ in range(5_000)])


def test_every_federal_bracket_of_both_years_just_below_at_and_just_above() -> None:
    checks = []
    for year in (2025, 2026):
        law = LAW[f"us_federal_{year}"]["withholding"]
        for box, kind in ((False, "standard"), (True, "step2_checkbox")):
            for status in ("single", "married_filing_jointly", "head_of_household"):
                line = "line_1g_married_filing_jointly" if status == "married_filing_jointly" else "line_1g_other"
                line_1g = 0 if box else int(Fraction(law[line]) * 100)
                for row in law[kind][status]:
                    for offset in (-1, 0, 1):
                        gross = int(Fraction(row["from"]) * 100) + line_1g + offset
                        w4 = W4(filing_status=status, step2_checkbox=box)
                        checks.append(at(year, "annual", gross, w4))
                        # The same annual amount reached by step 4(a) from an unround weekly pay.
                        weekly = gross // 53
                        w4 = W4(filing_status=status, step2_checkbox=box, step4a=gross - weekly * 52)
                        checks.append(at(year, "weekly", weekly, w4))
    assert len(checks) == 2 * 2 * 3 * 8 * 3 * 2
    assert_agree(checks)


def test_every_older_form_bracket_just_below_at_and_just_above() -> None:
    checks = []
    for year in (2025, 2026):
        law = LAW[f"us_federal_{year}"]["withholding"]
        for status in ("single", "married_filing_jointly"):
            for row in law["standard"][status]:
                for offset in (-1, 0, 1):
                    for allowances in (0, 3):
                        gross = int(Fraction(row["from"]) * 100) + allowances * 430_000 + offset
                        w4 = W4(version="2019_or_earlier", filing_status=status, allowances=allowances)
                        checks.append(at(year, "annual", max(0, gross), w4))
    assert_agree(checks)


def test_every_california_bracket_and_cliff_of_every_period() -> None:
    checks = []
    for frequency, period in LAW["us_ca_2026"]["withholding"][0]["period"].items():
        for status, rows in period["brackets"].items():
            for allowances in (0, 1, 2, 10, 11):
                high = status == "head_of_household" or (status == "married" and allowances >= 2)
                column = "high" if high else "low"
                edges = [Fraction(row["from"]) + Fraction(period["standard_deduction"][column]) for row in rows]
                edges.append(Fraction(period["low_income_exemption"][column]))
                given = StateCertificate(status=status, allowances=allowances)
                checks += around(edges, frequency, Work(state="CA", certificate=given))
    assert_agree(checks)


def test_every_new_york_bracket_and_cut_over_of_every_period() -> None:
    checks = []
    version = LAW["us_ny_2026"]["withholding"][0]
    for frequency, period in version["period"].items():
        for status, rows in period["brackets"].items():
            edges = [Fraction(row["from"]) for row in rows] + [Fraction(period["method_iii_from"][status])]
            edges += [Fraction(row["from"]) / PERIODS[frequency] for row in version["method_iii"][status]]
            before = Fraction(period["deduction"][status]) + 2 * Fraction(period["exemption"])
            given = StateCertificate(status=status, allowances=2)
            checks += around([edge + before for edge in edges], frequency, Work(state="NY", certificate=given))
    assert_agree(checks)


def at(year: int, frequency: str, gross: int, w4: W4) -> Paycheck:
    return Paycheck(
        pay_date=date(year, 7, 1), pay_frequency=frequency, gross=max(0, gross), w4=w4, work=(Work(state="TX"),)
    )


def around(edges: list[Fraction], frequency: str, work: Work) -> list[Paycheck]:
    return [
        Paycheck(
            pay_date=date(2026, 7, 1),
            pay_frequency=frequency,
            gross=max(0, floor(edge * 100) + offset),
            w4=W4(),
            work=(work,),
        )
        for edge in edges
        for offset in (-1, 0, 1)
    ]
