"""The table of kinds of pay (us_earnings.toml), compiled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from backoffice.payroll.calc.exact import cents
from backoffice.payroll.calc.methods import TableVersion


@dataclass(frozen=True, slots=True)
class EarningKind:
    """One kind of pay. `subject`: income tax, social security, Medicare, FUTA. `paid`: money of this paycheck. `tips`:
    given by customers, which makes it no wage of the employer's."""

    code: str
    subject: tuple[bool, bool, bool, bool]
    paid: bool
    supplemental: bool
    bonus: bool
    hours_worked: bool
    in_regular_rate: bool
    premium_part: Fraction
    w2: str | None
    tips: bool
    limit: str | None
    citation: str


class EarningLaw:
    """Kinds of pay by code, the hours after which overtime is owed, and limits in cents a day."""

    def __init__(self, table: TableVersion, document: Mapping[str, Any]) -> None:
        self.table = table
        self.kinds = {
            code: EarningKind(
                code=code,
                subject=tuple(flag == 1 for flag in values["subject"]),
                paid=values.get("paid", True),
                supplemental=values.get("supplemental", False),
                bonus=values.get("bonus", False),
                hours_worked=values.get("hours_worked", False),
                in_regular_rate=values.get("in_regular_rate", False),
                premium_part=Fraction(values.get("premium_part", "0")),
                w2=values.get("w2"),
                tips=values.get("tips", False),
                limit=values.get("limit"),
                citation=values["citation"],
            )
            for code, values in document["codes"].items()
        }
        premium = document["overtime_premium"]
        self.after_hours = Fraction(premium["after_hours"])
        self.premium_w2 = str(premium["w2"])
        self.premium_citation = str(premium["citation"])
        self.limits = {name: cents(values["amount"]) for name, values in document["limits"].items()}
        self.unverified = {
            name: f"The limit of {name} ({values['amount']} {values['says']}) is unverified: {values['source']}."
            for name, values in document["limits"].items()
            if not values["verified"]
        }
