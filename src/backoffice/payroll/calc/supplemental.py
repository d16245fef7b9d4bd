"""Supplemental wages: 22 %, 37 % above a million of them in the year, and each state's own rate (26 CFR 31.3402(g)-1).

Deductions lower the regular wages first, the supplemental ones with what is left. With the aggregate method, and in
states that have no rate of their own, supplemental wages are withheld on as one payment with the regular ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from backoffice.payroll.calc.derivation import Recorder, TableRow, rate, usd
from backoffice.payroll.calc.detail import Detail
from backoffice.payroll.calc.exact import at_least_zero, half_up, part_of
from backoffice.payroll.calc.fica import CENT
from backoffice.payroll.calc.law import Tables
from backoffice.payroll.calc.paycheck import NOT_GIVEN, PERIODS, RATE_SCALE, STATES, Columns, Int64s
from backoffice.payroll.calc.result import EMPLOYEE_TAX, FEDERAL, Note, Results
from backoffice.payroll.calc.supplemental_law import LOCAL_SCALE, StateSupplemental, SupplementalLaw

_PERIODS = np.array(PERIODS, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Apart:
    """Supplemental wages that are withheld on apart: `flat` and `above` the threshold by paycheck, `state` by entry
    of the state work, `local` by entry of the local work."""

    flat: Int64s
    above: Int64s
    state: Int64s
    local: Int64s
    federal: Int64s  # the federal tax on them, in cents


def set_apart(
    columns: Columns, detail: Detail, year: Int64s, tables: Tables, of_entries: Int64s
) -> tuple[Columns, Apart]:
    """The columns with the wages that are withheld on as regular ones, and the supplemental wages set apart.
    `of_entries`: the supplemental wages that belong to each entry of the state work."""
    laws = [tables.supplemental[calendar] for calendar in tables.federal.years]
    threshold = np.array([law.threshold for law in laws], dtype=np.int64)[year]
    wages = np.minimum(detail.supplemental, columns.income_tax_wages)
    before = detail.supplemental_before
    above = at_least_zero(before + wages - threshold) - at_least_zero(before - threshold)
    flat = np.where(detail.aggregate, 0, wages - above)
    rates = np.array([[law.flat_rate, law.above_rate] for law in laws], dtype=np.int64)[year]
    tax = half_up(np.where(columns.exempt, 0, flat) * rates[:, 0] + above * rates[:, 1], RATE_SCALE)
    work = columns.work
    state = np.where(detail.aggregate[work.paycheck], 0, np.minimum(of_entries, work.wages))
    if "exempt" in work.elections:  # a form that claims exemption frees these wages too
        state[work.elections["exempt"] > 0] = 0
    taxing = tables.agreements.taxing(columns)
    for code in np.flatnonzero(np.bincount(taxing, minlength=len(STATES))).tolist():
        ours = taxing == code
        for at, law in enumerate(laws):
            own = law.states.get(STATES[code])
            if own is None or not own.apart:
                state[ours & (year[work.paycheck] == at)] = 0
    regular = replace(work, wages=work.wages - state, insured_wages=work.insured)
    lowered = columns.income_tax_wages - flat - above
    local = _local_part(columns, detail, year, laws, state)
    there = None if columns.local is None else replace(columns.local, wages=columns.local.wages - local)
    changed = replace(columns, income_tax_wages=lowered, work=regular, local=there)
    return changed, Apart(flat, above, state, local, tax)


def add_federal(
    results: Results, columns: Columns, detail: Detail, year: Int64s, tables: Tables, apart: Apart,
    recorder: Recorder | None,
) -> None:  # fmt: skip
    """Adds the tax on the wages set apart to the line of federal income tax."""
    (line,) = [line for line in results.lines if line.code == "federal_income_tax"]
    regular = line.cents.copy()
    line.cents[:] += apart.federal
    for at, calendar in enumerate(tables.federal.years):
        rows = np.flatnonzero((year == at) & (detail.supplemental > 0))
        if not len(rows):
            continue
        law = tables.supplemental[calendar]
        results.tables.append((law.table.name, law.table.version, rows))
        if not law.text["federal"]["verified"]:
            words = f"The withholding rates on supplemental wages of {calendar} are unverified."
            results.notes.append(Note("unverified_value", words, rows))
        unshown = rows[(apart.flat[rows] > 0) & (regular[rows] == 0) & ~columns.exempt[rows]]
        if len(unshown):
            words = (
                "The flat rate on supplemental wages needs income tax withheld from regular wages this year or last; "
                "this paycheck withholds none."
            )
            results.notes.append(Note("supplemental_flat_condition", words, unshown))
        if recorder is not None:
            _record_federal(recorder, columns, detail, law, apart, regular, line.cents)


def _record_federal(
    recorder: Recorder, columns: Columns, detail: Detail, law: SupplementalLaw, apart: Apart, regular: Int64s,
    total: Int64s,
) -> None:  # fmt: skip
    table = TableRow(law.table.name, law.table.version, "federal threshold")
    wages = np.minimum(detail.supplemental, columns.income_tax_wages + apart.flat + apart.above)
    recorder.step(
        "above", "(a)(2)", "the part above the threshold of the year",
        "max(0, before + supplemental - threshold) - max(0, before - threshold)", usd(apart.above), table=table,
        before=usd(detail.supplemental_before), supplemental=usd(wages), threshold=usd(law.threshold),
    )  # fmt: skip
    taxed = np.where(columns.exempt, 0, apart.flat)
    recorder.step(
        "supplemental_tax", "(a)(7)", "the flat rate, and the higher one above the threshold",
        "round_half_up(flat * flat_rate + above * above_rate, 0.01)", usd(apart.federal), rounding=CENT,
        table=TableRow(law.table.name, law.table.version, "federal flat_rate, above_rate"), flat=usd(taxed),
        flat_rate=rate(law.flat_rate, RATE_SCALE), above=usd(apart.above), above_rate=rate(law.above_rate, RATE_SCALE),
    )  # fmt: skip
    recorder.step(
        "withheld", "sum", "regular and supplemental wages together", "regular + supplemental_tax", usd(total),
        regular=usd(regular), supplemental_tax=usd(apart.federal),
    )  # fmt: skip
    recorder.more("federal_income_tax", FEDERAL, total, law.text["federal"]["citation"])


def add_states(
    results: Results, columns: Columns, detail: Detail, year: Int64s, tables: Tables, apart: Apart,
    recorder: Recorder | None,
) -> None:  # fmt: skip
    """Adds each state's tax on the wages set apart to its line of income tax, and says where none could be."""
    work, taxing = columns.work, tables.agreements.taxing(columns)
    for line in [line for line in results.lines if line.code == "state_income_tax"]:
        has = line.rows[detail.supplemental[line.rows] > 0]
        for at, calendar in enumerate(tables.federal.years):
            law, rows = tables.supplemental[calendar], has[year[has] == at]
            own = law.states.get(line.jurisdiction)
            if own is None or not len(rows):
                continue
            name = tables.names[line.jurisdiction]
            if "caveat" in own.text:
                words = f"Supplemental wages in {name}: {own.text['caveat']}."
                results.notes.append(Note("supplemental_caveat", words, rows))
            unshown = rows[line.cents[np.searchsorted(line.rows, rows)] == 0]
            if len(unshown) and own.text.get("needs_regular_tax"):
                words = (
                    f"The supplemental rate of {name} needs its tax withheld from regular wages; here there is none."
                )
                results.notes.append(Note("supplemental_caveat", words, unshown))
            if not own.text["verified"]:
                words = f"The supplemental rate of {name} is unverified."
                results.notes.append(Note("unverified_value", words, rows))
            entries = np.flatnonzero((taxing == STATES.index(line.jurisdiction)) & (apart.state > 0))
            entries = entries[year[work.paycheck[entries]] == at]
            entries = entries[np.isin(work.paycheck[entries], line.rows)]
            if len(entries) and own.apart:
                parts = _state_parts(columns, detail, own, apart, entries, STATES.index(line.jurisdiction))
                products = [cents * rates for _, cents, rates in parts]
                tax = half_up(sum(products[1:], products[0]), RATE_SCALE, own.round_to)
                place = np.searchsorted(line.rows, work.paycheck[entries])
                regular = line.cents[place]
                np.add.at(line.cents, place, tax)
                if recorder is not None:
                    row = f"states {line.jurisdiction}"
                    _record_part(recorder, law, row, RATE_SCALE, own.round_to, parts, regular, tax)
                    recorder.more("state_income_tax", line.jurisdiction, regular + tax, own.text["source"])


