"""The jurisdiction set: places with a local tax on wages, found by their name and never guessed.

A place belongs to one state and has one tax or several. Who lives there and who only works there may owe different
amounts. Counties of Indiana share one formula; those of Maryland have none of their own, since the state's table
contains them: they give a certificate its local rate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backoffice.payroll.calc.exact import scaled
from backoffice.payroll.calc.methods import TableVersion
from backoffice.payroll.calc.methods.local import LOCAL_METHODS
from backoffice.payroll.calc.methods.local_rows import LocalMethod
from backoffice.payroll.calc.paycheck import RATE_SCALE, LocalPart

WORK_ONLY = frozenset({"weekly_fee"})  # owed by those who work there, wherever they live
# Residents owe these on wages earned anywhere.
RESIDENTS_EVERYWHERE = frozenset({"city_table", "on_state_base", "share_of_state"})


@dataclass(frozen=True, slots=True)
class LocalTax:
    """One tax of a place. `jurisdiction` is what its lines carry."""

    kind: str
    jurisdiction: str
    method: LocalMethod
    citation: str
    verified: bool
    note: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """A place with its taxes. `state_rate` (millionths): the rate that a Maryland county gives to the certificate."""

    code: str
    state: str
    name: str
    taxes: tuple[LocalTax, ...]
    state_rate: int | None = None


class Localities:
    """The places of one year."""

    def __init__(self, document: Mapping[str, Any], table: TableVersion) -> None:
        self.table = table
        self.places: dict[str, Place] = {}
        self._codes: dict[tuple[str, str], str] = {}
        for values in document["place"]:
            taxes = tuple(_tax(tax, values["code"], table) for tax in values["tax"])
            self._add(Place(values["code"], values["state"], values["name"], taxes), [values["name"], *values["also"]])
        indiana, maryland = document["counties"]["IN"], document["counties"]["MD"]
        for name, rate in indiana["rate"].items():
            code = f"IN-{_plain(name).upper().replace(' ', '-')}"
            tax = _tax(indiana | {"rate": rate, "name": name}, code, table)
            self._add(Place(code, "IN", f"{name} County", (tax,)), [name, f"{name} County"])
        for name, rate in maryland["rate"].items():
            code = f"MD-{_plain(name).upper().replace(' ', '-')}"
            names = [name] if name.endswith(("County", "City")) else [name, f"{name} County"]
            self._add(Place(code, "MD", names[-1], (), scaled(rate, RATE_SCALE)), names)
        # The county that a certificate names by its rate alone.
        self.by_rate = _tax(indiana | {"rate": "0", "name": "by rate"}, "IN-COUNTY", table)

    def _add(self, place: Place, names: Sequence[str]) -> None:
        self.places[place.code] = place
        for name in (place.code, *names, *(f"{place.state} {name}" for name in names)):
            if self._codes.setdefault((place.state, _plain(name)), place.code) != place.code:
                raise ValueError(f"{self.table.name}: {name} in {place.state} is two places")

    def find(self, state: str, name: str) -> Place | None:
        """The place of that name in a state, with the state's letters before it or without; its code is a name too, and
        so is that of its tax in lists of rates ("Philadelphia wage tax")."""
        code = self._codes.get((state, _plain(name)))
        return self.places[code] if code is not None else None

    def names(self, state: str) -> list[str]:
        return sorted(place.name for place in self.places.values() if place.state == state)

    def parts(
        self, work: Sequence[tuple[Place | None, int]], home: Place | None
    ) -> tuple[tuple[LocalPart, ...], list[str]]:
        """What a paycheck owes where, from its places of work with their wages and from the place of home; and what
        the reader must know of it. A county of Indiana taxes those who live there, wherever in Indiana they work."""
        wages: dict[str, int] = {}
        by_home = home is not None and any(tax.kind == "on_state_base" for tax in home.taxes)
        for place, amount in work:
            if place is not None and not (by_home and home is not None and place.state == home.state):
                wages[place.code] = wages.get(place.code, 0) + amount
        everything, notes = sum(amount for _, amount in work), []
        wages = self._one_county(wages, home)
        parts = [
            LocalPart(code, everything if lives_there else amount, lives_there)
            for code, amount in wages.items()
            for lives_there in (home is not None and code == home.code,)
            if self.places[code].taxes
        ]
        if home is not None and home.code not in wages and any(tax.kind not in WORK_ONLY for tax in home.taxes):
            elsewhere = [tax.kind for part in parts for tax in self.places[part.place].taxes]
            if all(tax.kind in RESIDENTS_EVERYWHERE for tax in home.taxes) or not elsewhere:
                parts.append(LocalPart(home.code, everything, True))
            else:
                notes.append(
                    f"{home.name} taxes its residents too: what it lets deduct for the tax at the place of work is not "
                    "known here, and nothing is withheld for it."
                )
        return tuple(sorted(parts, key=lambda part: part.place)), notes

    def _one_county(self, wages: Mapping[str, int], home: Place | None) -> dict[str, int]:
        """The places of work of which one at most is a county of Indiana: nobody owes two of them. The county of home
        is the one, for people who live in none that of the principal work."""
        counties = [code for code in wages if any(tax.kind == "on_state_base" for tax in self.places[code].taxes)]
        if home is not None and any(tax.kind == "on_state_base" for tax in home.taxes):
            owed = home.code
        else:
            owed = max(counties, key=lambda code: wages[code], default="")
        return {code: amount for code, amount in wages.items() if code not in counties or code == owed}


def _tax(values: Mapping[str, Any], code: str, table: TableVersion) -> LocalTax:
    return LocalTax(
        kind=values["kind"],
        jurisdiction=values.get("jurisdiction", code),
        method=LOCAL_METHODS[values["kind"]](values, table),
        citation=values["citation"],
        verified=values["verified"],
        note=values.get("note"),
    )


def _plain(name: str) -> str:
    return " ".join(name.casefold().replace(".", "").replace("'", "").replace("_", " ").replace("-", " ").split())
