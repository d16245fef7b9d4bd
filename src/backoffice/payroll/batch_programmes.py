"""The wages and amounts that a batch line's programmes have counted before: as it says, and where it does not say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import numpy as np

from backoffice.kernel.errors import FaultList
from backoffice.payroll import batch_fields as read
from backoffice.payroll.calc import STATES, Tables
from backoffice.payroll.calc.exact import half_up
from backoffice.payroll.calc.paycheck import RATE_SCALE, Bools, Int64s


def programmes_of(ytd: Mapping[str, Any], tables: Tables, faults: FaultList) -> dict[str, tuple[int, int]] | None:
    """(wages, amount) in cents by programme, as the line says; None where it says nothing of programmes."""
    if "programmes" not in ytd:
        return None
    told, at = {}, "#/ytd/programmes"
    listed = ytd["programmes"]
    if not isinstance(listed, dict):
        faults.add(at, "wrong_type", "programmes must be an object {code: {wages, amount}}.")
        return {}
    for code in listed:
        if code not in _programme_codes(tables):
            faults.add(read.pointer(at, code), "unknown_programme", "No table has a programme of that code.")
        part = read.object_of(listed, code, frozenset({"wages", "amount"}), faults, where=at)
        amounts = [read.money(part or {}, key, read.pointer(at, code), faults) or 0 for key in ("wages", "amount")]
        told[code] = (amounts[0], amounts[1])
    return told


@cache
def _programme_codes(tables: Tables) -> frozenset[str]:
    computed = {programme.code for law in tables.states.values() for programme in law.programmes}
    return frozenset(computed | {code for law in tables.states.values() for code, _, _ in law.not_per_paycheck})


def programmes_to_date(
    state: Int64s, wages: Int64s, years: Int64s, tables: Tables
) -> dict[str, tuple[Int64s, Int64s, Bools]]:
    """What programmes with a yearly limit have counted before each entry, where the line does not name them. `wages`:
    the largest of the line's wages to date, which is what this employer has paid this year and counts for the
    programme too, if the line says nothing of programmes; 0 if it names others."""
    nothing, nobody = np.zeros_like(wages), np.zeros(len(wages), dtype=np.bool_)
    to_date: dict[str, tuple[Int64s, Int64s, Bools]] = {}
    for (code, year), law in tables.states.items():
        ours = (state == STATES.index(code)) & (years == year)
        if not ours.any():
            continue
        for programme in law.programmes:
            if programme.is_limited:
                _, amount, given = to_date.get(programme.code, (wages, nothing, nobody))
                paid = np.where(ours, half_up(wages * programme.rate, RATE_SCALE), amount)
                to_date[programme.code] = (wages, paid, given | ours)
    return to_date


def notes_of_programmes(
    programmes: Mapping[str, tuple[int, int]] | None, states: Iterable[str], year: int, tables: Tables
) -> tuple[str, ...]:
    """What counts towards the yearly limits of these states' programmes that the line does not name."""
    said = "ytd.programmes.{} was not given: 0.00 is used."
    if programmes is None:
        said = "{}: the largest of the wages to date in ytd counts as its own, towards its yearly limit."
    laws = [tables.states.get((state, year)) for state in states]
    return tuple(
        said.format(programme.code)
        for law in laws
        for programme in (law.programmes if law is not None else ())
        if programme.is_limited and programme.code not in (programmes or ())
    )
