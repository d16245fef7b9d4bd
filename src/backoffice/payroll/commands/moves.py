"""One guarded move of a run from state to state, with its version, event and audit row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from backoffice.kernel import ids
from backoffice.payroll import models
from backoffice.payroll.errors import RunNotInState
from backoffice.payroll.queries.runs import find_run, run_view
from backoffice.payroll.schemas import PayrollRun
from backoffice.payroll.states import MOVES
from backoffice.platform.db import Row, Tx
from backoffice.platform.effects import Effect
from backoffice.platform.events import EventType
from backoffice.platform.web.bodies import MoneyBody


async def move(
    tx: Tx, run_id: UUID, verb: str, to: str, values: Mapping[str, Any] | None = None, *, if_version: int | None = None
) -> Row:
    """Leave one of the verb's states for `to`. RunNotInState (409) naming the state it is in; VersionConflict."""
    leaves, reaches = MOVES[verb]
    assert to in reaches, (verb, to)
    row = await tx.change(
        models.payroll_run, run_id, {"status": to, **(values or {})}, if_version=if_version, status=leaves
    )
    if row is None:
        current = await find_run(tx, ids.encode("payroll_run", run_id))
        raise RunNotInState(f"The run is {current['status']}; {verb.replace('_', ' ')} needs {' or '.join(leaves)}.")
    tx.audit(
        f"payroll_run.{verb}",
        object_type="payroll_run",
        object_id=run_id,
        object_version=row["version"],
        changed={"status": to},
    )
    return row


def tell(
    tx: Tx, kind: EventType, row: Row, before: str, effects: Sequence[Effect], changed: Sequence[str] = ("status",)
) -> PayrollRun:
    """Emit the event of a move and give the run's view."""
    view = run_view(tx, row)
    tx.emit(kind, view, changed=changed, previous={"status": before}, effects=effects)
    return view


def totals(row: Row) -> dict[str, Any]:
    """The totals of a run as an effect shows them."""
    names = ("gross", "employee_taxes", "employer_taxes", "net")
    return {"paychecks": row["paycheck_count"], **{name: MoneyBody.of(row[f"{name}_minor"]) for name in names}}
