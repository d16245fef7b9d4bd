"""Whether a place has a local wage tax that we know of. Pure; the list is dated data beside the tables of law."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from backoffice.payroll.calc import Tables


@dataclass(frozen=True, slots=True)
class LocalTax:
    """A local tax on people who live (`home`) or work (`work`) in a place."""

    place: str
    citation: str


@cache
def _places() -> dict[tuple[str, str, str], LocalTax]:
    text = files("backoffice.payroll.calc.tables").joinpath("us_local_places.toml").read_text(encoding="utf-8")
    return {
        (place["state"], _plain(city), on): LocalTax(place["name"], place["citation"])
        for place in tomllib.loads(text)["place"]
        for city in place["cities"]
        for on in place["taxes"]
    }


def local_tax(state: str, city: str, on: Literal["home", "work"], tables: Tables) -> LocalTax | None:
    """The local tax of a city, or None when none is recorded: in the list of places a run does not withhold for, or in
    the jurisdiction set of the tables. Every county of Indiana has one, and a city does not tell the county."""
    listed = _places().get((state, _plain(city), on))
    if listed is not None:
        return listed
    if state == "IN":
        return LocalTax("A county of Indiana", "Ind. Code 6-3.6")
    for places in tables.localities.values():
        place = places.find(state, city)
        if place is not None and place.taxes:
            return LocalTax(place.name, place.taxes[0].citation)
    return None


def _plain(city: str) -> str:
    return " ".join(city.casefold().replace(".", "").split())
