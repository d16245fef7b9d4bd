"""The yearly tables of deductions (us_deductions_2026.toml) as arrays over years and codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backoffice.payroll.calc.detail import DEDUCTIONS, Bools, Int64s
from backoffice.payroll.calc.exact import cents
from backoffice.payroll.calc.methods import TableVersion
from backoffice.payroll.calc.paycheck import LARGEST_CENTS

ELECTIVE = "elective_deferral"
MONTHLY = frozenset({"commuter"})  # the limits that are not of the year
_OLDEST = 120


@dataclass(frozen=True, slots=True)
class DeductionLaw:
    """One year. `lowers[code]` are the four federal bases; `limit[code, age]` the most of a year (LARGEST_CENTS where
    there is none), an unknown age standing last; `unlowered[state]` the codes that do not lower (its income tax wages,
    its programmes and unemployment insurance); `recorded[state]` those whose effect in the state is recorded;
    `unverified[state]` the source of such a record that is not verified."""

    table: TableVersion
    text: Mapping[str, Any]
    lowers: Bools
    limit_name: tuple[str | None, ...]
    limit: Int64s
    limit_separate: Int64s
    line_limit: Int64s
    keeps_minimum_wage: Bools
    unlowered: Mapping[str, tuple[frozenset[int], frozenset[int]]]
    recorded: Mapping[str, frozenset[int]]
    unverified: Mapping[str, str]

    def ages(self, birth_year: Int64s) -> Int64s:
        """The place of an age on 31 December in `limit`; an unknown one is last."""
        age = np.clip(int(self.text["meta"]["year"]) - birth_year, 0, _OLDEST)
        return np.where(birth_year < 0, _OLDEST + 1, age)

    def limit_of(self, code: str) -> str | None:
        """The name of the limit that a deduction shares with others of that name."""
        return self.limit_name[DEDUCTIONS.index(code)]

    def lowers_a_tax(self, code: str) -> bool:
        """Whether a deduction is taken before taxes."""
        return bool(self.lowers[DEDUCTIONS.index(code)].any())

    def same_limits(self, birth_year: int) -> int:
        """The last year of birth that has the limits of this one: all that a calculation needs to know."""
        year = int(self.text["meta"]["year"])
        rows = [row for limit in self.text["limits"].values() for row in limit.get("catch_up", ())]
        ages: set[int] = {0, *(row["from_age"] for row in rows), *(row["to_age"] + 1 for row in rows)}
        return year - max(age for age in ages if age <= max(0, year - birth_year))

    def catch_up(self, code: int) -> bool:
        """Whether the age changes the limit of a deduction."""
        name = self.limit_name[code]
        return name is not None and "catch_up" in self.text["limits"][name]


def deduction_law(document: Mapping[str, Any], table: TableVersion) -> DeductionLaw:
    codes = document["codes"]
    if tuple(codes) != DEDUCTIONS:
        raise ValueError(f"{table.name}: the codes must be, in this order: {', '.join(DEDUCTIONS)}")
    limits = document["limits"]
    none = np.full((len(DEDUCTIONS), _OLDEST + 2), LARGEST_CENTS, dtype=np.int64)
    separate, per_line = none.copy(), np.full(len(DEDUCTIONS), LARGEST_CENTS, dtype=np.int64)
    for at, code in enumerate(codes.values()):
        if "limit" not in code:
            continue
        values = limits[code["limit"]]
        extra = _catch_up(values.get("catch_up", ()))
        lines = int(values.get("lines", 1))
        none[at] = cents(values["amount"]) * lines + extra
        separate[at] = cents(values.get("married_filing_separately", values["amount"])) * lines + extra
        per_line[at] = cents(values["amount"]) if lines > 1 else LARGEST_CENTS
    states = document["states"]
    return DeductionLaw(
        table=table,
        text=document,
        lowers=np.array([[flag == 1 for flag in code["lowers"]] for code in codes.values()]),
        limit_name=tuple(code.get("limit") for code in codes.values()),
        limit=none,
        limit_separate=separate,
        line_limit=per_line,
        keeps_minimum_wage=np.array([bool(code.get("keeps_minimum_wage")) for code in codes.values()]),
        unlowered={
            state: (_codes(values, "income_tax_unlowered"), _codes(values, "insured_unlowered"))
            for state, values in states.items()
        },
        recorded={state: _codes(values, "recorded") for state, values in states.items()},
        unverified={state: values["source"] for state, values in states.items() if not values["verified"]},
    )


def _codes(values: Mapping[str, Any], key: str) -> frozenset[int]:
    return frozenset(DEDUCTIONS.index(code) for code in values.get(key, ()))


def _catch_up(rows: Sequence[Mapping[str, Any]]) -> Int64s:
    extra = np.zeros(_OLDEST + 2, dtype=np.int64)
    for row in rows:
        extra[row["from_age"] : min(row["to_age"], _OLDEST) + 1] = cents(row["amount"])
    return extra
