"""/v1/workers and what belongs to a worker."""

from __future__ import annotations

from litestar.params import FromPath, JSONBody

from backoffice.people import commands, queries
from backoffice.people.schemas import (
    BankAccount,
    CreateBankAccount,
    CreateEmployment,
    CreateTaxElection,
    CreateWorker,
    Employment,
    EndEmployment,
    OpeningBalance,
    Reveal,
    Revealed,
    SetOpeningBalance,
    TaxElection,
    UpdateWorker,
    Worker,
)
from backoffice.people.withholding_schemas import (
    CreateDeduction,
    CreateWithholdingOrder,
    Deduction,
    RevealedOrder,
    RevealOrder,
    UpdateDeduction,
    UpdateWithholdingOrder,
    WithholdingOrder,
)
from backoffice.platform.web.lists import Page
from backoffice.platform.web.routes import IfMatch, InTx, Listed, get, patch, post


@post("/v1/workers", scope="workers:write")
async def create_worker(tx: InTx, data: JSONBody[CreateWorker]) -> Worker:
    """Add a person who works or will work."""
    return await commands.create_worker(tx, data)


@get("/v1/workers", scope="workers:read", listing=queries.WORKERS)
async def list_workers(tx: InTx, listed: Listed) -> Page[Worker]:
    """Workers of this tenant."""
    return await queries.workers(tx, listed)


@get("/v1/workers/{worker_id:str}", scope="workers:read")
async def get_worker(tx: InTx, worker_id: FromPath[str]) -> Worker:
    """One worker."""
    return await queries.worker(tx, worker_id)


@patch("/v1/workers/{worker_id:str}", scope="workers:write")
async def update_worker(tx: InTx, worker_id: FromPath[str], data: JSONBody[UpdateWorker], if_match: IfMatch) -> Worker:
    """Change what is known of a worker (RFC 7396)."""
    return await commands.update_worker(tx, worker_id, data, if_match)


@post("/v1/workers/{worker_id:str}/reveal", scope="sensitive:read", keyed="none", status=200)
async def reveal_worker(tx: InTx, worker_id: FromPath[str], data: JSONBody[Reveal]) -> Revealed:
    """Show numbers of a worker for a named purpose; every field is recorded in the audit trail."""
    return await commands.reveal(tx, worker_id, data)


@post("/v1/workers/{worker_id:str}/employments", scope="workers:write")
async def create_employment(tx: InTx, worker_id: FromPath[str], data: JSONBody[CreateEmployment]) -> Employment:
    """Hire a worker."""
    return await commands.hire(tx, worker_id, data)


@get("/v1/workers/{worker_id:str}/employments", scope="workers:read", listing=queries.EMPLOYMENTS)
async def list_employments(tx: InTx, worker_id: FromPath[str], listed: Listed) -> Page[Employment]:
    """A worker's employments."""
    return await queries.employments(tx, worker_id, listed)


@get("/v1/employments/{employment_id:str}", scope="workers:read")
async def get_employment(tx: InTx, employment_id: FromPath[str]) -> Employment:
    """One employment."""
    return await queries.employment(tx, employment_id)


@post("/v1/employments/{employment_id:str}/end", scope="workers:write", keyed="optional", status=200)
async def end_employment(tx: InTx, employment_id: FromPath[str], data: JSONBody[EndEmployment]) -> Employment:
    """Set the last day of an employment."""
    return await commands.end_employment(tx, employment_id, data)


@post("/v1/workers/{worker_id:str}/tax_elections", scope="tax_elections:write", keyed="optional")
async def create_tax_election(tx: InTx, worker_id: FromPath[str], data: JSONBody[CreateTaxElection]) -> TaxElection:
    """Put a signed Form W-4 or state certificate on file."""
    return await commands.create_tax_election(tx, worker_id, data)


@get("/v1/workers/{worker_id:str}/tax_elections", scope="tax_elections:read", listing=queries.TAX_ELECTIONS)
async def list_tax_elections(tx: InTx, worker_id: FromPath[str], listed: Listed) -> Page[TaxElection]:
    """A worker's certificates, those that were followed by a later one included."""
    return await queries.tax_elections(tx, worker_id, listed)


@get("/v1/tax_elections/{election_id:str}", scope="tax_elections:read")
async def get_tax_election(tx: InTx, election_id: FromPath[str]) -> TaxElection:
    """One certificate."""
    return await queries.tax_election(tx, election_id)


@post("/v1/workers/{worker_id:str}/bank_accounts", scope="bank_accounts:write")
async def create_bank_account(tx: InTx, worker_id: FromPath[str], data: JSONBody[CreateBankAccount]) -> BankAccount:
    """Pay a worker to this account from now on; the one before it is closed."""
    return await commands.create_bank_account(tx, worker_id, data)


@get("/v1/workers/{worker_id:str}/bank_accounts", scope="bank_accounts:read", listing=queries.BANK_ACCOUNTS)
async def list_bank_accounts(tx: InTx, worker_id: FromPath[str], listed: Listed) -> Page[BankAccount]:
    """A worker's bank accounts, the closed ones included."""
    return await queries.bank_accounts(tx, worker_id, listed)


