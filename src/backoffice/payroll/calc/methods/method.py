"""What a state's withholding method is given and what it must answer. A new method is one class in this folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import numpy as np

from backoffice.payroll.calc.derivation import Recorder
from backoffice.payroll.calc.paycheck import NOT_GIVEN, Bools, Int64s

TO_THE_CENT = "to the cent, half up"


@dataclass(frozen=True, slots=True)
class TableVersion:
    """Name and version of one of our tables."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class OtherTaxes:
    """Other taxes of the same paychecks in cents, for the formulas that ask for them: withheld this period, and what
    Massachusetts has let deduct of `fica` (social security and Medicare) earlier in the year."""

    federal_income_tax: Int64s
    fica: Int64s
    fica_deducted: Int64s


@dataclass(frozen=True, slots=True)
class StateRows:
    """Columns of one state and one version of its law. `status` indexes the method's own `statuses`; amounts in cents;
    `frequency` indexes FREQUENCIES and `periods` is its number of pay periods a year. `certificate`: one is on file.
    `elections` are the method's own fields of the certificate, `others` is there for a method that asks for it."""

    wages: Int64s
    frequency: Int64s
    periods: Int64s
    status: Int64s
    allowances: Int64s
    secondary_allowances: Int64s
    certificate: Bools
    elections: Mapping[str, Int64s]
    nonresident: Bools  # the person is known to live in another state
    older_allowances: Int64s  # those of a federal Form W-4 of 2019 or earlier, where that is the state's certificate
    others: OtherTaxes | None = None

    def elected(self, name: str, default: int = 0) -> tuple[Int64s, Bools]:
        """A field of the certificate with `default` where it does not say, and where it does."""
        if name not in self.elections:
            return np.full_like(self.wages, default), np.zeros(len(self.wages), dtype=np.bool_)
        said: Bools = self.certificate & (self.elections[name] != NOT_GIVEN)
        return np.where(said, self.elections[name], default), said


class Method(Protocol):
    """A withholding method filled with one version of one state's values. A class inherits it for the defaults."""

    statuses: tuple[str, ...]  # the state's own status keys; ("all",) when they do not matter
    frequencies: frozenset[str]  # those the state publishes a table for
    uses_allowances: bool
    uses_secondary_allowances: bool
    elections: frozenset[str] = frozenset()  # the fields of ELECTIONS it knows, besides those on every form
    allowed: Mapping[str, frozenset[int]] = MappingProxyType({})  # an election's only values, where a form lists them
    most: Mapping[str, int] = MappingProxyType({})  # the largest value of an election, where that is below its own
    defaults: Mapping[str, str] = MappingProxyType({})  # what counts for an election that the form does not make
    asks: frozenset[str] = frozenset()  # the other taxes its formula asks for: federal_income_tax, fica

    def withhold(self, rows: StateRows, recorder: Recorder | None) -> tuple[Int64s, Int64s]:
        """The tax of each row in cents as (numerator, denominator), exact unless the state's own method rounds."""
        ...

    def caveats(self, rows: StateRows) -> list[tuple[Bools, str]]:
        """Which rows used an unverified value or rule of the method, and the sentence that says so."""
        ...
