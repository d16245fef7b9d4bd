"""The states' own limits on creditors: each threshold by hand, never passed in the engine, and told with its law."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.payroll.calc.test_calc_derivation import redo

from backoffice.payroll import calc
from backoffice.payroll.calc import FREQUENCIES, STATES, W4, Columns, Paycheck, Tables, Work, explain, gross_to_net
from backoffice.payroll.calc.creditor_limits import Pay, limit_of
from backoffice.payroll.calc.detail import Garnishment, PayDetail
from backoffice.payroll.calc.minimum_wage import hourly

LAW = tomllib.loads((Path(calc.__file__).parent / "tables" / "us_creditor_limits_2026.toml").read_text())["states"]
NOVEMBER, JUNE = date(2026, 11, 20), date(2026, 6, 30)
WEEKS = {"weekly": 1, "biweekly": 2, "semimonthly": Fraction(13, 6), "monthly": Fraction(13, 3), "quarterly": 13,
         "semiannual": 26, "annual": 52, "daily": Fraction(1, 5)}  # fmt: skip


def most(
    state: str, disposable: Sequence[int], *, frequency: str = "weekly", gross: Sequence[int] | None = None,
    dependents: int = 0, day: date = NOVEMBER,
) -> list[int]:  # fmt: skip
    limit = Tables.load().creditor_limits[2026][1][STATES.index(state)]
    days = np.full(len(disposable), day, dtype="datetime64[D]")
    federal = np.full(len(disposable), 725, dtype=np.int64)
    pay = Pay(
        disposable=np.array(disposable, dtype=np.int64), gross=np.array(gross or disposable, dtype=np.int64),
        wage=federal if limit.of_federal_wage else hourly(Tables.load().minimum_wage[2026][1], state, days),
        frequency=np.full(len(disposable), FREQUENCIES.index(frequency), dtype=np.int64),
        dated=np.searchsorted(limit.since, days, side="right") - 1,
        dependents=np.full(len(disposable), dependents, dtype=np.int64),
    )  # fmt: skip
    return limit_of(limit, pay).tolist()


WEEK = [
    # 735 ILCS 5/12-803: 15 % of 1,000.00 gross, or what is above 45 x 15.00 = 675.00.
    ("IL", 100_000, [(67_500, 0), (67_501, 1), (82_499, 14_999), (82_500, 15_000), (82_501, 15_000)]),
    # CPLR 5231: 10 % of 800.00 gross, 25 %, or what is above 30 x 16.00 = 480.00.
    ("NY", 80_000, [(48_000, 0), (48_001, 1), (55_999, 7_999), (56_000, 8_000), (60_000, 8_000)]),
    # M.G.L. c. 246, s. 28: 15 % of 1,000.00 gross, or what is above 50 x 15.00 = 750.00.
    ("MA", 100_000, [(75_000, 0), (75_001, 1), (90_000, 15_000), (90_001, 15_000)]),
    # N.J.S.A. 2A:17-56: 10 % of gross.
    ("NJ", 100_009, [(80_000, 10_000)]),
    # CCP 706.050: 20 %, or 40 % of what is above 48 x 16.90 = 811.20; both are 324.48 at 1,622.40.
    ("CA", 0, [(81_120, 0), (81_122, 0), (81_123, 1), (162_240, 32_448), (170_000, 34_000)]),
    # C.R.S. 13-54-104: 20 %, or what is above 40 x 15.16 = 606.40; both are 151.60 at 758.00.
    ("CO", 0, [(60_640, 0), (60_641, 1), (75_799, 15_159), (75_800, 15_160), (75_804, 15_160), (75_805, 15_161)]),
    # 10 Del. C. 4913: 15 %.
    ("DE", 0, [(100_000, 15_000), (100_006, 15_000), (100_007, 15_001)]),
    # A.R.S. 33-1131: 10 %, or what is above 60 x 15.15 = 909.00; both are 101.00 at 1,010.00.
    ("AZ", 0, [(90_900, 0), (90_901, 1), (100_999, 10_099), (101_000, 10_100), (101_010, 10_101)]),
    # RCW 6.27.150(4): 20 %, or what is above 35 x 17.13 = 599.55.
    ("WA", 0, [(59_955, 0), (59_956, 1), (74_943, 14_988), (74_945, 14_989)]),
    # W. Va. Code 38-5A-3: 20 %, or what is above 50 x 7.25 = 362.50.
    ("WV", 0, [(36_250, 0), (36_251, 1), (45_312, 9_062), (45_313, 9_062), (50_000, 10_000)]),
    # Conn. Gen. Stat. 52-361a(f): 25 %, or what is above 40 x 16.94 = 677.60.
    ("CT", 0, [(67_760, 0), (67_761, 1), (90_346, 22_586), (90_348, 22_587)]),
    # D.C. Code 16-572: 25 % of what is above 40 x 18.40 = 736.00.
    ("DC", 0, [(73_600, 0), (73_603, 0), (73_604, 1), (100_000, 6_600)]),
    # Md. Code, Com. Law 15-601.1: 25 %, or what is above 30 x 15.00 = 450.00; both are 150.00 at 600.00.
    ("MD", 0, [(45_000, 0), (45_001, 1), (60_000, 15_000), (60_003, 15_000), (60_004, 15_001)]),
    # 9-A M.R.S. 5-105: 25 %, or what is above 40 x 15.10 = 604.00.
    ("ME", 0, [(60_400, 0), (60_401, 1), (80_533, 20_133), (80_536, 20_134)]),
    # Minn. Stat. 571.922: lines at 456.40, 684.60 and 912.80 (40, 60 and 80 x 11.41) for 10, 15 and 25 % of all.
    ("MN", 0, [(45_640, 0), (45_641, 1), (50_711, 5_071), (68_460, 6_846), (68_461, 10_269), (91_280, 13_692),
               (91_281, 22_820)]),
    # NMSA 35-12-7: 25 %, or what is above 40 x 12.00 = 480.00; both are 160.00 at 640.00.
    ("NM", 0, [(48_000, 0), (48_001, 1), (64_000, 16_000), (64_003, 16_000)]),
    # NRS 31.295: 18 % up to 770.00 gross, else 25 %, or what is above 50 x 7.25 = 362.50.
    ("NV", 77_000, [(36_250, 0), (36_251, 1), (70_000, 12_600)]),
    ("NV", 77_001, [(70_000, 17_500)]),
    # ORS 18.385, wages payable from 1 July 2026: 25 %, or what is above 400.00.
    ("OR", 0, [(40_000, 0), (40_001, 1), (53_333, 13_333), (53_336, 13_334)]),
    # Va. Code 34-29: 25 %, or what is above 40 x 12.77 = 510.80.
    ("VA", 0, [(51_080, 0), (51_081, 1), (68_107, 17_026)]),
    # 12 V.S.A. 3170(b)(2): 15 %, or what is above 40 x 7.25 = 290.00.
    ("VT", 0, [(29_000, 0), (29_001, 1), (34_118, 5_117)]),
    # Wis. Stat. 812.34: 20 %. Iowa Code 537.5105: 40 x 7.25. RSA 512:21: 50 x 7.25. AS 09.38.030: 473.00.
    ("WI", 0, [(100_004, 20_000), (100_005, 20_001)]),
    ("IA", 0, [(29_000, 0), (29_001, 1), (38_667, 9_666)]),
    ("NH", 0, [(36_250, 0), (36_251, 1)]),
    ("AK", 0, [(47_300, 0), (47_301, 1), (60_000, 12_700)]),
    # N.D.C.C. 32-09.1-03: 25 %, or what is above 40 x 7.25. SDCL 21-18-51: 20 %, or what is above 40 x 11.85 = 474.00.
    ("ND", 0, [(29_000, 0), (29_001, 1), (40_000, 10_000)]),
    ("SD", 0, [(47_400, 0), (47_401, 1), (59_249, 11_849), (59_250, 11_850), (59_254, 11_850)]),
    ("TN", 0, [(21_750, 0), (21_751, 1), (29_000, 7_250)]),
    # Tex. Const. XVI 28; 42 Pa.C.S. 8127; N.C. Gen. Stat. 1-362; S.C. Code 15-39-410.
    *((state, 0, [(1_000_000, 0)]) for state in ("TX", "PA", "NC", "SC")),
]  # fmt: skip


@pytest.mark.parametrize(("state", "gross", "cases"), WEEK, ids=[state for state, _, _ in WEEK])
def test_a_week_just_below_at_and_above_each_threshold(state: str, gross: int, cases: list[tuple[int, int]]) -> None:
    disposable = [each for each, _ in cases]
    assert most(state, disposable, gross=[gross] * len(cases)) == [limit for _, limit in cases]


@pytest.mark.parametrize(
    ("state", "frequency", "stays"),
    [
        # CCP 706.050(b): 96, 104 and 208 hours of 16.90; a day as a week.
        ("CA", "biweekly", 162_240), ("CA", "semimonthly", 175_760), ("CA", "monthly", 351_520),
        ("CA", "daily", 81_120),
        # ORS 18.385(2), wages payable from 1 July 2026; any period of a week or less as a week.
        ("OR", "biweekly", 83_200), ("OR", "semimonthly", 91_200), ("OR", "monthly", 179_200), ("OR", "daily", 40_000),
        # AS 09.38.030(a): half a month is 2.17 weeks, a month 4.3.
        ("AK", "biweekly", 94_600), ("AK", "semimonthly", 102_641), ("AK", "monthly", 203_390),
        # 29 CFR 870.10: 2 1/6 and 4 1/3 weeks. 45 x 15.00 x 13/6; 40 x 16.94 x 13/3 = 2,936.2666..., rounded up.
        ("IL", "semimonthly", 146_250), ("IL", "monthly", 292_500), ("CT", "monthly", 293_627), ("IL", "daily", 13_500),
    ],
)  # fmt: skip
def test_what_stays_of_other_pay_periods(state: str, frequency: str, stays: int) -> None:
    least = 3 if state == "CA" else 1  # 40 % of three cents is the first cent
    assert most(state, [stays, stays + least], frequency=frequency, gross=[10**8] * 2) == [0, 1]


def test_amounts_have_their_dates_and_dependents_their_weeks() -> None:
    assert most("OR", [33_800, 33_801, 40_000], day=JUNE) == [0, 1, 6_200]
    assert most("DC", [71_800, 100_000], day=JUNE) == [0, 7_050]  # 40 x 17.95 until June
    # Hawaii by its own words: 5 % of 100.00, 10 % of the next, 20 % of the 1,800.00 above: 375.00 a month.
    assert most("HI", [200_000], frequency="monthly") == [37_500]
    assert most("NV", [140_000] * 2, frequency="biweekly", gross=[154_000, 154_001]) == [25_200, 35_000]
    assert [most("ND", [40_000], dependents=number)[0] for number in (0, 2, 6)] == [10_000, 6_000, 0]
    # 20.00 x 2 1/6 = 43.333...: 43.34 less for one, 86.67 for two.
    assert [most("ND", [100_000], frequency="semimonthly", dependents=n)[0] for n in (1, 2)] == [20_666, 16_333]
    assert (most("SD", [59_250], dependents=1), most("TN", [40_000], dependents=3)) == ([9_350], [9_250])


def check(
    *orders: Garnishment, states: Sequence[str] = ("WY",), gross: int = 100_000, frequency: str = "weekly",
    **detail: Any,
) -> Paycheck:  # fmt: skip
    return Paycheck(
        pay_date=NOVEMBER, pay_frequency=frequency, gross=gross, w4=W4(exempt=True),
        work=tuple(Work(state=state, wages=gross // len(states)) for state in states),
        detail=PayDetail(garnishments=orders, **detail),
    )  # fmt: skip


def order(amount: int = 10**9, dependents: int | None = None, kind: str = "creditor") -> Garnishment:
    return Garnishment(kind=kind, amount=amount, dependents=dependents)


def test_the_smaller_of_federal_and_state_wins_and_the_smallest_of_several_states() -> None:
    """1,000.00 less 7.65 % leaves 923.50, of which 15 USC 1673(a) lets 230.87 be taken."""
    tables = Tables.load()
    checks = [
        check(order()), check(order(), states=["SD"]), check(order(), states=["TX"]),
        check(order(), states=["WY", "SD"]), check(order(), states=["SD", "WY", "TX"]),
        check(order(dependents=2), states=["SD"]), check(order(3_000), order(), states=["SD"]),
        check(order(), states=["SD"], gross=25_000),
    ]  # fmt: skip
    results = gross_to_net(Columns.of(checks), tables)
    # SDCL 21-18-51: 20 % of 923.50 = 184.70, less 25.00 for each dependent. 250.00 less 19.13 is below 40 x 11.85,
    # where the federal limit would leave 217.50 alone.
    assert results.column("creditor").tolist() == [23_087, 18_470, 0, 18_470, 0, 13_470, 18_470, 0]
    noted = [{code for code, _ in result.notes} for result in results]
    assert ["creditor_limit_of_several_states" in codes for codes in noted] == [
        False, False, False, True, True, False, False, False,
    ]  # fmt: skip
    assert ["creditor_limit_fact_not_known" in codes for codes in noted] == [
        False, True, False, True, True, False, True, True,
    ]  # fmt: skip
    taken = [line.cents for line in results.paycheck(6).lines if line.code == "creditor"]
    assert taken == [3_000, 15_470]


def test_the_law_of_the_pay_date_and_gross_without_expenses() -> None:
    """ORS 18.385: 338.00 stays until June and 400.00 from 1 July. 735 ILCS 5/12-803: 15 % of 1,500.00 paid in wages."""
    oregon = check(order(), states=["OR"], gross=44_000)
    days = [replace(oregon, pay_date=day) for day in (JUNE, date(2026, 7, 1))]
    results = gross_to_net(Columns.of(days), Tables.load())
    assert (results.net[0], results.column("creditor")[1]) == (33_800, 0)
    assert 33_800 < results.net[1] < 40_000
    illinois = check(order(), states=["IL"], gross=200_000, nontaxable=50_000)
    assert gross_to_net(Columns.of([illinois]), Tables.load()).column("creditor").tolist() == [22_500]


def test_what_earlier_orders_took_counts_and_student_loans_know_no_state_limit() -> None:
    support, loan = Garnishment(kind="support", amount=10_000), Garnishment(kind="student_loan", percent=150_000)
    result = gross_to_net(Columns.of([check(order(), support, loan, states=["TX"])]), Tables.load()).paycheck(0)
    # 20 USC 1095a: 15 % of 923.50, above whatever a state says.
    assert [result.amount(kind) for kind in ("support", "student_loan", "creditor")] == [10_000, 13_087, 0]
    sd = gross_to_net(Columns.of([check(order(), support, states=["SD"])]), Tables.load()).paycheck(0)
    assert (sd.amount("creditor"), "us_creditor_limits_2026" in sd.tables) == (18_470 - 10_000, True)


def test_the_derivation_shows_each_state_with_its_law() -> None:
    for states in (["IL"], ["WY"], ["TX", "SD"], ["CA"], ["NV", "OR"], ["ND"], ["MN"]):
        one = check(order(dependents=1), order(5_000, kind="support"), states=states, gross=150_000)
        line = explain(Columns.of([one]), Tables.load()).of("creditor")[0]
        for state in states:
            assert LAW[state]["citation"] in line.citation
            (step,) = (step for step in line.steps if step.name == f"{state}_limit")
            assert (step.rule, step.table.row if step.table else None) == (LAW[state]["citation"], f"states {state}")
        assert redo(line) * 100 == line.cents


def plain(state: str, disposable: int, gross: int, frequency: str, wage: int, dependents: int) -> Fraction:
    """One state's limit in cents, not rounded, worked out from the table by fractions alone."""
    law, weeks = LAW[state], Fraction(WEEKS[frequency])
    if law.get("forbidden"):
        return Fraction(0)
    limits = [Fraction(10**15)]
    limits += [disposable * Fraction(law["share"])] if "share" in law else []
    limits += [gross * Fraction(law["gross_share"])] if "gross_share" in law else []
    share = Fraction(0)
    for step in law.get("share_steps", []):
        of_gross = "gross_above" in step
        line = (Fraction(step["gross_above"]) * 100 if of_gross else int(step["multiple_above"]) * wage) * weeks
        share = Fraction(step["share"]) if (gross if of_gross else disposable) > line else share
    limits += [disposable * share] if "share_steps" in law else []
    if (rule := law.get("protected")) is not None:
        span = max(weeks, Fraction(1)) if law.get("whole_week") else weeks
        if isinstance(rule, dict):
            stays = int(rule["multiple"]) * (725 if rule["wage"] == "federal" else wage) * span
        else:
            row = [each for each in rule if each["from"] <= NOVEMBER][-1]
            stays = Fraction(row[frequency]) * 100 if frequency in row else Fraction(row["weekly"]) * 100 * span
        limits.append(max(Fraction(0), disposable - stays) * Fraction(law.get("share_above", 1)))
    off = dependents * Fraction(law.get("dependent", 0)) * 100 * weeks
    return max(Fraction(0), min(limits) - off)


