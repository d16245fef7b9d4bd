"""Deductions and orders in effect on a payday, as payroll asks for them, many workers at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class DeductionOn:
    """A deduction in effect: `amount` and goals in cents, `percent` in millionths."""

    id: UUID
    code: str
    amount: int | None = None
    percent: int | None = None
    total_goal: int | None = None
    yearly_goal: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderOn:
    """A withholding order in effect: `amount` in cents, `percent` in millionths of disposable earnings."""

    id: UUID
    kind: str
    served_on: date
    amount: int | None = None
    percent: int | None = None
    supports_other_family: bool = False
    arrears_over_12_weeks: bool = False
    dependents: int | None = None
