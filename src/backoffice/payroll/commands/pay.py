"""Pay a run: ledger, year-to-date, bank file, and the state that says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, SmallInteger, Text, any_, column, func, literal, select
from sqlalchemy.dialects.postgresql import insert as pg_insert

from backoffice.accounts import queries as accounts
from backoffice.documents import commands as documents
from backoffice.documents.schemas import Stored
from backoffice.kernel import ids
from backoffice.ledger import commands as ledger
from backoffice.payroll import chart, events, models
from backoffice.payroll.bank_file import BankFile
from backoffice.payroll.commands.calculate import must_be_few
from backoffice.payroll.commands.decide import PAY, must_be_another, must_go_on
from backoffice.payroll.commands.moves import ended, move, tell, totals, wanted
from backoffice.payroll.commands.payments import send
from backoffice.payroll.errors import PaymentUnderWay, RunBlocked, WorkNotWanted
from backoffice.payroll.queries.blockers import missing_accounts
from backoffice.payroll.queries.pay_file import pay_file
from backoffice.payroll.queries.paychecks import lines_of
from backoffice.payroll.queries.payments import payment_being_retried
from backoffice.payroll.queries.runs import find_run
from backoffice.payroll.schemas import PayRun, PrintStubs
from backoffice.people import queries as people
from backoffice.platform.effects import Effect
from backoffice.platform.jobs import queries as jobs
from backoffice.platform.jobs.view import JobView
from backoffice.platform.jobs.view import view as job_view
from backoffice.platform.tables import TENANT, Id
from backoffice.platform.tx import Row, Tx
from backoffice.platform.web.bodies import MoneyBody

_checks, _lines, _ytd = models.paycheck, models.paycheck_line, models.year_to_date


async def start_payment(tx: Tx, id_: str, if_version: int) -> JobView:
    """Queue the payment of an approved run. SecondPersonRequired (403) for the maker where the firm wants another,
    VersionConflict (412), RunNotInState (409), RunBlocked (409) with the list, PaymentUnderWay (409) while a payment
    that came back is sent again. One run of an employer is paid at a time: each counts on the year-to-date that the
    one before has left."""
    await accounts.hold_employer(tx)
    run = await find_run(tx, id_, lock=True)
    await must_be_another(tx, run, PAY)
    await must_go_on(tx, run, "pay", if_version)
    again = await payment_being_retried(tx)
    if again is not None:
        raise PaymentUnderWay(f"{ids.encode('payment', again)} is being sent again.")
    row = await move(tx, run, "pay", "paying")
    job_id = await tx.start(PayRun(run_id=ids.encode("payroll_run", run["id"]), run_version=row["version"]))
    await tx.flush()
    return job_view(tx.principal, await jobs.get(tx, job_id))


async def prepare_payment(tx: Tx, payload: PayRun) -> list[str]:
    """Fix the account of each paycheck and make the ledger accounts that will be posted to; the paychecks' ids, by
    worker number. RunBlocked (409) when somebody has no account any more."""
    run = await wanted(tx, payload, "paying")
    checks = await _fix_accounts(tx, run)
    owed = await tx.fetch(
        select(_lines.c.kind, _lines.c.code, _lines.c.jurisdiction)
        .distinct()
        .where(
            _lines.c.tenant_id == TENANT,
            _lines.c.paycheck_id.in_(
                select(_checks.c.id).where(_checks.c.tenant_id == TENANT, _checks.c.run_id == run["id"])
            ),
            _is_owed(),
        )
    )
    taxes = [(line["code"], line["jurisdiction"]) for line in owed if line["kind"] in models.TAXES]
    withheld = [(line["kind"], line["code"]) for line in owed if line["kind"] in models.WITHHELD]
    await ledger.ensure_accounts(tx, chart.accounts_for(taxes, withheld))
    return [ids.encode("paycheck", check["id"]) for check in checks]


async def post_paychecks(tx: Tx, payload: PayRun, paycheck_ids: Sequence[str]) -> int:
    """Post some paychecks to the ledger, one transaction each, and count them into the year; those that are still
    pending, so that a payment taken up again counts nothing twice."""
    run = await wanted(tx, payload, "paying")
    chosen = [id_ for text in paycheck_ids if (id_ := ids.decode("paycheck", text))]
    checks = await tx.fetch(
        _checks.update()
        .where(
            _checks.c.tenant_id == TENANT,
            _checks.c.run_id == run["id"],
            _checks.c.id == any_(literal(chosen, ARRAY(Id))),
            _checks.c.payment == "pending",
        )
        .values(payment="posted", version=_checks.c.version + 1, updated_at=await tx.now())
        .returning(*_checks.c)
    )
    if not checks:
        return 0
    posted = [check["id"] for check in checks]
    lines = await lines_of(tx, posted)
    ordered = sorted(checks, key=lambda check: (check["number"], check["id"]))
    await ledger.post(tx, [_posting(run, check, lines[check["id"]]) for check in ordered])
    await _count_into_year(tx, run, posted)
    return len(checks)


async def build_bank_file(tx: Tx, payload: PayRun) -> BankFile:
    """The bank file of the run, the same text whenever this payment asks for it. Opens account numbers; nothing is
    kept. ValidationFailed (422) when no bank could read it."""
    return await pay_file(tx, await wanted(tx, payload, "paying"))


async def finish_payment(tx: Tx, payload: PayRun, file: BankFile, stored: Sequence[Stored]) -> dict[str, Any]:
    """The run is paid: the bank file can be fetched, cash is posted, deposits are marked sent with their trace
    numbers, stubs are asked for. All or nothing."""
    run = await wanted(tx, payload, "paying")
    run_id = payload.run_id
    await documents.record(tx, stored)
    await ledger.post(tx, [chart.bank_file_posting(run_id, file.settles_on, file.total_minor)])
    await _mark_sent(tx, run, file)
    row = await move(tx, run, "finish_payment", "paid", {"paid_at": await tx.now()})
    net = MoneyBody.of(row["net_minor"])
    effect = Effect(
        kind="payroll_paid",
        subject=run_id,
        after=totals(row),
        visible_to=("front_office", "worker"),
        message=(
            f"{row['paycheck_count']} workers are paid {net.amount} {net.currency} net in all on {file.settles_on}; "
            "pay stubs follow."
        ),
    )
    tell(tx, events.RUN_PAID, row, "paying", [effect], ("status", "paid_at"))
    await tx.start(PrintStubs(run_id=run_id), key=run_id, progress_total=row["paycheck_count"])
    documents_ = [ids.encode("document", each.document_id) for each in stored]
    return {"status": "paid", "paychecks": row["paycheck_count"], "bank_file": next(iter(documents_), None)}


async def abandon_payment(tx: Tx, payload: PayRun, status: str) -> None:
    """The job ended without success. What was posted stays posted; paying the run again goes on from there."""
    try:
        run = await wanted(tx, payload, "paying", lock=True)
    except WorkNotWanted:
        return
    row = await move(tx, run, "abandon_payment", "approved")
    effect = Effect(
        kind="payment_ended",
        subject=payload.run_id,
        message=f"The payment {ended(status)} before the bank file was made; nobody was paid.",
        ask="Mend what the job's problem names and pay the run again: it goes on where it was broken off.",
    )
    tell(tx, events.RUN_PAYMENT_FAILED, row, "paying", [effect])


async def preview_payment(tx: Tx, payload: PayRun) -> None:
    """The payment inside a dry run; the bank file is built and thrown away. PreviewTooLarge (422) above 200."""
    paycheck_ids = await prepare_payment(tx, payload)
    must_be_few(paycheck_ids)
    await post_paychecks(tx, payload, paycheck_ids)
    await finish_payment(tx, payload, await build_bank_file(tx, payload), [])


def _is_owed() -> Any:
    """A line of a tax, a deduction or a garnishment."""
    return _lines.c.kind == any_(literal([*models.TAXES, *models.WITHHELD], ARRAY(Text)))


async def _fix_accounts(tx: Tx, run: Row) -> list[Row]:
    """The paychecks, each with the account it will be paid to: what this payment says from here on is one file."""
    found = select(_checks.c.id, _checks.c.worker_id).where(
        _checks.c.tenant_id == TENANT, _checks.c.run_id == run["id"]
    )
    checks = await tx.fetch(found.order_by(_checks.c.number, _checks.c.id))
    active = await people.active_accounts(tx, [check["worker_id"] for check in checks])
    missing = [check["worker_id"] for check in checks if check["worker_id"] not in active]
    if missing:
        raise RunBlocked(extra={"blockers": await missing_accounts(tx, run, missing)})
    account = _given({check["id"]: active[check["worker_id"]].id for check in checks}, Id)
    await tx.execute(
        _checks.update()
        .where(_checks.c.tenant_id == TENANT, _checks.c.id == account.c.id)
        .where(_checks.c.bank_account_id.is_distinct_from(account.c.value))
        .values(bank_account_id=account.c.value, version=_checks.c.version + 1, updated_at=await tx.now())
    )
    return checks


def _posting(run: Row, check: Row, lines: Sequence[Row]) -> ledger.Posting:
    sides: dict[str, dict[tuple[str, str], int]] = {kind: {} for kind in models.TAXES}
    withheld: dict[tuple[str, str], int] = {}
    for line in lines:
        if line["kind"] in sides:
            sides[line["kind"]][line["code"], line["jurisdiction"]] = line["amount_minor"]
        elif line["kind"] in models.WITHHELD:
            key = line["kind"], line["code"]
            withheld[key] = withheld.get(key, 0) + line["amount_minor"]
    return chart.paycheck_posting(
        ids.encode("paycheck", check["id"]),
        run["pay_date"],
        gross=check["gross_minor"],
        net=check["net_minor"],
        employee_taxes=sides["employee_tax"],
        employer_taxes=sides["employer_tax"],
        withheld=withheld,
    )


async def _count_into_year(tx: Tx, run: Row, paycheck_ids: Sequence[UUID]) -> None:
    """Add the lines of taxes, deductions and orders to the year-to-date. Within the step that posts them, so once."""
    same = ("kind", "code", "jurisdiction")
    key = ("employer_id", "worker_id", "year", *same)
    lines = (
        select(
            TENANT,
            literal(run["employer_id"], Id),
            _checks.c.worker_id,
            literal(run["pay_date"].year, SmallInteger),
            *(_lines.c[name] for name in same),
            func.coalesce(func.sum(_lines.c.wages_minor), 0),
            func.sum(_lines.c.amount_minor),
        )
        .join(_checks, (_checks.c.tenant_id == _lines.c.tenant_id) & (_checks.c.id == _lines.c.paycheck_id))
        .where(
            _lines.c.tenant_id == TENANT,
            _checks.c.tenant_id == TENANT,
            _checks.c.id == any_(literal(list(paycheck_ids), ARRAY(Id))),
            _is_owed(),
        )
        .group_by(_checks.c.worker_id, *(_lines.c[name] for name in same))
        .order_by(_checks.c.worker_id, *(_lines.c[name] for name in same))
    )
    added = pg_insert(_ytd).from_select(["tenant_id", *key, "wages_minor", "amount_minor"], lines)
    await tx.execute(
        added.on_conflict_do_update(
            index_elements=["tenant_id", *key],
            set_={
                "wages_minor": _ytd.c.wages_minor + added.excluded.wages_minor,
                "amount_minor": _ytd.c.amount_minor + added.excluded.amount_minor,
            },
        )
    )


async def _mark_sent(tx: Tx, run: Row, file: BankFile) -> None:
    """The paychecks are sent, each by a payment of its own."""
    mine = (_checks.c.tenant_id == TENANT, _checks.c.run_id == run["id"])
    await tx.execute(
        _checks.update().where(*mine).values(payment="sent", version=_checks.c.version + 1, updated_at=await tx.now())
    )
    same = ("run_id", "worker_id", "bank_account_id")
    checks = await tx.fetch(
        select(_checks.c.id, _checks.c.net_minor, *(_checks.c[name] for name in same))
        .where(*mine)
        .order_by(_checks.c.number, _checks.c.id)
    )
    await send(
        tx,
        [
            {
                **{name: check[name] for name in same},
                "paycheck_id": check["id"],
                "amount_minor": check["net_minor"],
                "attempt": 1,
                "retry_of": None,
                "trace_number": file.traces[ids.encode("paycheck", check["id"])],
                "settles_on": file.settles_on,
            }
            for check in checks
        ],
    )


def _given(values: Mapping[Any, Any], type_: Any) -> Any:
    """`id` and `value` of each pair, as a table."""
    arrays = literal(list(values), ARRAY(Id)), literal(list(values.values()), ARRAY(type_))
    return func.unnest(*arrays).table_valued(column("id", Id), column("value", type_), name="given").render_derived()
