"""What the calculation is told: one paycheck in plain values, and many as columns of numpy int64 cents.

`Paycheck` is for people and for a pay run; `Columns.of` turns many into columns. A column has one entry per paycheck.
What belongs to a place of work stands in `StateWork`, one entry per paycheck and state, so that a paycheck with work
in several states is several entries and no new structure.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backoffice.payroll.calc.certificates import ELECTIONS, STATE_STATUSES, StateCertificate
from backoffice.payroll.calc.detail import Detail, PayDetail

Int64s = NDArray[np.int64]
Bools = NDArray[np.bool_]
Dates = NDArray[np.datetime64]

# The order of these tuples gives the integer codes that stand in the columns. Append, never insert.
FREQUENCIES = ("weekly", "biweekly", "semimonthly", "monthly", "quarterly", "semiannual", "annual", "daily")
PERIODS = (52, 26, 24, 12, 4, 2, 1, 260)  # Pub 15-T, Worksheet 1A, Table 3; the states use the same numbers
W4_VERSIONS = ("2020_or_later", "2019_or_earlier")
FILING_STATUSES = ("single", "married_filing_jointly", "married_filing_separately", "head_of_household")
STATES = (
    "AK", "AL", "AR", "AZ", "CA", "CO", "CT", "DC", "DE", "FL", "GA", "HI", "IA", "ID", "IL", "IN", "KS", "KY",
    "LA", "MA", "MD", "ME", "MI", "MN", "MO", "MS", "MT", "NC", "ND", "NE", "NH", "NJ", "NM", "NV", "NY", "OH",
    "OK", "OR", "PA", "RI", "SC", "SD", "TN", "TX", "UT", "VA", "VT", "WA", "WI", "WV", "WY",
)  # fmt: skip

# Amounts below ten billion dollars: every product of the calculation then fits 63 bits (checked as tables load).
LARGEST_CENTS = 999_999_999_999
LARGEST_COUNT = 999
RATE_SCALE = 1_000_000  # rates given by an employer (sui_rate) are integers in millionths
NOT_GIVEN = -1
OLDER_FORM = W4_VERSIONS.index("2019_or_earlier")
MARRIED_SEPARATELY = FILING_STATUSES.index("married_filing_separately")
HEAD_OF_HOUSEHOLD = FILING_STATUSES.index("head_of_household")


@dataclass(frozen=True, slots=True, kw_only=True)
class W4:
    """Form W-4 as on file. Amounts in cents: `step3`, `step4a`, `step4b` a year, `step4c` a pay period (line 6 of an
    older form). `allowances` exist on forms of 2019 or earlier only."""

    version: str = "2020_or_later"
    filing_status: str = "single"
    step2_checkbox: bool = False
    step3: int = 0
    step4a: int = 0
    step4b: int = 0
    step4c: int = 0
    allowances: int = 0
    exempt: bool = False
    nonresident_alien: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class YearToDate:
    """Wages of this employer paid earlier in the calendar year of the pay date, in cents, before this paycheck. They
    count up to and beyond the caps: the engine applies the cap."""

    social_security_wages: int = 0
    medicare_wages: int = 0
    futa_wages: int = 0


@dataclass(frozen=True, slots=True)
class ProgrammeYearToDate:
    """Wages a programme has counted and what the employee has paid to it this calendar year, in cents."""

    wages: int = 0
    amount: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The part of a paycheck that belongs to one state. `wages` (cents) are subject to that state's income tax,
    programmes and unemployment insurance; None means the gross of the paycheck. `certificate` is that of the state
    whose income tax is withheld, None where none is on file. `sui_rate` is the employer's own rate in millionths
    (0.020 is 20_000); None: no SUI line. `ytd_programmes` by programme code; a programme with a yearly limit that is
    absent counts from zero, with a note."""

    state: str
    wages: int | None = None
    certificate: StateCertificate | None = None
    sui_rate: int | None = None
    ytd_sui_wages: int = 0
    ytd_programmes: Mapping[str, ProgrammeYearToDate] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FederalWages:
    """The four federal wage bases of a paycheck in cents, where they differ from its gross (pre-tax deductions)."""

    income_tax: int
    social_security: int
    medicare: int
    futa: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenTaxes:
    """Taxes withheld elsewhere, in cents, for the state formulas that ask for another tax; None: the computed ones.
    `fica` is social security and Medicare of this period, `fica_deducted` what Massachusetts has let deduct of it
    earlier in the year."""

    federal_income_tax: int | None = None
    fica: int | None = None
    fica_deducted: int = 0


