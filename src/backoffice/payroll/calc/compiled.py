"""Tables of law compiled into arrays: what the calculation looks values up in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from backoffice.payroll.calc.certificates import GENERAL_STATUSES, ON_EVERY_FORM, STATE_STATUSES
from backoffice.payroll.calc.exact import cents, check_fits, scale_of, scaled
from backoffice.payroll.calc.methods import METHODS, Method, TableVersion
from backoffice.payroll.calc.paycheck import (
    FILING_STATUSES,
    FREQUENCIES,
    LARGEST_CENTS,
    NOT_GIVEN,
    RATE_SCALE,
    W4_VERSIONS,
    Bools,
    Dates,
    Int64s,
)
from backoffice.payroll.calc.schedule import Schedules
from backoffice.payroll.calc.told import Told

_BASES = ("pay_date", "period_begin", "period_end")
_GUIDE, _RETURN = "withholding-guide", "annual-return"  # what a state's values are taken from
_MAPPED = "mapped"  # a default_status: without a certificate the federal filing status counts
# How the certificate names a key of a state's table that is called otherwise there.
_SPELT = {"married_filing_jointly": "married_joint", "married_filing_separately": "married_separate"}


@dataclass(frozen=True, slots=True)
class FederalLaw:
    """Federal values of all known years, one entry per year (rates in millionths, amounts in cents).

    `schedule[year, step2 box, filing status]` indexes `schedules`; `nonresident[year, form, frequency]` is the add-on.
    """

    years: tuple[int, ...]
    tables: tuple[TableVersion, ...]
    texts: tuple[Mapping[str, Mapping[str, Any]], ...]
    schedules: Schedules
    schedule: Int64s
    line_1g: Int64s
    allowance: Int64s
    nonresident: Int64s
    nonresident_verified: Bools
    social_security: Int64s  # columns: employee rate, employer rate, wage base
    medicare: Int64s  # columns: employee rate, employer rate
    additional_medicare: Int64s  # columns: employee rate, threshold
    futa: Int64s  # columns: employer rate, wage base


@dataclass(frozen=True, slots=True)
class Withholding:
    """One version of a state's withholding law, compiled into its method."""

    effective_from: date
    effective_to: date | None
    basis: str
    method: Method
    round_to: int  # cents
    citation: str
    verified: bool
    approximate: bool  # made of the annual return's figures, since the state's own guide is not known
    told: tuple[Told, ...]
    older_form: str | None  # what to tell of a federal W-4 of 2019 or earlier, where the state reads it another way
    status_of: Int64s  # filing status → the method's status
    own_status: Int64s  # STATE_STATUSES → the method's status, NOT_GIVEN where the state does not have it

    def covers(self, day: date) -> bool:
        return self.effective_from <= day and (self.effective_to is None or day <= self.effective_to)

    def cover(self, days: Dates) -> Bools:
        """`covers` of a column of days."""
        inside: Bools = days >= np.datetime64(self.effective_from)
        return inside if self.effective_to is None else inside & (days <= np.datetime64(self.effective_to))


@dataclass(frozen=True, slots=True)
class Programme:
    """A state programme on wages. Rates in millionths, amounts in cents, None where there is no limit.
    Of payer "both", either `part_rates`, the two rates, each rounded by itself; or `employee_share` over
    `share_scale`, the employee's part of the total, the employer's is the rest."""

    code: str
    name: str
    payer: str
    rate: int
    wage_base: int | None
    annual_max: int | None
    weekly_max: int | None
    weekly_max_spread_verified: bool
    employee_share: int
    share_scale: int
    part_rates: tuple[int, int] | None  # employee, employer
    citation: str
    verified: bool
    condition: str | None

    @property
    def is_limited(self) -> bool:
        """Whether what was counted earlier in the year changes what is owed now."""
        return self.wage_base is not None or self.annual_max is not None

    def owed_on(self, wages: int) -> int:
        """The rate of wages in cents, before any limit, half up."""
        return (2 * wages * self.rate + RATE_SCALE) // (2 * RATE_SCALE)


