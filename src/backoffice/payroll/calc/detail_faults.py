"""What cannot be calculated of the details of paychecks: amounts and shares out of range, and years without law."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from backoffice.kernel.errors import Fault
from backoffice.payroll.calc.detail import GARNISHMENTS, HOURS_SCALE, LARGEST_HOURS, Detail, Int64s
from backoffice.payroll.calc.garnishment_law import GarnishmentLaw
from backoffice.payroll.calc.paycheck import LARGEST_CENTS, LARGEST_COUNT, RATE_SCALE

_MOST_FAULTS = 100
_AMOUNTS = ("elective_before", "supplemental_before", "supplemental", "bonus", "nontaxable", "tips")


def detail_faults(detail: Detail, calendar: Int64s, garnishments: Mapping[int, GarnishmentLaw]) -> list[Fault]:
    """At most a hundred faults, with pointers `#/paychecks/{row}/…` or `#/deductions/{entry}/…`."""
    faults: list[Fault] = []
    ranges: list[tuple[Any, str, str, int, int]] = [
        (detail, name, "#/paychecks", 0, LARGEST_CENTS) for name in _AMOUNTS
    ]  # fmt: skip
    ranges.append((detail, "hours", "#/paychecks", -1, LARGEST_HOURS * HOURS_SCALE))
    ranges.append((detail, "futa_reduction", "#/paychecks", -1, RATE_SCALE))
    for name, least in (("deductions", 0), ("garnishments", -1)):
        orders = getattr(detail, name)
        ranges.append((orders, "amount", f"#/{name}", least, LARGEST_CENTS))
        ranges.append((orders, "percent", f"#/{name}", least, RATE_SCALE))
    ranges.append((detail.garnishments, "dependents", "#/garnishments", -1, LARGEST_COUNT))
    for owner, name, where, least, most in ranges:
        values: Int64s = getattr(owner, name)
        if len(values) and (values.min() < least or values.max() > most):
            words = f"{name} must lie in 0 .. {most}"
            outside = np.flatnonzero((values < least) | (values > most))[:_MOST_FAULTS].tolist()
            faults += [Fault("out_of_range", words, f"{where}/{at}/{name}") for at in outside]
    orders = detail.garnishments
    for year in np.unique(calendar[orders.paycheck]).tolist():
        kinds = garnishments[year].kinds if year in garnishments else np.zeros(len(GARNISHMENTS), dtype=np.bool_)
        unknown = np.flatnonzero((calendar[orders.paycheck] == year) & ~kinds[orders.kind])
        for row, kind in zip(orders.paycheck[unknown].tolist(), orders.kind[unknown].tolist(), strict=True):
            words = f"The law of {GARNISHMENTS[kind]} orders is not known for {year}."
            faults.append(Fault("year_not_supported", words, f"#/paychecks/{row}/garnishments"))
    return faults[:_MOST_FAULTS]
