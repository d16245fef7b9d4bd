"""What the calculation answers: lines of int64 cents, the notes a reader must see, and the versions of the law used."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from backoffice.payroll.calc.paycheck import Columns, Int64s

EARNING = "earning"
EMPLOYEE_TAX = "employee_tax"
EMPLOYER_TAX = "employer_tax"
DEDUCTION = "deduction"
GARNISHMENT = "garnishment"
NET = "net"
FEDERAL = "US"


@dataclass(frozen=True, slots=True)
class Line:
    """One result line over the paychecks it belongs to: `cents[i]` is the amount of paycheck `rows[i]`. `rows` rises.
    `jurisdiction` is "US" or a state. `programme` is true for the state programmes (CA_SDI …). `exact`: the amounts
    before they were rounded and without what a form asks for in addition, as numerator and denominator of cents, kept
    where the tax on supplemental wages is yet to come."""

    code: str
    kind: str
    jurisdiction: str
    rows: Int64s
    cents: Int64s
    programme: bool = False
    exact: tuple[Int64s, Int64s] | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """Something the reader of those paychecks must know: a default that was used, an unverified value, a limit."""

    code: str
    detail: str
    rows: Int64s


@dataclass(frozen=True, slots=True)
class PaycheckLine:
    """One line of one paycheck."""

    code: str
    kind: str
    jurisdiction: str
    cents: int
    programme: bool = False


@dataclass(frozen=True, slots=True)
class PaycheckResult:
    """Everything about one paycheck, in plain values."""

    gross: int
    net: int
    lines: tuple[PaycheckLine, ...]
    notes: tuple[tuple[str, str], ...]
    tables: Mapping[str, str]

    def amount(self, code: str, kind: str | None = None) -> int:
        """The sum of the lines with that code (and kind), 0 when there is none."""
        return sum(line.cents for line in self.lines if line.code == code and kind in {None, line.kind})


@dataclass(slots=True)
class Results:
    """The lines of many paychecks. `gross` and `net` have one entry per paycheck; the line `net_pay` repeats `net`.

    Net is gross less every `employee_tax`, `deduction` and `garnishment` line; that totals equal sums is asserted where
    they are made.
    `tables` lists (name, version, rows) of the law each paycheck used. `taxed` are the columns with the wages that
    deductions left to each tax, where a paycheck of the batch has details. `keeps_exact`: income taxes keep what they
    were before they were rounded. `federal_above`: the exact federal tax (cents x RATE_SCALE) on supplemental wages
    above the threshold of the year where the rest is withheld on as regular wages, for states that ask for that tax.
    """

    gross: Int64s
    net: Int64s
    lines: list[Line] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    tables: list[tuple[str, str, Int64s]] = field(default_factory=list)
    taxed: Columns | None = None
    keeps_exact: bool = False
    federal_above: Int64s | None = None

    def __len__(self) -> int:
        return len(self.gross)

    def __iter__(self) -> Iterator[PaycheckResult]:
        """Every paycheck in order, in plain values. For writing out; totals are quicker on the columns."""
        lines: dict[int, list[PaycheckLine]] = defaultdict(list)
        for line in self.lines:
            for row, cents in zip(line.rows.tolist(), line.cents.tolist(), strict=True):
                lines[row].append(PaycheckLine(line.code, line.kind, line.jurisdiction, cents, line.programme))
        notes: dict[int, list[tuple[str, str]]] = defaultdict(list)
        for note in self.notes:
            for row in note.rows.tolist():
                notes[row].append((note.code, note.detail))
        tables: dict[int, dict[str, str]] = defaultdict(dict)
        for name, version, rows in self.tables:
            for row in rows.tolist():
                tables[row][name] = version
        for row, (gross, net) in enumerate(zip(self.gross.tolist(), self.net.tolist(), strict=True)):
            yield PaycheckResult(gross, net, tuple(lines[row]), tuple(notes[row]), tables[row])

    def paycheck(self, row: int) -> PaycheckResult:
        """One paycheck in plain values. IndexError when there is no such row."""
        if not 0 <= row < len(self):
            raise IndexError(f"there is no paycheck {row}; rows run from 0 to {len(self) - 1}")
        return PaycheckResult(
            int(self.gross[row]),
            int(self.net[row]),
            tuple(
                PaycheckLine(line.code, line.kind, line.jurisdiction, int(line.cents[at]), line.programme)
                for line in self.lines
                if (at := _find(line.rows, row)) is not None
            ),
            tuple((note.code, note.detail) for note in self.notes if _find(note.rows, row) is not None),
            {name: version for name, version, rows in self.tables if _find(rows, row) is not None},
        )

    def column(self, code: str, kind: str | None = None) -> Int64s:
        """One line over all paychecks, zero where a paycheck does not have it, summed over jurisdictions."""
        total = np.zeros(len(self), dtype=np.int64)
        for line in self.lines:
            if line.code == code and kind in {None, line.kind}:
                total[line.rows] += line.cents
        return total

    def totals(self) -> dict[tuple[str, str, str], int]:
        """(code, kind, jurisdiction) → cents over all paychecks."""
        totals: dict[tuple[str, str, str], int] = defaultdict(int)
        for line in self.lines:
            totals[line.code, line.kind, line.jurisdiction] += int(line.cents.sum())
        return dict(totals)


def _find(rows: Int64s, row: int) -> int | None:
    at = int(np.searchsorted(rows, row))
    return at if at < len(rows) and int(rows[at]) == row else None
