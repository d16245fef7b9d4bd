"""Lines of local taxes: every tax of every place a paycheck belongs to, and counties named by a certificate's rate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from backoffice.payroll.calc.derivation import Recorder, text, usd
from backoffice.payroll.calc.exact import half_up
from backoffice.payroll.calc.fica import CENT
from backoffice.payroll.calc.law import Tables
from backoffice.payroll.calc.localities import LocalTax, Place
from backoffice.payroll.calc.methods import Method, StateRows
from backoffice.payroll.calc.methods.local_rows import LocalRows
from backoffice.payroll.calc.paycheck import NOT_GIVEN, STATES, Bools, Columns, Int64s, StateWork
from backoffice.payroll.calc.result import EMPLOYEE_TAX, EMPLOYER_TAX, Line, Note, Results
from backoffice.payroll.calc.withholding import OtherTaxesOf, by_version, state_rows

_INDIANA = STATES.index("IN")


def local_taxes(results: Results, columns: Columns, year: Int64s, tables: Tables, recorder: Recorder | None) -> None:
    """Adds the local lines, notes and table versions to `results`."""
    years = np.flatnonzero(np.bincount(year)).tolist()
    local, calendars = columns.local, [tables.federal.years[at] for at in years]
    others = OtherTaxesOf(results, columns)
    for calendar in calendars:
        places = tables.localities.get(calendar)
        if places is None:
            continue
        in_year = year == tables.federal.years.index(calendar)
        used = [_counties_by_rate(results, columns, in_year, calendar, tables, others, recorder)]
        for index, code in enumerate(local.places if local is not None else ()):
            assert local is not None
            entries = np.flatnonzero((local.place == index) & in_year[local.paycheck])
            if not len(entries):
                continue
            place = places.places[code]
            for tax in place.taxes:
                rows = local.paycheck[entries], local.wages[entries], local.resident[entries]
                _tax(results, columns, place, tax, rows, calendar, tables, others, recorder)
            used.append(local.paycheck[entries])
        here = np.zeros(len(columns), dtype=np.bool_)
        for rows_used in used:
            here[rows_used] = True
        if here.any():
            results.tables.append((places.table.name, places.table.version, np.flatnonzero(here)))


def _counties_by_rate(
    results: Results, columns: Columns, in_year: Bools, calendar: int, tables: Tables, others: OtherTaxesOf,
    recorder: Recorder | None,
) -> Int64s:  # fmt: skip
    """Indiana counties that a certificate names by their rate alone; the paychecks they are in. Who has neither that
    nor a place is told."""
    work, local = _work_in(columns, _INDIANA, tables), columns.local
    entries = np.flatnonzero(in_year[work.paycheck])
    if not len(entries):
        return entries
    if local is not None:
        counties = [index for index, code in enumerate(local.places) if code.startswith("IN-")]
        entries = entries[~np.isin(work.paycheck[entries], local.paycheck[np.isin(local.place, counties)])]
    said = (
        work.elections["county_rate"][entries] if "county_rate" in work.elections else np.full_like(entries, NOT_GIVEN)
    )
    nowhere = work.paycheck[entries[said == NOT_GIVEN]]
    if len(nowhere):
        detail = "No county of Indiana is on file: county tax is left out."
        results.notes.append(Note("county_not_known", detail, np.sort(nowhere)))
    named = entries[said != NOT_GIVEN]
    named = named[np.argsort(work.paycheck[named], kind="stable")]
    if len(named):
        places = tables.localities[calendar]
        rows = work.paycheck[named], work.wages[named], np.ones(len(named), dtype=np.bool_)
        county = Place("IN-COUNTY", "IN", "the county", (places.by_rate,))
        _tax(results, columns, county, places.by_rate, rows, calendar, tables, others, recorder)
    owners: Int64s = work.paycheck[named]
    return owners


def _tax(
    results: Results, columns: Columns, place: Place, tax: LocalTax, rows: tuple[Int64s, Int64s, Bools], calendar: int,
    tables: Tables, others: OtherTaxesOf, recorder: Recorder | None,
) -> None:  # fmt: skip
    paycheck, wages, resident = rows
    law = tables.states.get((place.state, calendar))
    if not tax.method.asks_state:
        amounts, exact = _rounded(columns, tax, rows, None, recorder)
    else:
        work, where = _work_of(_work_in(columns, STATES.index(place.state), tables), paycheck)
        if not where.all():
            detail = (
                f"{place.name}: its tax builds on the form of {tables.names[place.state]}, which is not withheld here."
            )
            results.notes.append(Note("local_tax_without_state", detail, paycheck[~where]))
            paycheck, wages, resident = paycheck[where], wages[where], resident[where]
        amounts = np.zeros(len(paycheck), dtype=np.int64)
        exact = np.zeros_like(amounts), np.ones_like(amounts)
        assert law is not None
        for version, chosen in by_version(columns, work, law):
            state = state_rows(columns, work.take(chosen), version, law, others)
            part = (paycheck[chosen], wages[chosen], resident[chosen])
            exempt = (state.elected("exempt")[0] == 1) & (tax.kind != "on_state_base")
            spared = recorder is not None and bool(exempt[0])
            taxed, (numerator, by) = _rounded(columns, tax, part, (state, version.method), None if spared else recorder)
            amounts[chosen] = np.where(exempt, 0, taxed)
            exact[0][chosen], exact[1][chosen] = np.where(exempt, 0, numerator), by
            if recorder is not None and spared:
                recorder.step(
                    "local_tax", "exempt", "the employee claims exemption on the state's form", "0", usd(0),
                    claim=text("exempt"),
                )  # fmt: skip
    kind = EMPLOYER_TAX if tax.method.employer else EMPLOYEE_TAX
    kept = exact if results.keeps_exact else None
    results.lines.append(Line(tax.method.line, kind, tax.jurisdiction, paycheck, amounts, tax.method.programme, kept))
    if not tax.verified:
        results.notes.append(Note("unverified_value", f"The local rates of {place.name} are unverified.", paycheck))
    if tax.note is not None:
        results.notes.append(Note("local_note", f"{place.name}: {tax.note}.", paycheck))
    if recorder is not None and len(paycheck):
        recorder.line(tax.method.line, kind, tax.jurisdiction, amounts, tax.citation)


def _rounded(
    columns: Columns, tax: LocalTax, rows: tuple[Int64s, Int64s, Bools], of_state: tuple[StateRows, Method] | None,
    recorder: Recorder | None,
) -> tuple[Int64s, tuple[Int64s, Int64s]]:  # fmt: skip
    """The tax in cents, and what it was before it was rounded."""
    paycheck, wages, resident = rows
    state, method = of_state if of_state is not None else (None, None)
    local = LocalRows(
        wages=wages, resident=resident, frequency=columns.frequency[paycheck],
        to_date=columns.ytd_medicare_wages[paycheck], state=state, method=method,
    )  # fmt: skip
    numerator, denominator = tax.method.withhold(local, recorder)
    amounts = half_up(numerator, denominator)
    if recorder is not None:
        recorder.step(
            "withheld", "last", "rounded once", "round_half_up(local_tax, 0.01)", usd(amounts), rounding=CENT,
            local_tax=usd(numerator, denominator),
        )  # fmt: skip
    return amounts, (numerator, denominator)


def _work_in(columns: Columns, state: int, tables: Tables) -> StateWork:
    """The entries of a state, one a paycheck and in their order: for its residents all that is withheld for it, work
    elsewhere under an agreement too, for others the work there. The certificate of an entry that is withheld for
    another state is not this state's."""
    work = tables.agreements.withheld(columns, for_home=state)
    work = work.take(np.flatnonzero(work.state == state))
    if "residence" in columns.given:
        home = columns.given["residence"][work.paycheck]
        elsewhere = (home != NOT_GIVEN) & tables.agreements.between[np.maximum(home, 0), state]
        work = replace(work, certificate=work.certificate & ~elsewhere)
    return work.take(np.argsort(work.paycheck, kind="stable"))


def _work_of(work: StateWork, paycheck: Int64s) -> tuple[StateWork, Bools]:
    """The entries, which stand in the order of their paychecks, of some paychecks, and which of those have one."""
    at = np.minimum(np.searchsorted(work.paycheck, paycheck), max(len(work.paycheck) - 1, 0))
    there: Bools = work.paycheck[at] == paycheck if len(work.paycheck) else np.zeros(len(paycheck), dtype=np.bool_)
    return work.take(at[there]), there
