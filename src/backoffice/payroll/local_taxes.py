"""Cities with a local wage tax whose name alone does not find their place in the jurisdiction set, or whose tax our
tables do not have. Pure; the list is dated data beside the tables of law."""

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
    in_set: bool  # the jurisdiction set has it, under another name or in parts


@cache
def _places() -> dict[tuple[str, str, str], LocalTax]:
    text = files("backoffice.payroll.calc.tables").joinpath("us_local_places.toml").read_text(encoding="utf-8")
    return {
        (place["state"], _plain(city), on): LocalTax(place["name"], place["citation"], place["in_set"])
        for place in tomllib.loads(text)["place"]
        for city in place["cities"]
        for on in place["taxes"]
    }


def local_tax(state: str, city: str, on: Literal["home", "work"]) -> LocalTax | None:
    """The local tax that a city is listed with, or None."""
    return _places().get((state, _plain(city), on))


def _plain(city: str) -> str:
    return " ".join(city.casefold().replace(".", "").split())
