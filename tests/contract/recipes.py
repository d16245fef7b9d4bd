"""How to ask each operation of the API for something that is there: operationId → a request about a fresh object.

The identity matrix, the dry-run comparison, the statement rule and the canary all stand on these. An operation of the
generated document without a recipe fails the build (`test_identity_matrix.py`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

from tests.contract.maker import CHECKER, NOW, PLACE, Ask, Maker

from backoffice.platform.web.openapi import document

Recipe = Callable[[Maker], Awaitable[Ask]]
RECIPES: dict[str, Recipe] = {}
FIXTURE = {"name": "staffing_small", "seed": 7}
# A tenant has one, and the maker's is taken; or it is empty afterwards, and the maker's is only previewed.
ONCE = {"createTestClock", "createTestFixture", "createTestReset"}
KEYLESS = {"openDownload"}  # the path is the credential: `test_download_links.py`


def recipe(operation: str) -> Callable[[Recipe], Recipe]:
    def keep(made: Recipe) -> Recipe:
        assert operation not in RECIPES, operation
        RECIPES[operation] = made
        return made

    return keep


def operations(handlers: list[Any]) -> dict[str, dict[str, Any]]:
    """operationId → the operation of the generated document, with its method and path. To be read, not changed."""
    return _operations(tuple(handlers))


@cache
def _operations(handlers: tuple[Any, ...]) -> dict[str, dict[str, Any]]:
    described = document(handlers, server="http://api")
    return {
        operation["operationId"]: {**operation, "method": method.upper(), "path": path}
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    }


def _collection(operation: str, path: str, make: Callable[[Maker], Awaitable[Any]], **query: str) -> None:
    """A list, or a read without an id, of which something is there."""

    async def made(maker: Maker) -> Ask:
        await make(maker)
        return Ask("GET", path, query=query)

    recipe(operation)(made)


def _one(operation: str, path: str, make: Callable[[Maker], Awaitable[Any]]) -> None:
    """A read of one object."""

    async def made(maker: Maker) -> Ask:
        return Ask("GET", path.format(id=(await make(maker))["id"]))

    recipe(operation)(made)


def _act(
    operation: str,
    path: str,
    make: Callable[[Maker], Awaitable[Any]],
    body: Any = None,
    *,
    method: str = "POST",
    if_match: bool = False,
    **more: Any,
) -> None:
    """An action on, or a change of, one object."""

    async def made(maker: Maker) -> Ask:
        there = await make(maker)
        given = body(maker) if callable(body) else body
        version = there["version"] if if_match else None
        return Ask(method, path.format(id=there["id"]), given, if_match=version, **more)

    recipe(operation)(made)


# ------------------------------------------------------------------------------------------------------ accounts

_collection("getTenant", "/v1/tenant", Maker.person)
_collection("listPeople", "/v1/people", Maker.person)
_one("getPerson", "/v1/people/{id}", Maker.person)
_collection("listApiKeys", "/v1/api_keys", Maker.api_key)
_one("getApiKey", "/v1/api_keys/{id}", Maker.api_key)
_act("revokeApiKey", "/v1/api_keys/{id}/revoke", Maker.api_key, {}, if_match=True)
_one("getTestClock", "/v1/test/clocks/{id}", Maker.clock)
_act("advanceTestClock", "/v1/test/clocks/{id}/advance", Maker.still_clock, {"to": NOW})


@recipe("createApiKey")
async def create_api_key(maker: Maker) -> Ask:
    return Ask("POST", "/v1/api_keys", {"name": "planted", "scopes": ["tenant:read"]})


@recipe("createTestClock")
async def create_test_clock(maker: Maker) -> Ask:
    """Only a tenant without a clock can make one: asked of the second firm's, it conflicts."""
    return Ask("POST", "/v1/test/clocks", {"frozen_time": NOW})


