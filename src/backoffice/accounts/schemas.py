"""What goes in and comes out of accounts."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, ClassVar, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from backoffice.accounts.tenant_file.structs import IdentityRules
from backoffice.platform.jobs.kinds import Band, JobPayload
from backoffice.platform.web.bodies import ExternalId, Instant, Metadata, Noun, Text

Scope = Annotated[str, Meta(pattern=r"^[a-z_]+:[a-z_]+$", max_length=60, examples=["workers:read"])]


Network = Annotated[str, Meta(max_length=49, pattern=r"^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$", examples=["203.0.113.0/24"])]


class CreateApiKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new key for the person who asks. Without `scopes` it may do what the asking key may. With `allowed_ips`
    (addresses, or networks in CIDR notation) it opens from there and from nowhere else."""

    name: Text
    kind: Literal["rk", "sk"] = "rk"
    scopes: Annotated[list[Scope], Meta(min_length=1, max_length=100)] | None = None
    allowed_ips: Annotated[list[Network], Meta(min_length=1, max_length=50)] | None = None
    expires_at: Instant | None = None
    external_id: ExternalId | None = None
    metadata: Metadata = {}


class RevokeApiKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`keep_days`: how long the old key still opens, 0 (at once) to 7 days."""

    keep_days: Annotated[int, Meta(ge=0, le=7)] = 0


class ApiKey(Noun, kw_only=True):
    """`secret` is there in the answer to its creation only; it is shown once and cannot be read again. A preview shows
    none, since it would open nothing."""

    name: str
    kind: str
    person_id: str
    hint: str
    scopes: list[str]
    allowed_ips: list[str]
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
    frozen_time: Instant
    external_id: ExternalId | None = None
    metadata: Metadata = {}


class AdvanceTestClock(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    to: Instant


class RetryJob(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`note` says why it should work now; it is kept in the audit."""

    note: Text


class Tidy(JobPayload, frozen=True, kw_only=True):
    """Housekeeping in one tenant."""

    kind: ClassVar[str] = "platform.tidy"
    band: ClassVar[Band] = "bulk"
    quiet: ClassVar[bool] = True


class MoveClock(JobPayload, frozen=True, kw_only=True):
    """Move a test tenant's clock from `since` to `to`. That it has come there is told by the clock's own event."""

    kind: ClassVar[str] = "test_clock.advance"
    quiet: ClassVar[bool] = True
    clock_id: str
    since: datetime
    to: datetime


class TestClock(Noun, kw_only=True):
    """`status` is `advancing` from the request until all that falls due up to `advancing_to` has ended; `frozen_time`
    is where the clock has come to. `job_id` moves it, or moved it last. `seed`: what the tenant's ids are drawn
    from."""

    frozen_time: datetime
    status: Literal["ready", "advancing"]
    advancing_to: datetime | None = None
    job_id: str | None = None
    seed: int | None = None


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
