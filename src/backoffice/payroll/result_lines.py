"""What a paycheck stores beside its earnings: taxes, and deductions and orders record by record. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from backoffice.payroll import calc
from backoffice.payroll.assembly import Inputs
from backoffice.payroll.calc.result import DEDUCTION, EMPLOYEE_TAX, EMPLOYER_TAX, GARNISHMENT
from backoffice.payroll.work_entries import at_work
from backoffice.people.in_effect import DeductionOn


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultLine:
    """A line of a paycheck beside its earnings: `wages` are those subject to a tax; `record` is the deduction or the
    order that it is taken for."""

    code: str
    kind: str
    jurisdiction: str
    cents: int
    wages: int | None = None
    programme: bool = False
    record: UUID | None = None


def lines_of_result(
    inputs: Inputs,
    result: calc.PaycheckResult,
    shares: Sequence[int],
    left: calc.WagesLeft | None,
    tables: calc.Tables,
) -> list[ResultLine]:
    """What a paycheck stores beside its earnings: taxes with the wages they were taken from (`left`: where deductions
    lowered them), and a line for each deduction, with its share, and for each order."""
    check = inputs.check
    told = () if check.detail is None else check.detail.deductions
    parts = list(zip(inputs.deductions, told, shares, strict=True))
    orders: dict[str, list[UUID]] = defaultdict(list)
    for each in inputs.orders:
        orders[each.kind].append(each.id)
    lines: list[ResultLine] = []
    for line in result.lines:
        if line.kind in (DEDUCTION, GARNISHMENT):
            lines += _by_record(line, parts, orders)
        elif line.kind in (EMPLOYEE_TAX, EMPLOYER_TAX):
            same = {name: getattr(line, name) for name in ("code", "kind", "jurisdiction", "cents", "programme")}
            wages = subject_wages(check, line.code, line.jurisdiction, tables, left)
            lines.append(ResultLine(**same, wages=wages))
    return lines


def _by_record(
    line: calc.PaycheckLine,
    deductions: Sequence[tuple[DeductionOn, calc.Deduction, int]],
    orders: dict[str, list[UUID]],
) -> list[ResultLine]:
    """The lines of the records behind one line of the calculation. Deductions of one code stand together there, with
    what each got; an order has its own, the first of its kind first (and is taken out of `orders`)."""
    if line.kind == GARNISHMENT:
        parts = [(orders[line.code].pop(0), line.cents)]
    else:
        parts = [(each.id, got) for each, told, got in deductions if each.code == line.code and (got or told.left != 0)]
    return [
        ResultLine(code=line.code, kind=line.kind, jurisdiction=line.jurisdiction, cents=cents, record=record)
        for record, cents in parts
    ]


def subject_wages(
    check: calc.Paycheck, code: str, jurisdiction: str, tables: calc.Tables, left: calc.WagesLeft | None = None
) -> int:
    """The wages (cents) of a paycheck that are subject to a tax, before any cap: of a place those that belong to it, of
    a state's income tax those of the work for which it is withheld, or all where a home state withholds on work
    elsewhere. `left` where deductions lowered them."""
    for part in check.local:
        place = tables.place(part.place, check.pay_date.year)
        if place is not None and any(tax.jurisdiction == jurisdiction for tax in place.taxes):
            return part.wages if left is None else left.local[part.place]
    withheld = tables.agreements.withheld_in
    for_income_tax = code == "state_income_tax"
    works = at_work(check)
    whole = tuple(check.gross if work.wages is None else work.wages for work in works)
    lowered = whole if left is None else left.income if for_income_tax else left.insured
    if for_income_tax and jurisdiction == check.residence_state and jurisdiction in tables.agreements.of_residents:
        return sum(lowered)
    of_state = [
        cents
        for work, cents in zip(works, lowered, strict=True)
        if jurisdiction == (withheld(work.state, check.residence_state) if for_income_tax else work.state)
    ]
    if of_state:
        return sum(of_state)
    bases = check.federal_wages if left is None else left.federal
    if bases is None or jurisdiction != "US":
        return check.gross
    names = {
        "social_security": bases.social_security,
        "medicare": bases.medicare,
        "additional_medicare": bases.medicare,
        "futa": bases.futa,
    }
    return names.get(code.removeprefix("employer_"), bases.income_tax)
