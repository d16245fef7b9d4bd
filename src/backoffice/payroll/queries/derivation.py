"""Why a paycheck is what it is: the calculation once more, on its stored inputs, with a recorder."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Any

import msgspec

from backoffice.kernel import ids
from backoffice.kernel.money import format_minor
from backoffice.payroll import calc
from backoffice.payroll.errors import LawChanged
from backoffice.payroll.queries.paychecks import paycheck_row
from backoffice.payroll.schemas import PaycheckDerivation
from backoffice.platform.db import Tx


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored with a paycheck: the calculation's input and the hours behind its gross, by workweek."""

    check: calc.Paycheck
    worked: tuple[tuple[date, tuple[calc.Worked, ...]], ...]


async def derivation(tx: Tx, id_: str) -> PaycheckDerivation:
    """Derivation of every line, earnings first. LawChanged when the tables are no longer those it was made with."""
    row = await paycheck_row(tx, id_)
    inputs = msgspec.convert(row["inputs"], Inputs)
    tables = calc.Tables.load()
    result, derived = await asyncio.to_thread(_derive, inputs, tables)
    if dict(result.tables) != row["tables"]:
        raise LawChanged("The derivation can be had from the release that calculated it.")
    told = derived.as_json()
    net = {
        "code": "net_pay",
        "kind": "net",
        "amount": format_minor(result.net),
    }
    assert result.net == row["net_minor"], f"{id_}: the paycheck does not follow from its inputs"
    if not any(line["code"] == "net_pay" for line in told):
        told.append(net)
    return PaycheckDerivation(
        paycheck_id=ids.encode("paycheck", row["id"]), tables=row["tables"], lines=told, text=derived.as_text()
    )


def _derive(inputs: Inputs, tables: calc.Tables) -> tuple[calc.PaycheckResult, calc.Derivation]:
    columns = calc.Columns.of([inputs.check])
    derived: Any = None
    for begin, worked in inputs.worked:
        week = calc.workweek_earnings(worked, week_begins=begin).derivation()
        derived = week if derived is None else derived + week
    result = calc.gross_to_net(columns, tables).paycheck(0)
    taxes = calc.explain(columns, tables)
    return result, taxes if derived is None else derived + taxes
