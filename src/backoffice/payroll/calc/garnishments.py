"""Orders on wages: support, federal levy, student loan and creditor, in that order, each within its limit.

Limits are shares of disposable earnings (15 USC 1672): pay in money less the taxes. A share is cut to the cent, never
rounded up, so that no limit is passed. What an earlier order took counts against the share of a later one. Creditors
get the smaller of the federal limit and that of the states of work (`creditor_limits.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from backoffice.payroll.calc.creditor_limits import record_states, state_limits
from backoffice.payroll.calc.derivation import Recorder, TableRow, rate, usd
from backoffice.payroll.calc.detail import GARNISHMENTS, Detail, GarnishmentOrders
from backoffice.payroll.calc.exact import at_least_zero, half_up, sum_at
from backoffice.payroll.calc.garnishment_law import GarnishmentLaw
from backoffice.payroll.calc.law import Tables
from backoffice.payroll.calc.paycheck import (
    LARGEST_CENTS,
    MARRIED_SEPARATELY,
    NOT_GIVEN,
    RATE_SCALE,
    Bools,
    Columns,
    Int64s,
)
from backoffice.payroll.calc.result import FEDERAL, GARNISHMENT, Line, Note, Results

_SUPPORT, _LEVY, _LOAN, _CREDITOR = range(len(GARNISHMENTS))


class _Round(NamedTuple):
    """What the orders of one kind meet: the law of the year, and cents by paycheck: disposable earnings, what earlier
    kinds took, and what deductions before the taxes took."""

    results: Results
    columns: Columns
    detail: Detail
    tables: Tables
    calendar: int
    disposable: Int64s
    took: Int64s
    before: Int64s

    @property
    def law(self) -> GarnishmentLaw:
        return self.tables.garnishments[self.calendar]


class _Limits(NamedTuple):
    """By order: the most it may take, and the most that all of its kind may take of its paycheck. `record` writes the
    steps that led to the second for a single paycheck, `law` the law beside the federal one that they used."""

    own: Int64s
    most: Int64s
    record: Callable[[Recorder], None] | None = None
    law: str = ""


def take_garnishments(
    results: Results, columns: Columns, detail: Detail, year: Int64s, tables: Tables, before: Int64s,
    recorder: Recorder | None,
) -> None:  # fmt: skip
    """Takes every order from net pay, which holds what the taxes and the deductions `before` them left. Net pay below
    zero says that those deductions took too much."""
    orders = detail.garnishments
    owners = np.bincount(orders.paycheck, minlength=len(columns)) > 0
    for at, calendar in enumerate(tables.federal.years):
        rows = np.flatnonzero(owners & (year == at))
        if len(rows):
            table = tables.garnishments[calendar].table
            results.tables.append((table.name, table.version, rows))
            disposable = np.zeros(len(columns), dtype=np.int64)
            disposable[rows] = at_least_zero(results.net[rows] + before[rows] - detail.nontaxable[rows])
            took = np.zeros_like(disposable)
            _of_year(_Round(results, columns, detail, tables, calendar, disposable, took, before), rows, recorder)


def _of_year(now: _Round, rows: Int64s, recorder: Recorder | None) -> None:
    orders = now.detail.garnishments
    ours = np.zeros(len(now.columns), dtype=np.bool_)
    ours[rows] = True
    for kind in range(len(GARNISHMENTS)):
        entries = np.flatnonzero((orders.kind == kind) & ours[orders.paycheck])
        if len(entries):
            limits = _LIMITS[kind](now, entries)
            asked = _asked(orders, entries, now.disposable)
            amounts = _shared(kind, orders.paycheck[entries], np.minimum(asked, limits.own), limits.most)
            _book(now, kind, entries, asked, limits, amounts, recorder)
            together = sum_at(orders.paycheck[entries], amounts, len(now.columns))
            now.took[:] += together
            now.results.net -= together


def _asked(orders: GarnishmentOrders, entries: Int64s, disposable: Int64s) -> Int64s:
    """What an order asks: its amount, its part of disposable earnings, or (a levy) all it may have."""
    amount, percent = orders.amount[entries], orders.percent[entries]
    part = half_up(disposable[orders.paycheck[entries]] * at_least_zero(percent), RATE_SCALE)
    given: Int64s = np.where(amount != NOT_GIVEN, amount, np.where(percent != NOT_GIVEN, part, LARGEST_CENTS))
    return given


def _support(now: _Round, entries: Int64s) -> _Limits:
    """Each order within its share, all of a paycheck within the largest of their shares."""
    orders = now.detail.garnishments
    owners = orders.paycheck[entries]
    share = now.law.support[orders.other_family[entries].astype(np.int64), orders.arrears[entries].astype(np.int64)]
    own = now.disposable[owners] * share // RATE_SCALE
    most = np.zeros(len(now.columns), dtype=np.int64)
    np.maximum.at(most, owners, own)
    return _Limits(own, most[owners])


def _levy(now: _Round, entries: Int64s) -> _Limits:
    """Everything above the exempt amount of Publication 1494. Without a statement of the worker: married filing
    separately, no dependents."""
    orders, law, results = now.detail.garnishments, now.law, now.results
    owners = orders.paycheck[entries]
    stated = orders.dependents[entries] != NOT_GIVEN
    frequency = now.columns.frequency[owners]
    status = np.where(stated, now.columns.filing_status[owners], MARRIED_SEPARATELY)
    exempt = law.exempt[frequency, status] + at_least_zero(orders.dependents[entries]) * law.exempt[frequency, -1]
    most = at_least_zero(now.disposable[owners] - now.before[owners] - now.took[owners] - exempt)
    words = "No statement of exemptions was given: the levy takes married filing separately without dependents."
    _note(results, "levy_statement_not_given", words, owners, ~stated)
    words = "The filing status of Form W-4 is taken for the statement of exemptions of the levy."
    _note(results, "levy_status_of_w4", words, owners, stated)
    words = "The exempt amount of Publication 1494 for this pay period is derived from the annual one: unverified."
    _note(results, "unverified_value", words, owners, ~law.exempt_verified[frequency])
    return _Limits(most, most)


def _loan(now: _Round, entries: Int64s) -> _Limits:
    owners = now.detail.garnishments.paycheck[entries]
    disposable = now.disposable[owners]
    own = disposable * now.law.loan_share // RATE_SCALE
    left = disposable * now.law.loan_together // RATE_SCALE - now.took[owners]
    most = at_least_zero(np.minimum(left, _above_protected(now, owners)))
    return _Limits(np.minimum(own, most), most)


def _creditor(now: _Round, entries: Int64s) -> _Limits:
    owners = now.detail.garnishments.paycheck[entries]
    disposable = now.disposable[owners]
    federal = np.minimum(disposable * now.law.creditor_share // RATE_SCALE, _above_protected(now, owners))
    states = state_limits(
        now.results, now.columns, now.detail, now.tables, now.calendar, entries, now.disposable
    )  # fmt: skip
    took = now.took[owners].copy()
    left = at_least_zero(np.minimum(federal, states.most[owners]) - took)

    def record(recorder: Recorder) -> None:
        law = now.law
        recorder.step(
            "federal_limit", "1673(a)", "the smaller of its share and what is above the protected amount",
            "min(cut(disposable * share, 0.01), max(0, disposable - protected))", usd(federal[:1]),
            table=TableRow(law.table.name, law.table.version, "creditor, protected"), disposable=usd(disposable[:1]),
            share=rate(law.creditor_share, RATE_SCALE), protected=usd(law.protected[now.columns.frequency[owners[:1]]]),
        )  # fmt: skip
        names = ["federal_limit", *record_states(recorder, states, federal[:1])]
        limits = [federal[:1], *states.of_each(federal[:1])]
        given: dict[str, Any] = {name: usd(cents) for name, cents in zip(names, limits, strict=True)}
        recorder.step(
            "left_for_kind", "1673(a), 1677", "the smallest limit, less what earlier orders took",
            f"max(0, min({', '.join(names)}) - taken_before)", usd(left[:1]), taken_before=usd(took[:1]), **given,
        )  # fmt: skip

    return _Limits(left, left, record, "; ".join(limit.citation for limit, _ in states.each))


_LIMITS = (_support, _levy, _loan, _creditor)


def _above_protected(now: _Round, owners: Int64s) -> Int64s:
    frequency = now.columns.frequency[owners]
    words = "The amount protected from garnishment for this pay period is derived from the weekly one: unverified."
    _note(now.results, "unverified_value", words, owners, ~now.law.protected_verified[frequency])
    return at_least_zero(now.disposable[owners] - now.law.protected[frequency])


def _rounds(owners: Int64s) -> Iterator[Int64s]:
    """The first order of every paycheck, then the second …, each as places in `owners`, paychecks rising."""
    by_owner = np.argsort(owners, kind="stable")
    ordered = owners[by_owner]
    place = np.arange(len(owners)) - np.searchsorted(ordered, ordered)
    for number in range(int(place.max()) + 1):
        yield by_owner[place == number]


def _shared(kind: int, owners: Int64s, wanted: Int64s, most: Int64s) -> Int64s:
    """What each of several orders of one kind gets: support in proportion to what is asked, the others one after the
    other as they stand."""
    if kind != _SUPPORT:
        return in_turn(owners, wanted, most)
    amounts = np.zeros(len(owners), dtype=np.int64)
    given = np.zeros(int(owners.max()) + 1, dtype=np.int64)
    running = np.zeros_like(given)
    total = sum_at(owners, wanted, len(given))
    for at in _rounds(owners):
        who = owners[at]
        running[who] += wanted[at]
        due = running[who].copy()
        over = total[who] > most[at]
        due[over] = (due[over].astype(object) * most[at][over] // total[who][over]).astype(np.int64)
        amounts[at] = due - given[who]
        given[who] += amounts[at]
    return amounts


def in_turn(owners: Int64s, wanted: Int64s, most: Int64s) -> Int64s:
    """What each entry gets of what its owner has, `most`: one after the other as they stand, up to what is wanted."""
    amounts = np.zeros(len(owners), dtype=np.int64)
    given = np.zeros(int(owners.max()) + 1, dtype=np.int64)
    for at in _rounds(owners):
        amounts[at] = np.minimum(wanted[at], at_least_zero(most[at] - given[owners[at]]))
        given[owners[at]] += amounts[at]
    return amounts


def _book(
    now: _Round, kind: int, entries: Int64s, asked: Int64s, limits: _Limits, amounts: Int64s, recorder: Recorder | None
) -> None:
    orders = now.detail.garnishments
    word, owners = GARNISHMENTS[kind], orders.paycheck[entries]
    given = (orders.amount[entries] != NOT_GIVEN) | (orders.percent[entries] != NOT_GIVEN)
    words = f"{word}: the order asks for more than the law lets it take from these earnings."
    _note(now.results, "garnishment_limited", words, owners, (amounts < asked) & given)
    for at in _rounds(owners):
        now.results.lines.append(Line(word, GARNISHMENT, FEDERAL, owners[at], amounts[at]))
        if recorder is not None:
            which = int(at[0])
            bounds = (int(asked[which]), int(limits.own[which]), int(limits.most[which]))
            disposable = int(now.disposable[owners[which]])
            _record(
                recorder, now.law, word, orders, int(entries[which]), bounds, limits, int(amounts[which]), disposable
            )


def _record(
    recorder: Recorder, law: GarnishmentLaw, word: str, orders: GarnishmentOrders, entry: int,
    bounds: tuple[int, int, int], limits: _Limits, amount: int, disposable: int,
) -> None:  # fmt: skip
    asked, own, most = bounds
    table = TableRow(law.table.name, law.table.version, word)
    recorder.step(
        "disposable", "1672", "pay in money less the taxes", "earnings_less_taxes", usd(disposable),
        earnings_less_taxes=usd(disposable),
    )  # fmt: skip
    given: dict[str, Any] = {}
    if orders.percent[entry] != NOT_GIVEN:
        percent = rate(int(orders.percent[entry]), RATE_SCALE)
        recorder.step(
            "asked", "order", "a part of disposable earnings", "round_half_up(disposable * percent, 0.01)",
            usd(asked), disposable=usd(disposable), percent=percent,
        )  # fmt: skip
    if orders.amount[entry] != NOT_GIVEN or orders.percent[entry] != NOT_GIVEN:
        given["asked"] = usd(asked)
    if limits.record is not None:
        limits.record(recorder)
    names = [*given, "limit_of_order", "left_for_kind"]
    recorder.step(
        "within_limit", "limit", "not above the limit of the order, and of all orders of its kind",
        f"min({', '.join(names)})", usd(min(asked, own, most)), table=table, limit_of_order=usd(own),
        left_for_kind=usd(most), **given,
    )  # fmt: skip
    recorder.step(
        "taken", "share", "its part, beside other orders of its kind", "min(within_limit, part)", usd(amount),
        within_limit=usd(min(asked, own, most)), part=usd(amount),
    )  # fmt: skip
    citation = law.text[word]["citation"]
    recorder.line(word, GARNISHMENT, FEDERAL, amount, f"{citation}; {limits.law}" if limits.law else citation)


def _note(results: Results, code: str, words: str, owners: Int64s, where: Bools) -> None:
    if where.any():
        results.notes.append(Note(code, words, np.unique(owners[where])))
