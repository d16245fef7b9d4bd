"""What goes in and comes out of accounts."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, ClassVar
from uuid import UUID

import msgspec
from msgspec import Meta

from backoffice.accounts.tenant_file.structs import IdentityRules
from backoffice.platform.jobs.kinds import Band, JobPayload
from backoffice.platform.web.bodies import Metadata, Noun, Text

Scope = Annotated[str, Meta(pattern=r"^[a-z_]+:[a-z_]+$", max_length=60)]


class Tidy(JobPayload, frozen=True, kw_only=True):
    """Housekeeping in one tenant."""

    kind: ClassVar[str] = "platform.tidy"
    band: ClassVar[Band] = "bulk"
    quiet: ClassVar[bool] = True


class CreateApiKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new key for the person who asks. Without `scopes` it may do what the asking key may."""

    name: Text
    kind: Annotated[str, Meta(pattern="^(sk|rk)$")] = "rk"
    scopes: Annotated[list[Scope], Meta(min_length=1, max_length=100)] | None = None
    expires_at: datetime | None = None
    metadata: Metadata = {}


class RevokeApiKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`keep_days`: how long the old key still opens, 0 (at once) to 7 days."""

    keep_days: Annotated[int, Meta(ge=0, le=7)] = 0


class ApiKey(Noun, kw_only=True):
    """`secret` is there in the answer to its creation only; it is shown once and cannot be read again."""

    name: str
    kind: str
    person_id: str
    hint: str
    scopes: list[str]
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None = None
    secret: str | msgspec.UnsetType = msgspec.UNSET


class Person(Noun, kw_only=True):
    name: str
    email: str
    roles: list[str]
    active: bool


class Tenant(msgspec.Struct, kw_only=True):
    """The caller's own tenant."""

    id: str
    object: str = "tenant"
    livemode: bool
    firm: str
    firm_name: str
    name: str
    plan: str
    time_zone: str
    modules: list[str]
    now: datetime


class CreateTestClock(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    frozen_time: datetime
    metadata: Metadata = {}


class AdvanceTestClock(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    to: datetime


class RetryJob(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`note` says why it should work now; it is kept in the audit."""

    note: Text


class TestClock(Noun, kw_only=True):
    frozen_time: datetime
    status: str


class TenantSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Facts of a tenant that domains ask for (never `if livemode`)."""

    firm: str
    firm_name: str
    name: str
    plan: str
    time_zone: str
    modules: tuple[str, ...]
    identity_rules: IdentityRules
    clock: str  # "real" or "movable"
    second_person_for: tuple[str, ...] = ()
    event_types: tuple[str, ...] = ()
    color: str = "#1f2937"
    support_email: str = ""


class Address(msgspec.Struct, frozen=True, kw_only=True):
    line1: str
    line2: str | None = None
    city: str
    state: str
    postal_code: str


class StateAccount(msgspec.Struct, frozen=True, kw_only=True):
    withholding_account: str | None = None
    unemployment_account: str
    sui_rate: Decimal


class Bank(msgspec.Struct, frozen=True, kw_only=True):
    odfi_routing_number: str
    destination_name: str
    origin_id: str
    company_id: str
    company_name: str
    balanced: bool
    line_ends: str
    offset_account_number: str | None = msgspec.field(default=None)

    def __repr__(self) -> str:
        return f"Bank({self.destination_name})"


class Employer(msgspec.Struct, frozen=True, kw_only=True):
    """The W-2 employer of this tenant."""

    id: UUID
    legal_name: str
    ein: str
    address: Address
    state_accounts: dict[str, StateAccount]
    bank: Bank


class PaySchedule(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    name: str
    frequency: str
    workweek_starts: int  # 0 = Monday
    first_period_begins: date
    payday_after_days: int
