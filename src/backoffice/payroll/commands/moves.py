"""One guarded move of a run from state to state, with its version, event and audit row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, delete, select

from backoffice.kernel import ids
from backoffice.kernel.errors import VersionConflict
from backoffice.payroll import models
from backoffice.payroll.errors import RunNotInState, WorkNotWanted
from backoffice.payroll.queries.runs import find_run, run_view
from backoffice.payroll.schemas import PayrollRun, RunWork
from backoffice.payroll.states import MOVES
from backoffice.platform.effects import Effect
from backoffice.platform.events import EventType
from backoffice.platform.tables import TENANT, Id
from backoffice.platform.tx import Row, Tx
from backoffice.platform.web.bodies import MoneyBody

AMOUNTS = ("gross", "employee_taxes", "employer_taxes", "deductions", "garnishments", "net")
NOTHING: Final[Mapping[str, Any]] = {
    "paycheck_count": 0,
    "calculated_at": None,
    **{f"{name}_minor": 0 for name in AMOUNTS},
}
"""What a run says of itself when it has no paychecks."""

_checks, _lines = models.paycheck, models.paycheck_line
_RUN = bindparam("run_id", type_=Id)
_OF_RUN = select(_checks.c.id).where(_checks.c.tenant_id == TENANT, _checks.c.run_id == _RUN)


def must_allow(run: Row, verb: str, if_version: int | None = None) -> None:
    """VersionConflict (412) for another version than the one that was read; RunNotInState (409), naming the state the
    run is in, when the verb cannot be used there."""
    if if_version is not None and run["version"] != if_version:
        raise VersionConflict(run["version"])
    leaves, _ = MOVES[verb]
    if run["status"] not in leaves:
        detail = f"The run is {run['status']}; {verb.replace('_', ' ')} needs {' or '.join(leaves)}."
        raise RunNotInState(detail, extra={"run_status": run["status"]})


async def move(tx: Tx, run: Row, verb: str, to: str, values: Mapping[str, Any] | None = None) -> Row:
    """Leave one of the verb's states for `to`. RunNotInState (409) when the run is not, or no longer, in one."""
    must_allow(run, verb)
    leaves, reaches = MOVES[verb]
    assert to in reaches, (verb, to)
    row = await tx.change(models.payroll_run, run["id"], {"status": to, **(values or {})}, status=leaves)
    if row is None:
        must_allow(await find_run(tx, ids.encode("payroll_run", run["id"])), verb)
        raise AssertionError("a run cannot be in a state and not in it")
    tx.audit(
        f"payroll_run.{verb}",
        object_type="payroll_run",
        object_id=run["id"],
        object_version=row["version"],
        changed={"status": to},
    )
    return row


async def wanted(tx: Tx, work: RunWork, status: str, *, lock: bool = False) -> Row:
    """The run, which still waits in `status` for this very job. WorkNotWanted (409)."""
    run = await find_run(tx, work.run_id, lock=lock)
    if run["status"] != status or run["version"] != work.run_version:
        raise WorkNotWanted(f"The run is {run['status']}. What is to be done with it is started anew, on the run.")
    return run


async def drop_paychecks(tx: Tx, run_id: UUID) -> None:
    """Take away the paychecks of a run of which nothing is paid; its row has to say `NOTHING` then."""
    await tx.execute(
        delete(_lines).where(_lines.c.tenant_id == TENANT, _lines.c.paycheck_id.in_(_OF_RUN)), run_id=run_id
    )
    await tx.execute(delete(_checks).where(_checks.c.tenant_id == TENANT, _checks.c.run_id == _RUN), run_id=run_id)


def tell(
    tx: Tx, kind: EventType, row: Row, before: str, effects: Sequence[Effect], changed: Sequence[str] = ("status",)
) -> PayrollRun:
    """Emit the event of a move and give the run's view."""
    view = run_view(tx, row)
    tx.emit(kind, view, changed=changed, previous={"status": before}, effects=effects)
    return view


def ended(status: str) -> str:
    """How a job ended without success, as a verb."""
    return "was canceled" if status == "canceled" else status


def totals(row: Row) -> dict[str, Any]:
    """The totals of a run as an effect shows them."""
    return {"paychecks": row["paycheck_count"], **{name: MoneyBody.of(row[f"{name}_minor"]) for name in AMOUNTS}}
