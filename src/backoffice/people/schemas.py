"""What goes in and comes out of people. Numbers of persons and accounts go in and do not come out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from backoffice.people.in_effect import DeductionOn, OrderOn
from backoffice.platform.crypto import Sealed
from backoffice.platform.web.bodies import ExternalId, Metadata, MetadataPatch, MoneyBody, Noun

Name = Annotated[str, Meta(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f]*$")]
Line = Annotated[str, Meta(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f]*$")]
City = Annotated[str, Meta(min_length=1, max_length=40, pattern=r"^[^\x00-\x1f\x7f]*$")]
# A place of the jurisdiction set by its name or code, or "none": a place without a local tax.
Locality = Annotated[str, Meta(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]*$", examples=["Marion County"])]
State = Annotated[str, Meta(pattern=r"^[A-Z]{2}$", examples=["NY"])]
PostalCode = Annotated[str, Meta(pattern=r"^[0-9]{5}(-[0-9]{4})?$", examples=["14203"])]
Email = Annotated[
    str, Meta(max_length=254, pattern=r"^[^@\s\x00]+@[^@\s.\x00]+(\.[^@\s.\x00]+)+$", examples=["ada@example.com"])
]
Phone = Annotated[str, Meta(pattern=r"^\+[1-9][0-9]{6,14}$", examples=["+12025550123"])]
Ssn = Annotated[
    str, Meta(pattern=r"^[0-9]{3}-?[0-9]{2}-?[0-9]{4}$", description="write-only", examples=["900-12-3456"])
]
RoutingNumber = Annotated[str, Meta(pattern=r"^[0-9]{9}$", examples=["990100023"])]
AccountNumber = Annotated[str, Meta(pattern=r"^[0-9]{4,17}$", description="write-only", examples=["9000123456"])]
Count = Annotated[int, Meta(ge=0, le=99)]
Rate = Annotated[str, Meta(pattern=r"^(0(\.[0-9]{1,6})?|1(\.0{1,6})?)$", examples=["0.020"])]
StateStatus = Annotated[str, Meta(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9_]+$", examples=["single"])]
Purpose = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{2,63}$", examples=["w2_correction"])]
_ZERO = MoneyBody(amount="0.00")


class Address(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A postal address in the United States."""

    line1: Line
    line2: Line | None = None
    city: City
    state: State
    postal_code: PostalCode


class AddressPatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    line1: Line | UnsetType = UNSET
    line2: Line | UnsetType | None = UNSET
    city: City | UnsetType = UNSET
    state: State | UnsetType = UNSET
    postal_code: PostalCode | UnsetType = UNSET


class CreateWorker(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person who works or will work. `ssn` and `birth_date` are never shown again. `residence_locality` is the county
    or city whose local tax the home is under, by its name ("none": no such place); without it the city of the address
    is looked up, and of Indiana and Maryland nothing is known."""

    external_id: ExternalId | None = None
    first_name: Name
    middle_name: Name | None = None
    last_name: Name
    email: Email | None = None
    phone: Phone | None = None
    address: Address
    residence_locality: Locality | None = None
    ssn: Ssn | None = None
    birth_date: date | None = None
    metadata: Metadata = {}

    def __repr__(self) -> str:
        return f"CreateWorker({self.external_id!r})"


class UpdateWorker(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A merge patch of a worker."""

    external_id: ExternalId | UnsetType | None = UNSET
    first_name: Name | UnsetType = UNSET
    middle_name: Name | UnsetType | None = UNSET
    last_name: Name | UnsetType = UNSET
    email: Email | UnsetType | None = UNSET
    phone: Phone | UnsetType | None = UNSET
    address: AddressPatch | UnsetType = UNSET
    residence_locality: Locality | UnsetType | None = UNSET
    ssn: Ssn | UnsetType = UNSET
    birth_date: date | UnsetType = UNSET
    status: Literal["active", "inactive"] | UnsetType = UNSET
    metadata: MetadataPatch | UnsetType = UNSET

    def __repr__(self) -> str:
        return "UpdateWorker(…)"


class Worker(Noun, kw_only=True):
    """Of the Social Security number only the last four digits are shown, and of a birth date that it is on file."""

    number: int
    first_name: str
    middle_name: str | None
    last_name: str
    email: str | None
    phone: str | None
    address: Address
    residence_locality: str | None
    ssn_last4: str | None
    birth_date_on_file: bool
    status: str


class Reveal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which numbers to show, and what for; every field is an audit event of its own."""

    fields: Annotated[list[Literal["ssn", "birth_date", "bank_account_number"]], Meta(min_length=1, max_length=3)]
    purpose: Purpose


class Revealed(msgspec.Struct, kw_only=True, repr_omit_defaults=True):
    """What was asked for; null where nothing is on file. A dry run says what would be shown and shows nothing."""

    object: str = "revealed"
    worker_id: str
    ssn: str | UnsetType | None = UNSET
    birth_date: str | UnsetType | None = UNSET
    bank_account_number: str | UnsetType | None = UNSET

    def __repr__(self) -> str:
        return f"Revealed({self.worker_id})"


class CreateEmployment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A hire by the tenant's employer, paid on one of its pay schedules."""

    external_id: ExternalId | None = None
    hired_on: date
    pay_schedule: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,39}$", examples=["weekly"])]
    job_title: Name | None = None
    metadata: Metadata = {}