@dataclass(frozen=True, slots=True)
class LocalPart:
    """What of a paycheck a place with a local tax may tax: its code in the jurisdiction set, the wages in cents (for
    residents all of them), and whether the person lives there. `Localities.parts` makes them."""

    place: str
    wages: int
    resident: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Paycheck:
    """One paycheck to calculate. `gross` in cents. Without `federal_wages` the gross is the base of every tax.
    `period_begin` and `period_end` default to the pay date. `residence_state` None: the person lives where the work
    is."""

    pay_date: date
    pay_frequency: str
    gross: int
    w4: W4
    work: tuple[Work, ...]
    ytd: YearToDate = YearToDate()
    federal_wages: FederalWages | None = None
    residence_state: str | None = None
    given: GivenTaxes = GivenTaxes()
    period_begin: date | None = None
    period_end: date | None = None
    local: tuple[LocalPart, ...] = ()
    detail: PayDetail | None = None


@dataclass(frozen=True, slots=True)
class StateWork:
    """Columns with one entry per paycheck and state. `paycheck` is the row it belongs to, `state` an index into
    STATES, `status` one into STATE_STATUSES (NOT_GIVEN: mapped from the federal status), `sui_rate` in millionths
    (NOT_GIVEN: none). `ytd_programmes[code]` = (wages, amount, given), three columns of the same length.
    `elections[name of ELECTIONS]` is a column too, NOT_GIVEN where the form does not say; absent where none says.
    `insured_wages` are those subject to programmes and unemployment insurance, None: the same as `wages`."""

    paycheck: Int64s
    state: Int64s
    wages: Int64s
    certificate: Bools
    status: Int64s
    allowances: Int64s
    secondary_allowances: Int64s
    sui_rate: Int64s
    ytd_sui_wages: Int64s
    ytd_programmes: Mapping[str, tuple[Int64s, Int64s, Bools]] = field(default_factory=dict)
    elections: Mapping[str, Int64s] = field(default_factory=dict)
    insured_wages: Int64s | None = None

    @property
    def insured(self) -> Int64s:
        return self.wages if self.insured_wages is None else self.insured_wages

    def take(self, entries: Int64s, elections: Collection[str] = ELECTIONS) -> StateWork:
        """The named entries, in that order, still pointing at the same paychecks; of the elections those named."""
        return self._of(lambda column: column[entries], elections)

    def arranged(self, order: Int64s) -> StateWork:
        """All entries in an order of groups. Reading on and writing to a place for each group is four times quicker
        than to gather a group's entries from everywhere."""
        places = np.empty_like(order)
        places[order] = np.arange(len(order), dtype=np.int64)

        def moved(column: Any) -> Any:
            there = np.empty_like(column)
            there[places] = column
            return there

        return self._of(moved, ELECTIONS)

    def part(self, begin: int, end: int, elections: Collection[str]) -> StateWork:
        """Neighbouring entries, not copied; of the elections those named."""
        return self._of(lambda column: column[begin:end], elections)

    def _of(self, changed: Callable[[Any], Any], elections: Collection[str]) -> StateWork:
        columns: dict[str, Any] = {name: changed(getattr(self, name)) for name in _WORK_COLUMNS}
        columns["elections"] = {name: changed(column) for name, column in self.elections.items() if name in elections}
        columns["ytd_programmes"] = {
            code: (changed(wages), changed(amount), changed(given))
            for code, (wages, amount, given) in self.ytd_programmes.items()
        }
        columns["insured_wages"] = None if self.insured_wages is None else changed(self.insured_wages)
        return StateWork(**columns)


@dataclass(frozen=True, slots=True)
class LocalWork:
    """Columns with one entry per paycheck and place, paychecks rising. `place` is an index into `places`, the codes of
    the jurisdiction set."""

    places: tuple[str, ...]
    paycheck: Int64s
    place: Int64s
    wages: Int64s
    resident: Bools

    @classmethod
    def of(cls, parts: Sequence[Sequence[LocalPart]]) -> LocalWork | None:
        """The entries of many paychecks, None when there is none."""
        rows = [(row, part) for row, own in enumerate(parts) for part in own]
        places = tuple(sorted({part.place for _, part in rows}))
        code = {place: index for index, place in enumerate(places)}
        return None if not rows else cls(
            places, _ints([row for row, _ in rows]), _ints([code[part.place] for _, part in rows]),
            _ints([part.wages for _, part in rows]), _flags([part.resident for _, part in rows]),
        )  # fmt: skip

    def take(self, wanted: Int64s) -> LocalWork:
        """The entries of the named paychecks, in that order, pointing at their new places."""
        entries, into = _entries_of(self.paycheck, wanted)
        return LocalWork(self.places, into, self.place[entries], self.wages[entries], self.resident[entries])


