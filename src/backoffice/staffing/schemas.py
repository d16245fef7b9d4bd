"""What goes in and comes out of staffing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from backoffice.people.schemas import Address, AddressPatch, City, Email, Line, Locality, PostalCode, State
from backoffice.platform.jobs.kinds import JobPayload
from backoffice.platform.web.bodies import ExternalId, Metadata, MetadataPatch, Noun

Name = Annotated[str, Meta(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f\x7f]*$")]
Reference = Annotated[str, Meta(min_length=1, max_length=132, pattern=r"^[^\x00-\x1f]*$", examples=["ext:NW-0001"])]
Hours = Annotated[str, Meta(pattern=r"^(0|[1-9][0-9]?)(\.[0-9]{1,2})?$", examples=["7.50"])]
RateAmount = Annotated[str, Meta(pattern=r"^(0|[1-9][0-9]{0,5})(\.[0-9]{1,6})?$", examples=["19.25"])]
Currency = Annotated[str, Meta(pattern=r"^USD$", examples=["USD"])]
Reason = Annotated[str, Meta(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f\x7f]*$")]


class RateBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rate an hour: `{"amount": "19.25", "currency": "USD"}`, up to six decimals."""

    amount: RateAmount
    currency: Currency = "USD"


class RatePatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    amount: RateAmount | UnsetType = UNSET
    currency: Currency | UnsetType = UNSET


class CreateClient(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A customer of the firm, at whose place workers work."""

    external_id: ExternalId | None = None
    name: Name
    billing_email: Email | None = None
    address: Address
    payment_terms_days: Annotated[int, Meta(ge=0, le=365)] = 30
    metadata: Metadata = {}


class UpdateClient(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A merge patch of a client."""

    name: Name | UnsetType = UNSET
    billing_email: Email | UnsetType | None = UNSET
    address: AddressPatch | UnsetType = UNSET
    payment_terms_days: Annotated[int, Meta(ge=0, le=365)] | UnsetType = UNSET
    status: Literal["active", "inactive"] | UnsetType = UNSET
    metadata: MetadataPatch | UnsetType = UNSET


class Client(Noun, kw_only=True):
    name: str
    billing_email: str | None
    address: Address
    payment_terms_days: int
    status: str


class WorkPlace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the work is done: it decides which state's and city's taxes are owed. `locality` is the county or city
    whose local tax it is under, by its name ("none": no such place); without it the city is looked up."""

    city: City
    state: State
    postal_code: PostalCode
    locality: Locality | None = None


class WorkPlacePatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    city: City | UnsetType = UNSET
    state: State | UnsetType = UNSET
    postal_code: PostalCode | UnsetType = UNSET
    locality: Locality | UnsetType | None = UNSET


class CreateAssignment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A worker at a client, at a pay rate and a bill rate. `worker_id` and `client_id` take `ext:` names too."""

    external_id: ExternalId | None = None
    worker_id: Reference
    client_id: Reference
    job_title: Line
    pay_rate: RateBody
    bill_rate: RateBody
    work_place: WorkPlace
    started_on: date
    ended_on: date | None = None
    metadata: Metadata = {}


class UpdateAssignment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A merge patch of an assignment. A new rate holds for all hours that are not in a payroll run yet."""

    job_title: Line | UnsetType = UNSET
    pay_rate: RatePatch | UnsetType = UNSET
    bill_rate: RatePatch | UnsetType = UNSET
    work_place: WorkPlacePatch | UnsetType = UNSET
    metadata: MetadataPatch | UnsetType = UNSET


class EndAssignment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`ended_on` is the last day of work."""

    ended_on: date


class Assignment(Noun, kw_only=True):
    worker_id: str
    client_id: str
    job_title: str
    pay_rate: RateBody
    bill_rate: RateBody
    work_place: WorkPlace
    started_on: date
    ended_on: date | None
    status: str


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hours of one day, more than 0 and at most 24, with at most two decimals."""

    date: date
    hours: Hours
    external_id: ExternalId | None = None


class CreateTimesheet(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The hours of one assignment in one workweek, which starts on `week_start`."""

    external_id: ExternalId | None = None
    assignment_id: Reference
    week_start: date
    entries: Annotated[list[Entry], Meta(max_length=7)] = []
    metadata: Metadata = {}


class UpdateTimesheet(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`entries` replace all that are there (RFC 7396); the timesheet is a draft again."""

    entries: Annotated[list[Entry], Meta(max_length=7)] | UnsetType = UNSET
    metadata: MetadataPatch | UnsetType = UNSET


class ApproveTimesheets(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Either every submitted timesheet of a week, or those named."""

    week_start: date | None = None
    timesheet_ids: Annotated[list[Reference], Meta(min_length=1, max_length=1000)] | None = None


class RejectTimesheet(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`reason` is told to the front office, and to the worker."""

    reason: Reason


class Timesheet(Noun, kw_only=True):
    assignment_id: str
    worker_id: str
    week_start: date
    status: str
    total_hours: str
    entries: list[Entry]
    submitted_at: datetime | None
    approved_at: datetime | None
    approved_by: str | None
    rejected_reason: str | None
    payroll_run_id: str | None


class TimesheetVersion(msgspec.Struct, kw_only=True):
    """What a timesheet said before a change."""

    object: str = "timesheet_version"
    version: int
    status: str
    entries: list[Entry]
    replaced_by: str
    replaced_at: datetime


class TimesheetVersions(msgspec.Struct, kw_only=True):
    object: str = "list"
    data: list[TimesheetVersion]
    has_more: bool = False


class TimesheetsApproved(msgspec.Struct, kw_only=True):
    """What an approval of many did."""

    object: str = "timesheet_approval"
    approved: int
    total_hours: str
    timesheet_ids: list[str]


# -------------------------------------------------------------------------------- what payroll and billing ask for


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedHours:
    """Approved hours of one day on one assignment, with the rates that hold. `hundredths` of an hour; rates in
    micro-dollars an hour. `version` is the timesheet's, for whoever wants to know whether it changed since."""

    worker_id: UUID
    assignment_id: UUID
    client_id: UUID
    timesheet_id: UUID
    version: int
    work_date: date
    hundredths: int
    job_title: str
    pay_rate_micros: int
    bill_rate_micros: int
    work_state: str
    work_city: str
    work_locality: str | None
    work_postal_code: str
    payroll_run_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTimesheet:
    """A timesheet with hours in a period that is not approved."""

    id: UUID
    worker_id: UUID
    assignment_id: UUID
    week_start: date
    status: str
    total_hundredths: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignmentPlace:
    """What a pay statement says of an assignment."""

    id: UUID
    client_name: str
    job_title: str
    work_city: str
    work_state: str


class CheckTimesheets(JobPayload, frozen=True, kw_only=True):
    """The deadline of time sheets: tell whose hours of the workweek that ended last before `scheduled_for` are late."""

    kind: ClassVar[str] = "staffing.check_timesheets"
    pay_schedule: str
    scheduled_for: datetime


class LateHours(msgspec.Struct, frozen=True, kw_only=True):
    """The assignments without submitted hours for a week."""

    week_start: date
    assignments: list[str]
