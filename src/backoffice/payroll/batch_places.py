"""Where a batch line's work was done: its states with their wages, and the places with a local tax, found by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from backoffice.kernel.errors import FaultList
from backoffice.payroll import batch_fields as read
from backoffice.payroll.calc import STATES, LocalPart, Tables
from backoffice.payroll.calc.localities import Localities, Place
from backoffice.people.localities import NO_LOCALITY


class Stay(NamedTuple):
    """A state of work: its wages in cents, where the line says so, and the localities it names there, with their wages
    and pointers."""

    state: str
    wages: int
    pointer: str
    localities: tuple[tuple[str | None, int, str], ...]


def places_of(document: Mapping[str, Any], wages: int | None, faults: FaultList) -> list[Stay]:
    """The states of work with their wages; entries of one state are one place."""
    listed = document.get("work")
    main = read.text(document, "work_state", "#", faults, required="work" not in document)
    if "work" not in document:
        return [] if main is None else [Stay(main, wages or 0, "#/work_state", ((None, wages or 0, ""),))]
    if not isinstance(listed, list) or not listed:
        faults.add("#/work", "wrong_type", "work must be a list of at least one object.")
        return []
    found: dict[str, Stay] = {}
    total = 0
    for index, part in enumerate(listed):
        at = f"#/work/{index}"
        if not isinstance(part, dict):
            faults.add(at, "wrong_type", "An entry of work must be an object.")
            continue
        read.refuse_unknown(at, part, frozenset({"state", "locality", "wages"}), faults)
        state = read.text(part, "state", at, faults, required=True)
        own = read.money(part, "wages", at, faults, required=len(listed) > 1)
        own = wages if "wages" not in part else own
        total += own or 0
        if state is not None:
            locality = (read.text(part, "locality", at, faults), own or 0, f"{at}/locality")
            before = found.get(state, Stay(state, 0, f"{at}/state", ()))
            found[state] = before._replace(wages=before.wages + (own or 0), localities=(*before.localities, locality))
    if wages is not None and total != wages and not faults.faults:
        faults.add("#/work", "wages_differ", "The wages of work must add up to taxable_wages.")
    if main is not None and main not in found:
        faults.add("#/work_state", "not_in_work", "work_state must be one of the states of work.")
    return list(found.values())


def states_named(document: Mapping[str, Any]) -> list[str]:
    """The states of work that a line names, whatever else is wrong with it."""
    listed = document.get("work")
    parts = [part.get("state") for part in listed if isinstance(part, dict)] if isinstance(listed, list) else []
    return sorted({state for state in (*parts, document.get("work_state")) if isinstance(state, str)})


def local_parts(
    document: Mapping[str, Any], places: Sequence[Stay], home: str | None, known: Localities | None, tables: Tables,
    faults: FaultList,
) -> tuple[tuple[LocalPart, ...], dict[str, int], list[str]]:  # fmt: skip
    """The places with a local tax, the rates that counties give to certificates by state, and notes. Without
    `residence_locality` a person who lives in the state of work is taken to live in the place of most work there;
    NO_LOCALITY says that there is none."""
    notes: list[str] = []
    named = [(place.state, *each) for place in places for each in place.localities]
    of_home = read.text(document, "residence_locality", "#", faults)
    if all(name is None for _, name, _, _ in named) and of_home is None:
        return (), {}, []
    found: list[tuple[Place | None, int]] = []
    for state, name, wages, pointer in named:
        place = _locality(state, name, pointer, known, tables, faults)
        found.append((place, wages))
    at_home: Place | None = None
    if of_home is not None:
        state_of_home = home if home is not None else places[0].state if len(places) == 1 else None
        if state_of_home is None:
            faults.add("#/residence_locality", "required", "Give residence_state with residence_locality.")
        else:
            at_home = _locality(state_of_home, of_home, "#/residence_locality", known, tables, faults)
    else:
        own = [(wages, place) for place, wages in found if place is not None and home in {None, place.state}]
        at_home = max(own, key=lambda each: each[0])[1] if own else None
        if at_home is not None:
            notes.append(f"residence_locality was not given: {at_home.name}, the place of work, is used.")
    if known is None or faults.faults:
        return (), {}, notes
    counties = {
        place.state: place.state_rate for place, _ in found if place is not None and place.state_rate is not None
    }
    if at_home is not None and at_home.state_rate is not None:
        counties[at_home.state] = at_home.state_rate
    parts, more = known.parts(found, at_home)
    return parts, counties, [*notes, *more]


def _locality(
    state: str, name: str | None, pointer: str, known: Localities | None, tables: Tables, faults: FaultList
) -> Place | None:
    if name is None or name == NO_LOCALITY or state not in STATES:
        return None
    place = known.find(state, name) if known is not None else None
    if place is None and known is not None:
        listed = ", ".join(known.names(state))
        there = f"Known in {tables.names[state]} are {listed}" if listed else f"{tables.names[state]} has none"
        words = f'No place of that name is known to tax wages. {there}; "{NO_LOCALITY}" says that no place does.'
        faults.add(pointer, "unknown_locality", words)
    return place
