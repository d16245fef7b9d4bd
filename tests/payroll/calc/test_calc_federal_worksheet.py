"""A second opinion on the federal worksheet alone: plain `Decimal`, line by line as Pub 15-T prints it, with no code of
the engine, compared with it on 100,000 random cases and on the boundary rows of the tables."""

from __future__ import annotations

import tomllib
from decimal import ROUND_HALF_UP, Decimal, localcontext
from itertools import product
from pathlib import Path

import numpy as np

from backoffice.payroll import calc
from backoffice.payroll.calc import Columns, StateWork, Tables, gross_to_net

FOLDER = Path(calc.__file__).parent / "tables"
LAW = {year: tomllib.loads((FOLDER / f"us_federal_{year}.toml").read_text())["withholding"] for year in (2025, 2026)}
# Pub 15-T, Worksheet 1A, Table 3; in the order of the columns' codes, as are the words below (the codes are what the
# engine is told, so they are no code of its own).
PERIODS = {
    "weekly": 52, "biweekly": 26, "semimonthly": 24, "monthly": 12, "quarterly": 4, "semiannual": 2, "annual": 1,
    "daily": 260,
}  # fmt: skip
FREQUENCIES = tuple(PERIODS)
NEWER, OLDER = FORMS = ("2020_or_later", "2019_or_earlier")
STATUSES = ("single", "married_filing_jointly", "married_filing_separately", "head_of_household")
SCHEDULE = {"married_filing_separately": "single"}  # "Single or Married Filing Separately"
CENT, ZERO = Decimal("0.01"), Decimal(0)
Row = tuple[Decimal, Decimal, Decimal]
TABLES: dict[tuple[int, str, str], list[Row]] = {
    (year, kind, status): [
        (Decimal(row["from"]), Decimal(row["base"]), Decimal(row["rate"]))
        for row in LAW[year][kind][SCHEDULE.get(status, status)]
    ]
    for year, kind, status in product(LAW, ("standard", "step2_checkbox"), STATUSES)
}
NAMES = (
    "year", "frequency", "form", "status", "box", "exempt", "nonresident", "wages", "step3", "step4a", "step4b",
    "step4c", "allowances",
)  # fmt: skip


def worksheet_1a(
    year: int, frequency: int, form: int, status: int, box: bool, exempt: bool, nonresident: bool, wages: int,
    step3: int, step4a: int, step4b: int, step4c: int, allowances: int,
) -> int:  # fmt: skip
    """The tax of the pay period in cents; amounts in cents. To be called with 40 digits or more."""
    if exempt:
        return 0
    law, filing, periods = LAW[year], STATUSES[status], PERIODS[FREQUENCIES[frequency]]
    line_1a = Decimal(wages) / 100
    if nonresident:
        line_1a += Decimal(law["nonresident_alien"][FORMS[form]][FREQUENCIES[frequency]])
    line_1c = line_1a * periods
    kind = "standard"
    if FORMS[form] == OLDER:
        line_1k = allowances * Decimal(law["allowance"])
        adjusted = line_1c - line_1k
    else:
        line_1e = line_1c + Decimal(step4a) / 100
        line_1g = ZERO
        if box:
            kind = "step2_checkbox"
        elif filing == "married_filing_jointly":
            line_1g = Decimal(law["line_1g_married_filing_jointly"])
        else:
            line_1g = Decimal(law["line_1g_other"])
        line_1h = Decimal(step4b) / 100 + line_1g
        adjusted = line_1e - line_1h
    adjusted = max(adjusted, ZERO)
    line_2b, line_2c, line_2d = next(row for row in reversed(TABLES[year, kind, filing]) if adjusted >= row[0])
    line_2f = (adjusted - line_2b) * line_2d
    line_2g = line_2c + line_2f
    line_2h = line_2g / periods
    line_3b = ZERO if FORMS[form] == OLDER else Decimal(step3) / 100 / periods
    line_3c = max(line_2h - line_3b, ZERO)
    line_4b = line_3c + Decimal(step4c) / 100
    return int(line_4b.quantize(CENT, ROUND_HALF_UP) * 100)


def columns_of(cases: dict[str, np.ndarray]) -> Columns:
    """The cases as the engine takes them, at work in a state without income tax."""
    rows = len(cases["wages"])
    nothing, nobody = np.zeros(rows, dtype=np.int64), np.zeros(rows, dtype=np.bool_)
    days = (cases["year"] - 1970).astype("datetime64[Y]").astype("datetime64[D]") + 100
    wages = cases["wages"]
    return Columns(
        pay_date=days, period_begin=days, period_end=days, frequency=cases["frequency"], gross=wages,
        income_tax_wages=wages, social_security_wages=wages, medicare_wages=wages, futa_wages=wages,
        w4_version=cases["form"], filing_status=cases["status"], step2_checkbox=cases["box"], exempt=cases["exempt"],
        nonresident_alien=cases["nonresident"], step3=cases["step3"], step4a=cases["step4a"], step4b=cases["step4b"],
        step4c=cases["step4c"], allowances=cases["allowances"], ytd_social_security_wages=nothing,
        ytd_medicare_wages=nothing, ytd_futa_wages=nothing,
        work=StateWork(
            paycheck=np.arange(rows, dtype=np.int64), state=np.full(rows, calc.STATES.index("TX")), wages=wages,
            certificate=nobody, status=nothing - 1, allowances=nothing, secondary_allowances=nothing,
            sui_rate=nothing - 1, ytd_sui_wages=nothing,
        ),
    )  # fmt: skip