cases = st.lists(
    st.tuples(
        st.lists(st.sampled_from(STATES), min_size=1, max_size=2, unique=True), st.sampled_from(["weekly", "monthly"]),
        st.integers(1, 900_000), st.lists(st.integers(0, 400_000), min_size=1, max_size=3), st.integers(0, 4),
    ),
    min_size=30, max_size=60,
)  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(cases)
def test_all_creditors_together_pass_neither_the_federal_nor_any_states_limit(own: list[Any]) -> None:
    tables = Tables.load()
    checks = [
        check(*(order(each, number) for each in asked), states=states, gross=gross, frequency=frequency)
        for states, frequency, gross, asked, number in own
    ]
    results = gross_to_net(Columns.of(checks), tables)
    wages = {
        state: int(hourly(tables.minimum_wage[2026][1], state, np.array([NOVEMBER], dtype="datetime64[D]"))[0])
        for state in STATES
    }
    for (states, frequency, gross, asked, number), result in zip(own, results, strict=True):
        taken = result.amount("creditor")
        left = result.net + taken
        federal = min(Fraction(left, 4), max(Fraction(0), left - Fraction(WEEKS[frequency]) * 21_750))
        limit = min([federal, *(plain(state, left, gross, frequency, wages[state], number) for state in states)])
        assert taken <= min(limit, sum(asked))
        assert taken >= min(int(limit) - 1, sum(asked))  # each part of a limit is cut to the cent for itself


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 1_200_000), min_size=2, max_size=30), st.sampled_from(FREQUENCIES), st.integers(0, 3))
def test_more_disposable_earnings_never_let_less_be_taken(amounts: list[int], frequency: str, number: int) -> None:
    rising = sorted(amounts)
    for state in STATES:
        limits = most(
            state, rising, frequency=frequency, gross=[each * 13 // 10 for each in rising], dependents=number
        )  # fmt: skip
        assert limits == sorted(limits), state
        assert limits[0] >= 0, state
