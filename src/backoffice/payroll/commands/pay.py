"""Pay a run: ledger, year-to-date, bank file, and the state that says so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import any_, column, func, literal
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as pg_insert

from backoffice.accounts import queries as accounts
from backoffice.kernel import ids
from backoffice.kernel.dates import local
from backoffice.kernel.errors import StateConflict
from backoffice.ledger import commands as ledger
from backoffice.payroll import chart, events, models
from backoffice.payroll.bank_file import BankFile, bank_file
from backoffice.payroll.commands.moves import move, tell, totals
from backoffice.payroll.queries.paychecks import lines_of, of_run
from backoffice.payroll.queries.runs import find_run
from backoffice.payroll.schemas import PayRun, PrintStubs
from backoffice.people import queries as people
from backoffice.platform.crypto import Cell
from backoffice.platform.db import Row, Tx
from backoffice.platform.effects import Effect
from backoffice.platform.jobs import queries as jobs
from backoffice.platform.jobs.view import JobView
from backoffice.platform.jobs.view import view as job_view
from backoffice.platform.tables import TENANT, Id
from backoffice.platform.web.bodies import MoneyBody

_checks, _ytd = models.paycheck, models.year_to_date
# Whose wages count towards a base (the engine caps them); other taxes have amounts only.
_BASED = ("social_security", "medicare", "futa", "sui")


async def start_payment(tx: Tx, id_: str, if_version: int) -> JobView:
    """Queue the payment of an approved run. RunNotInState (409), VersionConflict (412)."""
    run = await find_run(tx, id_, lock=True)
    await move(tx, run["id"], "pay", "paying", if_version=if_version)
    run_id = ids.encode("payroll_run", run["id"])
    job_id = await tx.start(PayRun(run_id=run_id))
    await tx.flush()
    return job_view(tx.principal, await jobs.get(tx, job_id))


async def prepare_payment(tx: Tx, payload: PayRun) -> list[str]:
    """Make the accounts that will be posted to; the paychecks' ids, by worker number."""
    run = await _paying(tx, payload)
    checks = await of_run(tx, run["id"])
    lines = await lines_of(tx, [check["id"] for check in checks])
    taxes = {
        (line["code"], line["jurisdiction"])
        for found in lines.values()
        for line in found
        if line["kind"] in ("employee_tax", "employer_tax")
    }
    await ledger.ensure_accounts(tx, chart.accounts_for(taxes))
    return [ids.encode("paycheck", check["id"]) for check in checks]


async def post_paychecks(tx: Tx, payload: PayRun, paycheck_ids: Sequence[str]) -> int:
    """Post some paychecks to the ledger, one transaction each, and count them into the year; those that are still
    pending, so that a payment taken up again counts nothing twice."""
    run = await _paying(tx, payload)
    wanted = [id_ for text in paycheck_ids if (id_ := ids.decode("paycheck", text))]
    checks = await tx.fetch(
        _checks.update()
        .where(
            _checks.c.tenant_id == TENANT,
            _checks.c.run_id == run["id"],
            _checks.c.id == any_(literal(wanted, ARRAY(Id))),
            _checks.c.payment == "pending",
        )
        .values(payment="posted", version=_checks.c.version + 1, updated_at=await tx.now())
        .returning(*_checks.c)
    )
    checks = sorted(checks, key=lambda check: (check["number"], check["id"]))
    lines = await lines_of(tx, [check["id"] for check in checks])
    postings = []
    for check in checks:
        sides: dict[str, dict[tuple[str, str], int]] = {"employee_tax": {}, "employer_tax": {}}
        for line in lines[check["id"]]:
            if line["kind"] in sides:
                sides[line["kind"]][line["code"], line["jurisdiction"]] = line["amount_minor"]
        postings.append(
            chart.paycheck_posting(
                ids.encode("paycheck", check["id"]),
                run["pay_date"],
                gross=check["gross_minor"],
                net=check["net_minor"],
                employee_taxes=sides["employee_tax"],
                employer_taxes=sides["employer_tax"],
            )
        )
    if not checks:
        return 0
    await ledger.post(tx, postings)
    await _count_into_year(tx, run, checks, lines)
    return len(checks)


async def build_bank_file(tx: Tx, payload: PayRun) -> BankFile:
    """The bank file of the run: the same text whenever it is asked for. Opens account numbers; nothing is kept."""
    run = await _paying(tx, payload)
    checks = await of_run(tx, run["id"])
    profiles = await people.pay_profiles(tx, [check["worker_id"] for check in checks], run["pay_date"])
    accounts_ = {p.bank_account.id: p.bank_account for p in profiles.values() if p.bank_account is not None}
    cipher = await tx.cipher()
    numbers = {
        id_: cipher.open(Cell("bank_account", "account", id_), account.account_sealed, purpose="pay_file")
        for id_, account in accounts_.items()
    }
    settings = await accounts.tenant_settings(tx)
    made_at = local(settings.time_zone, run["approved_at"])
    employer = await accounts.employer(tx)
    return bank_file(employer, run["pay_date"], made_at, checks, profiles, numbers)


