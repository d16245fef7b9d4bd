"""The yearly table of withholding on supplemental wages (us_supplemental_2026.toml), compiled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from backoffice.payroll.calc.exact import cents, scaled
from backoffice.payroll.calc.methods import TableVersion
from backoffice.payroll.calc.paycheck import RATE_SCALE, Dates, Int64s

LOCAL_SCALE = 10_000_000
_METHODS = ("flat", "regular", "fraction_of_federal", "by_salary", "flat_plus_local")


@dataclass(frozen=True, slots=True)
class StateSupplemental:
    """One state. `apart` says whether the supplemental wages are withheld on apart from the regular ones. Rates in
    millionths from their dates on, or (by_salary) from their annual cents on; `above` cents a year."""

    text: Mapping[str, Any]
    method: str
    dates: Dates
    rates: Int64s
    bonus_rate: int | None
    band_from: Int64s
    band_rate: Int64s
    above: int | None
    above_rate: int
    round_to: int
    default_local: int
    nonresident_local: int

    @property
    def apart(self) -> bool:
        return self.method != "regular"


@dataclass(frozen=True, slots=True)
class SupplementalLaw:
    """One year. Rates in millionths, the threshold in cents. A state that is absent withholds nothing on wages."""

    table: TableVersion
    text: Mapping[str, Any]
    flat_rate: int
    above_rate: int
    threshold: int
    states: Mapping[str, StateSupplemental]
    locals: Mapping[str, int]  # rate of a place's residents, over LOCAL_SCALE


def supplemental_law(document: Mapping[str, Any], table: TableVersion) -> SupplementalLaw:
    federal = document["federal"]
    return SupplementalLaw(
        table=table,
        text=document,
        flat_rate=scaled(federal["flat_rate"], RATE_SCALE),
        above_rate=scaled(federal["above_rate"], RATE_SCALE),
        threshold=cents(federal["threshold"]),
        locals={place: scaled(values["rate"], LOCAL_SCALE) for place, values in document["locals"].items()},
        states={state: _state(values, table) for state, values in document["states"].items()},
    )


def _state(values: Mapping[str, Any], table: TableVersion) -> StateSupplemental:
    if values["method"] not in _METHODS:
        raise ValueError(f"{table.name}: the method must be one of {', '.join(_METHODS)}")
    rates, bands = values.get("rates", ()), values.get("bands", ())
    return StateSupplemental(
        text=values,
        method=values["method"],
        dates=np.array([row["from"] for row in rates], dtype="datetime64[D]"),
        rates=np.array([scaled(row["rate"], RATE_SCALE) for row in rates], dtype=np.int64),
        bonus_rate=scaled(values["bonus_rate"], RATE_SCALE) if "bonus_rate" in values else None,
        band_from=np.array([cents(row["from"]) for row in bands], dtype=np.int64),
        band_rate=np.array([scaled(row["rate"], RATE_SCALE) for row in bands], dtype=np.int64),
        above=cents(values["above"]) if "above" in values else None,
        above_rate=scaled(values.get("above_rate", "0"), RATE_SCALE),
        default_local=scaled(values.get("default_local_rate", "0"), RATE_SCALE),
        nonresident_local=scaled(values.get("nonresident_local_rate", "0"), RATE_SCALE),
        round_to=cents(values.get("round_to", "0.01")),
    )
