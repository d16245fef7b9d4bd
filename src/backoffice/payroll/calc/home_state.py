"""What a state wants of its residents who work elsewhere, where it says so (Kansas, KW-100): its own amount on the
total wages less what the states of work require, not below zero. It stands in place of its amount on the work at home.

Its amount is that of the same paycheck with all of the work at home. The certificate is that of an entry of work in the
home state, which may have no wages and then is nothing else; without one the state's default counts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from backoffice.payroll.calc.derivation import Recorder, TableRow, usd
from backoffice.payroll.calc.exact import at_least_zero, sum_at
from backoffice.payroll.calc.law import Tables
from backoffice.payroll.calc.paycheck import NOT_GIVEN, STATES, Columns, Int64s, StateWork
from backoffice.payroll.calc.result import EMPLOYEE_TAX, Line, Note, Results

_EXTRA = "additional_withholding"


@dataclass(frozen=True, slots=True)
class AtHome:
    """`rows`: the paychecks, `columns`: those with all of the work in the state of the home, `elsewhere`: all paychecks
    without entries of work that are there for their certificate alone."""

    rows: Int64s
    columns: Columns
    elsewhere: Columns


def at_home(columns: Columns, year: Int64s, tables: Tables) -> AtHome | None:
    """The residents of such a state who work elsewhere, None where there are none or its law does not cover them."""
    if "residence" not in columns.given:
        return None
    home, work = columns.given["residence"], columns.work
    wants = np.array([state in tables.agreements.of_residents for state in STATES])
    wants_of = (home != NOT_GIVEN) & wants[home] & tables.published[home, year, columns.frequency]
    away = wants_of[work.paycheck] & (work.state != home[work.paycheck])
    rows = np.unique(work.paycheck[away])
    if not len(rows):
        return None
    ours = columns.take(rows)
    given = {name: column for name, column in ours.given.items() if name != "residence"}
    whole = replace(ours, work=_all_at_home(ours.work, home[rows]), given=given, local=None)
    idle = np.isin(work.paycheck, rows) & (work.state == home[work.paycheck])
    idle &= (work.wages == 0) & (work.insured == 0) & (work.sui_rate == NOT_GIVEN)
    there = replace(columns, work=work.take(np.flatnonzero(~idle))) if idle.any() else columns
    return AtHome(rows, whole, there)


def _all_at_home(work: StateWork, home: Int64s) -> StateWork:
    """One entry a paycheck: all wages in the state `home`, with the certificate of the entry that is there."""
    size = len(home)
    own = np.full(size, NOT_GIVEN, dtype=np.int64)
    there = np.flatnonzero(work.state == home[work.paycheck])
    own[work.paycheck[there]] = there
    said = own != NOT_GIVEN

    def of(column: Int64s, default: int) -> Int64s:
        return np.where(said, column[own], default)

    nothing = np.zeros(size, dtype=np.int64)
    return StateWork(
        paycheck=np.arange(size, dtype=np.int64), state=home, wages=sum_at(work.paycheck, work.wages, size),
        certificate=said & work.certificate[own], status=of(work.status, NOT_GIVEN),
        allowances=of(work.allowances, 0), secondary_allowances=of(work.secondary_allowances, 0),
        sui_rate=nothing + NOT_GIVEN, ytd_sui_wages=nothing,
        elections={name: of(column, NOT_GIVEN) for name, column in work.elections.items()},
    )  # fmt: skip


def withhold_at_home(
    results: Results, home: AtHome, whole: Results, tables: Tables, recorder: Recorder | None, of_whole: Recorder | None
) -> None:
    """Puts what is left for the state of the home into `results`, which hold the taxes of the states of work. `whole`:
    the taxes of `home.columns`, `of_whole` their derivation."""
    rows, states = home.rows, home.columns.work.state
    amount, extra = whole.column("state_income_tax"), _extra(home.columns.work, len(rows))
    required = -_extra_of(home, states)
    elsewhere: dict[str, Any] = {}
    lines, results.lines = results.lines, []
    for line in lines:
        if line.code != "state_income_tax":
            results.lines.append(line)
            continue
        mine = np.isin(line.rows, rows)
        place = np.searchsorted(rows, line.rows[mine])
        is_home = states[place] == STATES.index(line.jurisdiction)
        required += sum_at(place[~is_home], line.cents[mine][~is_home], len(rows))
        if recorder is not None and len(place) and not is_home[0]:
            elsewhere[f"state_income_tax_{line.jurisdiction}"] = usd(line.cents)
        mine[mine] = is_home  # the work at home alone: another amount stands in its place
        if not mine.all():
            results.lines.append(replace(line, rows=line.rows[~mine], cents=line.cents[~mine], exact=None))
    left = at_least_zero(amount - extra - required) + extra
    for code in np.unique(states).tolist():
        ours = states == code
        state, name = STATES[code], tables.names[STATES[code]]
        results.lines.append(Line("state_income_tax", EMPLOYEE_TAX, state, rows[ours], left[ours]))
        words = f"{tables.agreements.of_residents[state]} {name} is withheld for what is left."
        results.notes.append(Note("residence_withheld", words, rows[ours]))
    results.tables += [(name, version, rows[used]) for name, version, used in whole.tables]
    results.tables.append((tables.agreements.table.name, tables.agreements.table.version, rows))
    _notes(results, whole, rows)
    if recorder is not None and of_whole is not None:
        _record(recorder, of_whole, STATES[int(states[0])], tables, elsewhere, required, amount, extra, left)


def _extra(work: StateWork, size: int) -> Int64s:
    """What the certificates ask for in addition, by paycheck: it is not required."""
    if _EXTRA not in work.elections:
        return np.zeros(size, dtype=np.int64)
    asked = np.where(work.certificate, at_least_zero(work.elections[_EXTRA]), 0)
    if "exempt" in work.elections:
        asked = np.where(work.elections["exempt"] == 1, 0, asked)
    return sum_at(work.paycheck, asked, size)


def _extra_of(home: AtHome, states: Int64s) -> Int64s:
    """What is asked for in addition elsewhere."""
    columns = home.elsewhere.take(home.rows)
    return _extra(columns.work.take(np.flatnonzero(columns.work.state != states[columns.work.paycheck])), len(states))


def _notes(results: Results, whole: Results, rows: Int64s) -> None:
    """Adds what must be known of the whole that is not said already."""
    for note in whole.notes:
        said = [each.rows for each in results.notes if (each.code, each.detail) == (note.code, note.detail)]
        new = np.setdiff1d(rows[note.rows], np.concatenate(said)) if said else rows[note.rows]
        if len(new):
            results.notes.append(Note(note.code, note.detail, new))


def _record(
    recorder: Recorder, whole: Recorder, state: str, tables: Tables, elsewhere: dict[str, Any], required: Int64s,
    amount: Int64s, extra: Int64s, left: Int64s,
) -> None:  # fmt: skip
    (line,) = whole.derivation().of("state_income_tax")
    table = TableRow(tables.agreements.table.name, tables.agreements.table.version, f"residents_elsewhere {state}")
    asked = int(sum(value.exact * 100 for value in elsewhere.values()) - required[0])
    inputs = elsewhere | ({"asked_in_addition": usd(asked)} if asked else {})
    whole.step(
        "required_elsewhere", "residence", "what the states of work require",
        (" + ".join(elsewhere) or "0") + (" - asked_in_addition" if asked else ""), usd(required), **inputs,
    )  # fmt: skip
    name = line.steps[-1].name
    both: dict[str, Any] = {name: usd(amount), "required_elsewhere": usd(required)}
    more = " - additional_withholding" if int(extra[0]) else ""
    if more:
        both["additional_withholding"] = usd(extra)
    whole.step(
        "left", "residence", "the amount on all wages less that, not below zero",
        f"max(0, {name}{more} - required_elsewhere){more.replace('-', '+')}", usd(left), table=table, **both,
    )  # fmt: skip
    whole.more("state_income_tax", state, left, tables.agreements.of_residents[state])
    recorder.put(whole.derivation().of("state_income_tax")[0])