@get("/v1/bank_accounts/{account_id:str}", scope="bank_accounts:read")
async def get_bank_account(tx: InTx, account_id: FromPath[str]) -> BankAccount:
    """One bank account."""
    return await queries.bank_account(tx, account_id)


@post("/v1/bank_accounts/{account_id:str}/close", scope="bank_accounts:write", keyed="optional", status=200)
async def close_bank_account(tx: InTx, account_id: FromPath[str]) -> BankAccount:
    """Pay nothing more to this account."""
    return await commands.close_bank_account(tx, account_id)


@post("/v1/workers/{worker_id:str}/deductions", scope="deductions:write")
async def create_deduction(tx: InTx, worker_id: FromPath[str], data: JSONBody[CreateDeduction]) -> Deduction:
    """Take a deduction from a worker's paychecks."""
    return await commands.create_deduction(tx, worker_id, data)


@get("/v1/workers/{worker_id:str}/deductions", scope="deductions:read", listing=queries.DEDUCTIONS)
async def list_deductions(tx: InTx, worker_id: FromPath[str], listed: Listed) -> Page[Deduction]:
    """A worker's deductions, those that have ended included."""
    return await queries.deductions(tx, worker_id, listed)


@get("/v1/deductions/{deduction_id:str}", scope="deductions:read")
async def get_deduction(tx: InTx, deduction_id: FromPath[str]) -> Deduction:
    """One deduction."""
    return await queries.deduction(tx, deduction_id)


@patch("/v1/deductions/{deduction_id:str}", scope="deductions:write")
async def update_deduction(
    tx: InTx, deduction_id: FromPath[str], data: JSONBody[UpdateDeduction], if_match: IfMatch
) -> Deduction:
    """Change or end a deduction (RFC 7396)."""
    return await commands.update_deduction(tx, deduction_id, data, if_match)


@post("/v1/workers/{worker_id:str}/withholding_orders", scope="withholding_orders:write")
async def create_withholding_order(
    tx: InTx, worker_id: FromPath[str], data: JSONBody[CreateWithholdingOrder]
) -> WithholdingOrder:
    """Put an order on a worker's wages on file: support, a levy, a student loan, a creditor."""
    return await commands.create_order(tx, worker_id, data)


@get("/v1/workers/{worker_id:str}/withholding_orders", scope="withholding_orders:read", listing=queries.ORDERS)
async def list_withholding_orders(tx: InTx, worker_id: FromPath[str], listed: Listed) -> Page[WithholdingOrder]:
    """Orders on a worker's wages, those that have ended included."""
    return await queries.orders(tx, worker_id, listed)


@get("/v1/withholding_orders/{order_id:str}", scope="withholding_orders:read")
async def get_withholding_order(tx: InTx, order_id: FromPath[str]) -> WithholdingOrder:
    """One order on wages."""
    return await queries.order(tx, order_id)


@patch("/v1/withholding_orders/{order_id:str}", scope="withholding_orders:write")
async def update_withholding_order(
    tx: InTx, order_id: FromPath[str], data: JSONBody[UpdateWithholdingOrder], if_match: IfMatch
) -> WithholdingOrder:
    """Change or end an order on wages (RFC 7396)."""
    return await commands.update_order(tx, order_id, data, if_match)


@post("/v1/withholding_orders/{order_id:str}/reveal", scope="sensitive:read", keyed="none", status=200)
async def reveal_withholding_order(tx: InTx, order_id: FromPath[str], data: JSONBody[RevealOrder]) -> RevealedOrder:
    """Show the case number of an order for a named purpose; it is recorded in the audit trail."""
    return await commands.reveal_order(tx, order_id, data)


@post("/v1/workers/{worker_id:str}/opening_balances", scope="workers:write", keyed="optional")
async def set_opening_balance(tx: InTx, worker_id: FromPath[str], data: JSONBody[SetOpeningBalance]) -> OpeningBalance:
    """Put on file what was paid earlier in a year, before payroll moved here."""
    return await commands.set_opening_balance(tx, worker_id, data)


@get("/v1/workers/{worker_id:str}/opening_balances", scope="workers:read", listing=queries.OPENING_BALANCES)
async def list_opening_balances(tx: InTx, worker_id: FromPath[str], listed: Listed) -> Page[OpeningBalance]:
    """A worker's opening year-to-date, by year."""
    return await queries.opening_balances(tx, worker_id, listed)


@get("/v1/opening_balances/{balance_id:str}", scope="workers:read")
async def get_opening_balance(tx: InTx, balance_id: FromPath[str]) -> OpeningBalance:
    """One year's opening amounts."""
    return await queries.opening_balance(tx, balance_id)


handlers: list[object] = [
    create_worker,
    list_workers,
    get_worker,
    update_worker,
    reveal_worker,
    create_employment,
    list_employments,
    get_employment,
    end_employment,
    create_tax_election,
    list_tax_elections,
    get_tax_election,
    create_bank_account,
    list_bank_accounts,
    get_bank_account,
    close_bank_account,
    create_deduction,
    list_deductions,
    get_deduction,
    update_deduction,
    create_withholding_order,
    list_withholding_orders,
    get_withholding_order,
    update_withholding_order,
    reveal_withholding_order,
    set_opening_balance,
    list_opening_balances,
    get_opening_balance,
]
