"""One path for one paycheck and for many: order does not matter, a batch equals its rows, totals equal sums."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backoffice.kernel.errors import ValidationFailed
from backoffice.payroll.calc import (
    FILING_STATUSES,
    FREQUENCIES,
    W4,
    W4_VERSIONS,
    Columns,
    LocalPart,
    Paycheck,
    StateCertificate,
    Tables,
    Work,
    YearToDate,
    gross_to_net,
)

cents = st.integers(0, 50_000_000)


@st.composite
def paychecks(draw: st.DrawFn) -> Paycheck:
    version = draw(st.sampled_from(W4_VERSIONS))
    state = draw(st.sampled_from([
        "CA", "NY", "IL", "PA", "TX", "WA", "NV", "CO", "GA", "ME", "OK", "RI", "SC", "WI", "AZ", "IA", "IN", "LA",
        "UT",
    ]))  # fmt: skip
    daily = () if state in {"OK", "RI"} else ("daily",)  # they publish no table for a day
    statuses = FILING_STATUSES if version == "2020_or_later" else FILING_STATUSES[:3]
    places = [state] if draw(st.booleans()) else [state, "AK"]
    gross = draw(cents)
    homes = {"NY": ("NY-NYC", "NY-YONKERS"), "PA": ("PA-PHILADELPHIA",)}.get(state, ())
    local = [LocalPart(place, gross, draw(st.booleans())) for place in homes if draw(st.booleans())]
    resident = draw(st.booleans()) and state in {"IL", "WI"}  # both states of the agreement publish every period
    certificate = st.builds(
        StateCertificate, allowances=st.integers(0, 15), secondary_allowances=st.integers(0, 15),
        additional_withholding=st.none() | st.integers(0, 10_000), exempt=st.none() | st.booleans(),
    ) if state not in {"TX", "WA", "NV"} and places == [state] else st.builds(
        StateCertificate, allowances=st.integers(0, 15), secondary_allowances=st.integers(0, 15)
    )  # fmt: skip
    return Paycheck(
        pay_date=date(2026, draw(st.integers(1, 12)), 15),
        pay_frequency=draw(st.sampled_from(("weekly", "biweekly", "semimonthly", "monthly", "annual", *daily))),
        gross=gross,
        residence_state={"IL": "WI", "WI": "IL"}[state] if resident else None,
        local=tuple(part for part in local if part.resident or part.place != "NY-YONKERS"),
        w4=W4(
            version=version,
            filing_status=draw(st.sampled_from(statuses)),
            step2_checkbox=draw(st.booleans()),
            step3=draw(cents),
            step4c=draw(st.integers(0, 10_000)),
            allowances=draw(st.integers(0, 9)),
            exempt=draw(st.booleans()),
            nonresident_alien=draw(st.booleans()),
        ),
        work=tuple(
            Work(
                state=place,
                certificate=draw(st.none() | certificate),
                sui_rate=draw(st.none() | st.integers(0, 100_000)),
                ytd_sui_wages=draw(cents),
            )
            for place in places
        ),
        ytd=YearToDate(social_security_wages=draw(cents), medicare_wages=draw(cents), futa_wages=draw(cents)),
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(paychecks(), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_a_permuted_batch_is_the_permuted_result(checks: list[Paycheck], shuffle: object) -> None:
    order = list(range(len(checks)))
    shuffle.shuffle(order)  # type: ignore[attr-defined]
    columns = Columns.of(checks)
    straight = list(gross_to_net(columns, Tables.load()))
    permuted = list(gross_to_net(columns.take(order), Tables.load()))
    rebuilt = list(gross_to_net(Columns.of([checks[row] for row in order]), Tables.load()))
    assert [sorted(map(repr, result.lines)) for result in permuted] == [
        sorted(map(repr, straight[row].lines)) for row in order
    ]
    assert [result.net for result in rebuilt] == [straight[row].net for row in order]
    assert [sorted(result.notes) for result in permuted] == [sorted(straight[row].notes) for row in order]


@settings(max_examples=60, deadline=None)
@given(st.lists(paychecks(), min_size=1, max_size=12))
def test_a_batch_equals_its_rows_one_by_one(checks: list[Paycheck]) -> None:
    batch = list(gross_to_net(Columns.of(checks), Tables.load()))
    for check, result in zip(checks, batch, strict=True):
        alone = gross_to_net(Columns.of([check]), Tables.load())
        assert sorted(map(repr, alone.paycheck(0).lines)) == sorted(map(repr, result.lines))
        assert sorted(alone.paycheck(0).notes) == sorted(result.notes)
        assert dict(alone.paycheck(0).tables) == dict(result.tables)


@settings(max_examples=60, deadline=None)
@given(st.lists(paychecks(), min_size=1, max_size=12))
def test_totals_equal_sums_and_iteration_equals_lookup(checks: list[Paycheck]) -> None:
    results = gross_to_net(Columns.of(checks), Tables.load())
    rows = list(results)
    assert rows == [results.paycheck(row) for row in range(len(rows))]
    for (code, kind, place), total in results.totals().items():
        assert total == sum(
            line.cents
            for row in rows
            for line in row.lines
            if (line.code, line.kind, line.jurisdiction) == (code, kind, place)
        )
        assert int(results.column(code, kind).sum()) >= 0 or code == "net_pay"
    for row, check in zip(rows, checks, strict=True):
        assert row.gross == check.gross
        assert row.net == check.gross - sum(line.cents for line in row.lines if line.kind == "employee_tax")


@settings(max_examples=200, deadline=None)
@given(paychecks(), st.integers(1, 1_000_000))
def test_more_gross_never_means_less_net_except_at_the_documented_cliffs(check: Paycheck, more: int) -> None:
    """The cliffs: California's low-income exemption, New York's cut-over to Method III, the end of Rhode Island's
    allowances; the steps of Alabama's deduction and dependents, of Arkansas's brackets and of every Connecticut table;
    the amounts from which Maryland and Massachusetts withhold at all; Oregon's caps, its rows from 50,000 on, the end
    of its allowances and its constant on the first cent. A cent of difference is left to rounding: several taxes may
    round up on the same cent, Maine and Oklahoma round to the dollar, and Utah rounds two of its lines so."""
    from dataclasses import replace

    state = check.work[0].state
    if state in {"CA", "NY", "RI"}:
        return
    nets = [
        gross_to_net(Columns.of([replace(check, gross=gross)]), Tables.load()).paycheck(0).net
        for gross in (check.gross, check.gross + more)
    ]
    assert nets[1] >= nets[0] - {"ME": 100, "OK": 100, "UT": 200}.get(state, 3)


def test_an_empty_batch_is_no_paycheck() -> None:
    results = gross_to_net(Columns.of([]), Tables.load())
    assert len(results) == 0
    assert list(results) == []
    with pytest.raises(IndexError, match="there is no paycheck 0"):
        results.paycheck(0)


def test_amounts_that_would_not_fit_are_refused_with_their_row() -> None:
    good = Paycheck(pay_date=date(2026, 1, 2), pay_frequency="weekly", gross=1, w4=W4(), work=(Work(state="TX"),))
    columns = Columns.of([good, good])
    columns.gross[1] = -5
    columns.step3[0] = 10**12
    with pytest.raises(ValidationFailed) as refused:
        gross_to_net(columns, Tables.load())
    pointers = {fault.pointer for fault in refused.value.errors}
    assert {"#/paychecks/1/gross", "#/paychecks/0/step3"} <= pointers


def test_the_largest_amounts_are_exact() -> None:
    """No product passes 63 bits: the largest accepted paycheck agrees with unbounded integers."""
    largest = 999_999_999_999
    check = Paycheck(
        pay_date=date(2026, 1, 2), pay_frequency="daily", gross=largest, w4=W4(),
        work=(Work(state="CA", certificate=StateCertificate(status="single", allowances=11)),),
    )  # fmt: skip
    result = gross_to_net(Columns.of([check]), Tables.load()).paycheck(0)
    annual = largest * 260 - 860_000
    tax = 19_297_925 * 100 + 37 * (annual - 64_810_000)
    assert result.amount("federal_income_tax") == (2 * tax + 26_000) // 52_000
    assert result.amount("CA_SDI") == (2 * largest * 13 + 1000) // 2000
    taxable = largest - 2_200
    numerator = (43_927 * 10_000 + 1_463 * (taxable - 384_600)) * 260 - 16_830 * 11 * 10_000
    assert result.amount("state_income_tax") == (2 * numerator + 2_600_000) // 5_200_000


def test_words_that_are_not_known_are_refused() -> None:
    with pytest.raises(ValueError, match="fortnightly"):
        Columns.of(
            [
                Paycheck(
                    pay_date=date(2026, 1, 2), pay_frequency="fortnightly", gross=1, w4=W4(), work=(Work(state="TX"),)
                )
            ]
        )
    assert "fortnightly" not in FREQUENCIES


def test_a_state_named_twice_in_one_paycheck_is_refused() -> None:
    work = (Work(state="PA", wages=1), Work(state="PA", wages=2))
    check = Paycheck(pay_date=date(2026, 1, 2), pay_frequency="weekly", gross=3, w4=W4(), work=work)
    with pytest.raises(ValueError, match="more than one entry of work in PA"):
        gross_to_net(Columns.of([check]), Tables.load())


def test_columns_are_int64_cents() -> None:
    check = Paycheck(pay_date=date(2026, 1, 2), pay_frequency="weekly", gross=5, w4=W4(), work=(Work(state="PA"),))
    results = gross_to_net(Columns.of([check]), Tables.load())
    assert results.net.dtype == np.int64
    assert {line.cents.dtype for line in results.lines} == {np.dtype(np.int64)}
