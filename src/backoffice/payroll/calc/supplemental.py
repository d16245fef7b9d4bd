"""Supplemental wages: 22 %, 37 % above a million of them in the year, and each state's own rate (26 CFR 31.3402(g)-1).

Deductions lower the regular wages first, the supplemental ones with what is left. With the aggregate method, and in
states that have no rate of their own, supplemental wages are withheld on as one payment with the regular ones. The tax
on what is set apart is added exactly to that on the regular wages, and the sum rounded once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from backoffice.payroll.calc.derivation import Recorder, TableRow, rate, usd
from backoffice.payroll.calc.detail import Detail
from backoffice.payroll.calc.exact import Exact, at_least_zero, half_up, half_up_sum, part_of
from backoffice.payroll.calc.fica import CENT
from backoffice.payroll.calc.law import Tables
from backoffice.payroll.calc.paycheck import RATE_SCALE, STATES, Columns, Int64s
from backoffice.payroll.calc.result import EMPLOYEE_TAX, Line, Note, Results
from backoffice.payroll.calc.supplemental_law import LOCAL_SCALE, SupplementalLaw
from backoffice.payroll.calc.supplemental_parts import Apart, Parts, state_parts


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
    tax = np.where(columns.exempt, 0, flat) * rates[:, 0] + above * rates[:, 1]
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
    """Adds the tax on the wages set apart to the line of federal income tax, which is rounded once."""
    (line,) = [line for line in results.lines if line.code == "federal_income_tax"]
    regular = line.cents.copy()
    _add(line, np.flatnonzero(apart.federal), (apart.federal[apart.federal > 0], RATE_SCALE))
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
            _record_federal(recorder, columns, detail, law, apart, line)


def _record_federal(
    recorder: Recorder, columns: Columns, detail: Detail, law: SupplementalLaw, apart: Apart, line: Line
) -> None:
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
        "flat * flat_rate + above * above_rate", usd(apart.federal, RATE_SCALE),
        table=TableRow(law.table.name, law.table.version, "federal flat_rate, above_rate"), flat=usd(taxed),
        flat_rate=rate(law.flat_rate, RATE_SCALE), above=usd(apart.above), above_rate=rate(law.above_rate, RATE_SCALE),
    )  # fmt: skip
    names = ("tax", "step4c") if bool(columns.exempt[0]) else ("less_credit", "step4c", "tax")
    _record_sum(recorder, line, (apart.federal, RATE_SCALE), law.text["federal"]["citation"], *names)


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
                parts = state_parts(columns, detail, own, apart, entries, STATES.index(line.jurisdiction))
                tax = parts.tax(own.round_to)
                _add(line, np.searchsorted(line.rows, parts.rows), tax)
                if recorder is not None:
                    _record_parts(recorder, law, f"states {line.jurisdiction}", own.round_to, parts)
                    # A state that rounds to whole dollars rounds the regular part by itself.
                    regular, dropped = ("withheld", ()) if _is_rounded(line) else ("tax", ("withheld",))
                    names = (regular, "additional_withholding", "withheld_with_extra", *dropped)
                    _record_sum(recorder, line, tax, own.text["source"], *names)


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
            where = places.places[code].taxes[0].jurisdiction
            for line in results.lines:
                if line.jurisdiction == where and line.kind == EMPLOYEE_TAX:
                    mine = entries[np.isin(local.paycheck[entries], line.rows)]
                    rates = np.full_like(mine, law.locals[code])
                    parts = Parts(local.paycheck[mine], [("supplemental", apart.local[mine], rates)], 1, LOCAL_SCALE)
                    _add(line, np.searchsorted(line.rows, parts.rows), parts.tax(1))
                    if recorder is not None and len(mine):
                        _record_parts(recorder, law, f"locals {code}", 1, parts)
                        names = ("local_tax", "additional_withholding", "withheld")
                        _record_sum(recorder, line, parts.tax(1), law.text["locals"][code]["source"], *names)


def _add(line: Line, places: Int64s, tax: Exact) -> None:
    """Adds a tax to the amounts at some places of a line, each rounded once with what it was before it was rounded."""
    assert line.exact is not None
    regular = line.exact[0][places], line.exact[1][places]
    line.cents[places] += half_up_sum(regular, tax) - half_up(*regular)


def _is_rounded(line: Line) -> bool:
    return line.exact is not None and int(line.exact[1][0]) == 1


def _record_parts(recorder: Recorder, law: SupplementalLaw, row: str, round_to: int, parts: Parts) -> None:
    inputs: dict[str, Any] = {name: usd(cents, parts.by) for name, cents, _ in parts.each}
    inputs |= {f"{name}_rate": rate(rates, parts.scale) for name, _, rates in parts.each}
    terms = " + ".join(f"{name} * {name}_rate" for name, _, _ in parts.each)
    to = f"{round_to // 100}.{round_to % 100:02d}"
    recorder.step(
        "supplemental_tax", "rate", "the own rate on supplemental wages",
        terms if round_to == 1 else f"round_half_up({terms}, {to})", usd(*parts.tax(round_to)),
        table=TableRow(law.table.name, law.table.version, row),
        rounding=None if round_to == 1 else f"to {to}, half up", **inputs,
    )  # fmt: skip


def _record_sum(
    recorder: Recorder, line: Line, tax: Exact, citation: str, regular: str, extra: str, *instead_of: str
) -> None:
    """The step that adds regular and supplemental wages up, in place of those that rounded the regular part alone.
    `regular` names the step before them, `extra` what the form asks for in addition."""
    assert line.exact is not None
    inputs: dict[str, Any] = {regular: usd(*line.exact), "supplemental_tax": usd(*tax)}
    more = int(line.cents[0] - half_up_sum(line.exact, tax)[0])
    if more:
        inputs[extra] = usd(more)
    recorder.step(
        "total", "sum", "regular and supplemental wages together, rounded once",
        f"round_half_up({' + '.join(inputs)}, 0.01)", usd(line.cents), rounding=CENT, **inputs,
    )  # fmt: skip
    recorder.more(line.code, line.jurisdiction, line.cents, citation, instead_of)
