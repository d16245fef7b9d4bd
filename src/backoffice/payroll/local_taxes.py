"""Whether a place has a local wage tax that we know of. Pure; the list is dated data beside the tables of law."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal


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


def local_tax(state: str, city: str, on: Literal["home", "work"]) -> LocalTax | None:
    """The local tax of a city, or None when none is recorded."""
    return _places().get((state, _plain(city), on))


def _plain(city: str) -> str:
    return " ".join(city.casefold().replace(".", "").split())