def _local_part(columns: Columns, detail: Detail, year: Int64s, laws: list[SupplementalLaw], state: Int64s) -> Int64s:
    """The supplemental wages of each entry of the local work that its place has a rate for: those of residents, where
    the state's flat rate is used."""
    local = columns.local
    if local is None:
        return np.zeros(0, dtype=np.int64)
    flat = np.zeros(len(columns), dtype=np.bool_)
    flat[columns.work.paycheck[state > 0]] = True
    known = np.zeros(len(local.paycheck), dtype=np.bool_)
    for at, law in enumerate(laws):
        has = np.array([code in law.locals for code in local.places], dtype=np.bool_)
        known |= has[local.place] & (year[local.paycheck] == at)
    share = part_of(detail.supplemental[local.paycheck], local.wages, columns.income_tax_wages[local.paycheck])
    return np.where(known & local.resident & flat[local.paycheck], np.minimum(share, local.wages), 0)


def add_locals(
    results: Results, columns: Columns, detail: Detail, year: Int64s, tables: Tables, apart: Apart,
    recorder: Recorder | None,
) -> None:  # fmt: skip
    """Adds each place's tax on the wages set apart to its line; says where a place withholds as on regular wages."""
    local = columns.local
    if local is None:
        return
    for at, calendar in enumerate(tables.federal.years):
        law, places = tables.supplemental[calendar], tables.localities.get(calendar)
        for index, code in enumerate(local.places if places is not None else ()):
            ours = (local.place == index) & (year[local.paycheck] == at) & (detail.supplemental[local.paycheck] > 0)
            as_regular = np.unique(local.paycheck[ours & (apart.local == 0)])
            if len(as_regular) and places is not None:
                words = f"Supplemental wages in {places.places[code].name} are withheld on as regular ones."
                results.notes.append(Note("local_supplemental", words, as_regular))
            entries = np.flatnonzero(ours & (apart.local > 0))
            if not len(entries) or places is None:
                continue
            tax = half_up(apart.local[entries] * law.locals[code], LOCAL_SCALE)
            where = places.places[code].taxes[0].jurisdiction
            for line in results.lines:
                if line.jurisdiction == where and line.kind == EMPLOYEE_TAX:
                    mine = np.isin(local.paycheck[entries], line.rows)
                    place = np.searchsorted(line.rows, local.paycheck[entries][mine])
                    regular = line.cents[place]
                    np.add.at(line.cents, place, tax[mine])
                    if recorder is not None and mine.any():
                        parts = [("supplemental", apart.local[entries], np.full(1, law.locals[code]))]
                        _record_part(recorder, law, f"locals {code}", LOCAL_SCALE, 1, parts, regular, tax)
                        recorder.more(line.code, where, regular + tax, law.text["locals"][code]["source"])