@recipe("createTestFixture")
async def create_test_fixture(maker: Maker) -> Ask:
    """Only in an empty tenant: in one that has a worker it conflicts."""
    await maker.worker()
    return Ask("POST", "/v1/test/fixtures", FIXTURE)


@recipe("createTestReset")
async def create_test_reset(maker: Maker) -> Ask:
    """What would go; `tests/sandbox/test_resets.py` lets it go, and compares."""
    return Ask("POST", "/v1/test/resets", query={"dry_run": "true"})


_collection("listJobs", "/v1/jobs", Maker.job)
_one("getJob", "/v1/jobs/{id}", Maker.job)
_one("getJobLogs", "/v1/jobs/{id}/logs", Maker.job)
_one("getJobWhy", "/v1/jobs/{id}/why", Maker.queued_job)
_act("cancelJob", "/v1/jobs/{id}/cancel", Maker.queued_job)
_act("retryJob", "/v1/jobs/{id}/retry", Maker.failed_job, {"note": "the cause is mended"})

_collection("listSchedules", "/v1/schedules", Maker.schedule)
_one("getSchedule", "/v1/schedules/{id}", Maker.schedule)
_act("pauseSchedule", "/v1/schedules/{id}/pause", Maker.schedule)
_act("resumeSchedule", "/v1/schedules/{id}/resume", Maker.paused_schedule)
_act("runScheduleNow", "/v1/schedules/{id}/run_now", Maker.schedule)

_collection("listBulkJobs", "/v1/bulk_jobs", Maker.bulk_job)
_one("getBulkJob", "/v1/bulk_jobs/{id}", Maker.bulk_job)
_one("listBulkRows", "/v1/bulk_jobs/{id}/rows", Maker.finished_bulk_job)
_one("getBulkErrors", "/v1/bulk_jobs/{id}/errors.csv", Maker.finished_bulk_job)


@recipe("createBulkJob")
async def create_bulk_job(maker: Maker) -> Ask:
    return Ask("POST", "/v1/bulk_jobs", {"external_id": maker.name("K"), "operation": "timesheets.upsert"})


@recipe("startBulkJob")
async def start_bulk_job(maker: Maker) -> Ask:
    job = await maker.bulk_job()
    return Ask("POST", f"/v1/bulk_jobs/{job['id']}/start", content=maker.bulk_file(), media="text/csv")


# -------------------------------------------------------------------------------------------------------- people

_collection("listWorkers", "/v1/workers", Maker.worker)
_one("getWorker", "/v1/workers/{id}", Maker.worker)
_act("updateWorker", "/v1/workers/{id}", Maker.worker, {"first_name": "Bea"}, method="PATCH", if_match=True)
_act("revealWorker", "/v1/workers/{id}/reveal", Maker.worker, {"fields": ["ssn"], "purpose": "w2_correction"})
_act(
    "createEmployment",
    "/v1/workers/{id}/employments",
    Maker.worker,
    {"hired_on": "2026-01-05", "pay_schedule": "weekly"},
)
_one("getEmployment", "/v1/employments/{id}", Maker.employment)
_act("endEmployment", "/v1/employments/{id}/end", Maker.employment, {"ended_on": "2026-12-31"})
_act("createTaxElection", "/v1/workers/{id}/tax_elections", Maker.worker, Maker.w4)
_one("getTaxElection", "/v1/tax_elections/{id}", Maker.tax_election)
_act("createBankAccount", "/v1/workers/{id}/bank_accounts", Maker.worker, Maker.account)
_one("getBankAccount", "/v1/bank_accounts/{id}", Maker.bank_account)
_act("closeBankAccount", "/v1/bank_accounts/{id}/close", Maker.bank_account)
_act("createDeduction", "/v1/workers/{id}/deductions", Maker.worker, Maker.deducted)
_one("getDeduction", "/v1/deductions/{id}", Maker.deduction)
_one("getDeductionWithheld", "/v1/deductions/{id}/withheld", Maker.deduction)
_act("updateDeduction", "/v1/deductions/{id}", Maker.deduction, {"effective_until": "2026-12-31"}, method="PATCH",
     if_match=True)  # fmt: skip
