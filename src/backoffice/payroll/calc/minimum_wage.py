"""The minimum wage for the hours worked: what deductions for the employer's benefit must leave (29 CFR 531.35)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from backoffice.payroll.calc.detail import HOURS_SCALE, Detail
from backoffice.payroll.calc.exact import cents
from backoffice.payroll.calc.law import Tables
from backoffice.payroll.calc.paycheck import STATES, Columns, Int64s
from backoffice.payroll.calc.result import Note, Results


def hourly(document: Mapping[str, Any], state: str, day: np.datetime64) -> int:
    """Cents an hour in a state on a day: the state's or the federal wage, whichever is higher."""
    federal = cents(document["federal"]["amount"])
    rows = document["states"].get(state, {"rows": ()})["rows"]
    own = [cents(row["amount"]) for row in rows if np.datetime64(row["from"]) <= day]
    return max(federal, own[-1] if own else 0)


def wage_floor(
    results: Results, columns: Columns, detail: Detail, year: Int64s, tables: Tables, rows: Int64s
) -> Int64s:
    """Cents, one per paycheck: hours x the highest minimum wage of its states of work, for the paychecks `rows`; zero,
    with a note, where hours or wage are not known. Rounded up, so that no part of a cent is missing."""
    floor = np.zeros(len(columns), dtype=np.int64)
    asked = np.zeros(len(columns), dtype=np.bool_)
    asked[rows] = True
    known = np.zeros(len(columns), dtype=np.bool_)
    work = columns.work
    for entry in np.flatnonzero(asked[work.paycheck]).tolist():
        row = int(work.paycheck[entry])
        found = tables.minimum_wage.get(tables.federal.years[int(year[row])])
        if found is None or detail.hours[row] < 0:
            continue
        table, document = found
        state = STATES[int(work.state[entry])]
        wage = hourly(document, state, columns.pay_date[row])
        floor[row] = max(int(floor[row]), -(-int(detail.hours[row]) * wage // HOURS_SCALE))
        known[row] = True
        here = np.array([row], dtype=np.int64)
        results.tables.append((table.name, table.version, here))
        if not document["states"].get(state, {"verified": True})["verified"]:
            words = f"The minimum wage of {tables.names[state]} is unverified."
            results.notes.append(Note("unverified_value", words, here))
    unknown = np.flatnonzero(asked & ~known)
    if len(unknown):
        words = "The hours worked or the minimum wage are not known: deductions are not held against the minimum wage."
        results.notes.append(Note("minimum_wage_not_checked", words, unknown))
    return floor