@dataclass(frozen=True, slots=True)
class Hourly:
    """A state programme by the hour worked. `per_hour` in millionths of a dollar; `employee_share` over `share_scale`
    is the employee's part of the total, the employer's is the rest."""

    code: str
    per_hour: int
    employee_share: int
    share_scale: int
    citation: str
    verified: bool

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Hourly:
        scale = scale_of([values["employee_share"]])
        return cls(
            code=values["code"],
            per_hour=scaled(values["per_hour"], RATE_SCALE),
            employee_share=scaled(values["employee_share"], scale),
            share_scale=scale,
            citation=values["citation"],
            verified=values["verified"],
        )


@dataclass(frozen=True, slots=True)
class StateLaw:
    """One state's table of one year. `withholding` is empty for a state without income tax."""

    table: TableVersion
    state: str
    year: int
    certificate_form: str
    default_words: str
    default_status: int  # index into STATE_STATUSES, NOT_GIVEN where the federal status is mapped
    withholding: tuple[Withholding, ...]
    programmes: tuple[Programme, ...]
    not_per_paycheck: tuple[tuple[str, str, str], ...]  # code, name, reason
    by_place: frozenset[str]  # those of them that a named place of work settles
    hourly: tuple[Hourly, ...]  # those of them that are computed where the hours of a paycheck are known

    @property
    def elections(self) -> frozenset[str]:
        """The fields of ELECTIONS that the state's certificate knows."""
        methods = [version.method for version in self.withholding]
        return frozenset().union(*(method.elections | ON_EVERY_FORM for method in methods))


def federal_law(documents: Sequence[tuple[Mapping[str, Any], TableVersion]]) -> FederalLaw:
    if not documents:
        raise ValueError("there is no federal table")
    ordered = sorted(documents, key=lambda pair: int(pair[0]["meta"]["year"]))
    schedules: dict[str, Any] = {}
    schedule = np.zeros((len(ordered), 2, len(FILING_STATUSES)), dtype=np.int64)
    line_1g = np.zeros((len(ordered), 2, len(FILING_STATUSES)), dtype=np.int64)
    for at, (document, _) in enumerate(ordered):
        withholding, year = document["withholding"], document["meta"]["year"]
        for box, kind in enumerate(("standard", "step2_checkbox")):
            for code, status in enumerate(FILING_STATUSES):
                table = "single" if status == "married_filing_separately" else status
                name = f"{year} {kind} {table}"
                schedules.setdefault(name, withholding[kind][table])
                schedule[at, box, code] = list(schedules).index(name)
                key = "line_1g_married_filing_jointly" if status == "married_filing_jointly" else "line_1g_other"
                line_1g[at, box, code] = 0 if box else cents(withholding[key])

    def column(section: str, *keys: str) -> Int64s:
        return np.array(
            [
                [_rate(d[section][key]) if key.endswith("_rate") else cents(d[section][key]) for key in keys]
                for d, _ in ordered
            ],
            dtype=np.int64,
        )

    return FederalLaw(
        years=tuple(document["meta"]["year"] for document, _ in ordered),
        tables=tuple(table for _, table in ordered),
        texts=tuple(document for document, _ in ordered),
        schedules=Schedules(schedules, rows_begin=ordered[0][0]["withholding"]["rows_begin"]),
        schedule=schedule,
        line_1g=line_1g,
        allowance=np.array([cents(document["withholding"]["allowance"]) for document, _ in ordered], dtype=np.int64),
        nonresident=np.array(
            [
                [[cents(d["withholding"]["nonresident_alien"][form][f]) for f in FREQUENCIES] for form in W4_VERSIONS]
                for d, _ in ordered
            ],
            dtype=np.int64,
        ),
        nonresident_verified=np.array(
            [bool(document["withholding"]["nonresident_alien"]["verified"]) for document, _ in ordered]
        ),
        social_security=column("social_security", "employee_rate", "employer_rate", "wage_base"),
        medicare=column("medicare", "employee_rate", "employer_rate"),
        additional_medicare=column("additional_medicare", "employee_rate", "threshold"),
        futa=column("futa", "employer_rate", "wage_base"),
    )