_act("createWithholdingOrder", "/v1/workers/{id}/withholding_orders", Maker.worker, Maker.ordered)
_one("getWithholdingOrder", "/v1/withholding_orders/{id}", Maker.withholding_order)
_one("getWithholdingOrderWithheld", "/v1/withholding_orders/{id}/withheld", Maker.withholding_order)
_act("updateWithholdingOrder", "/v1/withholding_orders/{id}", Maker.withholding_order,
     {"effective_until": "2026-12-31"}, method="PATCH", if_match=True)  # fmt: skip
_act("revealWithholdingOrder", "/v1/withholding_orders/{id}/reveal", Maker.withholding_order,
     {"purpose": "order_remittance"})  # fmt: skip
_act("setOpeningBalance", "/v1/workers/{id}/opening_balances", Maker.worker, Maker.opening)
_one("getOpeningBalance", "/v1/opening_balances/{id}", Maker.opening_balance)


@recipe("createWorker")
async def create_worker(maker: Maker) -> Ask:
    return Ask("POST", "/v1/workers", {"first_name": "Ada", "last_name": "Planted", "address": {
        "line1": "12 Sample Street", **PLACE}})  # fmt: skip


def _of_worker(operation: str, what: str, make: Callable[[Maker], Awaitable[Any]]) -> None:
    async def made(maker: Maker) -> Ask:
        return Ask("GET", f"/v1/workers/{(await make(maker))['worker_id']}/{what}")

    recipe(operation)(made)


_of_worker("listEmployments", "employments", Maker.employment)
_of_worker("listTaxElections", "tax_elections", Maker.tax_election)
_of_worker("listBankAccounts", "bank_accounts", Maker.bank_account)
_of_worker("listDeductions", "deductions", Maker.deduction)
_of_worker("listWithholdingOrders", "withholding_orders", Maker.withholding_order)
_of_worker("listOpeningBalances", "opening_balances", Maker.opening_balance)

# ------------------------------------------------------------------------------------------------------ staffing

_collection("listClients", "/v1/clients", Maker.client)
_one("getClient", "/v1/clients/{id}", Maker.client)
_act("updateClient", "/v1/clients/{id}", Maker.client, {"name": "Erie"}, method="PATCH", if_match=True)
_collection("listAssignments", "/v1/assignments", Maker.assignment)
_one("getAssignment", "/v1/assignments/{id}", Maker.assignment)
_act("updateAssignment", "/v1/assignments/{id}", Maker.assignment, {"job_title": "Packer",
     "pay_rate": {"amount": "21.00"}}, method="PATCH", if_match=True)  # fmt: skip
_act("endAssignment", "/v1/assignments/{id}/end", Maker.assignment, {"ended_on": "2026-12-31"})
_collection("listTimesheets", "/v1/timesheets", Maker.timesheet)
_one("getTimesheet", "/v1/timesheets/{id}", Maker.timesheet)
_act("updateTimesheet", "/v1/timesheets/{id}", Maker.timesheet, {"entries": []}, method="PATCH", if_match=True)
_act("submitTimesheet", "/v1/timesheets/{id}/submit", Maker.timesheet)
_act("approveTimesheet", "/v1/timesheets/{id}/approve", Maker.approvable, if_match=True, by=CHECKER)
_act("rejectTimesheet", "/v1/timesheets/{id}/reject", Maker.submitted, {"reason": "not there"}, by=CHECKER)


@recipe("createClient")
async def create_client(maker: Maker) -> Ask:
    address = {"line1": "12 Sample Street", **PLACE}
    return Ask("POST", "/v1/clients", {"external_id": maker.name("C"), "name": "Niagara", "address": address})


@recipe("createAssignment")
async def create_assignment(maker: Maker) -> Ask:
    return Ask("POST", "/v1/assignments", await maker.assignment_body())


