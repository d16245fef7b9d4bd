"""Deductions and withholding orders: what goes in and comes out. A case number goes in and does not come out."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from backoffice.people.schemas import Count, Name, Purpose, Rate
from backoffice.platform.web.bodies import ExternalId, Metadata, MetadataPatch, MoneyBody, Noun

Code = Annotated[str, Meta(min_length=1, max_length=60, pattern=r"^[a-z0-9_]+$", examples=["pretax_401k_403b_457b"])]
Kind = Annotated[str, Meta(min_length=1, max_length=60, pattern=r"^[a-z0-9_]+$", examples=["support"])]
CaseNumber = Annotated[
    str, Meta(min_length=5, max_length=60, pattern=r"^[^\x00-\x1f\x7f]*$", description="write-only")
]  # longer than what is shown of it


class CreateDeduction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Taken from each paycheck whose payday lies from `effective_from` to `effective_until`: `amount`, or `percent` of
    the wages (a fraction: "0.05"). It ends by itself when `total_goal` is taken (an advance that is paid back), and
    until the next year when `yearly_goal` is."""

    external_id: ExternalId | None = None
    code: Code
    amount: MoneyBody | None = None
    percent: Rate | None = None
    effective_from: date
    effective_until: date | None = None
    total_goal: MoneyBody | None = None
    yearly_goal: MoneyBody | None = None
    metadata: Metadata = {}


class UpdateDeduction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A merge patch of a deduction; it ends with `effective_until`. Paychecks that are paid stay as they are."""

    external_id: ExternalId | UnsetType | None = UNSET
    amount: MoneyBody | UnsetType | None = UNSET
    percent: Rate | UnsetType | None = UNSET
    effective_until: date | UnsetType | None = UNSET
    total_goal: MoneyBody | UnsetType | None = UNSET
    yearly_goal: MoneyBody | UnsetType | None = UNSET
    metadata: MetadataPatch | UnsetType = UNSET


class Deduction(Noun, kw_only=True):
    worker_id: str
    code: str
    amount: MoneyBody | None
    percent: str | None
    effective_from: date
    effective_until: date | None
    total_goal: MoneyBody | None
    yearly_goal: MoneyBody | None


class CreateWithholdingOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An order on wages as served. `amount` a paycheck, or `percent` of disposable earnings; a levy with neither takes
    all it may. `dependents` are those that the worker stated for a levy or a creditor's order. It is withheld from
    the paydays from `effective_from` (the day it was served, where it is left out) to `effective_until`."""

    external_id: ExternalId | None = None
    kind: Kind
    case_number: CaseNumber
    payee_name: Name | None = None
    amount: MoneyBody | None = None
    percent: Rate | None = None
    supports_other_family: bool = False
    arrears_over_12_weeks: bool = False
    dependents: Count | None = None
    served_on: date
    effective_from: date | None = None
    effective_until: date | None = None
    metadata: Metadata = {}

    def __repr__(self) -> str:
        return f"CreateWithholdingOrder({self.kind!r})"


class UpdateWithholdingOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A merge patch of an order; it ends with `effective_until`. Paychecks that are paid stay as they are."""

    external_id: ExternalId | UnsetType | None = UNSET
    payee_name: Name | UnsetType | None = UNSET
    amount: MoneyBody | UnsetType | None = UNSET
    percent: Rate | UnsetType | None = UNSET
    supports_other_family: bool | UnsetType = UNSET
    arrears_over_12_weeks: bool | UnsetType = UNSET
    dependents: Count | UnsetType | None = UNSET
    effective_until: date | UnsetType | None = UNSET
    metadata: MetadataPatch | UnsetType = UNSET


class WithholdingOrder(Noun, kw_only=True):
    """Of the case number only the last four characters are shown."""

    worker_id: str
    kind: str
    case_number_last4: str
    payee_name: str | None
    amount: MoneyBody | None
    percent: str | None
    supports_other_family: bool
    arrears_over_12_weeks: bool
    dependents: int | None
    served_on: date
    effective_from: date
    effective_until: date | None


class RevealOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the case number is shown for; it is an audit event."""

    purpose: Purpose


class RevealedOrder(msgspec.Struct, kw_only=True):
    """A dry run shows nothing."""

    object: str = "revealed_withholding_order"
    withholding_order_id: str
    case_number: str | None

    def __repr__(self) -> str:
        return f"RevealedOrder({self.withholding_order_id})"
