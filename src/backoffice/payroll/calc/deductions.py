"""Deductions: what each takes, within its limit and the pay, and which wages it lowers (IRC 3121(a), 3306(b), 3401(a)).

Before the taxes: deductions that lower a tax, in the order of DEDUCTIONS. After taxes and garnishments: the others, in
the same order. When the pay does not suffice, the later one in the order is cut first, and the result says so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from backoffice.payroll.calc.deduction_law import DeductionLaw
from backoffice.payroll.calc.deduction_limits import left_of_lines, limits, sums
from backoffice.payroll.calc.deduction_words import BASES, limit_notes, record_bases, record_limit
from backoffice.payroll.calc.derivation import Recorder, usd
from backoffice.payroll.calc.detail import DEDUCTIONS, Detail
from backoffice.payroll.calc.exact import at_least_zero, part_of
from backoffice.payroll.calc.law import Tables
from backoffice.payroll.calc.minimum_wage import wage_floor
from backoffice.payroll.calc.paycheck import (
    LARGEST_CENTS,
    NOT_GIVEN,
    STATES,
    Bools,
    Columns,
    Int64s,
    LocalWork,
)
from backoffice.payroll.calc.result import DEDUCTION, FEDERAL, Line, Note, Results

Taken = list[tuple[int, Int64s, Int64s]]  # code, rows, cents
Used = dict[str | None, list[tuple[Int64s, Int64s]]]  # limit name: rows, cents


def before_tax(
    results: Results, columns: Columns, detail: Detail, year: Int64s, tables: Tables, allowed: Int64s | None,
    recorder: Recorder | None,
) -> tuple[Columns, Taken]:  # fmt: skip
    """The columns with the wages that are left to each tax, and what was taken. `allowed` is the most that all of
    these deductions may take from each paycheck, where less than its wages."""
    wages = columns.gross - detail.nontaxable
    room = wages.copy() if allowed is None else np.minimum(wages, allowed)
    owners = np.bincount(detail.deductions.paycheck, minlength=len(columns)) > 0
    for at, calendar in enumerate(tables.federal.years):
        rows = np.flatnonzero(owners & (year == at))
        if len(rows):
            table = tables.deductions[calendar].table
            results.tables.append((table.name, table.version, rows))
    taken: Taken = []
    for law, code, rows, asked, within in _asked(results, columns, detail, year, tables, [], recorder, lowering=True):
        amounts = np.minimum(within, room[rows])
        _take(results, room, law, code, rows, asked, within, amounts, recorder, "not above what the pay can bear")
        taken.append((code, rows, amounts))
    return _lowered(results, columns, year, tables, taken, recorder), taken


def sum_of(taken: Taken, paychecks: int) -> Int64s:
    """What was taken from each paycheck."""
    total = np.zeros(paychecks, dtype=np.int64)
    for _, rows, cents in taken:
        total[rows] += cents
    return total


def after_tax(
    results: Results, columns: Columns, detail: Detail, year: Int64s, tables: Tables, taken: Taken,
    recorder: Recorder | None,
) -> None:  # fmt: skip
    """Takes the other deductions from what is left of net pay. Those for the employer's benefit leave the minimum wage
    for the hours worked (29 CFR 531.35)."""
    room = at_least_zero(results.net)
    above_floor = _above_floor(results, columns, detail, year, tables)
    for law, code, rows, asked, within in _asked(
        results, columns, detail, year, tables, taken, recorder, lowering=False
    ):
        most = room[rows]
        if law.keeps_minimum_wage[code]:
            most = np.minimum(most, above_floor[rows])
        amounts = np.minimum(within, most)
        if law.keeps_minimum_wage[code]:
            above_floor[rows] -= amounts
        says = "not above what is left of the pay"
        _take(results, room, law, code, rows, asked, within, amounts, recorder, says, most)


def _above_floor(results: Results, columns: Columns, detail: Detail, year: Int64s, tables: Tables) -> Int64s:
    """What the wages are above the minimum wage, for the paychecks where a deduction must look at it. Tips are the
    worker's own (29 USC 203(m)(2)(B)): whoever is paid less than the minimum wage beside them is deducted nothing."""
    keeps = np.any([law.keeps_minimum_wage for law in tables.deductions.values()], axis=0)
    rows = np.unique(detail.deductions.paycheck[keeps[detail.deductions.code]])
    wages = columns.gross - detail.nontaxable - detail.tips
    return at_least_zero(wages - wage_floor(results, columns, detail, year, tables, rows)) if len(rows) else wages


