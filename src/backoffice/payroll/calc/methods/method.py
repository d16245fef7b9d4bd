"""What a state's withholding method is given and what it must answer. A new method is one class in this folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from backoffice.payroll.calc.derivation import Recorder
from backoffice.payroll.calc.paycheck import Bools, Int64s


@dataclass(frozen=True, slots=True)
class TableVersion:
    """Name and version of one of our tables."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class StateRows:
    """Columns of one state and one version of its law. `status` indexes the method's own `statuses`; amounts in cents;
    `frequency` indexes FREQUENCIES and `periods` is its number of pay periods a year."""

    wages: Int64s
    frequency: Int64s
    periods: Int64s
    status: Int64s
    allowances: Int64s
    secondary_allowances: Int64s


class Method(Protocol):
    """A withholding method filled with one version of one state's values."""

    statuses: tuple[str, ...]  # the state's own status keys; ("all",) when they do not matter
    frequencies: frozenset[str]  # those the state publishes a table for
    uses_allowances: bool
    uses_secondary_allowances: bool

    def withhold(self, rows: StateRows, recorder: Recorder | None) -> tuple[Int64s, Int64s]:
        """The tax of each row in cents as (numerator, denominator), exact unless the state's own method rounds."""
        ...

    def caveats(self, rows: StateRows) -> list[tuple[Bools, str]]:
        """Which rows used an unverified value or rule of the method, and the sentence that says so."""
        ...
