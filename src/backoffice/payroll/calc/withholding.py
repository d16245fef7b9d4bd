"""State income tax by each state's own method and version of its law."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from backoffice.payroll.calc.certificate_notes import certificate_notes
from backoffice.payroll.calc.compiled import StateLaw, Withholding
from backoffice.payroll.calc.derivation import Recorder, text, usd
from backoffice.payroll.calc.exact import Exact, half_up, half_up_sum
from backoffice.payroll.calc.fica import CENT
from backoffice.payroll.calc.law import Tables
from backoffice.payroll.calc.methods import OtherTaxes, StateRows
from backoffice.payroll.calc.paycheck import (
    NOT_GIVEN,
    OLDER_FORM,
    PERIODS,
    RATE_SCALE,
    Bools,
    Columns,
    Int64s,
    StateWork,
)
from backoffice.payroll.calc.result import EMPLOYEE_TAX, Line, Note, Results

_PERIODS = np.array(PERIODS, dtype=np.int64)


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
            "federal_income_tax": column("federal_income_tax") + self._above(),
            "fica": column("social_security") + column("medicare"),
            "fica_deducted": np.zeros(len(self._columns), dtype=np.int64),
        }
        for name, computed in taxes.items():
            if name in given:
                taxes[name] = np.where(given[name] == NOT_GIVEN, computed, given[name])
        return OtherTaxes(**taxes)

    def _above(self) -> Int64s:
        """What `results.federal_above` adds to the federal tax, which is rounded once."""
        added = np.zeros(len(self._columns), dtype=np.int64)
        above = self._results.federal_above
        if above is not None and above.any():
            (line,) = [line for line in self._results.lines if line.code == "federal_income_tax"]
            assert line.exact is not None
            rows = np.flatnonzero(above)
            regular = line.exact[0][rows], line.exact[1][rows]
            added[rows] = half_up_sum(regular, (above[rows], RATE_SCALE)) - half_up(*regular)
        return added


def income_tax(
    results: Results, columns: Columns, work: StateWork, law: StateLaw, tables: Tables, others: OtherTaxesOf,
    recorder: Recorder | None,
) -> None:  # fmt: skip
    """Adds the state's income tax line and what a reader must know of it."""
    amounts = np.zeros(len(work.paycheck), dtype=np.int64)
    exact = (np.zeros_like(amounts), np.ones_like(amounts)) if results.keeps_exact else None
    for version, chosen in by_version(columns, work, law):
        part = work if len(chosen) == len(amounts) else work.take(chosen)
        certificate_notes(results, columns, part, law, version, tables)
        amounts[chosen], unrounded = _withhold(results, columns, part, version, law, others, recorder)
        if exact is not None:
            exact[0][chosen], exact[1][chosen] = unrounded
    results.lines.append(Line("state_income_tax", EMPLOYEE_TAX, law.state, work.paycheck, amounts, exact=exact))


def by_version(columns: Columns, work: StateWork, law: StateLaw) -> Iterator[tuple[Withholding, Int64s]]:
    """The versions of a state's law in use, each with the entries whose date it covers."""
    remaining = np.arange(len(work.paycheck), dtype=np.int64)
    for version in law.withholding:
        covered = version.cover(getattr(columns, version.basis)[work.paycheck[remaining]])
        if covered.any():
            yield version, remaining[covered]
            remaining = remaining[~covered]
    if len(remaining):
        raise ValueError(f"no version of the withholding law of {law.state} covers some dates of {law.year}")


def _withhold(
    results: Results, columns: Columns, work: StateWork, version: Withholding, law: StateLaw, others: OtherTaxesOf,
    recorder: Recorder | None,
) -> tuple[Int64s, Exact]:  # fmt: skip
    """The tax in cents, and what it was before it was rounded to the cent and without what the form asks for in
    addition. Where the state rounds to more than a cent, that is its own step and stays."""
    rows = state_rows(columns, work, version, law, others)
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
        older = columns.w4_version[work.paycheck] == OLDER_FORM
        if older.any():
            results.notes.append(Note("unverified_value", f"{law.state}: {version.older_form}.", work.paycheck[older]))
    for each in version.told:
        where = each.applies(rows.wages, computed, rows.nonresident) & ~exempt
        if where.any():
            results.notes.append(Note("state_rule_not_judged", each.says, work.paycheck[where]))
    if recorder is not None:
        _record_withheld(recorder, version, (numerator, denominator), computed, extra, spared, tax)
        recorder.line("state_income_tax", EMPLOYEE_TAX, law.state, tax, version.citation)
    if version.round_to > 1:
        numerator, denominator = computed, np.ones_like(computed)
    return tax, (np.where(exempt, 0, numerator), denominator)


def state_rows(
    columns: Columns, work: StateWork, version: Withholding, law: StateLaw, others: OtherTaxesOf
) -> StateRows:
    """What the state's method is given of these entries."""
    frequency = columns.frequency[work.paycheck]
    mapped = version.status_of[columns.filing_status[work.paycheck]]
    default = mapped if law.default_status == NOT_GIVEN else max(int(version.own_status[law.default_status]), 0)
    own = version.own_status[np.maximum(work.status, 0)]
    status = np.where(work.certificate, np.where(work.status == NOT_GIVEN, mapped, own), default)
    nothing = np.zeros_like(work.allowances)
    return StateRows(
        wages=work.wages,
        frequency=frequency,
        periods=_PERIODS[frequency],
        status=status,
        allowances=np.where(work.certificate, work.allowances, nothing),
        secondary_allowances=np.where(work.certificate, work.secondary_allowances, nothing),
        certificate=work.certificate,
        elections=work.elections,
        nonresident=_lives_elsewhere(columns, work),
        older_allowances=nothing
        if version.older_form is None
        else np.where(
            work.certificate & (columns.w4_version[work.paycheck] == OLDER_FORM), columns.allowances[work.paycheck], 0
        ),
        others=others.of(work.paycheck) if version.method.asks else None,
    )


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
