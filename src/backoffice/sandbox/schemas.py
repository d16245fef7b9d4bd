"""What goes in and comes out of the sandbox."""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from backoffice.payroll.schemas import Payment
from backoffice.platform.jobs.kinds import Band, JobPayload
from backoffice.platform.jobs.view import JobView

FixtureName = Literal["staffing_small"]
SEED_MOST = 2**31 - 1
Seed = Annotated[int, Meta(ge=0, le=SEED_MOST, examples=[7])]


class CreateTestFixture(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`staffing_small`: three clients, twelve workers with W-4s and bank accounts in up to four states, and their
    hours of the three weeks before the tenant's clock; the last week's are not approved yet."""

    name: FixtureName
    seed: Seed


class RunTestSimulation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`payment_return` takes `payment_id` and `code`: a payment that was sent comes back now (or on the day it was to
    settle), with one of the bank's return codes. `timesheet_late` takes `pay_schedule`: the deadline of its last whole
    workweek passes now."""

    payment_id: Annotated[str, Meta(max_length=140, examples=["pay_01m79t1100e008000000000000"])] | None = None
    code: Annotated[str, Meta(pattern="^R[0-9]{2}$", examples=["R02"])] | None = None
    pay_schedule: Annotated[str, Meta(max_length=63, examples=["weekly"])] | None = None


class TestSimulation(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: the payment that came back, or the job that tells whose hours are late."""

    object: str = "test_simulation"
    livemode: bool
    simulation: str
    payment: Payment | None = None
    job: JobView | None = None


class Built(msgspec.Struct, frozen=True, kw_only=True):
    """What a company came to, and the clock that moves it."""

    test_clock: str
    clients: int
    workers: int
    days_of_hours: int


class BuildFixture(JobPayload, frozen=True, kw_only=True):
    kind: ClassVar[str] = "sandbox.build_fixture"
    band: ClassVar[Band] = "bulk"
    name: FixtureName
    seed: int
    clock_id: str


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """What a company is built upon: the Monday of the clock's week, the employer's states, a weekly pay schedule."""

    monday: date
    states: list[str]
    pay_schedule: str


class ResetTenant(JobPayload, frozen=True, kw_only=True):
    kind: ClassVar[str] = "sandbox.reset"
    out_of_turn: ClassVar[bool] = True


class Reset(msgspec.Struct, frozen=True, kw_only=True):
    """What went: rows by table, and files."""

    rows: dict[str, int]
    files: int
