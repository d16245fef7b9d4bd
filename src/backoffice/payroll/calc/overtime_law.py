"""The tables of overtime (the federal row of us_earnings.toml, and us_overtime), compiled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from backoffice.payroll.calc.derivation import TableRow
from backoffice.payroll.calc.earning_law import EarningLaw
from backoffice.payroll.calc.methods import TableVersion


@dataclass(frozen=True, slots=True)
class StateOvertime:
    """One state's rule of a year. Hours; `below_rate` dollars an hour; None where the state has no such rule."""

    name: str
    table: TableRow
    after_day: Fraction
    double_after_day: Fraction | None
    after_week: Fraction
    seventh_double_after: Fraction | None
    greater: bool
    below_rate: Fraction | None
    by_calendar_day: str | None
    citation: str
    unverified: str | None


@dataclass(frozen=True, slots=True)
class OvertimeLaw:
    """Hours of a workweek after which the FLSA asks for its premium, and the rules of states by year."""

    after_hours: Fraction
    table: TableRow
    citation: str
    years: Mapping[int, Mapping[str, StateOvertime]]

    def rule(self, state: str, year: int) -> tuple[StateOvertime | None, bool]:
        """The state's rule, and whether it is that of the year; the newest known one where the year is not known."""
        known = year in self.years
        return (self.years[year].get(state) if known else self.newest(state)), known

    def newest(self, state: str) -> StateOvertime | None:
        return self.years[max(self.years)].get(state)


def overtime_law(
    earnings: EarningLaw, tables: Mapping[int, tuple[TableVersion, Mapping[str, Any]]], names: Mapping[str, str]
) -> OvertimeLaw:
    return OvertimeLaw(
        earnings.after_hours,
        TableRow(earnings.table.name, earnings.table.version, "overtime_premium after_hours"),
        earnings.premium_citation,
        {
            year: {state: _rule(names[state], state, values, table) for state, values in document["states"].items()}
            for year, (table, document) in tables.items()
        },
    )


def _rule(name: str, state: str, values: Mapping[str, Any], table: TableVersion) -> StateOvertime:
    def number(key: str) -> Fraction | None:
        return Fraction(values[key]) if key in values else None

    condition = f", and {values['condition']}" if "condition" in values else ""
    return StateOvertime(
        name=name,
        table=TableRow(table.name, table.version, f"states {state}"),
        after_day=Fraction(values["overtime_after_day"]),
        double_after_day=number("double_time_after_day"),
        after_week=Fraction(values["overtime_after_week"]),
        seventh_double_after=number("seventh_day_double_time_after"),
        greater=values.get("greater", False),
        below_rate=number("below_regular_rate"),
        by_calendar_day=values.get("by_calendar_day"),
        citation=values["citation"],
        unverified=None
        if values["verified"]
        else f"The overtime law of {name} is unverified{condition}: {values['source']}.",
    )