def state_law(document: Mapping[str, Any], table: TableVersion) -> StateLaw:
    meta, certificate = document["meta"], document.get("certificate", {})
    default = certificate.get("default_status", "all")
    return StateLaw(
        table=table,
        state=meta["jurisdiction"],
        year=meta["year"],
        certificate_form=certificate.get("form", ""),
        default_words=certificate.get("default", ""),
        default_status=NOT_GIVEN if default == _MAPPED else STATE_STATUSES.index(default),
        withholding=tuple(_withholding(version, table) for version in document.get("withholding", ())),
        programmes=tuple(_programme(programme) for programme in document.get("programmes", ())),
        not_per_paycheck=tuple((p["code"], p["name"], p["reason"]) for p in document.get("not_per_paycheck", ())),
        by_place=frozenset(p["code"] for p in document.get("not_per_paycheck", ()) if p.get("by_place")),
        hourly=tuple(Hourly.of(p) for p in document.get("not_per_paycheck", ()) if "per_hour" in p),
    )


def _withholding(values: Mapping[str, Any], table: TableVersion) -> Withholding:
    method = METHODS[values["method"]](values, table)
    if values["effective_basis"] not in _BASES:
        raise ValueError(f"{table.name}: effective_basis must be one of {', '.join(_BASES)}")
    basis = values.get("basis", _GUIDE)
    if basis not in {_GUIDE, _RETURN}:
        raise ValueError(f"{table.name}: basis must be {_GUIDE} or {_RETURN}, not {basis}")
    mapped = values.get("status_of", {})
    # A method with one column for everyone takes any general status: it changes nothing, and the result says so.
    general = GENERAL_STATUSES if method.statuses[0] == "all" else ()
    own = [
        next((method.statuses.index(key) for key in (word, _SPELT.get(word)) if key in method.statuses),
             0 if word in general else NOT_GIVEN)
        for word in STATE_STATUSES
    ]  # fmt: skip
    return Withholding(
        effective_from=values["effective_from"],
        effective_to=values.get("effective_to"),
        basis=values["effective_basis"],
        method=method,
        round_to=cents(values["round_to"]),
        citation=values["citation"],
        verified=values["verified"],
        approximate=basis == _RETURN,
        told=tuple(Told.of(each, table) for each in values.get("told", ())),
        older_form=values.get("older_form"),
        status_of=np.array(
            [method.statuses.index(mapped[status]) if mapped else 0 for status in FILING_STATUSES], dtype=np.int64
        ),
        own_status=np.array(own, dtype=np.int64),
    )


def _programme(values: Mapping[str, Any]) -> Programme:
    rate, base = _rate(values["rate"]), values.get("wage_base")
    share = str(values.get("employee_share", "0"))
    scale = scale_of([share])
    parts = tuple(_rate(values[f"{payer}_rate"]) for payer in ("employee", "employer") if f"{payer}_rate" in values)
    largest = cents(base) if base is not None else LARGEST_CENTS
    check_fits(largest * max(1, scaled(share, scale)), rate, values["code"])
    divided = share != "0" or bool(parts)
    if values["payer"] not in {"employee", "employer", "both"} or (values["payer"] == "both") != divided:
        raise ValueError(f"{values['code']}: payer is employee, employer, or both with an employee_share or two rates")
    if parts and (len(parts) != 2 or sum(parts) != rate):
        raise ValueError(f"{values['code']}: employee_rate and employer_rate must add up to rate")
    return Programme(
        code=values["code"],
        name=values["name"],
        payer=values["payer"],
        rate=rate,
        wage_base=None if base is None else cents(base),
        annual_max=cents(values["annual_max"]) if "annual_max" in values else None,
        weekly_max=cents(values["weekly_max"]) if "weekly_max" in values else None,
        weekly_max_spread_verified=bool(values.get("weekly_max_spread_verified", True)),
        employee_share=scaled(share, scale),
        share_scale=scale,
        part_rates=(parts[0], parts[1]) if parts else None,
        citation=values["citation"],
        verified=values["verified"],
        condition=values.get("employer_condition"),
    )


def _rate(text: str) -> int:
    rate = scaled(text, RATE_SCALE)
    check_fits(LARGEST_CENTS, rate, text)
    return rate
