"""Why a paycheck is what it is: the calculation once more, on its stored inputs, with a recorder."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID

import msgspec

from backoffice.kernel import ids
from backoffice.payroll import calc, models
from backoffice.payroll.assembly import Inputs, Weeks, earnings_of
from backoffice.payroll.errors import LawChanged
from backoffice.payroll.queries.paychecks import lines_of, paycheck_row
from backoffice.payroll.schemas import PaycheckDerivation
from backoffice.platform.db import Tx


async def derivation(tx: Tx, id_: str) -> PaycheckDerivation:
    """Derivation of every line, earnings first. LawChanged (409) when today's tables give another number."""
    row = await paycheck_row(tx, id_)
    stored = [
        (line["code"], line["kind"], line["jurisdiction"], line["amount_minor"])
        for line in (await lines_of(tx, [row["id"]])).get(row["id"], [])
        if line["kind"] in models.TAXES
    ]
    result, derived = await asyncio.to_thread(_derive, msgspec.convert(row["inputs"], Inputs))
    now = [(line.code, line.kind, line.jurisdiction, line.cents) for line in result.lines if line.kind in models.TAXES]
    if (now, result.net) != (stored, row["net_minor"]):
        raise LawChanged("Its derivation can be had from the release that calculated it; see the paycheck's tables.")
    return PaycheckDerivation(
        paycheck_id=ids.encode("paycheck", row["id"]),
        tables=dict(result.tables),
        calculated_with=row["tables"],
        lines=derived.as_json(),
        text=derived.as_text(),
    )


def _derive(inputs: Inputs) -> tuple[calc.PaycheckResult, calc.Derivation]:
    columns, tables = calc.Columns.of([inputs.check]), calc.Tables.load()
    derived = calc.Derivation(())
    for week in earnings_of(_named(inputs.worked), _named(inputs.paid)):
        derived += week.derivation()
    return calc.gross_to_net(columns, tables).paycheck(0), derived + calc.explain(columns, tables)


def _named(weeks: Weeks) -> Weeks:
    """Assignments by the ids that clients know."""
    return tuple(
        (begin, tuple(replace(each, assignment=ids.encode("assignment", UUID(each.assignment))) for each in entries))
        for begin, entries in weeks
    )