def _asked(
    results: Results, columns: Columns, detail: Detail, year: Int64s, tables: Tables, taken: Taken,
    recorder: Recorder | None, lowering: bool,
) -> Iterator[tuple[DeductionLaw, int, Int64s, Int64s, Int64s]]:  # fmt: skip
    """(law, code, rows, what was asked, what the limit leaves of it) of every deduction that lowers a tax or does not,
    in the order in which they are taken."""
    orders, wages = detail.deductions, columns.gross - detail.nontaxable
    by_code = np.argsort(orders.code.astype(np.int8), kind="stable")
    edges = np.searchsorted(orders.code[by_code], np.arange(len(DEDUCTIONS) + 1))
    used: Used = defaultdict(list)
    same_year = bool((year == year[:1]).all())
    for code in range(len(DEDUCTIONS)):
        entries = by_code[edges[code] : edges[code + 1]]
        if not len(entries):
            continue
        years = year[:1] if same_year else year[orders.paycheck[entries]]
        for at in sorted(set(years.tolist())):
            law = tables.deductions[tables.federal.years[at]]
            if bool(law.lowers[code].any()) != lowering:
                continue
            name = law.limit_name[code]
            mine = entries if same_year else entries[years == at]
            rows, cents, asked = sums(orders, mine, wages, int(law.line_limit[code]))
            before = [(own, cents) for other, own, cents in taken if law.limit_name[other] == name]
            most = limits(columns, detail, law, code, rows, before + used[name])
            if law.line_limit[code] < LARGEST_CENTS:
                lines = np.bincount(orders.paycheck[entries], minlength=len(columns))[rows]
                most = np.minimum(most, left_of_lines(detail, law, code, rows, lines))
            within = np.minimum(cents, most)
            limit_notes(results, detail, law, code, rows, asked, within, most)
            if recorder is not None:
                record_limit(recorder, law, code, wages, orders, entries, asked, within, most)
            used[name].append((rows, within))
            yield law, code, rows, asked, within


def _take(
    results: Results, room: Int64s, law: DeductionLaw, code: int, rows: Int64s, asked: Int64s, within: Int64s,
    amounts: Int64s, recorder: Recorder | None, says: str, most: Int64s | None = None,
) -> None:  # fmt: skip
    word = DEDUCTIONS[code]
    if recorder is not None:
        recorder.step(
            "taken", "pay", says, "min(within_limit, room)", usd(amounts),
            within_limit=usd(within), room=usd(room[rows] if most is None else most),
        )  # fmt: skip
        recorder.line(word, DEDUCTION, FEDERAL, amounts, law.text["codes"][word]["citation"])
    short = rows[amounts < within]
    if len(short):
        floor = " and the minimum wage" if law.keeps_minimum_wage[code] else ""
        words = f"{word} is cut: the pay does not suffice after what comes before it{floor}."
        results.notes.append(Note("deduction_cut_to_pay", words, short))
    room[rows] -= amounts
    results.net[rows] -= amounts
    results.lines.append(Line(word, DEDUCTION, FEDERAL, rows, amounts))


def _lowered(
    results: Results, columns: Columns, year: Int64s, tables: Tables, taken: Taken, recorder: Recorder | None
) -> Columns:
    """The columns with every base less what lowers it, never below zero."""
    if not taken:
        return columns
    by_pattern: dict[tuple[bool, ...], Int64s] = {}
    for code, rows, cents in taken:
        lowers = tuple(bool(law) for law in tables.deductions[tables.federal.years[int(year[rows[0]])]].lowers[code])
        total = by_pattern.setdefault(lowers, np.zeros(len(columns), dtype=np.int64))
        total[rows] += cents
    less = []
    for base in range(len(BASES)):
        own = [total for lowers, total in by_pattern.items() if lowers[base]]
        less.append(sum(own[1:], own[0]) if own else np.zeros(1, dtype=np.int64))
    bases: dict[str, Any] = {
        name: at_least_zero(getattr(columns, name) - cents) for name, cents in zip(BASES, less, strict=True)
    }  # fmt: skip
    if recorder is not None:
        record_bases(recorder, columns, bases, less)
    work = columns.work
    full = columns.income_tax_wages[work.paycheck]
    income, insured = (
        np.broadcast_to(cents, columns.gross.shape)[work.paycheck] for cents in (less[0], less[3])
    )  # fmt: skip
    income, insured = _as_states_say(results, columns, year, tables, taken, income, insured)
    state: dict[str, Any] = {
        "wages": at_least_zero(work.wages - part_of(income, work.wages, full)),
        "insured_wages": at_least_zero(work.insured - part_of(insured, work.wages, full)),
    }
    if recorder is not None:
        for entry, code in enumerate(work.state.tolist()):
            place = STATES[code]
            for name, before in (("wages", work.wages), ("insured_wages", work.insured)):
                after, citation = state[name][[entry]], f"wages of {place} after deductions"
                recorder.step(
                    f"{place}_{name}", "deductions", "wages less the deductions that lower them", "wages - lowered_by",
                    usd(after), wages=usd(before[[entry]]), lowered_by=usd(before[[entry]] - after),
                )  # fmt: skip
                recorder.line(f"state_{name}", "wage_base", place, after, citation)
    by_paycheck = np.broadcast_to(less[0], columns.gross.shape)
    local = _lowered_locals(columns, year, tables, taken, by_paycheck)
    return replace(columns, **bases, work=replace(work, **state), local=local)


