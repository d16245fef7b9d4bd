"""Our dated law: TOML files with a source per value, loaded, checked and compiled into arrays.

A table's version is the one it declares and a digest of its bytes ("2026.1+9f3c01d2"), so a changed value is another
version. Law is chosen by date: the federal table and a state's table by the year of the pay date, and within a state's
table the withholding version whose `effective_from <= date <= effective_to`, the date being what `effective_basis`
says (pay_date, period_begin or period_end).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import date
from fractions import Fraction
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from backoffice.kernel.errors import Fault
from backoffice.payroll.calc.certificates import (
    ELECTIONS,
    GENERAL_STATUSES,
    ON_EVERY_FORM,
    STATE_STATUSES,
    StateCertificate,
    where_in_form,
)
from backoffice.payroll.calc.compiled import StateLaw, Withholding, federal_law, state_law
from backoffice.payroll.calc.creditor_law import CreditorLimit, creditor_law
from backoffice.payroll.calc.deduction_law import DeductionLaw, deduction_law
from backoffice.payroll.calc.derivation import decimal_text
from backoffice.payroll.calc.detail import GARNISHMENTS
from backoffice.payroll.calc.earning_law import EarningLaw
from backoffice.payroll.calc.exact import cents
from backoffice.payroll.calc.garnishment_law import GarnishmentLaw, garnishment_law
from backoffice.payroll.calc.localities import Localities, Place
from backoffice.payroll.calc.methods import Method, TableVersion
from backoffice.payroll.calc.overtime_law import overtime_law
from backoffice.payroll.calc.paycheck import (
    FREQUENCIES,
    NOT_GIVEN,
    RATE_SCALE,
    STATES,
    LocalPart,
    Paycheck,
)
from backoffice.payroll.calc.residence import Agreements
from backoffice.payroll.calc.supplemental_law import SupplementalLaw, supplemental_law

FOLDER = Path(__file__).parent / "tables"
# Files of the folder that are law for this calculation; others beside them have readers of their own.
_OURS = re.compile(
    r"us_jurisdictions|us_reciprocity|us_earnings|us_overtime_[0-9]{4}|"
    r"us_(federal|unemployment|localities|deductions|supplemental|garnishments|creditor_limits|minimum_wage|[a-z]{2})"
    r"_[0-9]{4}"
).fullmatch


class Tables:
    """All tables of one folder. Make it with `Tables.load()`; it never changes afterwards."""

    def __init__(self, documents: Mapping[str, tuple[Mapping[str, Any], str]]) -> None:
        by_kind: dict[str, list[tuple[Mapping[str, Any], TableVersion]]] = {"federal": [], "state": []}
        self.states: dict[tuple[str, int], StateLaw] = {}
        self.unemployment: dict[int, tuple[TableVersion, Mapping[str, Any]]] = {}
        self.localities: dict[int, Localities] = {}
        self.deductions: dict[int, DeductionLaw] = {}
        self.garnishments: dict[int, GarnishmentLaw] = {}
        self.creditor_limits: dict[int, tuple[TableVersion, list[CreditorLimit]]] = {}
        self.supplemental: dict[int, SupplementalLaw] = {}
        self.minimum_wage: dict[int, tuple[TableVersion, Mapping[str, Any]]] = {}
        overtime: dict[int, tuple[TableVersion, Mapping[str, Any]]] = {}
        creditors: dict[int, tuple[TableVersion, Mapping[str, Any]]] = {}
        versions: dict[str, str] = {}
        for name, (document, version) in sorted(documents.items()):
            meta = document["meta"]
            if meta["name"] != name:
                raise ValueError(f"{name}.toml calls itself {meta['name']}; the two must agree")
            table = TableVersion(name, version)
            versions[name] = version
            if name == "us_jurisdictions":
                self.jurisdictions = table
                self.names = {code: str(state["name"]) for code, state in document["states"].items()}
                self._taxing = frozenset(code for code, state in document["states"].items() if state["income_tax"])
                self._untaxed_because = {
                    code: str(state["source"]) for code, state in document["states"].items() if not state["income_tax"]
                }
            elif name == "us_reciprocity":
                self.agreements = Agreements(document["agreements"], table)
            elif name.startswith("us_localities_"):
                self.localities[meta["year"]] = Localities(document, table)
            elif name.startswith("us_unemployment_"):
                self.unemployment[meta["year"]] = (table, document)
            elif name.startswith("us_deductions_"):
                self.deductions[meta["year"]] = deduction_law(document, table)
            elif name.startswith("us_garnishments_"):
                self.garnishments[meta["year"]] = garnishment_law(document, table)
            elif name == "us_earnings":
                self.earnings = EarningLaw(table, document)
            elif name.startswith("us_supplemental_"):
                self.supplemental[meta["year"]] = supplemental_law(document, table)
            elif name.startswith("us_minimum_wage_"):
                self.minimum_wage[meta["year"]] = (table, document)
            elif name.startswith("us_overtime_"):
                overtime[meta["year"]] = (table, document)
            elif name.startswith("us_creditor_limits_"):
                creditors[meta["year"]] = (table, document)
            else:
                by_kind["federal" if "social_security" in document else "state"].append((document, table))
        self._versions = versions
        self.untaxed = np.array([state not in self._taxing for state in STATES])
        self.overtime = overtime_law(self.earnings, overtime, self.names)
        self.federal = federal_law(by_kind["federal"])
        for document, table in by_kind["state"]:
            law = state_law(document, table)
            self.states[law.state, law.year] = law
        if tuple(sorted(self.names)) != STATES:
            raise ValueError("us_jurisdictions.toml must list exactly the 51 jurisdictions")
        for year, (table, document) in creditors.items():
            self.creditor_limits[year] = (table, creditor_law(document, table, self.names))
        without = set(self.federal.years) - (self.deductions.keys() & self.supplemental.keys())
        if without:
            raise ValueError(
                f"us_deductions and us_supplemental must have the federal years; {min(without)} is missing"
            )
        of_creditors = {year for year in self.garnishments if self.knows_orders("creditor", year)}
        without = of_creditors - (self.creditor_limits.keys() & self.minimum_wage.keys())
        if without:
            raise ValueError(
                "us_creditor_limits and us_minimum_wage must have the years in which us_garnishments has creditors; "
                f"{min(without)} is missing"
            )
        self._laws_of: dict[str, list[StateLaw]] = {}  # that know withholding, as the files come
        for (code, _), law in self.states.items():
            if law.withholding:
                self._laws_of.setdefault(code, []).append(law)
        self._compile_support()

    @classmethod
    def load(cls, folder: Path = FOLDER) -> Tables:
        """The tables of a folder (us_federal_2026.toml, us_ca_2026.toml …), by default this package's; cached.
        ValueError, naming the table, for a file that is not law in the expected form."""
        return _load(folder)

    @classmethod
    def of(cls, texts: Mapping[str, bytes]) -> Tables:
        """Tables from file contents by table name (without ".toml"), for a changed table; never cached."""
        documents: dict[str, tuple[Mapping[str, Any], str]] = {}
        for name, content in texts.items():
            document = tomllib.loads(content.decode())
            documents[name] = (document, f"{document['meta']['version']}+{sha256(content).hexdigest()[:8]}")
        return cls(documents)

    def versions(self, *names: str) -> dict[str, str]:
        """Table name → version, of the named tables or of all."""
        return {name: self._versions[name] for name in names or self._versions}

    def has_income_tax(self, state: str) -> bool:
        return state in self._taxing

    def knows_orders(self, kind: str, year: int) -> bool:
        """Whether the law of withholding orders of a kind of GARNISHMENTS is known for a year."""
        law = self.garnishments.get(year)
        return law is not None and bool(law.kinds[GARNISHMENTS.index(kind)])

    def untaxed_because(self, state: str) -> str:
        """The source that says a state does not tax wages."""
        return self._untaxed_because[state]

    def sui_wage_base(self, state: str, year: int) -> int | None:
        """Wage base of state unemployment insurance in cents, None when the year is not known."""
        if year not in self.unemployment:
            return None
        return cents(self.unemployment[year][1]["wage_base"][state]["amount"])

    def place(self, code: str, year: int | None = None) -> Place | None:
        """A place of the jurisdiction set of a year, or of the newest that has it."""
        known = [self.localities[each] for each in sorted(self.localities, reverse=True) if year in {None, each}]
        return next((places.places[code] for places in known if code in places.places), None)

    def local_refusals(self, parts: Sequence[LocalPart], year: int, pay_frequency: str) -> list[Fault]:
        """What the law here does not cover of a paycheck's places, with pointers `#/local/0/place`."""
        faults = []
        for index, part in enumerate(parts):
            place = self.place(part.place, year)
            if place is None or not place.taxes:
                detail = f"{part.place} is no place with a local tax known for {year}."
                faults.append(Fault("unknown_locality", detail, f"#/local/{index}/place"))
                continue
            for tax in place.taxes:
                published = tax.method.frequencies[part.resident]
                if pay_frequency not in published:
                    listed = ", ".join(frequency for frequency in FREQUENCIES if frequency in published)
                    detail = f"{place.name} publishes its tax for {listed}; nothing is extrapolated to {pay_frequency}."
                    faults.append(Fault("frequency_not_published", detail, "#/pay_frequency"))
        return faults

    def refusals(
        self,
        *,
        pay_date: date | None,
        pay_frequency: str | None,
        w4_version: str | None,
        filing_status: str | None,
        state: str | None,
        certificate: StateCertificate | None = None,
        period_begin: date | None = None,
        period_end: date | None = None,
    ) -> list[Fault]:
        """What the law or our tables do not cover, all of it, with pointers as in the batch door (`#/work_state`).
        The words must be known ones (FREQUENCIES, FILING_STATUSES, W4_VERSIONS); any text is allowed for the state and
        the certificate's status. None is a part that is not known, because it was refused for itself: the others are
        still looked at."""
        faults: list[Fault] = []
        if w4_version == "2019_or_earlier" and filing_status == "head_of_household":
            faults.append(
                Fault(
                    "head_of_household_on_older_form",
                    "A Form W-4 of 2019 or earlier has no head of household status (Pub 15-T): give single or "
                    "married_filing_jointly, or a form of 2020 or later.",
                    "#/w4/filing_status",
                )
            )
        if pay_date is not None and pay_date.year not in self.federal.years:
            known = " and ".join(str(known) for known in self.federal.years)
            faults.append(
                Fault("year_not_supported", f"Federal law is known for {known}, not {pay_date.year}.", "#/pay_date")
            )
        if state is None:
            return faults
        if state not in self.names:
            faults.append(
                Fault("unknown_state", "Give the two-letter code of a state or DC, in capitals.", "#/work_state")
            )
            return faults
        if state not in self._taxing:
            faults += _status_faults(self.names[state], GENERAL_STATUSES, certificate)
            return faults + _election_faults(self.names[state], None, certificate)
        laws = self._laws_of.get(state)
        if not laws:
            faults.append(
                Fault(
                    "state_not_supported",
                    f"{self.names[state]} taxes wages and its withholding is not known here yet.",
                    "#/work_state",
                )
            )
            return faults
        version = laws[-1].withholding[-1]  # its words and tables tell the faults of a line whose date has no version
        if pay_date is not None:
            found = self.withholding_on(state, pay_date, period_begin, period_end)
            if found is None and not any(fault.code == "year_not_supported" for fault in faults):
                known = " and ".join(str(law.year) for law in laws)
                faults.append(
                    Fault(
                        "year_not_supported",
                        f"Withholding of {self.names[state]} is known for {known}, not {pay_date}.",
                        "#/pay_date",
                    )
                )
            version = found or version
        if pay_frequency is not None and pay_frequency not in version.method.frequencies:
            published = ", ".join(frequency for frequency in FREQUENCIES if frequency in version.method.frequencies)
            faults.append(
                Fault(
                    "frequency_not_published",
                    f"{self.names[state]} publishes withholding tables for {published}; nothing is extrapolated to "
                    f"{pay_frequency}.",
                    "#/pay_frequency",
                )
            )
        if certificate is None:
            return faults
        known_here = [word for code, word in enumerate(STATE_STATUSES) if version.own_status[code] != NOT_GIVEN]
        faults += _status_faults(self.names[state], known_here, certificate)
        return faults + _election_faults(self.names[state], version.method, certificate)

    def refusals_of(self, check: Paycheck) -> list[Fault]:
        """`refusals` of a paycheck over all its places of work, with pointers into it (`#/work/0/state`)."""
        faults = self.local_refusals(check.local, check.pay_date.year, check.pay_frequency)
        if check.residence_state is not None and check.residence_state not in self.names:
            detail = "Give the two-letter code of a state or DC, in capitals."
            return [*faults, Fault("unknown_state", detail, "#/residence_state")]
        for index, work in enumerate(check.work):
            state = self.agreements.withheld_in(work.state, check.residence_state)
            if state is None:
                continue
            for fault in self.refusals(
                pay_date=check.pay_date,
                pay_frequency=check.pay_frequency,
                w4_version=check.w4.version,
                filing_status=check.w4.filing_status,
                state=state,
                certificate=work.certificate,
                period_begin=check.period_begin,
                period_end=check.period_end,
            ):
                pointer = str(fault.pointer)
                pointer = pointer.replace("#/work_state", f"#/work/{index}/state")
                pointer = pointer.replace("#/state_certificate", f"#/work/{index}/certificate")
                moved = Fault(fault.code, fault.detail, pointer)
                if moved not in faults:
                    faults.append(moved)
        return faults

    def withholding_on(
        self, state: str, pay_date: date | None, period_begin: date | None = None, period_end: date | None = None
    ) -> Withholding | None:
        """The version of a state's law in effect for a paycheck, None when there is none or the pay date is not
        known."""
        if pay_date is None:
            return None
        law = self.states.get((state, pay_date.year))
        for version in law.withholding if law is not None else ():
            named = {"period_begin": period_begin, "period_end": period_end}.get(version.basis)
            if version.covers(named or pay_date):
                return version
        return None

    def _compile_support(self) -> None:
        """Look-ups for whole columns: [state, year, frequency] published, [state, year, status + 1] known; of each
        election [state, year] the largest value (NOT_GIVEN where it is not known), and the values of those with a
        list. `dated` lists (state, year, versions) of the laws whose versions must be looked at by date."""
        years = self.federal.years
        self.published = np.zeros((len(STATES), len(years), len(FREQUENCIES)), dtype=np.bool_)
        self.status_known = np.zeros((len(STATES), len(years), len(STATE_STATUSES) + 1), dtype=np.bool_)
        unknown = np.full((len(STATES), len(years)), NOT_GIVEN, dtype=np.int64)
        self.election_most = {name: unknown.copy() for name in ELECTIONS}
        self.elections_allowed: list[tuple[str, int, int, list[int]]] = []  # name, state, year, values
        for index, state in enumerate(STATES):
            for at, year in enumerate(years):
                self.status_known[index, at, NOT_GIVEN + 1] = True
                law = self.states.get((state, year))
                if state not in self._taxing:
                    self.published[index, at] = True
                    self.status_known[index, at, 1 : len(GENERAL_STATUSES) + 1] = True
                    continue
                for version in law.withholding if law else ():
                    self.published[index, at] |= [name in version.method.frequencies for name in FREQUENCIES]
                    self.status_known[index, at, 1:] |= version.own_status != NOT_GIVEN
                    for name in version.method.elections | ON_EVERY_FORM:
                        self.election_most[name][index, at] = version.method.most.get(name, ELECTIONS[name])
                    self.elections_allowed += [
                        (name, index, at, sorted(values)) for name, values in version.method.allowed.items()
                    ]
        self.dated = [
            (STATES.index(state), years.index(year), law.withholding)
            for (state, year), law in self.states.items()
            if year in years and any(_needs_date(version, year) for version in law.withholding)
        ]


