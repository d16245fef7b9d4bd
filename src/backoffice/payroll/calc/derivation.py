"""Why a number is what it is: the steps of a calculation, written down by the calculation itself.

The step functions take an optional `Recorder`. With none they work on whole columns; with one they work on a single
row and note each step. A step's `formula` is arithmetic over the names of its `inputs` (`+ - * /`, `min`, `max`,
`round_half_up(x, to)`, `cut(x, to)`), so anyone can check it; nothing is computed for the derivation alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backoffice.kernel.money import format_minor

Number = int | NDArray[np.int64]


class Value(NamedTuple):
    """An exact number with its unit (`usd`, `usd_per_hour`, `hours`, `rate`, `count`) or a word (`text`)."""

    unit: str
    exact: Fraction | str

    def __str__(self) -> str:
        if isinstance(self.exact, str):
            return self.exact
        places = 2 if self.unit in {"usd", "usd_per_hour", "hours"} else 0
        return decimal_text(self.exact, places)

    def number(self) -> Fraction:
        """The exact number. ValueError for a word."""
        if isinstance(self.exact, str):
            raise ValueError(f"{self.exact} is a word, not a number")
        return self.exact

    def as_json(self) -> dict[str, str]:
        body = {"unit": self.unit, "value": str(self)}
        if isinstance(self.exact, Fraction) and not _terminates(self.exact):
            body["exact"] = f"{self.exact.numerator}/{self.exact.denominator}"
        return body


def usd(cents: Number, divisor: Number = 1) -> Value:
    """Dollars from cents, or from an exact quotient of cents. Arrays give their only entry."""
    return Value("usd", _fraction(_one(cents), 100 * _one(divisor)))


def rate(numerator: Number, divisor: Number) -> Value:
    return Value("rate", _fraction(_one(numerator), _one(divisor)))


def count(number: Number) -> Value:
    return Value("count", Fraction(_one(number)))


@lru_cache(maxsize=1024)
def _fraction(numerator: int, denominator: int) -> Fraction:
    """Most numbers of a derivation stand in it several times, and a fraction is dear to make."""
    return Fraction(numerator, denominator)


def text(words: str) -> Value:
    return Value("text", words)


@dataclass(frozen=True, slots=True)
class TableRow:
    """Where in our dated law a value stands: table, its version, and the row or key."""

    table: str
    version: str
    row: str

    def as_json(self) -> dict[str, str]:
        return {"table": self.table, "version": self.version, "row": self.row}


class Step(NamedTuple):
    """One step. `name` is how later steps refer to `result`; `rule` is the line of the publication's own worksheet."""

    name: str
    rule: str
    says: str
    formula: str
    inputs: Mapping[str, Value]
    result: Value
    table: TableRow | None = None
    rounding: str | None = None

    def as_json(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "name": self.name,
            "rule": self.rule,
            "says": self.says,
            "formula": self.formula,
            "inputs": {name: value.as_json() for name, value in self.inputs.items()},
            "result": self.result.as_json(),
        }
        if self.table is not None:
            body["table"] = self.table.as_json()
        if self.rounding is not None:
            body["rounding"] = self.rounding
        return body

    def as_text(self) -> str:
        given = ", ".join(f"{name} {value}" for name, value in self.inputs.items())
        marks = [f"table {self.table.table} {self.table.version}: {self.table.row}"] if self.table else []
        marks += [f"rounding {self.rounding}"] if self.rounding else []
        with_inputs = f" ({given})" if given else ""
        with_marks = f" [{'; '.join(marks)}]" if marks else ""
        return f"{self.rule}: {self.says}: {self.name} = {self.formula}{with_inputs} = {self.result}{with_marks}"


@dataclass(frozen=True, slots=True)
class LineDerivation:
    """The derivation of one result line. `key` tells lines of one code apart (the assignment of an earnings line)."""

    code: str
    kind: str
    jurisdiction: str
    cents: int
    citation: str
    steps: tuple[Step, ...]
    key: str | None = None

    def as_json(self) -> dict[str, Any]:
        key = {"key": self.key} if self.key is not None else {}
        return {
            "code": self.code,
            "kind": self.kind,
            "jurisdiction": self.jurisdiction,
            **key,
            "amount": format_minor(self.cents),
            "citation": self.citation,
            "steps": [step.as_json() for step in self.steps],
        }

    def as_text(self) -> list[str]:
        key = f" [{self.key}]" if self.key is not None else ""
        return [
            f"{self.code} ({self.kind}, {self.jurisdiction}){key}: {format_minor(self.cents)}",
            *(f"    {step.as_text()}" for step in self.steps),
            f"    law: {self.citation}",
        ]