class EndEmployment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`ended_on` is the last day of employment."""

    ended_on: date


class Employment(Noun, kw_only=True):
    worker_id: str
    employer_id: str
    pay_schedule: str
    job_title: str | None
    hired_on: date
    ended_on: date | None


class W4(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Form W-4 as signed, of either generation. `step3`, `step4a`, `step4b` are amounts a year, `step4c` a pay period
    (line 6 of a form of 2019 or earlier, which alone has `allowances`)."""

    version: Literal["2020_or_later", "2019_or_earlier"]
    filing_status: Literal["single", "married_filing_jointly", "married_filing_separately", "head_of_household"]
    step2_checkbox: bool = False
    step3: MoneyBody = _ZERO
    step4a: MoneyBody = _ZERO
    step4b: MoneyBody = _ZERO
    step4c: MoneyBody = _ZERO
    allowances: Count = 0
    exempt: bool = False
    nonresident_alien: bool = False


class Exemptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The kinds of exemption that Indiana's form counts (WH-4)."""

    dependent: Count = 0
    first_time_dependent: Count = 0
    adopted: Count = 0


class StateCertificate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A state's own withholding certificate. `status` is the key of the state's own table (CT: A to F); without one it
    is mapped from the federal status. `elected_annual_credit` and `elected_annual_exemption` are amounts a
    year, `additional_withholding` a pay period; rates are fractions. A field that the state's form does not have is
    refused; `allowances` and `secondary_allowances` are taken everywhere, and unused where the state has none."""

    status: StateStatus | None = None
    allowances: Count = 0
    secondary_allowances: Count = 0
    exemptions: Exemptions | None = None
    elected_rate: Rate | None = None
    elected_annual_credit: MoneyBody | None = None
    elected_annual_exemption: MoneyBody | None = None
    local_rate: Rate | None = None
    county_rate: Rate | None = None
    additional_withholding: MoneyBody | None = None
    exempt: bool = False


class CreateTaxElection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A signed certificate: `w4` for the jurisdiction US, `state_certificate` for a state's own form."""

    external_id: ExternalId | None = None
    jurisdiction: State
    effective_from: date
    signed_on: date | None = None
    w4: W4 | None = None
    state_certificate: StateCertificate | None = None
    metadata: Metadata = {}


class TaxElection(Noun, kw_only=True):
    worker_id: str
    jurisdiction: str
    effective_from: date
    signed_on: date | None
    w4: W4 | None
    state_certificate: StateCertificate | None


class CreateBankAccount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where net pay goes from now on; an account that is there is closed. Without `holder_name`, the worker's name."""

    external_id: ExternalId | None = None
    routing_number: RoutingNumber
    account_number: AccountNumber
    kind: Literal["checking", "savings"]
    holder_name: Name | None = None
    metadata: Metadata = {}

    def __repr__(self) -> str:
        return "CreateBankAccount(…)"


class BankAccount(Noun, kw_only=True):
    worker_id: str
    routing_number: str
    account_last4: str
    kind: str
    holder_name: str
    status: str
    closed_at: datetime | None