@lru_cache(maxsize=8)
def _load(folder: Path) -> Tables:
    found = sorted(path for path in folder.glob("us_*.toml") if _OURS(path.stem))
    return Tables.of({path.stem: path.read_bytes() for path in found})


def _needs_date(version: Withholding, year: int) -> bool:
    return version.effective_to is not None or version.basis != "pay_date" or version.effective_from > date(year, 1, 1)


def _status_faults(name: str, known: Sequence[str], certificate: StateCertificate | None) -> list[Fault]:
    if certificate is None or certificate.status is None or certificate.status in known:
        return []
    return [Fault("unknown_status", f"{name} knows {', '.join(known)}.", "#/state_certificate/status")]


def _election_faults(name: str, method: Method | None, certificate: StateCertificate | None) -> list[Fault]:
    """`method` None: a state without income tax, whose form has nothing."""
    faults = []
    for election, value in (certificate.elections() if certificate is not None else {}).items():
        pointer = f"#/state_certificate/{where_in_form(election)}"
        if method is None or election not in method.elections | ON_EVERY_FORM:
            faults.append(Fault("unknown_field", f"The certificate of {name} has no {election}.", pointer))
        elif election in method.allowed and value not in method.allowed[election]:
            listed = ", ".join(decimal_text(Fraction(each, RATE_SCALE)) for each in sorted(method.allowed[election]))
            faults.append(Fault("invalid_value", f"The certificate of {name} offers {listed}.", pointer))
        elif value > method.most.get(election, ELECTIONS[election]):
            most = decimal_text(Fraction(method.most[election], RATE_SCALE))
            faults.append(Fault("out_of_range", f"The largest {election} of {name} is {most}.", pointer))
    return faults