@recipe("createTimesheet")
async def create_timesheet(maker: Maker) -> Ask:
    return Ask("POST", "/v1/timesheets", await maker.timesheet_body())


@recipe("approveTimesheets")
async def approve_timesheets(maker: Maker) -> Ask:
    sheets = [(await maker.approvable())["id"] for _ in range(2)]
    return Ask("POST", "/v1/timesheets/approve", {"timesheet_ids": sheets}, by=CHECKER)


@recipe("listTimesheetVersions")
async def list_timesheet_versions(maker: Maker) -> Ask:
    sheet = await maker.timesheet()
    await maker.done(Ask("PATCH", f"/v1/timesheets/{sheet['id']}", {"entries": []}, if_match=sheet["version"]))
    return Ask("GET", f"/v1/timesheets/{sheet['id']}/versions")


# ------------------------------------------------------------------------------------------------------- payroll

_collection("listPayrollRuns", "/v1/payroll_runs", Maker.paid_run)
_one("getPayrollRun", "/v1/payroll_runs/{id}", Maker.paid_run)
_one("listPayrollRunBlockers", "/v1/payroll_runs/{id}/blockers", Maker.paid_run)
_one("listPayrollRunTaxLiabilities", "/v1/payroll_runs/{id}/tax_liabilities", Maker.paid_run)
_act("calculatePayrollRun", "/v1/payroll_runs/{id}/calculate", Maker.run)
_act("approvePayrollRun", "/v1/payroll_runs/{id}/approve", Maker.ready_run, if_match=True, by=CHECKER)
_act("payPayrollRun", "/v1/payroll_runs/{id}/pay", Maker.approved_run, if_match=True)
_act("reopenPayrollRun", "/v1/payroll_runs/{id}/reopen", Maker.ready_run, if_match=True)
_act("cancelPayrollRun", "/v1/payroll_runs/{id}/cancel", Maker.run, if_match=True)
_collection("listPaychecks", "/v1/paychecks", Maker.paid_run)
_one("getPaycheck", "/v1/paychecks/{id}", Maker.paycheck)


@recipe("getPaycheckDerivation")
async def get_paycheck_derivation(maker: Maker) -> Ask:
    """Compared with itself, so that a foreign paycheck is tried in that place too."""
    check = await maker.paycheck()
    return Ask("GET", f"/v1/paychecks/{check['id']}/derivation", query={"compare_to": check["id"]})


_collection("listPayments", "/v1/payments", Maker.paid_run)
_one("getPayment", "/v1/payments/{id}", Maker.payment)
_act("retryPayment", "/v1/payments/{id}/retry", Maker.returned_payment, if_match=True, by=CHECKER)


@recipe("runTestSimulation")
async def run_test_simulation(maker: Maker) -> Ask:
    body = {"payment_id": (await maker.sent_payment())["id"], "code": "R16"}
    return Ask("POST", "/v1/test/simulations/payment_return", body)


@recipe("createPayrollRun")
async def create_payroll_run(maker: Maker) -> Ask:
    return Ask("POST", "/v1/payroll_runs", maker.run_body(await maker.week()))


# ------------------------------------------------------------------------------------------- ledger and documents

_collection("listLedgerAccounts", "/v1/ledger_accounts", Maker.paid_run)
_collection("listLedgerTransactions", "/v1/ledger_transactions", Maker.paid_run)
_collection("listLedgerEntries", "/v1/ledger_entries", Maker.paid_run)
_collection("getTrialBalance", "/v1/trial_balance", Maker.paid_run)


async def _posted(maker: Maker, path: str) -> Any:
    await maker.paid_run()
    return await maker.first(path)


_one("getLedgerAccount", "/v1/ledger_accounts/{id}", lambda maker: _posted(maker, "/v1/ledger_accounts"))
_one("getLedgerTransaction", "/v1/ledger_transactions/{id}", lambda maker: _posted(maker, "/v1/ledger_transactions"))

