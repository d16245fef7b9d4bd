"""/v1/payroll_runs, /v1/paychecks and /v1/payments."""

from __future__ import annotations

from litestar.params import FromPath, FromQuery, JSONBody

from backoffice.payroll import commands, queries
from backoffice.payroll.schemas import (
    BlockerList,
    CreatePayrollRun,
    DeductionWithheld,
    OrderWithheld,
    Paycheck,
    PaycheckDerivation,
    PaycheckDetail,
    Payment,
    PayrollRun,
    TaxLiabilityList,
)
from backoffice.platform.jobs.view import JobView
from backoffice.platform.web.lists import Page
from backoffice.platform.web.routes import IfMatch, InTx, Listed, get, post


@post("/v1/payroll_runs", scope="payroll_runs:write")
async def create_payroll_run(tx: InTx, data: JSONBody[CreatePayrollRun]) -> PayrollRun:
    """Open a run for one period of a pay schedule."""
    return await commands.open_run(tx, data)


@get("/v1/payroll_runs", scope="payroll_runs:read", listing=queries.RUNS)
async def list_payroll_runs(tx: InTx, listed: Listed) -> Page[PayrollRun]:
    """Runs of this tenant."""
    return await queries.payroll_runs(tx, listed)


@get("/v1/payroll_runs/{run_id:str}", scope="payroll_runs:read")
async def get_payroll_run(tx: InTx, run_id: FromPath[str]) -> PayrollRun:
    """One run."""
    return await queries.payroll_run(tx, run_id)


@get("/v1/payroll_runs/{run_id:str}/blockers", scope="payroll_runs:read")
async def list_payroll_run_blockers(tx: InTx, run_id: FromPath[str]) -> BlockerList:
    """What must be mended before the run can be approved, and how."""
    return await queries.blockers(tx, run_id)


@get("/v1/payroll_runs/{run_id:str}/tax_liabilities", scope="payroll_runs:read")
async def list_payroll_run_tax_liabilities(tx: InTx, run_id: FromPath[str]) -> TaxLiabilityList:
    """What the run owes to each jurisdiction, by tax."""
    return await queries.liabilities(tx, run_id)


@post("/v1/payroll_runs/{run_id:str}/calculate", scope="payroll_runs:write", status=202)
async def calculate_payroll_run(tx: InTx, run_id: FromPath[str]) -> JobView:
    """Calculate gross to net of every worker, behind the queue."""
    return await commands.start_calculation(tx, run_id)


@post("/v1/payroll_runs/{run_id:str}/approve", scope="payroll_runs:approve", if_match=True, status=200)
async def approve_payroll_run(tx: InTx, run_id: FromPath[str], if_match: IfMatch) -> PayrollRun:
    """Let the run be paid; a person other than its maker."""
    return await commands.approve_run(tx, run_id, if_match)


@post("/v1/payroll_runs/{run_id:str}/pay", scope="payroll_runs:pay", if_match=True, status=202)
async def pay_payroll_run(tx: InTx, run_id: FromPath[str], if_match: IfMatch) -> JobView:
    """Post the run, make its bank file and its pay stubs, behind the queue."""
    return await commands.start_payment(tx, run_id, if_match)


@post("/v1/payroll_runs/{run_id:str}/reopen", scope="payroll_runs:write", if_match=True, status=200)
async def reopen_payroll_run(tx: InTx, run_id: FromPath[str], if_match: IfMatch) -> PayrollRun:
    """Take the run back to draft."""
    return await commands.reopen_run(tx, run_id, if_match)


@post("/v1/payroll_runs/{run_id:str}/cancel", scope="payroll_runs:write", if_match=True, status=200)
async def cancel_payroll_run(tx: InTx, run_id: FromPath[str], if_match: IfMatch) -> PayrollRun:
    """End a run that is not paid."""
    return await commands.cancel_run(tx, run_id, if_match)


@get("/v1/paychecks", scope="payroll_runs:read", listing=queries.PAYCHECKS)
async def list_paychecks(tx: InTx, listed: Listed) -> Page[Paycheck]:
    """Paychecks, of one run or of one worker."""
    return await queries.paychecks(tx, listed)


@get("/v1/paychecks/{paycheck_id:str}", scope="payroll_runs:read")
async def get_paycheck(tx: InTx, paycheck_id: FromPath[str]) -> PaycheckDetail:
    """One paycheck with its lines."""
    return await queries.paycheck(tx, paycheck_id)


@get("/v1/paychecks/{paycheck_id:str}/derivation", scope="payroll_runs:read", query={"compare_to": {"type": "string"}})
async def get_paycheck_derivation(
    tx: InTx, paycheck_id: FromPath[str], compare_to: FromQuery[str | None] = None
) -> PaycheckDerivation:
    """Why each line is what it is, and what makes it another than that of an earlier paycheck of the worker."""
    return await queries.derivation(tx, paycheck_id, compare_to)


@get("/v1/payments", scope="payroll_runs:read", listing=queries.PAYMENTS)
async def list_payments(tx: InTx, listed: Listed) -> Page[Payment]:
    """Direct deposits: what went to the bank, and what came back."""
    return await queries.payments(tx, listed)


@get("/v1/payments/{payment_id:str}", scope="payroll_runs:read")
async def get_payment(tx: InTx, payment_id: FromPath[str]) -> Payment:
    """One direct deposit."""
    return await queries.payment(tx, payment_id)


@post("/v1/payments/{payment_id:str}/retry", scope="payroll_runs:approve", if_match=True, status=202)
async def retry_payment(tx: InTx, payment_id: FromPath[str], if_match: IfMatch) -> JobView:
    """Send what came back again, in a further bank file, to the account that is the worker's now; a person other than
    the one who put that account on file."""
    return await commands.start_retry(tx, payment_id, if_match)


@get("/v1/deductions/{deduction_id:str}/withheld", scope="deductions:read")
async def get_deduction_withheld(tx: InTx, deduction_id: FromPath[str]) -> DeductionWithheld:
    """What paid paychecks took by a deduction, and what is left of its goal."""
    return await queries.deduction_withheld(tx, deduction_id)


@get("/v1/withholding_orders/{order_id:str}/withheld", scope="withholding_orders:read")
async def get_withholding_order_withheld(tx: InTx, order_id: FromPath[str]) -> OrderWithheld:
    """What paid paychecks withheld by an order on wages."""
    return await queries.order_withheld(tx, order_id)


handlers: list[object] = [
    create_payroll_run,
    list_payroll_runs,
    get_payroll_run,
    list_payroll_run_blockers,
    list_payroll_run_tax_liabilities,
    calculate_payroll_run,
    approve_payroll_run,
    pay_payroll_run,
    reopen_payroll_run,
    cancel_payroll_run,
    list_paychecks,
    get_paycheck,
    get_paycheck_derivation,
    list_payments,
    get_payment,
    retry_payment,
    get_deduction_withheld,
    get_withholding_order_withheld,
]
