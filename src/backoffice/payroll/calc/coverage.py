"""What cannot be calculated, all of it at once: amounts out of range, and rows that the tables do not cover."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from backoffice.kernel.errors import Fault, ValidationFailed
from backoffice.payroll.calc.certificates import ELECTIONS, EXEMPTIONS, STATE_STATUSES, StateCertificate
from backoffice.payroll.calc.compiled import Withholding
from backoffice.payroll.calc.detail_faults import detail_faults
from backoffice.payroll.calc.law import Tables
from backoffice.payroll.calc.paycheck import (
    FILING_STATUSES,
    FREQUENCIES,
    HEAD_OF_HOUSEHOLD,
    LARGEST_CENTS,
    LARGEST_COUNT,
    NOT_GIVEN,
    OLDER_FORM,
    RATE_SCALE,
    STATES,
    W4_VERSIONS,
    Bools,
    Columns,
    Int64s,
    LocalPart,
    StateWork,
)

MOST_FAULTS = 100
_WORK_AMOUNTS = ("wages", "ytd_sui_wages")
_AMOUNTS = (
    "gross", "income_tax_wages", "social_security_wages", "medicare_wages", "futa_wages", "step3", "step4a", "step4b",
    "step4c", "ytd_social_security_wages", "ytd_medicare_wages", "ytd_futa_wages",
)  # fmt: skip


def refuse_uncovered(columns: Columns, withheld: StateWork, tables: Tables) -> Int64s:
    """The index of each paycheck's year in the federal law, after refusing what cannot be calculated."""
    faults: list[Fault] = []
    years = np.array(tables.federal.years, dtype=np.int64)
    calendar = columns.pay_date.astype("datetime64[Y]").astype(np.int64) + 1970
    year = np.minimum(np.searchsorted(years, calendar), len(years) - 1).astype(np.int64)
    bad = (years[year] != calendar) | (
        (columns.w4_version == OLDER_FORM) & (columns.filing_status == HEAD_OF_HOUSEHOLD)
    )
    work = withheld
    owner_year = year[work.paycheck]
    covered = tables.published[work.state, owner_year, columns.frequency[work.paycheck]]
    covered &= tables.status_known[work.state, owner_year, work.status + 1]
    for name, said in work.elections.items():
        covered &= said <= tables.election_most[name][work.state, owner_year]
    for name, state, at, values in tables.elections_allowed:
        if name in work.elections:
            ours = (work.state == state) & (owner_year == at) & (work.elections[name] != NOT_GIVEN)
            covered &= ~ours | np.isin(work.elections[name], values)
    for state, at, versions in tables.dated:
        entries = np.flatnonzero((work.state == state) & (owner_year == at))
        if len(entries):
            covered[entries] &= _published_then(columns, work.paycheck[entries], versions)
    bad[work.paycheck[~covered]] = True
    bad |= np.bincount(columns.work.paycheck, minlength=len(columns)) == 0
    local = columns.local
    for index, code in enumerate(local.places if local is not None else ()):
        assert local is not None
        mine = local.paycheck[local.place == index]
        resident = local.resident[local.place == index]
        for at in np.unique(year[mine]).tolist():
            place = tables.place(code, tables.federal.years[at])
            taxes = place.taxes if place is not None else ()
            fine = np.array([[all(name in tax.method.frequencies[lives] for tax in taxes) for name in FREQUENCIES]
                             for lives in (False, True)])  # fmt: skip
            refused = ~fine[resident.astype(np.int64), columns.frequency[mine]] | (not taxes)
            bad[mine[refused & (year[mine] == at)]] = True
    if bad.any():
        for row in np.flatnonzero(bad)[:MOST_FAULTS].tolist():
            faults += _faults_of(columns, tables, row)
    if columns.detail is not None:
        faults += detail_faults(columns.detail, calendar, tables.garnishments)
    if faults:
        raise ValidationFailed(faults[:MOST_FAULTS])
    return year


def _published_then(columns: Columns, rows: Int64s, versions: Sequence[Withholding]) -> Bools:
    """Which paychecks have a version of the law on their date that publishes their pay frequency."""
    found = np.zeros(len(rows), dtype=np.bool_)
    for version in versions:
        published = np.array([name in version.method.frequencies for name in FREQUENCIES])
        found |= version.cover(getattr(columns, version.basis)[rows]) & published[columns.frequency[rows]]
    return found


def amount_faults(columns: Columns) -> list[Fault]:
    faults: list[Fault] = []
    work = columns.work
    for owner, names, most in (
        (columns, _AMOUNTS, LARGEST_CENTS),
        (columns, ("allowances",), LARGEST_COUNT),
        (work, _WORK_AMOUNTS, LARGEST_CENTS),
        (work, ("allowances", "secondary_allowances"), LARGEST_COUNT),
    ):
        where = "paychecks" if owner is columns else "work"
        for name in names:
            faults += _range_faults(getattr(owner, name), 0, most, where, name)
    faults += _range_faults(work.sui_rate, NOT_GIVEN, RATE_SCALE, "work", "sui_rate")
    for name, values in work.elections.items():
        faults += _range_faults(values, NOT_GIVEN, ELECTIONS[name], "work", name)
    for name, values in columns.given.items():
        most = len(STATES) - 1 if name == "residence" else LARGEST_CENTS
        faults += _range_faults(values, NOT_GIVEN, most, "paychecks", name)
    return faults


def _range_faults(values: Int64s, least: int, most: int, where: str, name: str) -> list[Fault]:
    if not len(values) or (values.min() >= least and values.max() <= most):
        return []
    return [
        Fault("out_of_range", f"{name} must lie in 0 .. {most}", f"#/{where}/{at}/{name}")
        for at in np.flatnonzero((values < least) | (values > most))[:MOST_FAULTS].tolist()
    ]


def _faults_of(columns: Columns, tables: Tables, row: int) -> list[Fault]:
    one = columns.take([row])
    work = tables.agreements.withheld(one)
    found: list[Fault] = []
    if one.local is not None and len(one.local.paycheck):
        entries = zip(one.local.place.tolist(), one.local.resident.tolist(), strict=True)
        parts = [LocalPart(one.local.places[place], 0, resident) for place, resident in entries]
        year = columns.pay_date[row].item().year
        found += tables.local_refusals(parts, year, FREQUENCIES[int(columns.frequency[row])])
    if not len(one.work.paycheck):
        found.append(Fault("required", "A paycheck needs at least one state of work.", "#/work"))
    for at, state in enumerate(work.state.tolist()):
        found += tables.refusals(
            pay_date=columns.pay_date[row].item(),
            pay_frequency=FREQUENCIES[int(columns.frequency[row])],
            w4_version=W4_VERSIONS[int(columns.w4_version[row])],
            filing_status=FILING_STATUSES[int(columns.filing_status[row])],
            state=STATES[state],
            certificate=_certificate_at(work, at),
            period_begin=columns.period_begin[row].item(),
            period_end=columns.period_end[row].item(),
        )
    return [Fault(f.code, f.detail, str(f.pointer).replace("#/", f"#/paychecks/{row}/", 1)) for f in found]


def _certificate_at(work: StateWork, at: int) -> StateCertificate:
    """What an entry's certificate says, as far as a state may refuse it."""
    status = int(work.status[at])
    said: dict[str, Any] = {name: int(values[at]) for name, values in work.elections.items() if values[at] != NOT_GIVEN}
    exemptions = {name: said.pop(name) for name in EXEMPTIONS if name in said}
    return StateCertificate(
        status=None if status == NOT_GIVEN else STATE_STATUSES[status], exemptions=exemptions, **said
    )
