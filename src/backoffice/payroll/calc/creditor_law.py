"""The states' own limits on creditors' orders (us_creditor_limits_2026.toml), compiled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backoffice.payroll.calc.derivation import TableRow
from backoffice.payroll.calc.exact import cents, scaled
from backoffice.payroll.calc.methods import TableVersion
from backoffice.payroll.calc.paycheck import FREQUENCIES, RATE_SCALE, STATES, Int64s

# Weeks of a pay period in thirtieths, by FREQUENCIES: half a month is 2 1/6 weeks, a month 4 1/3 (29 CFR 870.10), a day
# one of five.
WEEK = 30
WEEKS = np.array([30, 60, 65, 130, 390, 780, 1560, 6], dtype=np.int64)
_RULES = frozenset(
    {"follows_federal", "forbidden", "share", "gross_share", "share_steps", "protected", "share_above", "whole_week",
     "dependent", "unknown", "citation", "source", "verified"}
)  # fmt: skip
_LIMITS = ("follows_federal", "forbidden", "share", "gross_share", "share_steps", "protected")


@dataclass(frozen=True, slots=True)
class CreditorLimit:
    """One state's; what it does not have is None or empty. Shares in millionths, amounts in cents.

    `steps` are (line, share), lines rising: above each line its share holds, the line being a multiple of the minimum
    wage (of disposable earnings) or an amount a week (of gross pay). What stays is `multiple` times the minimum wage,
    or `amounts[row, frequency]` from `since[row]` on. `unknown` and `unverified` are the words of a note."""

    state: str
    table: TableRow
    citation: str
    has_own: bool  # else the federal limit is followed
    forbidden: bool
    share: int | None
    gross_share: int | None
    steps: tuple[tuple[int, int], ...]
    steps_of_gross: bool
    multiple: int | None
    of_federal_wage: bool
    since: NDArray[np.datetime64]
    amounts: Int64s
    share_above: int
    whole_week: bool
    dependent: int
    name: str
    unknown: str | None
    unverified: str | None

    @property
    def protects(self) -> bool:
        return self.multiple is not None or len(self.amounts) > 0


def creditor_law(document: Mapping[str, Any], table: TableVersion, names: Mapping[str, str]) -> list[CreditorLimit]:
    """The limits of all jurisdictions, in the order of STATES. ValueError for a state that is missing, that says none
    of the limits, or something that is none."""
    states = document["states"]
    if tuple(sorted(states)) != STATES:
        raise ValueError(f"{table.name}.toml must list exactly the 51 jurisdictions")
    for state, values in states.items():
        if values.keys() - _RULES or not any(key in values for key in _LIMITS):
            raise ValueError(f"{table.name}.toml: {state} must say {', '.join(_LIMITS)}, and nothing that is no rule")
    return [_limit(state, states[state], table, names[state]) for state in STATES]


def _limit(state: str, values: Mapping[str, Any], table: TableVersion, name: str) -> CreditorLimit:
    def share(key: str) -> int | None:
        return scaled(values[key], RATE_SCALE) if key in values else None

    steps, protected = values.get("share_steps", ()), values.get("protected", ())
    of_gross = any("gross_above" in step for step in steps)
    times = protected if isinstance(protected, Mapping) else {}
    rows = () if times else protected
    whole_week = values.get("whole_week", False)
    return CreditorLimit(
        state=state,
        table=TableRow(table.name, table.version, f"states {state}"),
        citation=values["citation"],
        has_own=not values.get("follows_federal", False),
        forbidden=values.get("forbidden", False),
        share=share("share"),
        gross_share=share("gross_share"),
        steps=tuple(
            (cents(step["gross_above"]) if of_gross else int(step["multiple_above"]), scaled(step["share"], RATE_SCALE))
            for step in steps
        ),
        steps_of_gross=of_gross,
        multiple=int(times["multiple"]) if times else None,
        of_federal_wage=times.get("wage") == "federal",
        since=np.array([row["from"] for row in rows], dtype="datetime64[D]"),
        amounts=np.array([_by_period(row, whole_week) for row in rows], dtype=np.int64),
        share_above=share("share_above") or RATE_SCALE,
        whole_week=whole_week,
        dependent=cents(values.get("dependent", "0")),
        name=name,
        unknown=f"{name}: not known is {values['unknown']}; the general limit on creditors is used."
        if "unknown" in values
        else None,
        unverified=None
        if values["verified"]
        else f"The limit of {name} on creditors is unverified: {values['source']}.",
    )  # fmt: skip


def _by_period(row: Mapping[str, Any], whole_week: bool) -> list[int]:
    """The amount of each pay period: the one that is named, else the weekly one for its weeks, rounded up."""
    weekly = cents(row["weekly"])
    weeks = [max(int(each), WEEK) if whole_week else int(each) for each in WEEKS]
    return [
        cents(row[period]) if period in row else -(-weekly * of_it // WEEK)
        for period, of_it in zip(FREQUENCIES, weeks, strict=True)
    ]