def assert_agree(cases: dict[str, np.ndarray]) -> list[int]:
    engine = gross_to_net(columns_of(cases), Tables.load()).column("federal_income_tax").tolist()
    rows = list(zip(*(cases[name].tolist() for name in NAMES), strict=True))
    with localcontext() as context:
        context.prec = 40
        plain = [worksheet_1a(*row) for row in rows]
    wrong = [(row, *pair) for row, *pair in zip(rows, plain, engine, strict=True) if pair[0] != pair[1]]
    assert wrong == [], f"{len(wrong)} of {len(rows)}: {wrong[:3]}"
    return engine


def test_a_hundred_thousand_random_cases_agree_to_the_cent() -> None:
    dice, rows = np.random.default_rng(20260101), 100_000
    form = dice.integers(0, 2, rows)
    older = form == FORMS.index(OLDER)
    frequency = dice.integers(0, len(FREQUENCIES), rows)
    periods = np.array(list(PERIODS.values()))[frequency]

    def sometimes(chance: float, most: int) -> np.ndarray:
        return np.where(dice.random(rows) < chance, dice.integers(0, most, rows), 0)

    annual = dice.choice([3_000_000, 12_000_000, 80_000_000, 5_000_000_000], rows)
    assert_agree(
        {
            "year": dice.integers(2025, 2027, rows),
            "frequency": frequency,
            "form": form,
            "status": np.where(older, dice.integers(0, 3, rows), dice.integers(0, 4, rows)),
            "box": dice.random(rows) < 0.4,
            "exempt": dice.random(rows) < 0.03,
            "nonresident": dice.random(rows) < 0.15,
            "wages": (dice.random(rows) * annual / periods).astype(np.int64),
            "step3": sometimes(0.5, 900_000),
            "step4a": sometimes(0.5, 5_000_000),
            "step4b": sometimes(0.5, 5_000_000),
            "step4c": sometimes(0.3, 50_000),
            "allowances": dice.integers(0, 13, rows),
        }
    )


def test_just_below_at_and_just_above_every_bracket_of_every_status_box_form_and_frequency() -> None:
    """A form of 2020 or later reaches the annual amount to the cent by step 4(a); an older one has no such line, so its
    nearest wages are taken: the last below the bracket, the first at or above it, and a cent more."""
    cases: list[tuple[int, ...]] = []
    at_base: list[tuple[int, Decimal, int]] = []  # case, tax of the row, periods
    for year, frequency in product(LAW, range(len(FREQUENCIES))):
        periods = PERIODS[FREQUENCIES[frequency]]
        for box, (status, filing) in product((False, True), enumerate(STATUSES)):
            line_1g = 0 if box else 1_290_000 if filing == "married_filing_jointly" else 860_000
            for starts, base, _ in TABLES[year, "step2_checkbox" if box else "standard", filing]:
                for offset in (-1, 0, 1):
                    annual = max(0, int(starts * 100) + line_1g + offset)
                    wages, step4a = divmod(annual, periods)
                    if offset == 0:
                        at_base.append((len(cases), base, periods))
                    cases.append((year, frequency, 0, status, box, False, False, wages, 0, step4a, 0, 0, 0))
        for status, filing in enumerate(STATUSES[:3]):
            for starts, base, _ in TABLES[year, "standard", filing]:
                first = -(-int(starts * 100) // periods)
                for offset in (-1, 0, 1):
                    if offset == 0 and first * periods == int(starts * 100):
                        at_base.append((len(cases), base, periods))
                    wages = max(0, first + offset)
                    cases.append((year, frequency, 1, status, False, False, False, wages, 0, 0, 0, 0, 0))
    assert len(cases) == 2 * 8 * (2 * 4 + 3) * 8 * 3
    flags = {"box", "exempt", "nonresident"}
    table = np.array(cases, dtype=np.int64).T
    engine = assert_agree(
        {name: column.astype(np.bool_) if name in flags else column for name, column in zip(NAMES, table, strict=True)}
    )
    # Exactly at a row's first dollar the tax of the year is what the table prints in its base column.
    assert len(at_base) > 2 * 8 * 8 * 8
    for case, base, periods in at_base:
        assert engine[case] == int((base / periods).quantize(CENT, ROUND_HALF_UP) * 100), cases[case]
