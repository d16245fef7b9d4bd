"""Where a worker lives and works, from what is stored, and what that owes to places. Pure.

A place is the locality that is stored, or else the city of the address or of the work, looked up by its name. A postal
code says nothing. Counties (Indiana, Maryland) are never read out of a city's name: Marion is a city of Grant County.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from backoffice.payroll import calc
from backoffice.payroll.calc.localities import Localities, Place
from backoffice.payroll.local_taxes import local_tax
from backoffice.people.localities import NO_LOCALITY
from backoffice.people.schemas import PayProfile
from backoffice.staffing.schemas import ApprovedHours

_BY_COUNTY = {"IN": "county_rate", "MD": "local_rate"}  # state → the rate that a certificate can say instead
_INDIANA = "IN"


class Stay(NamedTuple):
    """A place of work as stored."""

    state: str
    city: str
    locality: str | None


@dataclass(frozen=True, slots=True)
class Unknown:
    """What cannot be told of a place. `of` is whose stored fact would tell it; None: our tables do not have it."""

    detail: str
    of: Literal["worker", "assignment"] | None


@dataclass(frozen=True, slots=True)
class Where:
    """What a paycheck owes where: `local` for the calculation, `county_rates` (millionths) by state for certificates
    that name none, and what is not known."""

    local: tuple[calc.LocalPart, ...]
    county_rates: Mapping[str, int]
    unknown: tuple[Unknown, ...]


def stays_of(hours: Sequence[ApprovedHours]) -> dict[str, Stay]:
    """Places of work by assignment."""
    return {str(each.assignment_id): Stay(each.work_state, each.work_city, each.work_locality) for each in hours}


def wages_by_stay(weeks: Sequence[calc.Earnings], stays: Mapping[str, Stay]) -> dict[Stay, int]:
    """The gross by place of work, in cents. A premium of a week belongs to its places as their hours of it do; the
    cents that no share is whole of go to the last place."""
    wages: dict[Stay, int] = defaultdict(int)
    for week in weeks:
        shares: dict[Stay, int] = defaultdict(int)
        for entry in week.worked:
            shares[stays[entry.assignment]] += int(entry.hours * 100)
        for line in week.lines:
            if line.assignment is not None:
                wages[stays[line.assignment]] += line.cents
                continue
            left, total = line.cents, sum(shares.values())
            for place, share in shares.items():
                part = left * share // total if total else left
                wages[place] += part
                left, total = left - part, total - share
    return dict(wages)


def located(profile: PayProfile, wages: Mapping[Stay, int], year: int, tables: calc.Tables) -> Where:
    """The places of home and work in the jurisdiction set of a year."""
    known, unknown = tables.localities.get(year), list[Unknown]()
    home = Stay(profile.address.state, profile.address.city, profile.residence_locality)
    at_home = _place(home, "home", known, unknown)
    at_work = [(_place(stay, "work", known, unknown), cents) for stay, cents in wages.items()]
    unknown += _counties(profile, home, at_home, list(zip(wages, at_work, strict=True)), tables)
    if known is None:
        return Where((), {}, tuple(dict.fromkeys(unknown)))
    parts, notes = known.parts(at_work, at_home)
    parts = tuple(part for part in parts if part.resident or not _spares_others(known.places[part.place]))
    rates = {} if at_home is None or at_home.state_rate is None else {at_home.state: at_home.state_rate}
    return Where(parts, rates, tuple(dict.fromkeys([*unknown, *(Unknown(note, None) for note in notes)])))


def _place(stay: Stay, on: Literal["home", "work"], known: Localities | None, unknown: list[Unknown]) -> Place | None:
    if stay.locality == NO_LOCALITY:
        return None
    named = stay.locality if stay.locality is not None or stay.state in _BY_COUNTY else stay.city
    place = None if known is None or named is None else known.find(stay.state, named)
    if place is not None or (stay.locality is None and stay.state in _BY_COUNTY):
        return place
    if stay.locality is not None:
        unknown.append(Unknown(f"{stay.locality} in {stay.state} is no place with a known local tax this year", None))
        return None
    listed = local_tax(stay.state, stay.city, on)
    if listed is not None:
        who = "taxes its residents' wages" if on == "home" else "taxes wages earned there"
        holder: Literal["worker", "assignment"] | None = None
        if known is not None and listed.in_set:
            holder = "worker" if on == "home" else "assignment"
        unknown.append(Unknown(f"{listed.place} {who} ({listed.citation})", holder))
    return None


def _counties(
    profile: PayProfile, home: Stay, at_home: Place | None, work: Sequence[tuple[Stay, tuple[Place | None, int]]],
    tables: calc.Tables,
) -> list[Unknown]:  # fmt: skip
    """Counties that must be known and are not: of the home in a state that taxes by county, and of the work in Indiana
    for those who live elsewhere. A certificate may name the rate instead."""
    found = []
    taxed = {tables.agreements.withheld_in(stay.state, home.state) for stay, _ in work}
    for state, rate in _BY_COUNTY.items():
        form = profile.states.get(state)
        says = form is not None and getattr(form, rate) is not None
        name = tables.names[state]
        if says:
            continue
        if state == home.state and state in taxed and at_home is None and (form is not None or state == _INDIANA):
            found.append(
                Unknown(f"{name} taxes by county, and the county of the worker's home is not on file", "worker")
            )
        elsewhere = [stay for stay, (place, _) in work if stay.state == state == _INDIANA and place is None]
        if elsewhere and home.state != state:
            found.append(Unknown(f"{name} taxes by county, and the county of the work is not on file", "assignment"))
    return found


def _spares_others(place: Place) -> bool:
    """Whether only residents owe anything (New York City)."""
    return all(tax.kind == "city_table" for tax in place.taxes)