def _state_parts(
    columns: Columns, detail: Detail, own: StateSupplemental, apart: Apart, entries: Int64s, state: int
) -> list[tuple[str, Int64s, Int64s]]:
    """(what, cents, rate in millionths) whose products together are the state's tax."""
    rows, wages = columns.work.paycheck[entries], apart.state[entries]
    rates: Int64s = np.full(len(rows), own.band_rate[0] if len(own.band_rate) else 0, dtype=np.int64)
    if len(own.dates):
        rates = own.rates[np.searchsorted(own.dates, columns.pay_date[rows], side="right") - 1]
    if own.method == "fraction_of_federal":
        return [("federal_tax", part_of(apart.federal[rows], wages, apart.flat[rows] + apart.above[rows]), rates)]
    periods = _PERIODS[columns.frequency[rows]]
    if own.method == "by_salary":
        salary = at_least_zero(columns.gross[rows] - detail.nontaxable[rows] - detail.supplemental[rows]) * periods
        rates = own.band_rate[np.searchsorted(own.band_from, salary, side="right") - 1]
    if own.method == "flat_plus_local":
        said = columns.work.elections.get("local_rate")
        local = np.full_like(rates, NOT_GIVEN) if said is None else said[entries]
        home = columns.given["residence"][rows] if "residence" in columns.given else np.full_like(rates, NOT_GIVEN)
        local = np.where(local == NOT_GIVEN, own.default_local, local)
        rates = rates + np.where((home != NOT_GIVEN) & (home != state), own.nonresident_local, local)
    parts = [("supplemental", wages, rates)]
    if own.bonus_rate is not None:
        bonus = np.minimum(part_of(detail.bonus[rows], wages, detail.supplemental[rows]), wages)
        parts = [("supplemental", wages - bonus, rates), ("bonus", bonus, np.full_like(rates, own.bonus_rate))]
    if own.above is not None:
        over = at_least_zero(columns.work.wages[entries] * periods + wages - own.above)
        over = np.minimum(over, wages)
        parts = [("supplemental", wages - over, rates), ("above", over, np.full_like(rates, own.above_rate))]
    return parts


def _record_part(
    recorder: Recorder, law: SupplementalLaw, row: str, scale: int, round_to: int,
    parts: list[tuple[str, Int64s, Int64s]], regular: Int64s, tax: Int64s,
) -> None:  # fmt: skip
    """The steps of a tax on wages set apart, by (what, cents, rate over `scale`), and of its sum with the regular."""
    inputs = {name: usd(cents) for name, cents, _ in parts}
    inputs |= {f"{name}_rate": rate(rates, scale) for name, _, rates in parts}
    terms = " + ".join(f"{name} * {name}_rate" for name, _, _ in parts)
    to = f"{round_to // 100}.{round_to % 100:02d}"
    recorder.step(
        "supplemental_tax", "rate", "the own rate on supplemental wages", f"round_half_up({terms}, {to})", usd(tax),
        table=TableRow(law.table.name, law.table.version, row),
        rounding=CENT if round_to == 1 else f"to {to}, half up", **inputs,
    )  # fmt: skip
    recorder.step(
        "withheld", "sum", "regular and supplemental wages together", "regular + supplemental_tax",
        usd(regular + tax), regular=usd(regular), supplemental_tax=usd(tax),
    )  # fmt: skip
