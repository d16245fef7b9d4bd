"""Whether a place is one of the jurisdiction set: the law's own list, asked where a place is put on file. Pure."""

from __future__ import annotations

from backoffice.kernel.errors import FaultList
from backoffice.kernel.places import STATES
from backoffice.payroll import calc

NO_LOCALITY = "none"  # said outright: the place has no local tax, whatever its postal city is called


def check_locality(faults: FaultList, state: str, name: str | None, pointer: str) -> None:
    """A name that no year's list has in that state is refused, with those it has."""
    years = calc.Tables.load().localities.values()
    if name is None or name == NO_LOCALITY or state not in STATES or any(year.find(state, name) for year in years):
        return
    listed = ", ".join(sorted({place for year in years for place in year.names(state)}))
    there = f"known there are {listed}" if listed else "none is known there"
    faults.add(pointer, "unknown_locality", f"names no place of {state} with a local tax; {there}; or say none")