class StateWages(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Wages that count for a state's unemployment insurance and programmes, up to and beyond their bases."""

    state: State
    wages: MoneyBody


class ProgrammeToDate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a programme (CA_SDI, NY_PFL …) has counted and what the worker has paid to it."""

    code: Annotated[str, Meta(pattern=r"^[A-Z]{2}_[A-Z0-9_]{1,30}$", examples=["NY_PFL"])]
    wages: MoneyBody = _ZERO
    amount: MoneyBody = _ZERO


class SetOpeningBalance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the same employer paid earlier in the calendar year, before its payroll moved here. Replaces what was set
    for that year. `elective_deferrals` count against the yearly limit of 401(k) and Roth deferrals."""

    external_id: ExternalId | None = None
    year: Annotated[int, Meta(ge=2000, le=2099)]
    gross: MoneyBody = _ZERO
    social_security_wages: MoneyBody = _ZERO
    medicare_wages: MoneyBody = _ZERO
    futa_wages: MoneyBody = _ZERO
    elective_deferrals: MoneyBody = _ZERO
    states: Annotated[list[StateWages], Meta(max_length=51)] = []
    programmes: Annotated[list[ProgrammeToDate], Meta(max_length=60)] = []
    metadata: Metadata = {}


class OpeningBalance(Noun, kw_only=True):
    worker_id: str
    employer_id: str
    year: int
    gross: MoneyBody
    social_security_wages: MoneyBody
    medicare_wages: MoneyBody
    futa_wages: MoneyBody
    elective_deferrals: MoneyBody
    states: list[StateWages]
    programmes: list[ProgrammeToDate]


# ------------------------------------------------------------------- what payroll asks for, many workers at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class FederalElection:
    """Form W-4 in force, amounts in cents. `id` None: none is on file, and the worker is treated as single with no
    other entries (26 CFR 31.3402(f)(2)-1(a)(4); Pub 15-T)."""

    id: UUID | None = None
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
class StateElection:
    """A state's certificate: rates in millionths, amounts in cents, None where the form does not say."""

    status: str | None = None
    allowances: int = 0
    secondary_allowances: int = 0
    dependent: int | None = None
    first_time_dependent: int | None = None
    adopted: int | None = None
    elected_rate: int | None = None
    elected_annual_credit: int | None = None
    elected_annual_exemption: int | None = None
    local_rate: int | None = None
    county_rate: int | None = None
    additional_withholding: int | None = None
    exempt: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PayAccount:
    """The active bank account. Open the number with `Cell("bank_account", "account", id)`."""

    id: UUID
    routing_number: str
    account_sealed: Sealed[str]
    account_last4: str
    kind: str
    holder_name: str
    created_by: str  # who put it on file


@dataclass(frozen=True, slots=True, kw_only=True)
class EmploymentOn:
    """The employment that holds the asked date."""

    id: UUID
    employer_id: UUID
    pay_schedule_id: UUID
    job_title: str | None
    hired_on: date
    ended_on: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class YearOpening:
    """Opening year-to-date of the asked date's year with the asked employment's employer, in cents."""

    gross: int = 0
    social_security_wages: int = 0
    medicare_wages: int = 0
    futa_wages: int = 0
    elective_deferrals: int = 0
    state_wages: dict[str, int] = field(default_factory=dict)
    programmes: dict[str, tuple[int, int]] = field(default_factory=dict)  # code → (wages, amount)


@dataclass(frozen=True, slots=True, kw_only=True)
class PayProfile:
    """All that payroll needs to know of a worker on a date. No clear number of a person is in it."""

    id: UUID
    external_id: str | None
    number: int
    first_name: str
    middle_name: str | None
    last_name: str
    ssn_last4: str | None
    birth_date_on_file: bool
    address: Address
    residence_locality: str | None
    status: str
    employment: EmploymentOn | None
    federal: FederalElection
    states: dict[str, StateElection]
    bank_account: PayAccount | None
    opening: YearOpening
    deductions: tuple[DeductionOn, ...] = ()
    orders: tuple[OrderOn, ...] = ()

    @property
    def full_name(self) -> str:
        return " ".join(part for part in (self.first_name, self.middle_name, self.last_name) if part)
