"""Orders on wages: support, federal levy, student loan and creditor, in that order, each within its limit.

Limits are shares of disposable earnings (15 USC 1672): pay in money less the taxes. A share is cut to the cent, never
rounded up, so that no limit is passed. What an earlier order took counts against the share of a later one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

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
            law = tables.garnishments[calendar]
            results.tables.append((law.table.name, law.table.version, rows))
            _of_year(results, columns, detail, law, rows, before, recorder)


def _of_year(
    results: Results, columns: Columns, detail: Detail, law: GarnishmentLaw, rows: Int64s, before: Int64s,
    recorder: Recorder | None,
) -> None:  # fmt: skip
    disposable = np.zeros(len(columns), dtype=np.int64)
    disposable[rows] = at_least_zero(results.net[rows] + before[rows] - detail.nontaxable[rows])
    ours = np.zeros(len(columns), dtype=np.bool_)
    ours[rows] = True
    took = np.zeros(len(columns), dtype=np.int64)
    for kind in range(len(GARNISHMENTS)):
        entries = np.flatnonzero((detail.garnishments.kind == kind) & ours[detail.garnishments.paycheck])
        if len(entries):
            limits = _LIMITS[kind](results, columns, detail, law, entries, disposable, took, before)
            asked = _asked(detail.garnishments, entries, disposable)
            amounts = _shared(kind, detail.garnishments.paycheck[entries], np.minimum(asked, limits[0]), limits[1])
            _book(results, law, kind, detail.garnishments, entries, (asked, *limits), amounts, disposable, recorder)
            together = sum_at(detail.garnishments.paycheck[entries], amounts, len(columns))
            took += together
            results.net -= together


def _asked(orders: GarnishmentOrders, entries: Int64s, disposable: Int64s) -> Int64s:
    """What an order asks: its amount, its part of disposable earnings, or (a levy) all it may have."""
    amount, percent = orders.amount[entries], orders.percent[entries]
    part = half_up(disposable[orders.paycheck[entries]] * at_least_zero(percent), RATE_SCALE)
    given: Int64s = np.where(amount != NOT_GIVEN, amount, np.where(percent != NOT_GIVEN, part, LARGEST_CENTS))
    return given


def _support(
    results: Results, columns: Columns, detail: Detail, law: GarnishmentLaw, entries: Int64s, disposable: Int64s,
    took: Int64s, before: Int64s,
) -> tuple[Int64s, Int64s]:  # fmt: skip
    """Each order within its share, all of a paycheck within the largest of their shares."""
    orders = detail.garnishments
    owners = orders.paycheck[entries]
    share = law.support[orders.other_family[entries].astype(np.int64), orders.arrears[entries].astype(np.int64)]
    own = disposable[owners] * share // RATE_SCALE
    most = np.zeros(len(columns), dtype=np.int64)
    np.maximum.at(most, owners, own)
    return own, most[owners]


def _levy(
    results: Results, columns: Columns, detail: Detail, law: GarnishmentLaw, entries: Int64s, disposable: Int64s,
    took: Int64s, before: Int64s,
) -> tuple[Int64s, Int64s]:  # fmt: skip
    """Everything above the exempt amount of Publication 1494. Without a statement of the worker: married filing
    separately, no dependents."""
    orders = detail.garnishments
    owners = orders.paycheck[entries]
    stated = orders.dependents[entries] != NOT_GIVEN
    frequency = columns.frequency[owners]
    status = np.where(stated, columns.filing_status[owners], MARRIED_SEPARATELY)
    exempt = law.exempt[frequency, status] + at_least_zero(orders.dependents[entries]) * law.exempt[frequency, -1]
    most = at_least_zero(disposable[owners] - before[owners] - took[owners] - exempt)
    words = "No statement of exemptions was given: the levy takes married filing separately without dependents."
    _note(results, "levy_statement_not_given", words, owners, ~stated)
    words = "The filing status of Form W-4 is taken for the statement of exemptions of the levy."
    _note(results, "levy_status_of_w4", words, owners, stated)
    words = "The exempt amount of Publication 1494 for this pay period is derived from the annual one: unverified."
    _note(results, "unverified_value", words, owners, ~law.exempt_verified[frequency])
    return most, most


def _loan(
    results: Results, columns: Columns, detail: Detail, law: GarnishmentLaw, entries: Int64s, disposable: Int64s,
    took: Int64s, before: Int64s,
) -> tuple[Int64s, Int64s]:  # fmt: skip
    owners = detail.garnishments.paycheck[entries]
    own = disposable[owners] * law.loan_share // RATE_SCALE
    left = disposable[owners] * law.loan_together // RATE_SCALE - took[owners]
    most = at_least_zero(np.minimum(left, _above_protected(results, columns, law, owners, disposable)))
    return np.minimum(own, most), most


def _creditor(
    results: Results, columns: Columns, detail: Detail, law: GarnishmentLaw, entries: Int64s, disposable: Int64s,
    took: Int64s, before: Int64s,
) -> tuple[Int64s, Int64s]:  # fmt: skip
    owners = detail.garnishments.paycheck[entries]
    share = disposable[owners] * law.creditor_share // RATE_SCALE
    most = np.minimum(share, _above_protected(results, columns, law, owners, disposable))
    words = "A lower limit of a state for creditors is not recorded: the federal limit is used; a lower one would win."
    _note(results, "state_limit_not_recorded", words, owners, np.ones(len(owners), dtype=np.bool_))
    left = at_least_zero(most - took[owners])
    return left, left


_LIMITS = (_support, _levy, _loan, _creditor)


def _above_protected(
    results: Results, columns: Columns, law: GarnishmentLaw, owners: Int64s, disposable: Int64s
) -> Int64s:
    frequency = columns.frequency[owners]
    words = "The amount protected from garnishment for this pay period is derived from the weekly one: unverified."
    _note(results, "unverified_value", words, owners, ~law.protected_verified[frequency])
    return at_least_zero(disposable[owners] - law.protected[frequency])


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
    amounts = np.zeros(len(owners), dtype=np.int64)
    given = np.zeros(int(owners.max()) + 1, dtype=np.int64)
    running = np.zeros_like(given)
    total = sum_at(owners, wanted, len(given))
    for at in _rounds(owners):
        who = owners[at]
        if kind == _SUPPORT:
            running[who] += wanted[at]
            due = running[who].copy()
            over = total[who] > most[at]
            due[over] = (due[over].astype(object) * most[at][over] // total[who][over]).astype(np.int64)
            amounts[at] = due - given[who]
        else:
            amounts[at] = np.minimum(wanted[at], at_least_zero(most[at] - given[who]))
        given[who] += amounts[at]
    return amounts


def _book(
    results: Results, law: GarnishmentLaw, kind: int, orders: GarnishmentOrders, entries: Int64s,
    bounds: tuple[Int64s, Int64s, Int64s], amounts: Int64s, disposable: Int64s, recorder: Recorder | None,
) -> None:  # fmt: skip
    word, owners, asked = GARNISHMENTS[kind], orders.paycheck[entries], bounds[0]
    given = (orders.amount[entries] != NOT_GIVEN) | (orders.percent[entries] != NOT_GIVEN)
    words = f"{word}: the order asks for more than the law lets it take from these earnings."
    _note(results, "garnishment_limited", words, owners, (amounts < asked) & given)
    for at in _rounds(owners):
        results.lines.append(Line(word, GARNISHMENT, FEDERAL, owners[at], amounts[at]))
        if recorder is not None:
            which = int(at[0])
            _record(recorder, law, word, orders, int(entries[which]), tuple(int(part[which]) for part in bounds),
                    int(amounts[which]), int(disposable[owners[which]]))  # fmt: skip


def _record(
    recorder: Recorder, law: GarnishmentLaw, word: str, orders: GarnishmentOrders, entry: int,
    bounds: tuple[int, ...], amount: int, disposable: int,
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
    recorder.line(word, GARNISHMENT, FEDERAL, amount, law.text[word]["citation"])


def _note(results: Results, code: str, words: str, owners: Int64s, where: Bools) -> None:
    if where.any():
        results.notes.append(Note(code, words, np.unique(owners[where])))
