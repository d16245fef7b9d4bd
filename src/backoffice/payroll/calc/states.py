"""State lines: income tax by each state's own method, its programmes, and unemployment insurance at a given rate."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from backoffice.payroll.calc.certificate_notes import STATUS_UNUSED
from backoffice.payroll.calc.compiled import StateLaw
from backoffice.payroll.calc.derivation import Recorder, TableRow, rate, text, usd
from backoffice.payroll.calc.exact import half_up
from backoffice.payroll.calc.fica import CENT, record_counted, up_to
from backoffice.payroll.calc.law import Tables
from backoffice.payroll.calc.paycheck import (
    NOT_GIVEN,
    PERIODS,
    RATE_SCALE,
    STATES,
    Columns,
    Int64s,
    StateWork,
)
from backoffice.payroll.calc.programmes import programme_lines
from backoffice.payroll.calc.result import EMPLOYEE_TAX, EMPLOYER_TAX, Line, Note, Results
from backoffice.payroll.calc.withholding import OtherTaxesOf, income_tax

_PERIODS = np.array(PERIODS, dtype=np.int64)


def state_taxes(
    results: Results, columns: Columns, withheld: StateWork, year: Int64s, tables: Tables, recorder: Recorder | None
) -> None:
    """Adds the state lines, notes and table versions to `results`. ValueError when a paycheck names a state twice."""
    everywhere = columns.work
    others = OtherTaxesOf(results, columns)
    together = withheld is everywhere  # nobody is withheld for another state than that of the work
    for state, calendar, law, work in _groups(withheld, year, tables):
        if law is not None:
            results.tables.append((law.table.name, law.table.version, work.paycheck))
        if tables.has_income_tax(state) and law is not None:
            income_tax(results, columns, work, law, tables, others, recorder)
        else:
            _no_income_tax(results, work, state, tables, recorder)
        if together:
            _of_the_place(results, columns, work, state, calendar, tables, recorder)
    if not together:
        for state, calendar, _, work in _groups(everywhere, year, tables):
            _of_the_place(results, columns, work, state, calendar, tables, recorder)


def _of_the_place(
    results: Results, columns: Columns, work: StateWork, state: str, calendar: int, tables: Tables,
    recorder: Recorder | None,
) -> None:  # fmt: skip
    """What follows the place of work wherever income tax is withheld: programmes and unemployment insurance."""
    law = tables.states.get((state, calendar))
    if law is not None:
        programme_lines(results, columns, work, law, recorder)
    elif any(code == state for code, _ in tables.states):
        detail = f"Programmes of {tables.names[state]} are not known for {calendar} and are left out."
        results.notes.append(Note("programmes_year_not_known", detail, work.paycheck))
    _unemployment(results, work, state, calendar, tables, recorder)


def _groups(work: StateWork, year: Int64s, tables: Tables) -> Iterator[tuple[str, int, StateLaw | None, StateWork]]:
    """(state, calendar year, its law, its part of the state work in the order of the paychecks). ValueError when a
    paycheck names a state twice."""
    years = tables.federal.years
    key = work.state * len(years) + year[work.paycheck]
    if not len(key):
        return
    if len(key) > 1 and (np.diff(work.paycheck) < 0).any():
        order = np.lexsort((work.paycheck, key))
    else:
        order = np.argsort(key.astype(np.int16), kind="stable")
    ordered = key[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    arranged = work if len(order) == 1 else work.arranged(order)
    for begin, end in zip(starts.tolist(), [*starts[1:].tolist(), len(order)], strict=True):
        state, at = divmod(int(ordered[begin]), len(years))
        law = tables.states.get((STATES[state], years[at]))
        part = arranged.part(begin, end, law.elections if law is not None else ())
        if len(part.paycheck) > 1 and (np.diff(part.paycheck) <= 0).any():
            raise ValueError(f"a paycheck has more than one entry of work in {STATES[state]}")
        yield STATES[state], years[at], law, part


def _no_income_tax(results: Results, work: StateWork, state: str, tables: Tables, recorder: Recorder | None) -> None:
    table = tables.jurisdictions
    nothing = np.zeros_like(work.wages)
    results.tables.append((table.name, table.version, work.paycheck))
    results.lines.append(Line("state_income_tax", EMPLOYEE_TAX, state, work.paycheck, nothing))
    name = tables.names[state]
    for code, unused, detail in (
        ("state_status_unused", work.certificate & (work.status > 0), STATUS_UNUSED.format(name)),
        (
            "state_allowances_unused",
            work.certificate & ((work.allowances > 0) | (work.secondary_allowances > 0)),
            f"{name} does not use the allowances given; they change nothing.",
        ),
    ):
        if unused.any():
            results.notes.append(Note(code, detail, work.paycheck[unused]))
    if recorder is not None:
        recorder.step(
            "tax", "none", f"{name} has no income tax on wages", "0", usd(nothing),
            table=TableRow(table.name, table.version, f"states {state}"), state=text(state),
        )  # fmt: skip
        recorder.line("state_income_tax", EMPLOYEE_TAX, state, nothing, tables.untaxed_because(state))


def _unemployment(
    results: Results, work: StateWork, state: str, calendar: int, tables: Tables, recorder: Recorder | None
) -> None:
    given = np.flatnonzero(work.sui_rate != NOT_GIVEN)
    if not len(given):
        return
    rows = work.paycheck[given]
    base = tables.sui_wage_base(state, calendar)
    if base is None:
        detail = f"The unemployment wage base of {tables.names[state]} is not known for {calendar}: sui is left out."
        results.notes.append(Note("sui_base_not_known", detail, rows))
        return
    table, document = tables.unemployment[calendar]
    wages, before, rates = work.insured[given], work.ytd_sui_wages[given], work.sui_rate[given]
    counted = up_to(wages, before, base)
    tax = half_up(counted * rates, RATE_SCALE)
    results.tables.append((table.name, table.version, rows))
    results.lines.append(Line("sui", EMPLOYER_TAX, state, rows, tax))
    if not document["wage_base"][state]["verified"]:
        detail = f"The unemployment wage base of {tables.names[state]} is unverified."
        results.notes.append(Note("unverified_value", detail, rows))
    if recorder is not None:
        where = TableRow(table.name, table.version, f"wage_base {state}")
        record_counted(recorder, wages, before, np.full_like(wages, base), counted, where)
        recorder.step(
            "tax", "2", "at the employer's own rate", "round_half_up(counted * rate, 0.01)", usd(tax), rounding=CENT,
            counted=usd(counted), rate=rate(rates, RATE_SCALE),
        )  # fmt: skip
        recorder.line("sui", EMPLOYER_TAX, state, tax, document["meta"]["citation"])
