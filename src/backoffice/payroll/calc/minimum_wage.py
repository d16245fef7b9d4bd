"""The minimum wage for the hours worked: what deductions for the employer's benefit must leave (29 CFR 531.35)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np

from backoffice.payroll.calc.detail import HOURS_SCALE, Detail
from backoffice.payroll.calc.exact import cents
from backoffice.payroll.calc.law import Tables
from backoffice.payroll.calc.paycheck import STATES, Columns, Dates, Int64s
from backoffice.payroll.calc.result import Note, Results


def hourly(document: Mapping[str, Any], state: str, days: Dates) -> Int64s:
    """Cents an hour in a state on each day: the state's or the federal wage, whichever is higher."""
    federal = cents(document["federal"]["amount"])
    rows = document["states"].get(state, {"rows": ()})["rows"]
    wages = np.array([0, *(cents(row["amount"]) for row in rows)], dtype=np.int64)
    since = np.array([row["from"] for row in rows], dtype="datetime64[D]")
    return np.maximum(federal, wages[np.searchsorted(since, days, side="right")])


def below_minimum_wage(
    document: Mapping[str, Any], states: Sequence[str], day: date, hours: int, pay: int, tips: int
) -> str | None:
    """What is wrong with the cents paid for hours worked (ten-thousandths), None when it is enough: the highest minimum
    wage of the states of work. Tips make up the rest of it where every one of them lets them (29 USC 203(m)(2)(A))."""
    days = np.array([day], dtype="datetime64[D]")
    wage = max(int(hourly(document, state, days)[0]) for state in states)
    least, tipped = f"the minimum wage of {wage // 100}.{wage % 100:02d} an hour", document["tipped"]
    if pay * HOURS_SCALE >= hours * wage:
        return None
    if not tips:
        return f"The pay for the hours worked is below {least}."
    if set(tipped["no_credit"]["states"]) & set(states):
        return f"The pay for the hours worked is below {least}, towards which tips do not count there."
    if pay * HOURS_SCALE < hours * cents(tipped["cash_wage"]):
        return f"The pay for the hours worked is below the {tipped['cash_wage']} an hour that is owed beside tips."
    if (pay + tips) * HOURS_SCALE < hours * wage:
        return f"The pay for the hours worked is below {least}, tips included."
    return (
        f"The pay for the hours worked reaches {least} only with tips; what a state asks for beside tips is not known."
    )


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
    for at, calendar in enumerate(tables.federal.years):
        if calendar not in tables.minimum_wage:
            continue
        table, document = tables.minimum_wage[calendar]
        ours = asked & (year == at) & (detail.hours >= 0)
        entries = np.flatnonzero(ours[work.paycheck])
        for code in np.unique(work.state[entries]).tolist():
            here = work.paycheck[entries[work.state[entries] == code]]
            wage = hourly(document, STATES[code], columns.pay_date[here])
            np.maximum.at(floor, here, -(-detail.hours[here] * wage // HOURS_SCALE))
            if not document["states"].get(STATES[code], {"verified": True})["verified"]:
                words = f"The minimum wage of {tables.names[STATES[code]]} is unverified."
                results.notes.append(Note("unverified_value", words, np.unique(here)))
        known |= ours
        if ours.any():
            results.tables.append((table.name, table.version, np.flatnonzero(ours)))
    unknown = np.flatnonzero(asked & ~known)
    if len(unknown):
        words = "The hours worked or the minimum wage are not known: deductions are not held against the minimum wage."
        results.notes.append(Note("minimum_wage_not_checked", words, unknown))
    return floor