def _as_states_say(
    results: Results, columns: Columns, year: Int64s, tables: Tables, taken: Taken, income: Int64s, insured: Int64s
) -> tuple[Int64s, Int64s]:
    """What lowers each state's wages: as the federal base unless the state is recorded to differ. Income tax may belong
    to the state of the home, programmes and unemployment insurance always to that of the work."""
    work, taxing = columns.work, tables.agreements.taxing(columns)
    for at, calendar in enumerate(tables.federal.years):
        law, in_year = tables.deductions[calendar], year[work.paycheck] == at
        if not in_year.any():
            continue
        has: dict[frozenset[int], Bools] = {}
        for target, owner, which in ((income, taxing, 0), (insured, work.state, 1)):
            order = np.argsort(owner.astype(np.int8), kind="stable")  # by radix: one pass for all states
            ends = np.cumsum(np.bincount(owner, minlength=len(STATES)))
            for state in np.flatnonzero(np.diff(ends, prepend=0)).tolist():
                entries = order[ends[state - 1] if state else 0 : ends[state]]
                entries = entries[in_year[entries]]
                unlowered = law.unlowered.get(STATES[state], (frozenset(), frozenset()))[which]
                if unlowered:
                    target[entries] -= _kept(law, taken, unlowered, which * 3, len(columns))[work.paycheck[entries]]
                if which == 0 and len(entries):
                    recorded = law.recorded.get(STATES[state], frozenset())
                    if not tables.has_income_tax(STATES[state]) and (STATES[state], calendar) not in tables.states:
                        entries = entries[work.sui_rate[entries] != NOT_GIVEN]  # else no tax of the state asks
                    if recorded not in has:
                        has[recorded] = _has_other(len(columns), taken, recorded)
                    name, paychecks = tables.names[STATES[state]], work.paycheck[entries]
                    _unsaid_note(results, name, paychecks, has[recorded])
                    if STATES[state] in law.unverified:
                        other = frozenset(range(len(DEDUCTIONS))) - recorded
                        told = paychecks[_has_other(len(columns), taken, other)[paychecks]]
                        words = f"What {name} taxes of the deductions is unverified: {law.unverified[STATES[state]]}."
                        results.notes += [Note("unverified_value", words, told)] if len(told) else []
    return income, insured


def _kept(law: DeductionLaw, taken: Taken, unlowered: frozenset[int], base: int, paychecks: int) -> Int64s:
    """What lowers a federal base of each paycheck but not the state's."""
    kept = np.zeros(paychecks if unlowered else 1, dtype=np.int64)
    for code, rows, cents in taken:
        if code in unlowered and law.lowers[code][base]:
            kept[rows] += cents
    return np.broadcast_to(kept, paychecks)


def _lowered_locals(columns: Columns, year: Int64s, tables: Tables, taken: Taken, income: Int64s) -> LocalWork | None:
    """The wages of places with a tax of their own, lowered as the income tax wages of their state are."""
    local = columns.local
    if local is None:
        return None
    wages = local.wages.copy()
    for at, calendar in enumerate(tables.federal.years):
        law, places = tables.deductions[calendar], tables.localities.get(calendar)
        for index, code in enumerate(local.places if places is not None else ()):
            entries = np.flatnonzero((local.place == index) & (year[local.paycheck] == at))
            state = places.places[code].state if places is not None else ""
            unlowered = law.unlowered.get(state, (frozenset(), frozenset()))[0]
            less = (income - _kept(law, taken, unlowered, 0, len(columns)))[local.paycheck[entries]]
            full = columns.income_tax_wages[local.paycheck[entries]]
            wages[entries] = at_least_zero(wages[entries] - part_of(less, wages[entries], full))
    return replace(local, wages=wages)


def _has_other(paychecks: int, taken: Taken, recorded: frozenset[int]) -> Bools:
    """Which paychecks have a deduction that is not among the recorded ones."""
    has = np.zeros(paychecks, dtype=np.bool_)
    for code, rows, _ in taken:
        if code not in recorded:
            has[rows] = True
    return has


def _unsaid_note(results: Results, name: str, paychecks: Int64s, has: Bools) -> None:
    rows = paychecks[has[paychecks]]
    if len(rows):
        words = f"Whether {name} follows the federal treatment of the deductions is not recorded: it is followed."
        results.notes.append(Note("state_conformity_not_recorded", words, rows))