@dataclass(frozen=True, slots=True)
class Derivation:
    """The derivation of every line of one paycheck. One structure, printed three ways."""

    lines: tuple[LineDerivation, ...]

    def __add__(self, other: Derivation) -> Derivation:
        """Earnings followed by taxes: one derivation of the whole paycheck."""
        return Derivation(self.lines + other.lines)

    def of(self, code: str) -> tuple[LineDerivation, ...]:
        return tuple(line for line in self.lines if line.code == code)

    def as_json(self) -> list[dict[str, Any]]:
        """JSON values (dict, list, str): for the API and `--explain`."""
        return [line.as_json() for line in self.lines]

    def as_text(self) -> list[str]:
        """Lines for a terminal."""
        return [row for line in self.lines for row in line.as_text()]

    def as_rows(self) -> list[tuple[str, str, str, str, str]]:
        """(line, rule, what, how, result) for a table on a page or in a PDF."""
        return [
            (line.code, step.rule, step.says, step.formula, str(step.result))
            for line in self.lines
            for step in line.steps
        ]


def name_at(code: str, place: str) -> str:
    """The name of a tax of a place in a formula: without hyphens, which would subtract."""
    return f"{code}_{place}".replace("-", "_")


class Recorder:
    """Collects steps until `line` closes them into the derivation of one result line."""

    def __init__(self) -> None:
        self._steps: list[Step] = []
        self._lines: list[LineDerivation] = []

    def step(
        self,
        name: str,
        rule: str,
        says: str,
        formula: str,
        result: Value,
        *,
        table: TableRow | None = None,
        rounding: str | None = None,
        **inputs: Value,
    ) -> None:
        self._steps.append(Step(name, rule, says, formula, inputs, result, table, rounding))

    def line(
        self, code: str, kind: str, jurisdiction: str, cents: Number, citation: str, key: str | None = None
    ) -> None:
        steps, self._steps = tuple(self._steps), []
        self._lines.append(LineDerivation(code, kind, jurisdiction, _one(cents), citation, steps, key))

    def more(
        self, code: str, jurisdiction: str, cents: Number, citation: str, instead_of: Collection[str] = ()
    ) -> None:
        """Adds the steps since the last line to a line that stands already and now comes to `cents`, in place of its
        last steps where those have the names `instead_of`."""
        at = next(i for i, line in enumerate(self._lines) if (line.code, line.jurisdiction) == (code, jurisdiction))
        line, steps, self._steps = self._lines[at], tuple(self._steps), []
        kept = line.steps
        while kept and kept[-1].name in instead_of:
            kept = kept[:-1]
        self._lines[at] = replace(line, cents=_one(cents), steps=kept + steps, citation=f"{line.citation}; {citation}")

    def put(self, line: LineDerivation) -> None:
        """Puts a whole line in the place of the one of its code and jurisdiction, or last."""
        self._lines = [each for each in self._lines if (each.code, each.jurisdiction) != (line.code, line.jurisdiction)]
        self._lines.append(line)

    def derivation(self) -> Derivation:
        return Derivation(tuple(self._lines))


def decimal_text(number: Fraction, places: int = 0, most: int = 10) -> str:
    """A fraction as decimal text: all its decimals where they end within `most`, at least `places`; else cut to
    `most` decimals, half up."""
    if _terminates(number):
        shown = Decimal(number.numerator) / Decimal(number.denominator)
        if -int(shown.normalize().as_tuple().exponent) <= most:
            decimals = max(places, -int(shown.normalize().as_tuple().exponent), 0)
            return f"{shown:.{decimals}f}"
    scaled = number * 10**most
    whole = (2 * abs(scaled.numerator) + scaled.denominator) // (2 * scaled.denominator)
    digits = f"{whole:0{most + 1}d}"
    return f"{'-' if number < 0 else ''}{digits[:-most]}.{digits[-most:]}"


def _terminates(number: Fraction) -> bool:
    rest = number.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1


def _one(number: Number) -> int:
    return number if isinstance(number, int) else int(number.item(0))
