"""State lines: income tax by each state's own method, its programmes, and unemployment insurance at a given rate."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from backoffice.payroll.calc.compiled import StateLaw, Withholding
from backoffice.payroll.calc.derivation import Recorder, TableRow, rate, text, usd
from backoffice.payroll.calc.exact import half_up
from backoffice.payroll.calc.fica import CENT, record_counted, up_to
from backoffice.payroll.calc.law import Tables
from backoffice.payroll.calc.methods import OtherTaxes, StateRows
from backoffice.payroll.calc.paycheck import (
    NOT_GIVEN,
    PERIODS,
    RATE_SCALE,
    STATES,
    W4_VERSIONS,
    Bools,
    Columns,
    Int64s,
    StateWork,
)
from backoffice.payroll.calc.programmes import programme_lines
from backoffice.payroll.calc.result import EMPLOYEE_TAX, EMPLOYER_TAX, Line, Note, Results

_PERIODS = np.array(PERIODS, dtype=np.int64)
_STATUS_UNUSED = "{} does not use the status given; it changes nothing."


class OtherTaxesOf:
    """Federal tax and FICA of the paychecks, made when the first state asks: given amounts, else the computed ones."""

    def __init__(self, results: Results, columns: Columns) -> None:
        self._results, self._columns = results, columns
        self._made: OtherTaxes | None = None

    def of(self, rows: Int64s) -> OtherTaxes:
        made = self._made = self._made or self._make()
        return OtherTaxes(made.federal_income_tax[rows], made.fica[rows], made.fica_deducted[rows])

    def _make(self) -> OtherTaxes:
        column, given = self._results.column, self._columns.given
        taxes: dict[str, Int64s] = {
            "federal_income_tax": column("federal_income_tax"),
            "fica": column("social_security") + column("medicare"),
            "fica_deducted": np.zeros(len(self._columns), dtype=np.int64),
        }
        for name, computed in taxes.items():
            if name in given:
                taxes[name] = np.where(given[name] == NOT_GIVEN, computed, given[name])
        return OtherTaxes(**taxes)


def state_taxes(results: Results, columns: Columns, year: Int64s, tables: Tables, recorder: Recorder | None) -> None:
    """Adds the state lines, notes and table versions to `results`. ValueError when a paycheck names a state twice."""
    others = OtherTaxesOf(results, columns)
    for state, calendar, entries in _groups(columns, year, tables):
        law = tables.states.get((state, calendar))
        work = columns.work.take(entries, law.elections if law is not None else ())
        if len(entries) > 1 and (np.diff(work.paycheck) <= 0).any():
            raise ValueError(f"a paycheck has more than one entry of work in {state}")
        if law is not None:
            results.tables.append((law.table.name, law.table.version, work.paycheck))
        if tables.has_income_tax(state) and law is not None:
            _income_tax(results, columns, work, law, tables, others, recorder)
        else:
            _no_income_tax(results, work, state, tables, recorder)
        if law is not None:
            programme_lines(results, columns, work, law, recorder)
        elif any(code == state for code, _ in tables.states):
            detail = f"Programmes of {tables.names[state]} are not known for {calendar} and are left out."
            results.notes.append(Note("programmes_year_not_known", detail, work.paycheck))
        _unemployment(results, work, state, calendar, tables, recorder)


def _groups(columns: Columns, year: Int64s, tables: Tables) -> Iterator[tuple[str, int, Int64s]]:
    """(state, calendar year, entries of the state work in the order of their paychecks)."""
    work, years = columns.work, tables.federal.years
    key = work.state * len(years) + year[work.paycheck]
    if not len(key):
        return
    if len(key) > 1 and (np.diff(work.paycheck) < 0).any():
        order = np.lexsort((work.paycheck, key))
    else:
        order = np.argsort(key.astype(np.int16), kind="stable")
    ordered = key[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    for begin, end in zip(starts.tolist(), [*starts[1:].tolist(), len(order)], strict=True):
        state, at = divmod(int(ordered[begin]), len(years))
        yield STATES[state], years[at], order[begin:end]


def _income_tax(
    results: Results, columns: Columns, work: StateWork, law: StateLaw, tables: Tables, others: OtherTaxesOf,
    recorder: Recorder | None,
) -> None:  # fmt: skip
    remaining = np.arange(len(work.paycheck), dtype=np.int64)
    amounts = np.zeros(len(remaining), dtype=np.int64)
    for version in law.withholding:
        covered = version.cover(getattr(columns, version.basis)[work.paycheck[remaining]])
        if covered.any():
            chosen = remaining[covered]
            part = work if len(chosen) == len(amounts) else work.take(chosen)
            _certificate_notes(results, part, law, version, tables)
            amounts[chosen] = _withhold(results, columns, part, version, law, others, recorder)
            remaining = remaining[~covered]
    if len(remaining):
        raise ValueError(f"no version of the withholding law of {law.state} covers some dates of {law.year}")
    results.lines.append(Line("state_income_tax", EMPLOYEE_TAX, law.state, work.paycheck, amounts))


def _withhold(
    results: Results, columns: Columns, work: StateWork, version: Withholding, law: StateLaw, others: OtherTaxesOf,
    recorder: Recorder | None,
) -> Int64s:  # fmt: skip
    frequency = columns.frequency[work.paycheck]
    mapped = version.status_of[columns.filing_status[work.paycheck]]
    default = mapped if law.default_status == NOT_GIVEN else max(int(version.own_status[law.default_status]), 0)
    own = version.own_status[np.maximum(work.status, 0)]
    status = np.where(work.certificate, np.where(work.status == NOT_GIVEN, mapped, own), default)
    nothing = np.zeros_like(work.allowances)
    rows = StateRows(
        wages=work.wages,
        frequency=frequency,
        periods=_PERIODS[frequency],
        status=status,
        allowances=np.where(work.certificate, work.allowances, nothing),
        secondary_allowances=np.where(work.certificate, work.secondary_allowances, nothing),
        certificate=work.certificate,
        elections=work.elections,
        nonresident=_lives_elsewhere(columns, work),
        others=others.of(work.paycheck) if version.method.asks else None,
    )
    exempt = rows.elected("exempt")[0] == 1
    spared = recorder is not None and bool(exempt[0])
    numerator, denominator = version.method.withhold(rows, None if spared else recorder)
    computed = half_up(numerator, denominator, version.round_to)
    extra, _ = rows.elected("additional_withholding")
    tax = np.where(exempt, 0, computed + extra)
    for name, used in version.method.defaults.items():
        silent = work.certificate & ~rows.elected(name)[1]
        if silent.any():
            detail = f"state_certificate.{name} of {law.state} was not given: {used} is used."
            results.notes.append(Note("state_election_default", detail, work.paycheck[silent]))
    for where, detail in version.method.caveats(rows):
        results.notes.append(Note("unverified_value", detail, work.paycheck[where]))
    if not version.verified:
        detail = f"The withholding law of {law.state} used here is unverified."
        results.notes.append(Note("unverified_value", detail, work.paycheck))
    if version.approximate:
        detail = f"The withholding of {law.state} is approximated from the figures of its annual return."
        results.notes.append(Note("approximate_withholding", detail, work.paycheck))
    if version.older_form is not None:
        older = columns.w4_version[work.paycheck] == W4_VERSIONS.index("2019_or_earlier")
        if older.any():
            results.notes.append(Note("unverified_value", f"{law.state}: {version.older_form}.", work.paycheck[older]))
    if recorder is not None:
        _record_withheld(recorder, version, (numerator, denominator), computed, extra, spared, tax)
        recorder.line("state_income_tax", EMPLOYEE_TAX, law.state, tax, version.citation)
    return tax


def _lives_elsewhere(columns: Columns, work: StateWork) -> Bools:
    """Whose home is known to be in another state than the work."""
    if "residence" not in columns.given:
        return np.zeros(len(work.paycheck), dtype=np.bool_)
    home = columns.given["residence"][work.paycheck]
    away: Bools = (home != NOT_GIVEN) & (home != work.state)
    return away


def _record_withheld(
    recorder: Recorder, version: Withholding, exact: tuple[Int64s, Int64s], computed: Int64s, extra: Int64s,
    exempt: bool, tax: Int64s,
) -> None:  # fmt: skip
    if exempt:
        recorder.step(
            "withheld", "exempt", "the employee claims exemption on the state's form", "0", usd(tax),
            claim=text("exempt"),
        )  # fmt: skip
        return
    to = version.round_to
    recorder.step(
        "withheld", "last", "rounded once", f"round_half_up(tax, {to // 100}.{to % 100:02d})", usd(computed),
        rounding=CENT if to == 1 else f"to {to} cents, half up", tax=usd(*exact),
    )  # fmt: skip
    if int(extra[0]):
        recorder.step(
            "withheld_with_extra", "last", "plus the extra amount of the state's form",
            "withheld + additional_withholding", usd(tax), withheld=usd(computed), additional_withholding=usd(extra),
        )  # fmt: skip


def _certificate_notes(results: Results, work: StateWork, law: StateLaw, version: Withholding, tables: Tables) -> None:
    name, method = tables.names[law.state], version.method
    absent = ~work.certificate
    has_statuses = len(method.statuses) > 1
    unmapped = work.certificate & (work.status == NOT_GIVEN) & has_statuses
    idle_status = work.certificate & (work.status > 0) & (not has_statuses)  # 0 is "all", the column itself
    unused = work.certificate & (
        ((work.allowances > 0) & (not method.uses_allowances))
        | ((work.secondary_allowances > 0) & (not method.uses_secondary_allowances))
    )
    for code, where, detail in (
        (
            "state_certificate_default",
            absent,
            f"No state certificate: the default of {name} is used, {law.default_words}.",
        ),
        ("state_status_mapped", unmapped, f"The status for {name} is mapped from the federal filing status."),
        ("state_status_unused", idle_status, _STATUS_UNUSED.format(name)),
        ("state_allowances_unused", unused, f"{name} does not use all of the allowances given; they change nothing."),
    ):
        if where.any():
            results.notes.append(Note(code, detail, work.paycheck[where]))


def _no_income_tax(results: Results, work: StateWork, state: str, tables: Tables, recorder: Recorder | None) -> None:
    table = tables.jurisdictions
    nothing = np.zeros_like(work.wages)
    results.tables.append((table.name, table.version, work.paycheck))
    results.lines.append(Line("state_income_tax", EMPLOYEE_TAX, state, work.paycheck, nothing))
    name = tables.names[state]
    for code, unused, detail in (
        ("state_status_unused", work.certificate & (work.status > 0), _STATUS_UNUSED.format(name)),
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
    wages, before, rates = work.wages[given], work.ytd_sui_wages[given], work.sui_rate[given]
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