async def finish_payment(tx: Tx, payload: PayRun, file: Mapping[str, Any]) -> dict[str, Any]:
    """The run is paid: cash posted, deposits marked sent with their trace numbers, stubs asked for."""
    run = await _paying(tx, payload)
    run_id = payload.run_id
    await ledger.post(tx, [chart.bank_file_posting(run_id, run["pay_date"], file["total_minor"])])
    await _mark_sent(tx, file["traces"])
    now = await tx.now()
    row = await move(tx, run["id"], "finish_payment", "paid", {"paid_at": now})
    net = MoneyBody.of(row["net_minor"])
    effect = Effect(
        kind="payroll_paid",
        subject=run_id,
        after=totals(row),
        visible_to=("front_office", "worker"),
        message=(
            f"{row['paycheck_count']} workers are paid {net.amount} {net.currency} net in all on {row['pay_date']}; "
            "pay stubs follow."
        ),
    )
    tell(tx, events.RUN_PAID, row, "paying", [effect], ("status", "paid_at"))
    await tx.start(PrintStubs(run_id=run_id), key=run_id, progress_total=row["paycheck_count"])
    return {"status": "paid", "paychecks": row["paycheck_count"], "bank_file": file.get("document_id")}


async def abandon_payment(tx: Tx, payload: PayRun, status: str) -> None:
    """The job ended without success. What was posted stays posted; paying the run again goes on from there."""
    run = await find_run(tx, payload.run_id, lock=True)
    if run["status"] != "paying":
        return
    row = await move(tx, run["id"], "abandon_payment", "approved")
    effect = Effect(
        kind="payment_ended",
        subject=payload.run_id,
        message=f"The payment {status} before the bank file was sent; nobody was paid.",
        ask="Pay the run again, or ask us for help.",
    )
    tell(tx, events.RUN_APPROVED, row, "paying", [effect])


async def preview_payment(tx: Tx, payload: PayRun) -> None:
    """The payment inside a dry run; the bank file is built and thrown away."""
    paycheck_ids = await prepare_payment(tx, payload)
    await post_paychecks(tx, payload, paycheck_ids)
    file = await build_bank_file(tx, payload)
    await finish_payment(tx, payload, {"total_minor": file.total_minor, "traces": file.traces})


async def _paying(tx: Tx, payload: PayRun) -> Row:
    run = await find_run(tx, payload.run_id)
    if run["status"] != "paying":
        raise StateConflict("This payment is no longer wanted.")
    return run


async def _count_into_year(tx: Tx, run: Row, checks: Sequence[Row], lines: Mapping[UUID, Sequence[Row]]) -> None:
    """Add paychecks to the year-to-date. Within the step that posts them, so once."""
    amounts: dict[tuple[UUID, str, str], list[int]] = defaultdict(lambda: [0, 0])
    for check in checks:
        worker, gross = check["worker_id"], check["gross_minor"]
        for line in lines[check["id"]]:
            if line["kind"] in ("employee_tax", "employer_tax"):
                entry = amounts[worker, line["code"], line["jurisdiction"]]
                entry[1] += line["amount_minor"]
                if line["programme"] or line["code"] in _BASED:
                    entry[0] += gross
    upsert = pg_insert(_ytd).values(
        [
            {
                "tenant_id": tx.tenant,
                "employer_id": run["employer_id"],
                "worker_id": worker,
                "year": run["pay_date"].year,
                "code": code,
                "jurisdiction": jurisdiction,
                "wages_minor": wages,
                "amount_minor": amount,
            }
            for (worker, code, jurisdiction), (wages, amount) in sorted(amounts.items())
        ]
    )
    await tx.execute(
        upsert.on_conflict_do_update(
            index_elements=["tenant_id", "employer_id", "worker_id", "year", "code", "jurisdiction"],
            set_={
                "wages_minor": _ytd.c.wages_minor + upsert.excluded.wages_minor,
                "amount_minor": _ytd.c.amount_minor + upsert.excluded.amount_minor,
            },
        )
    )


async def _mark_sent(tx: Tx, traces: Mapping[str, str]) -> None:
    found = {ids.decode("paycheck", text): trace for text, trace in traces.items()}
    sent = (
        func.unnest(literal(list(found), ARRAY(Id)), literal(list(found.values()), ARRAY(_checks.c.trace_number.type)))
        .table_valued(column("id", Id), column("trace", _checks.c.trace_number.type), name="sent")
        .render_derived()
    )
    await tx.execute(
        _checks.update()
        .where(_checks.c.tenant_id == TENANT, _checks.c.id == sent.c.id)
        .values(payment="sent", trace_number=sent.c.trace, version=_checks.c.version + 1, updated_at=await tx.now())
    )
