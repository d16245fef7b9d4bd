"""What a formula of a local tax is given, and what it must do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from backoffice.payroll.calc.derivation import Recorder
from backoffice.payroll.calc.methods.method import Method, StateRows
from backoffice.payroll.calc.paycheck import FREQUENCIES, Bools, Int64s

EVERY = frozenset(FREQUENCIES)


@dataclass(frozen=True, slots=True)
class LocalRows:
    """Columns of one place. `wages` in cents, those of the place or for residents all; `to_date` the wages of this
    employer earlier in the year. `state` and `method` are the state's own, for a formula that asks for them."""

    wages: Int64s
    resident: Bools
    frequency: Int64s
    to_date: Int64s
    state: StateRows | None = None
    method: Method | None = None


class LocalMethod(Protocol):
    """A local formula filled with the values of one place. A class inherits it for the defaults."""

    line: str = "local_income_tax"
    employer: bool = False
    programme: bool = False
    asks_state: bool = False
    uses_secondary_allowances: bool = False
    frequencies: tuple[frozenset[str], frozenset[str]] = (EVERY, EVERY)  # published for nonresidents, residents

    def withhold(self, rows: LocalRows, recorder: Recorder | None) -> tuple[Int64s, Int64s]:
        """The tax of each row in cents as (numerator, denominator)."""
        ...