_WORK_COLUMNS = (
    "paycheck", "state", "wages", "certificate", "status", "allowances", "secondary_allowances", "sui_rate",
    "ytd_sui_wages",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Columns:
    """Many paychecks as columns of equal length: cents, counts, flags and codes (indexes into the tuples above)."""

    pay_date: Dates
    period_begin: Dates
    period_end: Dates
    frequency: Int64s
    gross: Int64s
    income_tax_wages: Int64s
    social_security_wages: Int64s
    medicare_wages: Int64s
    futa_wages: Int64s
    w4_version: Int64s
    filing_status: Int64s
    step2_checkbox: Bools
    exempt: Bools
    nonresident_alien: Bools
    step3: Int64s
    step4a: Int64s
    step4b: Int64s
    step4c: Int64s
    allowances: Int64s
    ytd_social_security_wages: Int64s
    ytd_medicare_wages: Int64s
    ytd_futa_wages: Int64s
    work: StateWork
    # What few paychecks have, a column each (NOT_GIVEN where absent): `federal_income_tax`, `fica` and `fica_deducted`
    # of GivenTaxes, and `residence`, an index into STATES.
    given: Mapping[str, Int64s] = field(default_factory=dict)
    local: LocalWork | None = None
    detail: Detail | None = None

    def __len__(self) -> int:
        return len(self.gross)

    def take(self, rows: Sequence[int] | Int64s) -> Columns:
        """The named paychecks, in that order, with their state work. IndexError for a row that is not there."""
        wanted = np.asarray(rows, dtype=np.int64)
        if len(wanted) and wanted.min() < 0:
            raise IndexError("rows count from 0")
        columns = {name: getattr(self, name)[wanted] for name in _PAYCHECK_COLUMNS}
        entries, into = _entries_of(self.work.paycheck, wanted)
        work = self.work.take(entries)
        given = {name: column[wanted] for name, column in self.given.items()}
        local = None if self.local is None else self.local.take(wanted)
        detail = None if self.detail is None else self.detail.take(wanted)
        return Columns(**columns, work=_with_owners(work, into), given=given, local=local, detail=detail)

    @classmethod
    def of(cls, paychecks: Sequence[Paycheck]) -> Columns:
        """Columns from paychecks. ValueError for a frequency, status, form or state that is not one of the words
        above (what the law does not cover is refused by the calculation itself)."""
        works = [(row, work, check) for row, check in enumerate(paychecks) for work in check.work]
        return cls(
            pay_date=_dates([check.pay_date for check in paychecks]),
            period_begin=_dates([check.period_begin or check.pay_date for check in paychecks]),
            period_end=_dates([check.period_end or check.pay_date for check in paychecks]),
            frequency=_codes(FREQUENCIES, [check.pay_frequency for check in paychecks]),
            gross=_ints([check.gross for check in paychecks]),
            income_tax_wages=_ints([(c.federal_wages.income_tax if c.federal_wages else c.gross) for c in paychecks]),
            social_security_wages=_ints(
                [(c.federal_wages.social_security if c.federal_wages else c.gross) for c in paychecks]
            ),
            medicare_wages=_ints([(c.federal_wages.medicare if c.federal_wages else c.gross) for c in paychecks]),
            futa_wages=_ints([(c.federal_wages.futa if c.federal_wages else c.gross) for c in paychecks]),
            w4_version=_codes(W4_VERSIONS, [check.w4.version for check in paychecks]),
            filing_status=_codes(FILING_STATUSES, [check.w4.filing_status for check in paychecks]),
            step2_checkbox=_flags([check.w4.step2_checkbox for check in paychecks]),
            exempt=_flags([check.w4.exempt for check in paychecks]),
            nonresident_alien=_flags([check.w4.nonresident_alien for check in paychecks]),
            step3=_ints([check.w4.step3 for check in paychecks]),
            step4a=_ints([check.w4.step4a for check in paychecks]),
            step4b=_ints([check.w4.step4b for check in paychecks]),
            step4c=_ints([check.w4.step4c for check in paychecks]),
            allowances=_ints([check.w4.allowances for check in paychecks]),
            ytd_social_security_wages=_ints([check.ytd.social_security_wages for check in paychecks]),
            ytd_medicare_wages=_ints([check.ytd.medicare_wages for check in paychecks]),
            ytd_futa_wages=_ints([check.ytd.futa_wages for check in paychecks]),
            work=_state_work(works),
            given=_given(paychecks),
            local=LocalWork.of([check.local for check in paychecks]),
            detail=Detail.of([check.detail for check in paychecks]),
        )


_PAYCHECK_COLUMNS = tuple(name for name in Columns.__slots__ if name not in {"work", "given", "local", "detail"})


def _state_work(works: Sequence[tuple[int, Work, Paycheck]]) -> StateWork:
    certificates = [work.certificate or StateCertificate() for _, work, _ in works]
    codes = sorted({code for _, work, _ in works for code in work.ytd_programmes})
    programmes: dict[str, tuple[Int64s, Int64s, Bools]] = {}
    for code in codes:
        found = [work.ytd_programmes.get(code) for _, work, _ in works]
        given = [to_date or ProgrammeYearToDate() for to_date in found]
        programmes[code] = (
            _ints([to_date.wages for to_date in given]),
            _ints([to_date.amount for to_date in given]),
            _flags([to_date is not None for to_date in found]),
        )
    return StateWork(
        paycheck=_ints([row for row, _, _ in works]),
        state=_codes(STATES, [work.state for _, work, _ in works]),
        wages=_ints([check.gross if work.wages is None else work.wages for _, work, check in works]),
        certificate=_flags([work.certificate is not None for _, work, _ in works]),
        status=_ints([STATE_STATUSES.index(c.status) if c.status is not None else NOT_GIVEN for c in certificates]),
        allowances=_ints([certificate.allowances for certificate in certificates]),
        secondary_allowances=_ints([certificate.secondary_allowances for certificate in certificates]),
        sui_rate=_ints([NOT_GIVEN if work.sui_rate is None else work.sui_rate for _, work, _ in works]),
        ytd_sui_wages=_ints([work.ytd_sui_wages for _, work, _ in works]),
        ytd_programmes=programmes,
        elections=sparse([certificate.elections() for certificate in certificates]),
    )


def _given(paychecks: Sequence[Paycheck]) -> dict[str, Int64s]:
    stated = sorted({check.residence_state for check in paychecks if check.residence_state is not None})
    homes = dict(zip(stated, _codes(STATES, stated).tolist(), strict=True))
    given: list[dict[str, int]] = []
    for check in paychecks:
        said = {"federal_income_tax": check.given.federal_income_tax, "fica": check.given.fica}
        said["fica_deducted"] = check.given.fica_deducted or None
        said["residence"] = None if check.residence_state is None else homes[check.residence_state]
        given.append({name: value for name, value in said.items() if value is not None})
    return sparse(given)


def sparse(rows: Sequence[Mapping[str, int]]) -> dict[str, Int64s]:
    """A column for every key that a row has, NOT_GIVEN in the rows without it."""
    names = sorted({name for row in rows for name in row})
    return {name: _ints([row.get(name, NOT_GIVEN) for row in rows]) for name in names}


def _entries_of(owners: Int64s, wanted: Int64s) -> tuple[Int64s, Int64s]:
    """The entries of the wanted paychecks, in that order, and the row of `wanted` each belongs to."""
    by_owner = np.argsort(owners, kind="stable")
    ordered = owners[by_owner]
    first = np.searchsorted(ordered, wanted, side="left")
    counts = np.searchsorted(ordered, wanted, side="right") - first
    into = np.repeat(np.arange(len(wanted), dtype=np.int64), counts)
    within = np.arange(len(into)) - np.repeat(np.cumsum(counts) - counts, counts)
    entries: Int64s = by_owner[np.repeat(first, counts) + within]
    return entries, into


def _with_owners(work: StateWork, owners: Int64s) -> StateWork:
    columns: dict[str, Any] = {name: getattr(work, name) for name in _WORK_COLUMNS}
    columns |= {
        "paycheck": owners.astype(np.int64), "ytd_programmes": work.ytd_programmes, "elections": work.elections,
        "insured_wages": work.insured_wages,
    }  # fmt: skip
    return StateWork(**columns)


def _ints(values: Sequence[int]) -> Int64s:
    return np.array(values, dtype=np.int64)


def _flags(values: Sequence[bool]) -> Bools:
    return np.array(values, dtype=np.bool_)


def _dates(values: Sequence[date]) -> Dates:
    return np.array(values, dtype="datetime64[D]")


def _codes(words: tuple[str, ...], values: Sequence[str]) -> Int64s:
    code = {word: index for index, word in enumerate(words)}
    unknown = sorted({value for value in values if value not in code})
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: must be one of {', '.join(words)}")
    return _ints([code[value] for value in values])