_collection("listDocuments", "/v1/documents", Maker.paid_run)
_one("getDocument", "/v1/documents/{id}", Maker.document)
_act("createDownloadLink", "/v1/documents/{id}/download_link", Maker.document)


@recipe("openDownload")
async def open_download(maker: Maker) -> Ask:
    document_ = await maker.document()
    link = await maker.post(f"/v1/documents/{document_['id']}/download_link")
    return Ask("GET", "/v1/downloads/" + link["url"].rsplit("/", 1)[-1], keyless=True)


# ------------------------------------------------------------------------------------------------------ webhooks

_collection("listWebhookEndpoints", "/v1/webhook_endpoints", Maker.endpoint)
_one("getWebhookEndpoint", "/v1/webhook_endpoints/{id}", Maker.endpoint)
_act("updateWebhookEndpoint", "/v1/webhook_endpoints/{id}", Maker.endpoint, {"description": "again"}, method="PATCH",
     if_match=True)  # fmt: skip
_act("deleteWebhookEndpoint", "/v1/webhook_endpoints/{id}", Maker.endpoint, method="DELETE", if_match=True)
_act("rotateWebhookEndpointSecret", "/v1/webhook_endpoints/{id}/rotate_secret", Maker.endpoint, {"overlap_hours": 1})
_act("pauseWebhookEndpoint", "/v1/webhook_endpoints/{id}/pause", Maker.endpoint)
_collection("listEvents", "/v1/events", Maker.event)
_one("getEvent", "/v1/events/{id}", Maker.event)


@recipe("createWebhookEndpoint")
async def create_webhook_endpoint(maker: Maker) -> Ask:
    body = {"external_id": maker.name("H"), "url": "https://hooks.example.com/backoffice"}
    return Ask("POST", "/v1/webhook_endpoints", body)


@recipe("enableWebhookEndpoint")
async def enable_webhook_endpoint(maker: Maker) -> Ask:
    endpoint = await maker.endpoint()
    await maker.post(f"/v1/webhook_endpoints/{endpoint['id']}/pause")
    return Ask("POST", f"/v1/webhook_endpoints/{endpoint['id']}/enable")


@recipe("replayWebhookEndpoint")
async def replay_webhook_endpoint(maker: Maker) -> Ask:
    endpoint, delivery = await maker.delivery()
    return Ask("POST", f"/v1/webhook_endpoints/{endpoint['id']}/replay", {"event_ids": [delivery["event_id"]]})


_act("testWebhookEndpoint", "/v1/webhook_endpoints/{id}/test", Maker.endpoint, {"type": "payroll_run.paid"})


@recipe("triggerTestWebhooks")
async def trigger_test_webhooks(maker: Maker) -> Ask:
    return Ask("POST", "/v1/test/webhooks/trigger", {"type": "payroll_run.paid"})


@recipe("listWebhookDigests")
async def list_webhook_digests(maker: Maker) -> Ask:
    endpoint, _ = await maker.digest()
    return Ask("GET", f"/v1/webhook_endpoints/{endpoint['id']}/digests")


@recipe("listWebhookEndpointEvents")
async def list_webhook_endpoint_events(maker: Maker) -> Ask:
    endpoint, _ = await maker.delivery()
    return Ask("GET", f"/v1/webhook_endpoints/{endpoint['id']}/events")


@recipe("listWebhookDeliveries")
async def list_webhook_deliveries(maker: Maker) -> Ask:
    endpoint, _ = await maker.delivery()
    return Ask("GET", f"/v1/webhook_endpoints/{endpoint['id']}/deliveries")


@recipe("getWebhookDelivery")
async def get_webhook_delivery(maker: Maker) -> Ask:
    _, delivery = await maker.delivery()
    return Ask("GET", f"/v1/webhook_deliveries/{delivery['id']}")
