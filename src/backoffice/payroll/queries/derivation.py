"""Why a paycheck is what it is, and why it is not another: the calculation once more, on its stored inputs, with a
recorder."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from uuid import UUID

import msgspec

from backoffice.kernel import ids
from backoffice.kernel.errors import BadRequest, Fault, NotFound
from backoffice.payroll import calc
from backoffice.payroll.assembly import Inputs, earnings_of, tables_of
from backoffice.payroll.errors import LawChanged
from backoffice.payroll.queries.paychecks import lines_of, paycheck_row
from backoffice.payroll.result_lines import lines_of_result
from backoffice.payroll.schemas import PaycheckComparison, PaycheckDerivation
from backoffice.platform.tx import Row, Tx
from backoffice.platform.web.bodies import MoneyBody


async def derivation(tx: Tx, id_: str, compare_to: str | None) -> PaycheckDerivation:
    """Derivation of every line, earnings first, and what differs from another paycheck of the same worker. LawChanged
    (409) when today's tables give another number."""
    row = await paycheck_row(tx, id_)
    other = await _other_row(tx, row, compare_to) if compare_to is not None else None
    tables, derived = await _explained(tx, row)
    return PaycheckDerivation(
        paycheck_id=ids.encode("paycheck", row["id"]),
        tables=tables,
        calculated_with=row["tables"],
        lines=derived.as_json(),
        text=derived.as_text(),
        comparison=None if other is None else _comparison(other, derived, (await _explained(tx, other))[1]),
    )


async def _other_row(tx: Tx, row: Row, compare_to: str) -> Row:
    """One answer for a paycheck that is not there, another tenant's and another worker's."""
    with suppress(NotFound):
        other = await paycheck_row(tx, compare_to)
        if other["worker_id"] == row["worker_id"]:
            return other
    fault = Fault("not_found", "must be a paycheck of the same worker", parameter="compare_to")
    raise BadRequest("The query has invalid parameters.", errors=[fault])


async def _explained(tx: Tx, row: Row) -> tuple[dict[str, str], calc.Derivation]:
    """The tables used today, with their versions, and the derivation."""
    stored = [
        (line["code"], line["kind"], line["jurisdiction"], line["amount_minor"])
        for line in (await lines_of(tx, [row["id"]])).get(row["id"], [])
    ]
    now, net, tables, derived = await asyncio.to_thread(_derive, msgspec.convert(row["inputs"], Inputs))
    if (now, net) != (stored, row["net_minor"]):
        raise LawChanged(
            f"The derivation of {ids.encode('paycheck', row['id'])} can be had from the release that calculated it; "
            "see the paycheck's tables."
        )
    return tables, derived


def _comparison(other: Row, derived: calc.Derivation, before: calc.Derivation) -> PaycheckComparison:
    found = calc.difference(before, derived)
    body = found.as_json()
    return PaycheckComparison(
        compared_to=ids.encode("paycheck", other["id"]),
        net_before=MoneyBody.of(found.before),
        net_after=MoneyBody.of(found.after),
        difference=MoneyBody.of(found.cents),
        lines=body["lines"],
        tables=body["tables"],
        text=found.as_text(),
    )


_Line = tuple[str, str, str, int]


def _derive(inputs: Inputs) -> tuple[list[_Line], int, dict[str, str], calc.Derivation]:
    columns, tables = calc.Columns.of([inputs.check]), calc.Tables.load()
    weeks = earnings_of(inputs.worked, inputs.paid, tables.overtime)
    results, derived = calc.gross_to_net(columns, tables), calc.Derivation(())
    result, shares = results.paycheck(0), calc.deduction_shares(columns, results, tables)[0]
    for week in weeks:
        derived += week.derivation()
    earned = [(line.code, "earning", "US", line.cents) for week in weeks for line in week.lines]
    others = [
        (line.code, line.kind, line.jurisdiction, line.cents)
        for line in lines_of_result(inputs, result, shares, None, tables)
    ]
    derived = calc.Derivation(tuple(_named(line) for line in derived.lines)) + calc.explain(columns, tables)
    return earned + others, result.net, {**result.tables, **tables_of(weeks)}, derived


def _named(line: calc.LineDerivation) -> calc.LineDerivation:
    """The assignment by the id that clients know."""
    return line if line.key is None else replace(line, key=ids.encode("assignment", UUID(line.key)))
