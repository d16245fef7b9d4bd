"""Rules of a state that are told and not applied, because they ask for facts that nobody gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from backoffice.payroll.calc.exact import cents, scaled
from backoffice.payroll.calc.methods import TableVersion
from backoffice.payroll.calc.paycheck import LARGEST_CENTS, RATE_SCALE, Bools, Int64s


@dataclass(frozen=True, slots=True)
class Told:
    """A rule of a state that asks for facts nobody gives, told to whom it may concern: where less than a `rate` of the
    wages (millionths) is withheld, or less than an `amount` (cents), or from who lives in another state."""

    when: str
    rate: int
    amount: int
    says: str

    def applies(self, wages: Int64s, tax: Int64s, nonresident: Bools) -> Bools:
        if self.when == "below_rate":
            return tax * RATE_SCALE < np.minimum(wages, LARGEST_CENTS) * self.rate
        return nonresident & (wages > 0) if self.when == "nonresident" else (tax > 0) & (tax < self.amount)

    @classmethod
    def of(cls, values: Mapping[str, Any], table: TableVersion) -> Told:
        if values["when"] not in {"below_rate", "below_amount", "nonresident"}:
            raise ValueError(f"{table.name}: told when below_rate, below_amount or nonresident, not {values['when']}")
        return cls(
            values["when"],
            scaled(values.get("rate", "0"), RATE_SCALE),
            cents(values.get("amount", "0.00")),
            values["says"],
        )
